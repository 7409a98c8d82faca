"""Every page, light and dark, narrow and wide, with scripts and without: as it should be, and kept as a picture."""

from __future__ import annotations

import pytest

from tests.browser.chromium import NARROW, WIDE, faults, misspelt, scrolls_sideways
from tests.browser.conftest import Index, Visit

PAGES = {
    "home": ("", None),
    "search": ("+search?q=acme", None),
    "search-crowd": ("+search?q=crowd", None),
    "search-nothing": ("+search?q=nowhere-to-be-found", None),
    "project": ("project/tideline/", None),
    "project-markdown": ("project/acme-charts/", None),
    "project-plain": ("project/plain-notes/", None),
    "project-hostile": ("project/hostile/", None),
    "project-mountain": ("project/mountain/", None),
    "project-deprecated": ("project/old-pilot/", None),
    "project-archived": ("project/finished/", None),
    "project-quarantined": ("project/infected/", None),
    "release": ("project/tideline/1.2/", None),
    "file": ("project/tideline/2.1/tideline-2.1-py3-none-any.whl/", None),
    "file-sdist": ("project/tideline/2.1/tideline-2.1.tar.gz/", None),
    "theirs": ("project/numeral/", None),
    "why": ("+why/numeral", None),
    "why-denied": ("+why/evil", None),
    "login": ("+login", None),
    "account": ("+account", "alice"),
    "users": ("+users", "admin"),
    "log": ("+log?project=tideline", "admin"),
    "trash": ("+trash", "admin"),
    "upload": ("+upload", "alice"),
    "manage": ("project/tideline/+manage", "alice"),
    "not-found": ("project/nowhere-to-be-found/", None),
}
STATUS = {"not-found": 404}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_sound_in_both_schemes_and_widths(index: Index, visit: Visit, name: str):
    path, user = PAGES[name]
    for width in (NARROW, WIDE):
        one = visit(index, user, width=width)
        page = one.go(path, status=STATUS.get(name, 200))
        assert page.title()
        assert page.locator("h1").count() == 1
        assert scrolls_sideways(page) == ""
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            one.screenshot(f"{name}-{scheme}-{width}")
            if scheme == "light" or width == WIDE:  # the colours are the same at each width
                assert faults(page) == []


@pytest.mark.parametrize("name", PAGES)
def test_page_is_whole_without_scripts(index: Index, visit: Visit, name: str):
    path, user = PAGES[name]
    one = visit(index, user, width=WIDE, js=False)
    page = one.go(path, status=STATUS.get(name, 200))
    assert page.get_by_role("heading", level=1).is_visible()
    one.screenshot(f"{name}-without-scripts")
    response = page.request.get(page.url, headers={"Accept": "text/html"})
    assert misspelt(response.text()) == []


def test_page_reflows_at_320_pixels_and_at_200_percent(index: Index, visit: Visit):
    """WCAG 1.4.10 and 1.4.4: a window of 1280 pixels at 200 % is one of 640 for the style sheet."""
    for options in ({"width": 320, "height": 640}, {"width": WIDE // 2, "height": 450, "scale": 2}):
        for user in (None, "alice", "admin"):
            one = visit(index, user, **options)
            for name in [name for name, (_, who) in PAGES.items() if who == user]:
                page = one.go(PAGES[name][0], status=STATUS.get(name, 200))
                assert scrolls_sideways(page) == "", (name, options)


def test_hostile_readme_and_metadata_run_nothing_threat_6(index: Index, visit: Visit):
    one = visit(index)
    for path in ("", "project/hostile/", "project/hostile/6.6.6/", "+search?q=hostile"):
        page = one.go(path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.owned") is None, path
        assert page.locator("a[href^='javascript:' i], a[href^='data:' i], iframe, [onerror], [onclick]").count() == 0
        assert page.locator("main form[action*='elsewhere'], main [style]").count() == 0
