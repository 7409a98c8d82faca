"""What may happen once happens once on all nodes, and is forgotten when its time is over."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from mypi.backends.memory import MemoryStore
from mypi.repository import Repository
from mypi.repository.once import Once
from mypi.store import Conflict, Full, Sealed, Store, Tag, Unavailable
from tests.repository.shorthand import DAY, Clock, entries, settings, sweep


def test_the_first_of_two_nodes_has_it(store: Store) -> None:
    one, other = (Repository(store, store, settings()) for _ in range(2))
    assert one.once("jti", "a1", 0)
    assert not one.once("jti", "a1", 0)
    assert not other.once("jti", "a1", 0)
    assert other.once("jti", "b2", 0)
    assert other.once("mail", "a1", 0)
    assert one.happened("jti", "b2")
    assert not one.happened("mail", "b2")


def test_of_many_at_the_same_time_one_has_it(store: Store) -> None:
    nodes = [Repository(store, store, settings()) for _ in range(2)]
    won: list[bool] = []
    gate = threading.Barrier(8)

    def ask(node: Repository) -> None:
        gate.wait()
        won.append(node.once("jti", "a1", 0))

    threads = [threading.Thread(target=ask, args=(nodes[number % 2],)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


def test_a_sweep_forgets_what_is_over_for_a_day(repository: Repository, store: Store, clock: Clock) -> None:
    now = clock()
    assert repository.once("jti", "early", now + 300)
    assert repository.once("jti", "late", now + 600)
    clock.ahead = DAY + 200
    sweep(repository)
    assert len(entries(store, "once/")) == 2
    clock.ahead = DAY + 400
    sweep(repository, dry_run=True)
    assert len(entries(store, "once/")) == 2
    sweep(repository)
    assert [entry.key for entry in entries(store, "once/")] == ["once/jti/late"]


def test_a_sweep_leaves_records_alone_that_it_cannot_read() -> None:
    store = MemoryStore()
    for number, data in enumerate((b"{}", b"used", b"[]", b'{"until": "soon"}')):
        store.swap(f"once/token/{number}", data, None)
    assert Once(store).sweep(1e12) == 0
    assert len(entries(store, "once/")) == 4


class Moody(MemoryStore):
    """A store whose swap first does what it is told, and whose delete finds what it deletes gone."""

    mood: Callable[[str, bytes], None] | None = None

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        if self.mood and key.startswith("once/"):
            self.mood(key, data)
        return super()._swap(key, data, expect)

    def _delete(self, key: str) -> None:
        super()._delete(key)
        super()._delete(key)


def raising(error: Exception, store: Moody, *, written: bool) -> Callable[[str, bytes], None]:
    def mood(key: str, data: bytes) -> None:
        store.mood = None
        if written:
            store.swap(key, data, None)
        raise error

    return mood


def test_its_own_success_told_as_a_failure_is_a_success() -> None:
    store = Moody()
    store.mood = raising(Unavailable("k", "lost the answer"), store, written=True)
    assert Once(store).take("jti", "a1", 0)
    store.mood = raising(Conflict("k"), store, written=True)  # a driver retried by itself
    assert Once(store).take("jti", "b2", 0)
    store.mood = raising(Conflict("k"), store, written=False)  # and somebody swept it since
    assert not Once(store).take("jti", "c3", 0)


@pytest.mark.parametrize(("error", "written"), [(Unavailable, False), (Full, True), (Sealed, True)])
def test_what_is_not_sure_to_be_kept_did_not_happen(error: type[Unavailable], written: bool) -> None:
    store = Moody()
    store.mood = raising(error("k", "away"), store, written=written)
    with pytest.raises(error):
        Once(store).take("jti", "a1", 0)


def test_two_sweeps_at_a_time_do_not_disturb_each_other() -> None:
    store = Moody()
    once = Once(store)
    assert once.take("jti", "a1", 0)
    assert once.sweep(1e12) == 1
    assert entries(store, "once/") == []
