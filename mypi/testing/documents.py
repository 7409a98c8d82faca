"""The part of the contract that is about documents: compare-and-swap, alone and by many threads and processes."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from ..store import CHUNK, Conflict, NotFound, Store, Tag
from .samples import DOCUMENT, keys

COUNTER = "indexes/main/counter.json"


def count(store: Store, times: int) -> list[Tag]:
    """Raise the number in one document ``times`` times, as an edit does: read, change, swap, and again on Conflict."""
    tags: list[Tag] = []
    while len(tags) < times:
        try:
            data, tag = store.read(COUNTER)
        except NotFound:
            data, tag = b"0", None
        try:
            tags.append(store.swap(COUNTER, b"%d" % (int(data) + 1), tag))
        except Conflict:
            continue
    return tags


def count_alone(factory: Callable[[], Store], times: int) -> list[Tag]:
    """Do as ``count`` with a store of this process' own."""
    store = factory()
    try:
        return count(store, times)
    finally:
        store.close()


class DocumentContract:
    """Inherited by StoreContract, which gives the fixtures."""

    swaps = 1000
    """Swaps of one document in each of the tests that repeat them."""
    workers = 8
    """Threads or processes at once."""

    def test_document_is_made_only_where_none_is(self, store: Store) -> None:
        tag = store.swap(DOCUMENT, b"first", None)
        with pytest.raises(Conflict):
            store.swap(DOCUMENT, b"second", None)
        assert store.read(DOCUMENT) == (b"first", tag)

    def test_document_is_replaced_only_where_it_is_expected(self, store: Store) -> None:
        with pytest.raises(Conflict):
            store.swap(DOCUMENT, b"0", Tag("unheard-of"))
        first = store.swap(DOCUMENT, b"1", None)
        second = store.swap(DOCUMENT, b"2", first)
        with pytest.raises(Conflict):
            store.swap(DOCUMENT, b"3", first)
        assert store.read(DOCUMENT) == (b"2", second)
        assert keys(store) == [DOCUMENT]

    def test_document_may_be_empty_or_long(self, store: Store) -> None:
        tag = store.swap(DOCUMENT, b"", None)
        long = b"x" * (2 * CHUNK + 1)
        tag = store.swap(DOCUMENT, long, tag)
        assert store.read(DOCUMENT) == (long, tag)

    def test_tag_is_the_same_wherever_it_comes_from(self, store: Store, factory: Callable[[], Store]) -> None:
        tag = store.swap(DOCUMENT, b"1", None)
        with store.open(DOCUMENT, 0, 0) as reader:
            assert reader.tag == tag == store.read(DOCUMENT)[1]
        if store.processes:
            other = factory()
            assert other.read(DOCUMENT) == (b"1", tag)
            other.close()

    def test_tags_never_repeat(self, store: Store) -> None:
        tags: list[Tag | None] = [None]
        for revision in range(self.swaps):
            tags.append(store.swap(DOCUMENT, b"AB"[revision % 2 :][:1] + b"%d" % revision, tags[-1]))
        assert len(set(tags)) == self.swaps + 1
        assert store.read(DOCUMENT)[1] == tags[-1]

    def test_record_may_be_deleted_and_made_again(self, store: Store) -> None:
        for revision in (b"1", b"2"):
            store.swap("once/token/17", revision, None)
            with pytest.raises(Conflict):
                store.swap("once/token/17", b"replayed", None)
            store.delete("once/token/17")
        assert keys(store) == []

    def test_threads_lose_no_update(self, store: Store) -> None:
        with ThreadPoolExecutor(self.workers) as pool:
            futures = [pool.submit(count, store, self.swaps // self.workers) for _ in range(self.workers)]
            tags = [tag for future in futures for tag in future.result()]
        assert int(store.read(COUNTER)[0]) == len(tags) == len(set(tags))

    def test_processes_lose_no_update(self, store: Store, factory: Callable[[], Store]) -> None:
        if not store.processes:
            # What is declared to be missing is not tested; that one process can count is, with the place for itself.
            store.close()
            assert len(count_alone(factory, self.workers)) == self.workers
            return
        # Spawned, not forked: nothing may depend on what a child inherits.
        with ProcessPoolExecutor(self.workers, multiprocessing.get_context("spawn")) as pool:
            futures = [pool.submit(count_alone, factory, self.swaps // self.workers) for _ in range(self.workers)]
            tags = [tag for future in futures for tag in future.result()]
        assert int(store.read(COUNTER)[0]) == len(tags) == len(set(tags))

    def test_one_of_many_makes_the_document(self, store: Store) -> None:
        for number in range(max(1, self.swaps // 100)):
            self._assert_one_wins(store, f"once/race/{number}", None)

    def test_one_of_many_replaces_the_document(self, store: Store) -> None:
        tag = store.swap(COUNTER, b"start", None)
        for _ in range(max(1, self.swaps // 100)):
            tag = self._assert_one_wins(store, COUNTER, tag)

    def _assert_one_wins(self, store: Store, key: str, expect: Tag | None) -> Tag:
        barrier = threading.Barrier(self.workers)

        def attempt(number: int) -> tuple[bytes, Tag] | None:
            data = b"%d after %s" % (number, str(expect).encode())
            barrier.wait(60)
            try:
                return data, store.swap(key, data, expect)
            except Conflict:
                return None

        with ThreadPoolExecutor(self.workers) as pool:
            winners = [result for result in pool.map(attempt, range(self.workers)) if result]
        assert len(winners) == 1
        assert store.read(key) == winners[0]
        return winners[0][1]

    def test_reader_sees_whole_versions_that_only_grow(self, store: Store) -> None:
        size = 64 * 1024
        tag = store.swap(COUNTER, b"%08d" % 0 * (size // 8), None)
        done = threading.Event()

        def look() -> int:
            seen, looks = 0, 0
            while not done.is_set() or not looks:
                data, _ = store.read(COUNTER)
                assert len(data) == size
                assert data == data[:8] * (size // 8)
                assert int(data[:8]) >= seen
                seen, looks = int(data[:8]), looks + 1
            return looks

        with ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(look) for _ in range(2)]
            try:
                for revision in range(1, self.swaps // 10 + 1):
                    tag = store.swap(COUNTER, b"%08d" % revision * (size // 8), tag)
            finally:
                done.set()
            assert all(future.result() for future in futures)
