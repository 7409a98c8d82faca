"""How many requests each thing costs on S3, counted on the wire: the far store's price of mypi."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest

from mypi.application import application
from mypi.backends.s3 import S3Store
from mypi.repository import Repository
from mypi.repository.reading import Reading
from tests.accounts import add_users, basic
from tests.backends.buckets import DOCUMENT, KEY, MIB, opened
from tests.functional.conftest import Index
from tests.functional.support import served
from tests.proxies import HttpProxy
from tests.repository.shorthand import filename, package, settings
from tests.waiting import until


@pytest.fixture
def store(proxy: HttpProxy, tmp_path: Path) -> Iterator[S3Store]:
    store = opened(tmp_path, proxy)
    yield store
    store.close()


@pytest.fixture
def index(store: S3Store) -> Index:
    return started(store)


def started(store: S3Store, **given: str) -> Index:
    """An index that has just been started, with settings of the test's choice."""
    loaded = settings(**given)
    repository = Repository(store, store, loaded)
    index = Index(application(loaded, repository))
    index.repository = repository
    return index


def told(proxy: HttpProxy) -> list[str]:
    """Return what was asked since the last call: the method, and whether it was about a file or a document."""
    asked, proxy.requests = proxy.requests, []
    return [f"{method} {'file' if '/files/' in path else 'document'}" for method, path in asked]


def test_a_start_is_proven_by_six_requests_or_three_for_files_only(store: S3Store, proxy: HttpProxy) -> None:
    store.check()
    assert len(told(proxy)) == 6
    store.check(catalogue=False)
    assert len(told(proxy)) == 3


def test_a_publish_costs_four_and_the_first_of_a_project_two_more(index: Index, proxy: HttpProxy) -> None:
    told(proxy)
    index.publish(*package("first"))
    first = told(proxy)
    assert first == ["GET document", "PUT file", "PUT file", "GET document", "PUT document", "PUT document"]
    index.publish(*package("acme-lib"))
    assert told(proxy) == ["GET document", "PUT file", "PUT file", "PUT document", "PUT document"]
    index.publish(*package("acme-lib", "2.0"))
    assert told(proxy) == ["GET document", "PUT file", "PUT file", "PUT document"]


def test_a_publish_by_a_server_that_was_just_started_costs_the_same(
    store: S3Store, index: Index, proxy: HttpProxy
) -> None:
    index.publish(*package("acme-lib"))
    restarted = started(store)
    told(proxy)
    restarted.publish(*package("acme-lib", "2.0"))
    assert len(told(proxy)) == 4
    again = started(store)
    told(proxy)
    again.publish(*package("other"))
    assert len(told(proxy)) <= 6


def test_an_upload_that_is_there_already_costs_one(index: Index, proxy: HttpProxy) -> None:
    index.publish(*package())
    told(proxy)
    index.publish(*package())
    assert told(proxy) == ["GET document"]


@pytest.mark.parametrize("page", ["/simple/", "/simple/acme-lib/", "/acme-lib/"])
def test_a_page_costs_one_request_that_is_conditional_when_it_is_kept(
    store: S3Store, index: Index, proxy: HttpProxy, page: str
) -> None:
    index.publish(*package())
    restarted = started(store)
    told(proxy)
    for status in (200, 304, 304):
        restarted.get(page)
        assert told(proxy) == ["GET document"]
        assert proxy.answers[-1] == status


def test_within_cache_seconds_a_page_costs_nothing(store: S3Store, index: Index, proxy: HttpProxy) -> None:
    index.publish(*package())
    trusting = started(store, cache_seconds="3600")
    for page in ("/simple/", "/simple/acme-lib/"):
        trusting.get(page)
        told(proxy)
        trusting.get(page)
        assert told(proxy) == []


def test_requests_for_one_page_that_come_together_share_one_fetch(
    store: S3Store, index: Index, proxy: HttpProxy
) -> None:
    """The first fetch began before the others came, and may be older than they want; the next one serves them all."""
    index.publish(*package())
    told(proxy)
    with served(index.app, threads="8") as port, ThreadPoolExecutor(8) as clients:
        with proxy.stalled():
            asked = [clients.submit(urlopen, f"http://127.0.0.1:{port}/simple/acme-lib/") for _ in range(8)]
            until(lambda: waiting_for_a_document() == 8)
        for each in asked:
            with each.result(30) as answer:
                assert answer.status == 200
    assert told(proxy) == ["GET document"] * 2


def waiting_for_a_document() -> int:
    """Return how many threads ask the store for a document, or wait for one that does."""
    stacks = [traceback.walk_stack(frame) for frame in sys._current_frames().values()]
    return sum(any(frame.f_code is Reading._newest.__code__ for frame, _ in stack) for stack in stacks)


def test_who_logs_in_costs_one_request_more(store: S3Store, index: Index, proxy: HttpProxy) -> None:
    index.publish(*package())
    add_users(index.repository, "alice")
    closed = started(store, read="users")
    closed.get("/simple/acme-lib/", headers=basic("alice"))
    told(proxy)
    closed.get("/simple/acme-lib/", headers=basic("alice"))
    assert told(proxy) == ["GET document"] * 2
    assert proxy.answers[-2:] == [304, 304]


def test_a_download_costs_a_conditional_request_and_one_for_its_bytes(index: Index, proxy: HttpProxy) -> None:
    name, data = package()
    index.publish(name, data)
    url = index.url("acme-lib", filename())
    told(proxy)
    assert index.get(url).body == data
    assert told(proxy) == ["GET document", "GET file"]
    assert proxy.answers[-2:] in ([304, 200], [304, 206])
    index.get(url, headers={"Range": "bytes=1-5"})
    assert told(proxy) == ["GET document", "GET file"]
    index.get(url, headers={"If-None-Match": f'"{index.json("acme-lib")["files"][0]["hashes"]["sha256"]}"'}, status=304)
    assert told(proxy) == ["GET document", "GET document"]  # one for the digest
    index.get(url + ".metadata")
    assert told(proxy) == ["GET document", "GET file"]


def test_each_operation_of_the_store(store: S3Store, proxy: HttpProxy, tmp_path: Path) -> None:
    with (tmp_path / "zeros").open("w+b") as zeros:
        zeros.truncate(17 * MIB)
        store.add(KEY, zeros, 17 * MIB)
    assert told(proxy) == ["POST file", "PUT file", "PUT file", "PUT file", "POST file"]
    assert all(answer == 200 for answer in proxy.answers)
    tag = store.swap(DOCUMENT, b"1", None)
    store.swap(DOCUMENT, b"2", tag)
    assert told(proxy) == ["PUT document"] * 2
    store.copy(KEY, KEY + ".copy")
    assert told(proxy) == ["HEAD file", "PUT file", "HEAD file"]
    assert len(list(store.list())) == 3
    assert told(proxy) == ["GET document"]
    store.delete(KEY)
    assert told(proxy) == ["HEAD file", "DELETE file"]
    assert store.url(KEY, "acme_lib-1.0.zip") is None
    assert told(proxy) == []
