"""Peers' own readers as judges: what pypi-simple, mousebender and pip read from our pages is what was published."""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import mousebender.simple
import pytest
from packaging.metadata import parse_email
from packaging.version import Version
from pip._internal.index.collector import IndexContent, parse_links
from pypi_simple import IndexPage, ProjectPage

from mypi.application import application
from mypi.backends.memory import MemoryStore
from mypi.model import Actor, Event, File, Project
from mypi.repository import Repository
from tests.functional import hostile
from tests.functional.conftest import Index
from tests.functional.support import JSON, TEXT
from tests.repository.shorthand import settings, submission

NUMBER = 3000 if os.environ.get("MYPI_TORTURE") else 300
MANY = 10_000
ACTOR = Actor("tester", "test")
BASE = "http://localhost/simple/"


@dataclass(frozen=True)
class Seen:
    """A file as a page shows it. ``yanked`` is the reason, "" without one, None if it is not yanked."""

    filename: str
    url: str
    sha256: str
    requires_python: str | None
    yanked: str | None
    metadata: str | None


def by_pypi_simple(page: Any, project: str, base: str) -> list[Seen]:
    if page.content_type == JSON:
        read = ProjectPage.from_json_data(page.json, base)
    else:
        read = ProjectPage.from_html(project, page.body, base, from_encoding="utf-8")
    assert (read.project, read.repository_version) == (project, "1.4")
    return [
        Seen(
            file.filename,
            file.url,
            file.digests["sha256"],
            file.requires_python,
            (file.yanked_reason or "") if file.is_yanked else None,
            (file.metadata_digests or {}).get("sha256"),
        )
        for file in read.packages
    ]


def by_mousebender(page: Any, project: str, base: str) -> list[Seen]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mousebender.simple.APIVersionWarning)  # it reads HTML up to 1.1 for sure
        read = mousebender.simple.parse_project_details(page.text, page.content_type, project)
    assert read["name"] == project
    seen = []
    for file in read["files"]:
        yanked, metadata = file.get("yanked", False), file.get("core-metadata", False)
        seen.append(
            Seen(
                file["filename"],
                urljoin(base, file["url"]),
                file["hashes"]["sha256"],
                file.get("requires-python"),
                ("" if yanked is True else yanked) if yanked is not False else None,
                metadata["sha256"] if metadata else None,
            )
        )
    return seen


def by_pip(page: Any, project: str, base: str) -> list[Seen]:
    content = IndexContent(page.body, page.headers["Content-Type"], page.charset, base, cache_link_parsing=False)
    seen = []
    for link in parse_links(content):
        beside = link.metadata_link()
        assert link.hash_name == "sha256"
        assert beside is None or beside.url_without_fragment == f"{link.url_without_fragment}.metadata"
        metadata = beside.as_hashes()._allowed["sha256"][0] if beside else None
        # Its pages give "" and its JSON None where any Python will do.
        python = link.requires_python or None
        seen.append(Seen(link.filename, link.url_without_fragment, link.hash, python, link.yanked_reason, metadata))
    return seen


JUDGES: dict[str, Callable[[Any, str, str], list[Seen]]] = {
    "pypi-simple": by_pypi_simple,
    "mousebender": by_mousebender,
    "pip": by_pip,
}


def make() -> tuple[Index, MemoryStore]:
    loaded, store = settings(), MemoryStore()
    repository = Repository(store, store, loaded)
    index = Index(application(loaded, repository))
    index.repository = repository
    return index, store


@pytest.fixture(scope="module")
def published() -> tuple[Index, list[hostile.Project]]:
    """An index of odd projects, and what was published to it."""
    index, _ = make()
    made = hostile.projects(seed=20261105, number=NUMBER)
    for project in made:
        for file in project.files.values():
            index.repository.publish(submission(file.name, file.content, signature=file.signature), ACTOR)
            if file.yanked is not None:
                index.repository.yank(project.name, [file.name], file.yanked, ACTOR)
        index.repository.set_status(project.name, project.status, project.reason, ACTOR)
    return index, made


def expected(index: Index, project: hostile.Project, place: str = "files") -> dict[str, Seen]:
    """What a reader must see of a project; the token and the sidecar's digest are the index's to choose."""
    stored = index.repository.project(project.name).value.files
    return {
        file.name: Seen(
            file.name,
            f"http://localhost/{place}/{project.name}/{stored[file.name].token}/{file.name}",
            hashlib.sha256(file.content).hexdigest(),
            file.requires_python,
            file.yanked,
            stored[file.name].core_metadata,
        )
        for file in project.files.values()
    }


def told(seen: list[Seen]) -> dict[str, Seen]:
    assert len({each.filename for each in seen}) == len(seen)
    return {each.filename: Seen(**{**vars(each), "url": unquote(each.url)}) for each in seen}


@pytest.mark.parametrize("form", [TEXT, JSON])
@pytest.mark.parametrize("judge", JUDGES)
def test_peers_read_from_every_page_what_was_published(published, judge, form):
    index, made = published
    for project in made:
        page = index.get(f"/simple/{project.name}/", headers={"Accept": form})
        seen = JUDGES[judge](page, project.name, f"{BASE}{project.name}/")
        assert told(seen) == expected(index, project), project.name


def test_peers_read_what_only_json_tells(published):
    index, made = published
    for project in made:
        page = ProjectPage.from_json_data(index.json(project.name), f"{BASE}{project.name}/")
        assert (page.status, page.status_reason or "") == (project.status, project.reason)
        assert page.versions == sorted({file.version for file in project.files.values()}, key=Version)
        for package in page.packages:
            file = project.files[package.filename]
            assert package.size == len(file.content)
            assert package.has_sig in (None, file.signature is not None)
            assert abs(package.upload_time - datetime.now(timezone.utc)).total_seconds() < 3600


def test_peers_read_the_status_from_the_html_page(published):
    index, made = published
    for project in made:
        page = ProjectPage.from_html(project.name, index.html(project.name).body, from_encoding="utf-8")
        assert (page.status, page.status_reason or "") == (project.status, project.reason)


@pytest.mark.parametrize("form", [TEXT, JSON])
def test_peers_read_every_name_from_the_list_of_projects(published, form):
    index, made = published
    page = index.get("/simple/", headers={"Accept": form})
    displays = {project.display for project in made}
    if form == JSON:
        read = IndexPage.from_json_data(page.json)
    else:
        read = IndexPage.from_html(page.body, from_encoding="utf-8")
    assert set(read.projects) == displays
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mousebender.simple.APIVersionWarning)
        listed = mousebender.simple.parse_project_index(page.text, page.content_type)
    assert {each["name"] for each in listed["projects"]} == displays


def test_the_older_json_tells_the_same_files(published):
    index, made = published
    for project in made:
        page = index.get(f"/pypi/{project.name}/json").json
        files = [file for release in page["releases"].values() for file in release]
        seen = [
            Seen(
                file["filename"],
                file["url"],
                file["digests"]["sha256"],
                file["requires_python"],
                (file["yanked_reason"] or "") if file["yanked"] else None,
                file["core-metadata"]["sha256"] if file["core-metadata"] else None,
            )
            for file in files
        ]
        assert told(seen) == expected(index, project, "packages"), project.name
        assert page["info"]["name"] == project.display
        assert page["urls"] == page["releases"][page["info"]["version"]]


def said(text: Any) -> str | None:
    """What a field of metadata says, on one line; nothing where distutils wrote that there is nothing."""
    line = " ".join(str(text or "").split())
    return None if line in ("", "UNKNOWN") else line


def test_the_older_json_says_of_a_release_what_packaging_reads_from_its_metadata(published):
    index, made = published
    for project in made:
        info = (page := index.get(f"/pypi/{project.name}/json").json)["info"]
        raw, _ = parse_email(index.get(urlsplit(page["urls"][0]["url"]).path + ".metadata").body)
        for field in ("summary", "author", "author_email", "license"):
            assert said(info[field]) == said(raw.get(field)), (project.name, field)
        assert info["requires_dist"] == raw["requires_dist"]
        assert info["classifiers"] == [line for each in raw.get("classifiers", ()) if (line := said(each))]
        if "project_urls" in raw:  # where two labels are the same packaging gives up
            addresses = {" ".join(label.split()): said(each) for label, each in raw["project_urls"].items()}
            assert info["project_urls"].items() <= addresses.items()


@pytest.fixture(scope="module")
def crowded() -> tuple[Index, Project]:
    """An index with one project of very many files, whose document is written as it stands: no bytes are asked for."""
    index, store = make()
    files = {}
    for number in range(MANY):
        name = f"acme_lib-1.{number // 4}-cp3{number % 4}-abi3-any.whl"
        digest = hashlib.sha256(name.encode()).hexdigest()
        files[name] = File(
            name,
            f"1.{number // 4}",
            digest[:16],
            number,
            digest,
            "2026-11-05T00:00:00.000000Z",
            requires_python=">=3.8,<4" if number % 2 else None,
            metadata=digest,
            yanked="<broken> & 'gone'" if number % 7 == 0 else None,
        )
    project = Project("acme-lib", "acme-lib", files=files, history=(Event("2026-11-05T00:00:00.000000Z", "publish"),))
    store.swap("indexes/main/acme-lib.json", project.dump(), None)
    return index, project


@pytest.mark.parametrize("form", [TEXT, JSON])
@pytest.mark.parametrize("judge", JUDGES)
def test_peers_read_a_page_of_ten_thousand_files(crowded, judge, form):
    index, project = crowded
    began = time.process_time()
    page = index.get("/simple/acme-lib/", headers={"Accept": form})
    assert time.process_time() - began < 60
    seen = told(JUDGES[judge](page, "acme-lib", f"{BASE}acme-lib/"))
    assert seen == {
        name: Seen(
            name,
            f"http://localhost/files/acme-lib/{file.token}/{name}",
            file.sha256,
            file.requires_python,
            file.yanked,
            file.sha256,
        )
        for name, file in project.files.items()
    }
