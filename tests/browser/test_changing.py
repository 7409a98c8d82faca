"""Changing what the index holds: uploading, yanking, removing, restoring, the status and the owners of a project."""

from __future__ import annotations

import base64
import random
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests import builders
from tests.browser.chromium import NARROW, WIDE, Visitor, faults
from tests.browser.conftest import Index, Visit


def drop(page: Page, *files: tuple[str, bytes]) -> None:
    """Drop files onto the page, as from a folder's window."""
    given = [[name, base64.b64encode(data).decode()] for name, data in files]
    transfer = page.evaluate_handle(
        """(given) => {
          const transfer = new DataTransfer();
          for (const [name, data] of given) {
            transfer.items.add(new File([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], name));
          }
          return transfer;
        }""",
        given,
    )
    for kind in ("dragenter", "dragover", "drop"):
        page.dispatch_event("form[data-upload]", kind, {"dataTransfer": transfer})


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_files_are_uploaded_by_dropping_them_with_progress(index: Index, visit: Visit, width: int, scheme: str):
    project = f"dropped-{scheme}"
    noise = random.Random(1).randbytes(600_000)
    large = builders.wheel(project, "1.0", files={"noise.bin": noise})
    small = builders.sdist(project, "1.0")
    one = visit(index, "alice", width=width, scheme=scheme)
    page = one.go("+upload")
    network = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400_000}
    network.send("Network.emulateNetworkConditions", slow)
    drop(page, large, small)
    bar = page.get_by_role("progressbar", name=f"Upload of {large[0]}")
    expect(bar).to_be_visible()
    expect(bar).to_have_attribute("value", re.compile(r"^0\.[1-9]"))
    one.screenshot(f"upload-progress-{scheme}-{width}")
    expect(page.get_by_role("link", name=f"{project} 1.0")).to_have_count(2)
    assert faults(page) == []
    one.screenshot(f"upload-done-{scheme}-{width}")
    held = index.project(project)
    assert {file.filename for file in held.live} == {large[0], small[0]}
    assert {event.by for event in held.history} == {"alice"}
    assert held.owners == ("alice",)
    page.get_by_role("link", name=f"{project} 1.0").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(project)


def test_refused_upload_says_why_beside_those_that_went_well(index: Index, visit: Visit):
    one = visit(index, "alice")
    one.watch.statuses |= {400, 409}
    page = one.go("+upload")
    taken = builders.wheel("tideline", "2.1", files={"other.py": b""})
    good = builders.wheel("refused-beside", "1.0")
    drop(page, taken, ("notes.txt", b"no package"), good)
    expect(page.get_by_role("link", name="refused-beside 1.0")).to_be_visible()
    items = page.get_by_label("Files of this visit").get_by_role("listitem")
    expect(items.filter(has_text=taken[0])).to_contain_text("File already exists")
    expect(items.filter(has_text="notes.txt")).to_contain_text("not published")
    one.screenshot("upload-refused-light-1280")
    assert index.project("refused-beside") is not None


def test_file_is_uploaded_by_the_plain_form(index: Index, visit: Visit, tmp_path: Path):
    name, data = builders.wheel("plain-form", "1.0")
    path = tmp_path / name
    path.write_bytes(data)
    one = visit(index, "alice", js=False, width=NARROW)
    one.watch.statuses |= {400, 409}
    page = one.go("+upload")
    page.get_by_label(re.compile(r"^File \(")).set_input_files(path)
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("main")).to_contain_text(f"{name} is published")
    assert [file.filename for file in index.project("plain-form").live] == [name]
    path.write_bytes(builders.wheel("plain-form", "1.0", files={"other.py": b""})[1])
    page.get_by_label(re.compile(r"^File \(")).set_input_files(path)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("alert")).to_contain_text("File already exists")


def choose(page: Page, version: str, action: str, reason: str = "") -> None:
    """Choose a release and what is to be done with it, and ask what that does."""
    page.get_by_role("checkbox", name=version, exact=True).check()
    page.get_by_role("radio", name=re.compile(f"^{action}")).check()
    if reason:
        page.get_by_label("Reason").first.fill(reason)
    page.get_by_role("button", name="See what it does").first.click()


@pytest.mark.parametrize(
    ("project", "js", "width", "scheme"), [("yank-me", True, WIDE, "light"), ("plain-yank", False, NARROW, "dark")]
)
def test_yank_shows_its_impact_first_and_is_taken_back(
    index: Index, visit: Visit, project: str, js: bool, width: int, scheme: str
):
    one = visit(index, "alice", js=js, width=width, scheme=scheme)
    page = one.go(f"project/{project}/")
    page.get_by_role("link", name="Manage").click()
    choose(page, "1.1", "Yank", "leaks <water>")
    main = page.locator("main")
    expect(main).to_contain_text(f"pip install {project} will take 1.0; it takes 1.1 now")
    if project == "yank-me":
        expect(main).to_contain_text("needs-yank-me")
        expect(main).to_contain_text("still finds a release")
        assert faults(page) == []
    one.screenshot(f"manage-impact-{scheme}-{width}")
    assert [file.yanked for file in index.project(project).live] == [None, None]

    page.get_by_role("button", name="Yank", exact=True).click()
    expect(main).to_contain_text("The files are yanked.")
    one.screenshot(f"manage-done-{scheme}-{width}")
    assert [file.yanked for file in index.project(project).live] == [None, "leaks <water>"]
    assert index.project(project).history[-1].by == "alice"
    one.go(f"project/{project}/1.1/")
    expect(main).to_contain_text("This release is yanked: leaks <water>")
    one.go(f"project/{project}/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("1.0")

    one.go(f"project/{project}/+manage")
    choose(page, "1.1", "Take the yank back")
    page.get_by_role("button", name="Take the yank back").click()
    expect(main).to_contain_text("The files are not yanked any more.")
    assert [file.yanked for file in index.project(project).live] == [None, None]


@pytest.mark.parametrize(("project", "js"), [("trash-me", True), ("plain-trash", False)])
def test_removed_release_lies_in_the_trash_and_is_restored(index: Index, visit: Visit, project: str, js: bool):
    one = visit(index, "alice", js=js)
    page = one.go(f"project/{project}/+manage")
    main = page.locator("main")
    choose(page, "1.1", "Remove")
    expect(main).to_contain_text("They can be restored for 30 days")
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(main).to_contain_text("The files were removed.")
    (gone,) = [file for file in index.project(project).files.values() if not file.live]
    assert gone.version == "1.1"
    one.go(f"project/{project}/1.1/", status=404)

    page.get_by_role("link", name="Trash").click()
    row = main.get_by_role("row").filter(has_text=gone.filename)
    expect(row).to_contain_text(project)
    row.get_by_role("button", name="Restore").click()
    expect(main).to_contain_text("They find these files again")
    page.get_by_role("button", name="Restore", exact=True).click()
    expect(main).to_contain_text("The files were restored.")
    assert all(file.live for file in index.project(project).files.values())
    one.go("+trash")
    expect(main).not_to_contain_text(gone.filename)
    expect(main).to_contain_text("bygone-1.0-py3-none-any.whl")
    expect(main.get_by_role("row").filter(has_text="bygone").get_by_role("button")).to_have_count(1)


def test_trash_offers_no_restoring_to_who_may_not(index: Index, visit: Visit):
    page = visit(index, "bob").go("+trash")
    row = page.locator("main").get_by_role("row").filter(has_text="bygone-1.0-py3-none-any.whl")
    expect(row).to_be_visible()
    expect(row.get_by_role("button")).to_have_count(0)


def confirmed(one: Visitor, button: str, said: str) -> None:
    """Confirm what the page says that it would do."""
    one.page.get_by_role("button", name=button).click()
    expect(one.page.locator("main")).to_contain_text(said)


@pytest.mark.parametrize(("project", "js"), [("manage-me", True), ("plain-manage", False)])
def test_status_and_owners_are_set(index: Index, visit: Visit, project: str, js: bool):
    one = visit(index, "alice", js=js)
    page = one.go(f"project/{project}/+manage")
    page.get_by_role("combobox", name="Status").select_option("archived")
    page.get_by_label("Reason").last.fill("finished <for good>")
    page.get_by_role("button", name="See what it does").last.click()
    expect(page.locator("main")).to_contain_text("nothing can be uploaded")
    assert index.project(project).status == "active"
    confirmed(one, "Set the status", "The status was set.")
    assert (index.project(project).status, index.project(project).status_reason) == ("archived", "finished <for good>")
    expect(one.go(f"project/{project}/").locator("main")).to_contain_text("archived. finished <for good>")

    one.go(f"project/{project}/+manage")
    page.get_by_label("User").fill("bob")
    page.get_by_role("button", name="Add the owner").click()
    confirmed(one, "Add an owner", "The project has a new owner.")
    assert index.project(project).owners == ("alice", "bob")
    expect(visit(index, "bob").go(f"project/{project}/+manage").locator("h1")).to_contain_text(project)
    page.get_by_role("button", name="Remove the owner bob").click()
    confirmed(one, "Remove an owner", "The project has lost an owner.")
    assert index.project(project).owners == ("alice",)
    assert [event.did for event in index.project(project).history[-3:]] == [
        *("status archived", "owner add", "owner remove"),
    ]


def test_change_of_what_somebody_else_has_changed_meanwhile_is_asked_again(index: Index, visit: Visit):
    one, other = visit(index, "alice"), visit(index, "admin")
    one.watch.statuses.add(409)
    for each in (one, other):
        each.go("project/both-change/+manage")
    choose(one.page, "1.1", "Yank", "by alice")
    choose(other.page, "1.0", "Yank", "by the administrator")
    other.page.get_by_role("button", name="Yank", exact=True).click()
    expect(other.page.locator("main")).to_contain_text("The files are yanked.")
    one.page.get_by_role("button", name="Yank", exact=True).click()
    expect(one.page.locator("main")).to_contain_text("Somebody has changed both-change meanwhile")
    assert [file.yanked for file in index.project("both-change").live] == ["by the administrator", None]
    one.page.get_by_role("button", name="Yank", exact=True).click()
    expect(one.page.locator("main")).to_contain_text("The files are yanked.")
    assert [file.yanked for file in index.project("both-change").live] == ["by the administrator", "by alice"]


def test_form_with_nothing_chosen_comes_back_with_a_sentence(index: Index, visit: Visit):
    one = visit(index, "alice", js=False)
    one.watch.statuses.add(400)
    page = one.go("project/yank-me/+manage")
    page.get_by_role("radio", name=re.compile("^Yank")).check()
    page.get_by_label("Reason").first.fill("kept in the field")
    page.get_by_role("button", name="See what it does").first.click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was changed.")
    expect(page.get_by_label("Reason").first).to_have_value("kept in the field")
