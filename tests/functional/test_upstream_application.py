"""The door to other indexes, as the application opens and closes it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mypi.application import application
from mypi.backends.memory import MemoryStore
from mypi.model import Actor
from mypi.repository import Repository
from mypi.settings import Settings
from mypi.store import Unavailable
from mypi.upstream import Away, Upstream
from mypi.views.request import Request
from tests import upstreams
from tests.builders import wheel
from tests.functional.conftest import Index
from tests.upstreams import Upstream as Scripted


def settings(given: dict[str, str]) -> Settings:
    return Settings.load({f"mypi.{name}": value for name, value in {"storage": "memory", **given}.items()}, {})


def upstream_of(given: Settings, repository: Repository) -> Upstream | None:
    """Return what views get as ``request.upstream``."""
    request = Request.blank("/")
    request.registry = application(given, repository).registry
    return request.upstream


@pytest.fixture
def scripted(tmp_path: Path):
    with upstreams.running(tmp_path) as found:
        found.add("six", "six-1.0-py3-none-any.whl", b"six")
        yield found


def test_without_an_upstream_there_is_none():
    given = settings({})
    repository = Repository.open(given)
    assert upstream_of(given, repository) is None
    repository.close()


def test_it_is_made_as_the_settings_say_and_closed_with_the_repository(scripted: Scripted):
    before = threading.active_count()
    given = settings({**scripted.settings("our-own"), "upstream.mode": "redirect", "private": "acme-*"})
    repository = Repository.open(given)
    upstream = upstream_of(given, repository)
    assert upstream
    assert [(site.name, site.url) for site in upstream.sites] == [("our-own", scripted.url)]
    assert upstream.redirects
    assert (upstream.theirs("six"), upstream.theirs("acme-six")) == (True, False)
    assert upstream.page("six").page.files[0].filename == "six-1.0-py3-none-any.whl"
    repository.close()
    with pytest.raises(Away, match="is being stopped"):
        upstream.page("other")
    assert threading.active_count() <= before + 1  # the connection's thread of the scripted upstream may end later
    assert scripted.count("/simple/other/") == 0


def test_metrics_count_requests_to_each_index_by_their_outcome(scripted: Scripted):
    index = Index.over(MemoryStore(), manage="everyone", **scripted.settings("our-own"))
    index.get("/simple/six/", status=200)
    index.get("/simple/other/", status=404)
    scripted.faults["/simple/bent/"] = upstreams.redirect("https://elsewhere.example/")
    index.get("/simple/bent/", status=502)
    scripted.down()
    index.get("/simple/third/", status=502)
    shown = index.get("/+metrics").text
    for outcome in ("ok", "absent", "garbage", "away"):
        assert f'mypi_upstream_requests_total{{outcome="{outcome}",site="our-own"}} 1.0' in shown
    index.repository.close()


def test_threat_28_a_store_that_fails_makes_no_name_theirs(scripted: Scripted):
    class Failing(MemoryStore):
        failing = False

        def open(self, key, *given, **more):
            if self.failing and key.startswith("indexes/main/"):
                raise Unavailable(key, "the disk is gone")
            return super().open(key, *given, **more)

    store = Failing()
    index = Index.over(store, **scripted.settings())
    index.get("/simple/six/", status=200)
    store.failing = True
    asked = len(scripted.requests)
    index.get("/simple/other/", status=503)
    assert len(scripted.requests) == asked
    store.failing = False
    index.repository.close()


def test_threat_28_a_name_that_becomes_ours_between_page_and_file_is_ours_at_once(scripted: Scripted):
    index = Index.over(MemoryStore(), **scripted.settings())
    path = index.url("six", "six-1.0-py3-none-any.whl")
    index.get(path)
    index.repository.take_over("six", "six", "ours now", Actor("tester", "test"))
    asked = len(scripted.requests)
    for each in (path, f"{path}.metadata"):
        for method in (index.get, index.head):
            method(each, status=404)
    assert index.json("six")["files"] == []
    assert len(scripted.requests) == asked
    index.publish(*wheel("six", "2.0"))
    assert [file["filename"] for file in index.json("six")["files"]] == [wheel("six", "2.0")[0]]
    index.repository.close()
