"""Documents: read through a cache by their tag, edited by swaps that combine what waits, whatever the store answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from mypi.backends.memory import MemoryStore
from mypi.repository import documents, reading
from mypi.repository.documents import Damaged, Documents
from mypi.repository.reading import stamped
from mypi.store import Conflict, Full, NotFound, Sealed, Store, Tag, Unavailable
from mypi.testing.doubles import FaultyStore, Point, RecordingStore, WrappedStore
from tests import stores

KEY = "indexes/main/acme.json"


@dataclass(frozen=True)
class Words:
    """A document for tests: some words, each there once."""

    words: tuple[str, ...] = ()
    revision: str = ""
    sealed: str = ""

    def revised(self, revision: str) -> Words:
        return replace(self, revision=revision)

    def dump(self) -> bytes:
        return json.dumps({"words": self.words, "revision": self.revision}).encode()

    @classmethod
    def load(cls, key: str, data: bytes) -> Words:
        document = json.loads(data)
        return cls(**{**document, "words": tuple(document["words"])})


def put(word: str) -> Callable[[Words], Words]:
    """An edit that makes it so that the word is there."""
    return lambda before: before if word in before.words else replace(before, words=(*before.words, word))


def refuse(before: Words) -> Words:
    raise ValueError("no")


def over(store: Store, *, cache_size: int = 2**20, cache_seconds: float = 0) -> Documents[Words]:
    return Documents(store, Words.load, lambda key: Words(), cache_size=cache_size, cache_seconds=cache_seconds)


def written(store: Store) -> tuple[str, ...]:
    """The words that the store has, read without any cache."""
    return over(store).get(KEY).value.words


class AnswersStore(WrappedStore):
    """Does or does not swap, and answers what the test says, once for each entry of ``plan``."""

    def __init__(self, store: Store, *plan: tuple[bool, Exception | None]) -> None:
        super().__init__(store)
        self.plan = list(plan)
        self.then: Callable[[], object] = lambda: None
        """What somebody else does between a planned swap and its answer."""

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        if not self.plan:
            return super()._swap(key, data, expect)
        done, answer = self.plan.pop(0)
        tag = super()._swap(key, data, expect) if done else Tag("none")
        self.then()
        if answer:
            raise answer
        return tag


class SlowStore(RecordingStore):
    """Holds a swap or a read until the test lets it go on."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.held = threading.Event()
        self.begun = threading.Event()

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        self.begun.set()
        assert self.held.wait(30)
        return super()._swap(key, data, expect)


def waiting(documents: Documents[Words], count: int) -> None:
    """Wait until so many edits wait behind the one that is being applied."""
    until = time.monotonic() + 30
    while len(documents._gates[KEY].waiting) < count:
        assert time.monotonic() < until
        time.sleep(0.001)


@pytest.fixture(params=sorted(stores.STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = stores.make(request.param, tmp_path)
    yield made
    made.close()


# Edits


def test_an_edit_of_an_absent_document_begins_with_the_empty_one(store: Store) -> None:
    assert over(store).edit(KEY, put("a")).words == ("a",)
    assert written(store) == ("a",)


def test_an_edit_that_has_nothing_to_do_swaps_nothing(store: Store) -> None:
    over(store).edit(KEY, put("a"))
    recording = RecordingStore(store)
    assert over(recording).edit(KEY, put("a")).words == ("a",)
    assert recording.log == [("open", KEY)]


def test_each_version_has_a_revision_of_its_own(store: Store) -> None:
    edited = over(store)
    seen = set()
    for word in "abc":
        edited.edit(KEY, put(word))
        seen.add(edited.get(KEY).value.revision)
    assert len(seen) == 3


def test_edits_that_wait_are_applied_by_one_swap() -> None:
    slow = SlowStore(MemoryStore())
    edited = over(slow)
    with ThreadPoolExecutor(21) as pool:
        first = pool.submit(edited.edit, KEY, put("first"))
        assert slow.begun.wait(30)
        others = [pool.submit(edited.edit, KEY, put(str(number))) for number in range(20)]
        waiting(edited, 20)
        slow.held.set()
        assert first.result().words == ("first",)
        for number, other in enumerate(others):
            assert str(number) in other.result().words
    assert len(written(slow)) == 21
    assert slow.log.count(("swap", KEY)) == 2


def test_one_edit_that_refuses_leaves_the_others() -> None:
    slow = SlowStore(MemoryStore())
    edited = over(slow)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(edited.edit, KEY, put("first"))]
        assert slow.begun.wait(30)
        for change in (put("a"), refuse, put("b")):
            futures.append(pool.submit(edited.edit, KEY, change))
            waiting(edited, len(futures) - 1)
        slow.held.set()
        with pytest.raises(ValueError, match="no"):
            futures[2].result()
        assert futures[1].result().words == ("first", "a")
        assert futures[3].result().words == ("first", "a", "b")
    assert slow.log.count(("swap", KEY)) == 2


def test_a_refusal_changes_nothing(store: Store) -> None:
    over(store).edit(KEY, put("a"))
    with pytest.raises(ValueError, match="no"):
        over(store).edit(KEY, refuse)
    assert written(store) == ("a",)


def test_an_edit_that_met_another_writer_is_applied_to_what_that_one_wrote(store: Store) -> None:
    edited = over(store)
    edited.edit(KEY, put("a"))
    asked = []

    def change(before: Words) -> Words:
        asked.append(before.words)
        if len(asked) == 1:
            over(store).edit(KEY, put("theirs"))
        return put("ours")(before)

    assert edited.edit(KEY, change).words == ("a", "theirs", "ours")
    assert asked == [("a",), ("a", "theirs")]


def test_many_documents_in_many_threads_lose_nothing(store: Store) -> None:
    ours, theirs = over(store), over(store)
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit((ours, theirs)[n % 2].edit, f"indexes/main/p{n % 4}.json", put(str(n))) for n in range(80)]
        assert all(future.result() for future in done)
    words = [over(store).get(f"indexes/main/p{n}.json").value.words for n in range(4)]
    assert sorted(int(word) for each in words for word in each) == list(range(80))


def test_other_writers_without_end_are_told_as_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "ATTEMPTS", 3)
    store = AnswersStore(MemoryStore(), *[(False, Conflict(KEY))] * 3)
    with pytest.raises(Unavailable, match="3 attempts met other writers each time; try again"):
        over(store).edit(KEY, put("a"))
    assert over(store).edit(KEY, put("a")).words == ("a",)


# What a store may answer to a swap


@pytest.mark.parametrize("answer", [Unavailable(KEY, "timeout"), Conflict(KEY)])
def test_a_swap_that_took_effect_but_was_told_as_a_failure_is_recognised(answer: Exception) -> None:
    store = RecordingStore(AnswersStore(MemoryStore(), (True, answer)))
    assert over(store).edit(KEY, put("a")).words == ("a",)
    assert written(store) == ("a",)
    assert store.log.count(("swap", KEY)) == 1


@pytest.mark.parametrize("answer", [Unavailable(KEY, "timeout"), Conflict(KEY)])
def test_it_is_recognised_although_somebody_else_swapped_on_top(answer: Exception) -> None:
    memory = MemoryStore()
    store = AnswersStore(memory, (True, answer))
    store.then = lambda: over(memory).edit(KEY, put("theirs"))
    assert over(store).edit(KEY, put("ours")).words == ("ours", "theirs")
    assert written(store) == ("ours", "theirs")


def test_a_swap_that_was_not_answered_and_did_nothing_is_told(store: Store) -> None:
    lost = Unavailable(KEY, "timeout")
    unsure = AnswersStore(store, (False, lost))
    with pytest.raises(Unavailable) as told:
        over(unsure).edit(KEY, put("a"))
    assert told.value is lost
    with pytest.raises(NotFound):
        written(store)


def test_of_a_swap_that_was_not_answered_each_edit_learns_what_became_of_it() -> None:
    memory = MemoryStore()
    slow = SlowStore(memory)
    unsure = AnswersStore(slow, (True, None), (False, Unavailable(KEY, "timeout")))
    edited = over(unsure)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(edited.edit, KEY, put("first"))
        assert slow.begun.wait(30)
        lost = pool.submit(edited.edit, KEY, put("lost"))
        present = pool.submit(edited.edit, KEY, put("first"))
        refused = pool.submit(edited.edit, KEY, refuse)
        waiting(edited, 3)
        slow.held.set()
        assert first.result().words == present.result().words == ("first",)
        with pytest.raises(Unavailable, match="timeout"):
            lost.result()
        with pytest.raises(ValueError, match="no"):
            refused.result()
    assert written(memory) == ("first",)


def test_a_store_that_cannot_be_asked_what_became_of_a_swap_is_unavailable() -> None:
    memory = MemoryStore()
    store = FaultyStore(AnswersStore(memory, (True, Unavailable(KEY, "timeout"))))
    store.fail(Point("before", 2, "open"), Unavailable(KEY, "away"))
    with pytest.raises(Unavailable, match="away"):
        over(store).edit(KEY, put("a"))
    assert written(memory) == ("a",)


@pytest.mark.parametrize("error", [Full(KEY, "no room"), Sealed(KEY, "a sync failed")])
def test_a_store_that_is_full_or_sealed_is_never_taken_for_success(error: Unavailable) -> None:
    # The bytes are there to be read; that they are durable was not promised.
    store = AnswersStore(MemoryStore(), (True, error))
    with pytest.raises(type(error)) as told:
        over(store).edit(KEY, put("a"))
    assert told.value is error


def test_an_interrupt_of_one_does_not_strand_the_others() -> None:
    slow = SlowStore(MemoryStore())
    store = AnswersStore(slow, (True, KeyboardInterrupt()))  # type: ignore[arg-type]
    edited = over(store)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(edited.edit, KEY, put("first"))
        assert slow.begun.wait(30)
        others = [pool.submit(edited.edit, KEY, put(word)) for word in ("a", "b")]
        waiting(edited, 2)
        slow.held.set()
        with pytest.raises(KeyboardInterrupt):
            first.result()
        for other in others:
            assert {"a", "b"} >= {*other.result().words} - {"first"}
    assert written(store) == ("first", *sorted(written(store)[1:]))
    assert set(written(store)) == {"first", "a", "b"}


def test_those_who_were_in_the_batch_of_an_interrupted_one_are_applied_by_the_next() -> None:
    slow = SlowStore(MemoryStore())
    store = AnswersStore(slow, (True, None), (False, KeyboardInterrupt()))  # type: ignore[arg-type]
    edited = over(store)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(edited.edit, KEY, put("first"))
        assert slow.begun.wait(30)
        others = [pool.submit(edited.edit, KEY, put(word)) for word in "abc"]
        waiting(edited, 3)
        slow.held.set()
        assert first.result()
        stopped = [other for other in others if isinstance(other.exception(), KeyboardInterrupt)]
        done = {word for word, other in zip("abc", others, strict=True) if not other.exception()}
    assert len(stopped) == 1
    assert set(written(store)) == {"first", *done}


# Damage


@pytest.mark.parametrize("data", [b"", b"{", b"5", b"null", b"[]", b"{}", b'{"words":5}', b"\xff", b"[" * 10**5])
def test_a_damaged_document_is_named(store: Store, data: bytes) -> None:
    store.swap(KEY, data, None)
    with pytest.raises(Damaged, match=f"{KEY}: the document is damaged; restore it from a backup"):
        over(store).get(KEY)


def test_a_damaged_document_is_not_overwritten(store: Store) -> None:
    store.swap(KEY, b"{", None)
    with pytest.raises(Damaged):
        over(store).edit(KEY, put("a"))
    assert store.read(KEY)[0] == b"{"


def test_no_bit_of_a_document_changes_unseen() -> None:
    memory = MemoryStore()
    over(memory).edit(KEY, put("a word"))
    whole, _ = memory.read(KEY)
    for position in range(len(whole)):
        for bit in range(8):
            flipped = bytes([*whole[:position], whole[position] ^ 1 << bit, *whole[position + 1 :]])
            store = MemoryStore()
            store.swap(KEY, flipped, None)
            with pytest.raises(Damaged):
                over(store).get(KEY)


@pytest.mark.parametrize("cut", [1, 10, 60, 100])
def test_a_document_that_was_cut_short_is_damaged(cut: int) -> None:
    memory, store = MemoryStore(), MemoryStore()
    over(memory).edit(KEY, put("a word"))
    store.swap(KEY, memory.read(KEY)[0][:-cut], None)
    with pytest.raises(Damaged):
        over(store).get(KEY)


def test_a_document_written_by_hand_needs_no_digest(store: Store) -> None:
    store.swap(KEY, b'{ "words": ["by hand"], "revision": "" }', None)
    assert written(store) == ("by hand",)
    assert over(store).edit(KEY, put("b")).words == ("by hand", "b")
    assert json.loads(store.read(KEY)[0])["words"] == ["by hand", "b"]


# The cache


def test_an_absent_document_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        over(store).get(KEY)


def test_a_document_that_is_unchanged_is_not_read_again(store: Store) -> None:
    loaded = []
    edited: Documents[Words] = Documents(
        store,
        lambda key, data: (loaded.append(key), Words.load(key, data))[1],
        lambda key: Words(),
        cache_size=2**20,
        cache_seconds=0,
    )
    over(store).edit(KEY, put("a"))
    assert edited.get(KEY) is edited.get(KEY)
    assert loaded == [KEY]


def test_what_was_swapped_here_needs_not_be_read(store: Store) -> None:
    recording = RecordingStore(store)
    edited = over(recording, cache_seconds=100)
    edited.edit(KEY, put("a"))
    del recording.log[:]
    assert edited.get(KEY).value.words == ("a",)
    assert recording.log == []


def test_where_nothing_was_a_moment_ago_the_store_is_not_asked_again(store: Store) -> None:
    recording = RecordingStore(store)
    assert over(recording).edit(KEY, put("a"), absent=True).words == ("a",)
    assert recording.log == [("swap", KEY)]


def test_who_takes_a_document_for_absent_overwrites_none(store: Store) -> None:
    over(store).edit(KEY, put("theirs"))
    assert over(store).edit(KEY, put("ours"), absent=True).words == ("theirs", "ours")
    with pytest.raises(ValueError, match="no"):
        over(store).edit(KEY, refuse, absent=True)
    assert written(store) == ("theirs", "ours")


def test_with_no_cache_seconds_every_read_sees_what_others_wrote(store: Store) -> None:
    ours, theirs = over(store), over(store)
    for number in range(5):
        theirs.edit(KEY, put(str(number)))
        assert ours.get(KEY).value.words[-1] == str(number)


def test_within_cache_seconds_the_store_is_not_asked(store: Store) -> None:
    recording = RecordingStore(store)
    ours = over(recording, cache_seconds=0.2)
    over(store).edit(KEY, put("a"))
    assert ours.get(KEY).value.words == ("a",)
    over(store).edit(KEY, put("b"))
    assert ours.get(KEY).value.words == ("a",)
    assert len(recording.log) == 1
    time.sleep(0.25)
    assert ours.get(KEY).value.words == ("a", "b")


def test_an_edit_asks_the_store_whatever_is_cached(store: Store) -> None:
    ours = over(store, cache_seconds=100)
    over(store).edit(KEY, put("a"))
    assert ours.get(KEY).value.words == ("a",)
    over(store).edit(KEY, put("b"))
    assert ours.newest(KEY).value.words == ("a", "b")
    over(store).edit(KEY, put("c"))
    assert ours.edit(KEY, put("d")).words == ("a", "b", "c", "d")


def test_the_cache_is_bounded_by_memory() -> None:
    store = MemoryStore()
    small = over(store, cache_size=20_000, cache_seconds=100)
    for number in range(100):
        small.edit(f"indexes/main/p{number}.json", put("x" * 100))
    kept = small._reading._kept
    assert 0 < len(kept) < 30
    assert sum(copy.cost for copy in kept.values()) <= 20_000


@pytest.mark.parametrize("size", [0, 1000])
def test_a_document_larger_than_the_cache_is_served_all_the_same(size: int) -> None:
    store = RecordingStore(MemoryStore())
    small = over(store, cache_size=size, cache_seconds=100)
    small.edit(KEY, put("x" * 500))
    assert small.get(KEY).value.words == small.get(KEY).value.words == ("x" * 500,)
    assert store.log.count(("open", KEY)) == 3


def test_a_document_that_grew_out_of_the_cache_leaves_no_old_copy() -> None:
    store = MemoryStore()
    small = over(store, cache_size=2000, cache_seconds=100)
    small.edit(KEY, put("a"))
    small.edit(KEY, put("x" * 500))
    assert small.get(KEY).value.words == ("a", "x" * 500)


class SlowReads(RecordingStore):
    """Holds what was read back until the test lets it go on."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.gates: list[threading.Event] = []
        self.reads = threading.Semaphore(0)

    def _open(self, *args):  # type: ignore[no-untyped-def]
        try:
            return super()._open(*args)
        finally:
            gate = self.gates[len(self.log) - 1] if len(self.log) <= len(self.gates) else None
            self.reads.release()
            assert gate is None or gate.wait(30)


def _ask(pool: ThreadPoolExecutor, edited: Documents[Words], count: int) -> list:
    """Ask for the document in so many threads, and wait until all have come."""
    came = threading.Barrier(count + 1)

    def get() -> tuple[str, ...]:
        came.wait(30)
        return edited.newest(KEY).value.words

    asked = [pool.submit(get) for _ in range(count)]
    came.wait(30)
    time.sleep(0.1)
    return asked


def test_one_fetch_serves_all_who_wait_for_it_and_none_who_came_after_it_began() -> None:
    memory = MemoryStore()
    over(memory).edit(KEY, put("old"))
    slow = SlowReads(memory)
    slow.gates = [threading.Event()]
    edited = over(slow)
    with ThreadPoolExecutor(11) as pool:
        first = pool.submit(edited.newest, KEY)
        assert slow.reads.acquire(timeout=30)
        over(memory).edit(KEY, put("new"))
        others = _ask(pool, edited, 10)
        slow.gates[0].set()
        assert first.result().value.words == ("old",)
        assert {other.result() for other in others} == {("old", "new")}
    assert len(slow.log) == 2


def test_an_error_is_told_to_all_who_wait_for_the_fetch() -> None:
    slow = SlowReads(FaultyStore(MemoryStore()))
    slow.gates = [threading.Event()]
    edited = over(slow)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(edited.newest, KEY)
        assert slow.reads.acquire(timeout=30)
        others = _ask(pool, edited, 5)
        slow.gates[0].set()
        assert all(isinstance(each.exception(), NotFound) for each in (first, *others))
    assert len(slow.log) == 2


def test_a_slow_read_does_not_hide_what_was_swapped_here_meanwhile() -> None:
    memory = MemoryStore()
    over(memory).edit(KEY, put("old"))
    slow = SlowReads(memory)
    slow.gates = [threading.Event()]
    edited = over(slow, cache_seconds=100)
    reading = edited._reading
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(reading.newest, KEY)
        assert slow.reads.acquire(timeout=30)
        held = over(memory)
        held.edit(KEY, put("new"))
        reading.keep(KEY, held.get(KEY), 100, time.monotonic())
        slow.gates[0].set()
        assert late.result().value.words == ("old",)
    assert edited.get(KEY).value.words == ("old", "new")


def test_the_stamp_is_part_of_the_json() -> None:
    assert json.loads(stamped(b'{"a":1}')).keys() == {"sha256", "a"}


def test_what_was_found_unchanged_is_trusted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    for module in (documents, reading):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    store = MemoryStore()
    seen = over(store, cache_seconds=60)
    seen.edit(KEY, put("one"))
    now[0] += 61
    assert seen.get(KEY).value.words == ("one",)
    over(store).edit(KEY, put("two"))
    now[0] += 59
    assert seen.get(KEY).value.words == ("one",)
    now[0] += 2
    assert seen.get(KEY).value.words == ("one", "two")
    assert (seen.counts["unchanged"], seen.counts["kept"]) == (1, 1)
