"""Renovate, which asks in two ways: the Simple API where its address ends in ``/simple/``, else the older JSON first.

What it does was read in its datasource for PyPI: it puts the slash at the end, adds the normalised name, follows
redirects, and reads versions from the file names.
"""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import pytest

from mypi.model import Actor
from tests.builders import sdist, wheel
from tests.functional.support import PIP, anchors, path_of

pytestmark = pytest.mark.parametrize("store", ["memory"], indirect=True)

ACTOR = Actor("tester", "test")
FILES = ["acme_lib-1.0-py3-none-any.whl", "acme_lib-1.0.tar.gz", "acme_lib-1.1rc1-py3-none-any.whl"]


@pytest.fixture
def held(index):
    """An index with two releases of a project, the older one yanked in part."""
    index.publish(*wheel("acme.lib", requires_python=">=3.8", project_url=["Source, https://github.com/acme/lib"]))
    index.publish(*sdist("acme.lib"))
    index.publish(*wheel("acme.lib", version="1.1rc1"))
    index.repository.yank("acme-lib", ["acme_lib-1.0.tar.gz"], "broken", ACTOR)
    return index


class Renovate:
    """Looks a package up as Renovate does. ``asked`` are the addresses that it came by."""

    def __init__(self, index, registry: str) -> None:
        self.index = index
        self.base = registry.rstrip("/") + "/"
        self.asked: list[str] = []
        # The proxy takes the prefix away; only it and the client know of it.
        self.prefix = re.match(r"https?://[^/]+(/team)?", registry)[1] or ""

    def releases(self, package: str) -> dict[str, list[dict]]:
        name = re.sub(r"[-_.]+", "-", package).lower()
        if not self.base.endswith(("/simple/", "/+simple/")):
            answer = self.get(urljoin(self.base, f"{name}/json"), "application/json")
            if answer.status_int == 200:
                return answer.json["releases"]
        answer = self.get(urljoin(self.base, f"{name}/"), PIP)
        assert "json" in answer.content_type
        found: dict[str, list[dict]] = {}
        for file in answer.json["files"]:
            found.setdefault(self.version(file["filename"], name), []).append(file)
        return found

    def version(self, filename: str, name: str) -> str:
        assert re.sub(r"[-_.]+", "-", filename).lower().startswith(f"{name}-")
        return filename[len(name) + 1 :].removesuffix(".tar.gz").partition("-")[0]

    def get(self, address: str, accept: str):
        for _ in range(5):
            self.asked.append(address)
            path = urlsplit(address).path
            assert path.startswith(self.prefix)
            answer = self.index.get(path.removeprefix(self.prefix), headers={"Accept": accept}, expect_errors=True)
            if answer.status_int != 301:
                return answer
            address = urljoin(address, answer.headers["Location"])
        raise AssertionError(f"redirects without an end: {self.asked}")


PREFIXES = ["http://index.example", "https://index.example/team"]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("place", ["/simple/", "/simple", "/+simple/", "/legacy/+simple/", "/", "", "/pypi/", "/pypi"])
@pytest.mark.parametrize("package", ["acme-lib", "Acme.Lib"])
def test_renovate_finds_every_release(held, prefix, place, package):
    found = Renovate(held, prefix + place).releases(package)
    assert {version: [file["filename"] for file in files] for version, files in found.items()} == {
        "1.0": FILES[:2],
        "1.1rc1": FILES[2:],
    }
    assert [bool(file["yanked"]) for file in found["1.0"]] == [False, True]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_renovate_needs_no_redirect_where_its_address_ends_in_simple(held, prefix):
    renovate = Renovate(held, f"{prefix}/simple/")
    renovate.releases("acme_lib")
    assert renovate.asked == [f"{prefix}/simple/acme-lib/"]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("spelling", ["Acme.Lib/", "acme_lib", "acme-lib"])
def test_renovate_stays_below_simple_when_it_is_redirected(held, prefix, spelling):
    renovate = Renovate(held, f"{prefix}/simple/")
    assert renovate.get(f"{prefix}/simple/{spelling}", PIP).json["name"] == "acme-lib"
    assert all(address.startswith(f"{prefix}/simple/") for address in renovate.asked)


@pytest.mark.parametrize("page", ["/simple/acme-lib/", "/acme-lib/", "/+simple/acme-lib/"])
@pytest.mark.parametrize("prefix", ["", "/team"])
def test_renovate_gets_links_that_hold_under_the_prefix(held, page, prefix):
    for attributes, text in anchors(held.get(page)):
        path = path_of(prefix + page, attributes["href"].partition("#")[0])
        assert path.startswith(f"{prefix}/files/acme-lib/")
        assert path.endswith(f"/{text}")
        held.get(path.removeprefix(prefix))


def test_renovate_reads_the_versions_from_the_anchors_of_the_html_page(held):
    found = anchors(held.get("/simple/acme-lib/", headers={"Accept": "text/html"}))
    assert [text.strip() for _, text in found] == FILES
    assert ["data-yanked" in attributes for attributes, _ in found] == [False, True, False]
    assert [attributes.get("data-requires-python") for attributes, _ in found] == [">=3.8", None, None]


def test_renovate_reads_times_constraints_and_the_source_from_the_older_json(held):
    page = held.get("/pypi/acme-lib/json").json
    assert page["info"]["project_urls"]["Source"] == "https://github.com/acme/lib"
    (wheel_file, sdist_file) = page["releases"]["1.0"]
    assert (wheel_file["requires_python"], sdist_file["requires_python"]) == (">=3.8", None)
    assert all(re.fullmatch(r"[0-9-]{10}T[0-9:]{8}", file["upload_time"]) for file in (wheel_file, sdist_file))


def test_renovate_learns_of_a_package_that_is_not_here_by_404(held):
    for place in ("/simple/", "/", "/pypi/"):
        answer = Renovate(held, f"http://index.example{place}").get(f"http://index.example{place}nothing/", PIP)
        assert answer.status_int == 404
