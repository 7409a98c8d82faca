"""What is kept and found again where the store fails, and what a stop does to fetches."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest

from mypi.model.remote import Cached, RemoteFile, Site
from mypi.repository import Repository
from mypi.settings import Settings
from mypi.store import Unavailable
from mypi.testing import FaultyStore, Point, WrappedStore
from mypi.upstream import Upstream, files
from mypi.upstream.errors import Away
from tests import upstreams
from tests.upstream.support import CONTENT, LARGE, NAME, PROJECT
from tests.upstream.test_space import Node
from tests.waiting import until


@contextlib.contextmanager
def opened(upstream, store, **more):
    settings = Settings.load({f"mypi.{k}": v for k, v in upstream.settings(storage="memory", **more).items()}, {})
    repository = Repository(store, store, settings)
    with contextlib.closing(repository):
        yield Upstream.of(settings, repository)


def test_a_document_that_cannot_be_read_costs_only_that(store, caplog):
    faulty = FaultyStore(store)
    node = Node(faulty, None)
    faulty.fail(Point("before", faulty.calls["open"] + 1, "open"), Unavailable("x", "away"))
    cached = Cached("pypi", "a")
    assert node.shelf.known(cached) is cached
    assert "cannot be read" in caplog.text


def test_what_lies_in_pieces_is_not_kept(store, caplog):
    node = Node(store, None)
    node.shelf.keep(Site("pypi", ""), "a", RemoteFile("a-1.zip", "1", "", "0" * 64), None)
    assert "has no room" in caplog.text
    assert node.names == []


def test_a_use_that_cannot_be_noted_is_no_fault(store, caplog):
    faulty = FaultyStore(store)
    node = Node(faulty, None)
    node.keep("a", 5)
    faulty.fail(Point("before", faulty.calls["swap"] + 1, "swap"), Unavailable("x", "away"))
    node.use("a", day=1)
    assert "cannot be noted" in caplog.text


def test_a_use_of_what_has_gone_meanwhile_writes_nothing(store):
    node = Node(store, None)
    node.keep("a", 5)
    held = node.outside.get("pypi", "a")
    node.space.empty()
    node.shelf._touch(held.value, "a-1.zip", held.value.kept["a-1.zip"].__class__("k", 5, "0", "2000-01-01"))
    assert node.names == []


class Cutting(WrappedStore):
    """A store whose small files break off."""

    cut = False

    def _open(self, key, start, stop, unless):
        reader = super()._open(key, start, stop, unless)
        if self.cut and key.startswith("upstream-files/"):
            reader._stream = BytesIO(b"")
        return reader


def test_a_small_file_that_breaks_off_is_fetched_again(upstream, store):
    cutting = Cutting(store)
    with opened(upstream, cutting) as found:
        file = found.page(PROJECT).page.file(NAME)
        for _ in range(2):
            with contextlib.closing(found.open(PROJECT, file).pieces) as pieces:
                assert b"".join(pieces) == CONTENT
            # Who asks while the fetch is not over shares it, and then nothing is fetched or kept again.
            until(lambda: found.kept(PROJECT).cached.kept and not found.files._flights)
            cutting.cut = True
    assert upstream.count(f"/files/{NAME}") == 2


def test_a_stop_breaks_off_what_is_under_way_and_lets_nothing_begin(upstream, store):
    gate = upstream.faults[f"/files/{LARGE}"] = upstreams.Gate()
    with opened(upstream, store) as found, ThreadPoolExecutor(2) as threads:
        page = found.page(PROJECT).page
        waiting = threads.submit(found.open, PROJECT, page.file(LARGE))
        gate.wait_for()
        ending = threads.submit(found.files.close)
        until(found.files._closing.is_set)
        gate.open()
        with pytest.raises(Away, match="being stopped"):
            waiting.result(30)
        ending.result(30)
        with pytest.raises(Away, match="being stopped"):
            found.open(PROJECT, page.file(NAME))


def test_a_stop_tells_those_whose_turn_has_not_come(upstream, store):
    with opened(upstream, store) as found, ThreadPoolExecutor(1) as threads:
        file = found.page(PROJECT).page.file(NAME)
        # All who could fetch are busy, until they are told that nothing that waits is theirs any more.
        pool = found.files._workers = ThreadPoolExecutor(1)

        def busy() -> None:
            until(lambda: pool._shutdown)
            with pool._shutdown_lock:
                pass  # what waits has been cancelled

        pool.submit(busy)
        waiting = threads.submit(found.open, PROJECT, file)
        until(lambda: found.files._flights)
        found.files.close()
        with pytest.raises(Away, match="being stopped"):
            waiting.result(30)
    assert upstream.count(f"/files/{NAME}") == 0


def test_who_knows_an_older_document_finds_what_was_kept_meanwhile(upstream, store):
    with opened(upstream, store) as found:
        (site,) = found.sites
        before = found.page(PROJECT)
        file = before.page.file(NAME)
        with contextlib.closing(found.open(PROJECT, file).pieces) as pieces:
            assert b"".join(pieces) == CONTENT
        until(lambda: found.kept(PROJECT).cached.kept)
        with contextlib.closing(found.files.open(site, before.cached, file).pieces) as pieces:
            assert b"".join(pieces) == CONTENT
    assert upstream.count(f"/files/{NAME}") == 1


def test_who_finds_a_fetch_that_ends_before_he_reads_gets_what_it_kept(upstream, store, monkeypatch):
    with opened(upstream, store) as found:
        file = found.page(PROJECT).page.file(NAME)
        usual = found.files._flight

        def late(*given):
            flight = usual(*given)
            until(lambda: flight is None or flight._over)
            return flight

        monkeypatch.setattr(found.files, "_flight", late)
        with contextlib.closing(found.open(PROJECT, file).pieces) as pieces:
            assert b"".join(pieces) == CONTENT
    assert upstream.count(f"/files/{NAME}") == 1


def test_who_comes_while_a_file_is_fetched_joins(upstream, store):
    gate = upstream.faults[f"/files/{NAME}"] = upstreams.Gate()
    with opened(upstream, store) as found:
        (site,) = found.sites
        served = found.page(PROJECT)
        first, second = (found.files._flight(site, served.cached, served.page.file(NAME)) for _ in range(2))
        assert first is second
        gate.open()
    assert upstream.count(f"/files/{NAME}") == 1


def test_a_trickle_ends(upstream, store, monkeypatch):
    monkeypatch.setattr(files, "GRACE", 0.2)
    upstream.faults[f"/files/{LARGE}"] = upstreams.drip(0.1)
    upstream.projects[PROJECT].files[LARGE].said["size"] = None
    with opened(upstream, store) as found:
        file = found.page(PROJECT).page.file(LARGE)
        with (
            pytest.raises(Away, match="less than"),
            contextlib.closing(found.open(PROJECT, file).pieces) as pieces,
        ):
            list(pieces)


class Broken(WrappedStore):
    """A store whose driver makes a mistake."""

    def _add(self, key, source, size) -> None:
        raise RuntimeError("a mistake")


def test_a_mistake_of_a_store_is_logged_and_the_file_served(upstream, store, caplog):
    with opened(upstream, Broken(store)) as found:
        file = found.page(PROJECT).page.file(NAME)
        with contextlib.closing(found.open(PROJECT, file).pieces) as pieces:
            assert b"".join(pieces) == CONTENT
        until(lambda: "could not be fetched or kept" in caplog.text)
