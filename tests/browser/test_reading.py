"""Reading: searching, copying, following links, with scripts and without, by keyboard alone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import NARROW
from tests.browser.conftest import Index, Visit


def focused(page: Page) -> str:
    """Return the text, label or name of what has the focus."""
    text: str = page.evaluate("""() => {
      const e = document.activeElement;
      return (e.innerText || e.getAttribute("aria-label") || e.labels?.[0]?.innerText || e.tagName).trim();
    }""")
    return text


@pytest.mark.parametrize(("width", "scheme"), [(NARROW, "dark"), (1280, "light")])
def test_search_finds_while_one_types(index: Index, visit: Visit, width: int, scheme: str):
    one = visit(index, width=width, scheme=scheme)
    page = one.go()
    box = page.get_by_role("combobox", name="Search projects")
    box.press_sequentially("gaug", delay=20)
    found = page.get_by_role("listbox", name="Projects").get_by_role("option")
    expect(found.filter(has_text="tideline")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("1 found")
    one.screenshot(f"home-searching-{scheme}-{width}")
    found.first.click()
    page.wait_for_url("**/project/tideline/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("tideline")


def test_search_is_left_and_entered_by_keys(index: Index, visit: Visit):
    page = visit(index).go()
    box = page.get_by_role("combobox", name="Search projects")
    box.fill("acme")
    options = page.get_by_role("listbox", name="Projects").get_by_role("option")
    expect(options.first).to_be_visible()
    box.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", options.first.get_attribute("id") or "")
    box.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(box).to_have_value("acme")
    box.press("Enter")
    page.wait_for_url("**/+search?q=acme")
    expect(page.locator("main")).to_contain_text("acme-units")
    box = page.get_by_role("combobox", name="Search projects")
    box.fill("acme-charts")
    expect(options).to_have_count(1)
    box.press("ArrowDown")
    box.press("Enter")
    page.wait_for_url("**/project/acme-charts/")


def test_search_answers_a_slow_typist_with_the_last_words_only(index: Index, visit: Visit):
    page = visit(index).go()
    page.route("**/+search?q=crowd", lambda route: (page.wait_for_timeout(300), route.continue_()))
    box = page.get_by_role("combobox", name="Search projects")
    box.fill("crowd")
    page.wait_for_timeout(200)
    box.fill("hostile")
    options = page.get_by_role("listbox", name="Projects").get_by_role("option")
    expect(options).to_have_count(1)
    page.wait_for_timeout(400)
    expect(options).to_have_text(re.compile("hostile"))
    assert page.evaluate("window.owned") is None


def test_search_works_without_scripts(index: Index, visit: Visit):
    page = visit(index, js=False, width=NARROW).go()
    page.get_by_label("Search projects").fill("coast")
    page.get_by_role("button", name="Search").click()
    assert page.url.endswith("/+search?q=coast")
    page.locator("main").get_by_role("link", name="tideline").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("tideline")


def test_search_goes_through_a_crowd_page_by_page(index: Index, visit: Visit):
    page = visit(index, js=False).go("+search?q=crowd")
    expect(page.locator("main")).to_contain_text("1,100 projects")
    assert page.locator("main ul.rows > li").count() <= 100


def test_project_leads_to_releases_files_dependencies_and_dependents(index: Index, visit: Visit):
    one = visit(index)
    page = one.go("project/tideline/")
    main = page.locator("main")
    expect(main.locator(".readme")).to_contain_text("says when a boat can leave")
    expect(main.locator(".readme table")).to_be_visible()
    expect(main).to_contain_text(re.compile("numpy.*>=2", re.S))
    assert main.get_by_role("link", name="numpy").count() == 0  # it does not live here
    main.get_by_role("link", name="acme-units").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("acme-units")
    main.get_by_role("link", name="tideline").click()  # which needs it
    main.get_by_role("link", name="1.2", exact=True).click()
    page.wait_for_url("**/project/tideline/1.2/")
    expect(main).to_contain_text("This release is yanked: reads the wrong time zone")
    main.get_by_role("link", name="tideline-1.2-py3-none-any.whl", exact=True).click()
    expect(main).to_contain_text("tideline/__init__.py")
    expect(main).to_contain_text("Metadata-Version: 2.4")
    with page.expect_download() as download:
        main.get_by_role("link", name="Download").click()
    file = index.project("tideline").files["tideline-1.2-py3-none-any.whl"]
    assert download.value.path().stat().st_size == file.size


def test_project_says_how_it_stands(index: Index, visit: Visit):
    one = visit(index, js=False)
    for name, said in (
        ("old-pilot", "This project is deprecated. use tideline instead"),
        ("finished", "This project is archived. its last boat was sold"),
        ("infected", "This project is quarantined. under examination since Monday"),
    ):
        expect(one.go(f"project/{name}/").locator("main")).to_contain_text(said)
    expect(one.page.locator("main")).not_to_contain_text(".whl")


def test_project_with_5000_files_is_shown_in_parts(index: Index, visit: Visit):
    one = visit(index)
    page = one.go("project/mountain/")
    assert page.locator("tr").count() <= 250
    assert page.locator("main li").count() <= 250
    page.get_by_role("link", name="Next").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("mountain")
    one.go("project/mountain/1.100/")
    expect(page.locator("main")).to_contain_text("mountain-1.100-cp39-cp39-win_amd64.whl")


def test_copy_button_copies_the_line(index: Index, visit: Visit):
    one = visit(index)
    page = one.go("project/tideline/")
    page.get_by_role("button", name="Copy the command that installs it").click()
    expect(page.get_by_role("status")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == f"pip install -i {index.url} tideline"
    digest = index.project("tideline").files["tideline-2.1.tar.gz"].sha256
    page.get_by_role("button", name="Copy the digest of tideline-2.1.tar.gz").click()
    expect(page.locator("button.copy.done")).to_have_count(2)
    assert page.evaluate("navigator.clipboard.readText()") == digest


def test_copy_buttons_are_not_shown_where_they_cannot_work(index: Index, visit: Visit):
    page = visit(index, js=False).go("project/tideline/")
    for button in page.locator("button.copy").all():
        assert not button.is_visible()


def test_keyboard_reaches_everything_and_shows_where_it_is(index: Index, visit: Visit):
    one = visit(index)
    page = one.go("project/tideline/")
    page.keyboard.press("Tab")
    assert focused(page) == "To the content"
    assert page.locator("a.skip").bounding_box()["y"] >= 0  # it comes into sight
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.go_back()
    page.reload()
    order = []
    for _ in range(14):
        page.keyboard.press("Tab")
        order.append(focused(page))
        visible = page.evaluate("""() => {
          const style = getComputedStyle(document.activeElement);
          return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 || style.boxShadow !== "none";
        }""")
        assert visible, f"nothing shows that {order[-1]} has the focus"
    wanted = ["To the content", "mypi", "Search projects", "Search", "Upload", "Log", "Trash", "Log in"]
    assert [each for each in order if each in wanted] == wanted, order
