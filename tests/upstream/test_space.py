"""The room of upstream files: the least recently used go first, ours never; rubbish goes; several nodes may clear."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from io import BytesIO

import pytest

from mypi.model.remote import Kept, RemoteFile, Site
from mypi.repository import Repository
from mypi.settings import Settings
from mypi.store import Unavailable
from mypi.testing import FaultyStore, Point, RecordingStore, WrappedStore
from mypi.upstream.shelf import Shelf
from mypi.upstream.space import DAY, IDLE, Cleared, Space
from tests import stores
from tests.repository.shorthand import publish

SITE = Site("pypi", "https://pypi.org/simple/")
MONDAY = 1_750_000_000.0


def opened(store) -> Repository:
    return Repository(store, store, Settings.load({"mypi.storage": "memory"}, {}))


@pytest.fixture(params=["memory", "filesystem"])
def store(request, tmp_path):
    made = stores.make(request.param, tmp_path)
    with contextlib.closing(made):
        yield made


@pytest.fixture
def memory(tmp_path):
    return stores.make("memory", tmp_path)


class Node:
    """One process over a store, whose clock the test sets."""

    def __init__(self, store, limit: int | None) -> None:
        self.now = MONDAY
        self.outside = opened(store).outside
        self.space = Space(self.outside, limit, clock=lambda: self.now)
        self.shelf = Shelf(self.outside, self.space, clock=lambda: self.now)

    def keep(self, name: str, size: int, *, day: int = 0) -> None:
        """Keep a file of a project as if it was fetched on a day."""
        self.now = MONDAY + day * DAY
        self.shelf.keep(SITE, name, RemoteFile(f"{name}-1.zip", "1", "", "0" * 64), (BytesIO(bytes(size)), size))

    def use(self, name: str, *, day: int) -> None:
        self.now = MONDAY + day * DAY
        held = self.outside.get(SITE.name, name)
        assert held
        volume = self.shelf.open(held.value, f"{name}-1.zip", "0" * 64, 0, 1)
        assert volume
        volume.close()

    @property
    def names(self) -> list[str]:
        return sorted(item.name for item in self.space.kept())

    @property
    def bytes(self) -> int:
        return sum(entry.size for entry in self.outside.bytes())


def test_the_least_recently_used_go_first(store):
    node = Node(store, 1000)
    for day, name in enumerate("abcd"):
        node.keep(name, 220, day=day)
    node.use("a", day=5)
    node.keep("e", 220, day=6)
    assert node.names == ["a", "c", "d", "e"]
    assert node.bytes == 880
    assert node.space.empty("a") == Cleared(1, 0, 220)
    assert node.names == ["c", "d", "e"]
    assert node.space.empty() == Cleared(3, 0, 660)
    assert (node.names, node.bytes) == ([], 0)


def test_within_a_day_the_first_that_came_goes_first(memory):
    node = Node(memory, 1000)
    for name in "zyxwv":
        node.keep(name, 220)
        time.sleep(0.01)
    assert node.names == ["v", "w", "x", "y"]


def test_a_use_is_written_down_once_a_day(memory):
    recorder = RecordingStore(memory)
    node = Node(recorder, None)
    node.keep("a", 5)
    node.use("a", day=0)
    recorder.log.clear()
    for _ in range(3):
        node.use("a", day=1)
    assert [operation for operation, _ in recorder.log].count("swap") == 1
    (item,) = node.space.kept()
    assert item.kept.used == "2025-06-16"


def test_ours_are_never_looked_at(memory):
    index = opened(memory)
    publish(index)
    before = sorted(entry.key for entry in memory.list())
    node = Node(memory, 10)
    node.keep("a", 5)
    node.space.sweep(grace=-100)
    node.space.empty()
    assert [key for key in before if key not in {entry.key for entry in memory.list()}] == []


def test_the_store_is_measured_now_and_then_for_other_nodes_keep_too(memory):
    recorder = RecordingStore(memory)
    one, other = Node(recorder, 1000), Node(memory, None)
    one.keep("a", 10)
    listed = [operation for operation, _ in recorder.log].count("list")
    one.keep("b", 10)
    assert [operation for operation, _ in recorder.log].count("list") == listed
    for name in "cdefgh":
        other.keep(name, 200, day=-1)
    one.keep("i", 45, day=1)
    assert one.bytes <= 900
    assert {"a", "b", "i"} <= set(one.names)


def test_two_nodes_that_make_room_at_once_delete_no_more_than_one(memory):
    nodes = [Node(memory, 1000) for _ in range(2)]
    filler = Node(memory, None)
    for day in range(12):
        filler.keep(f"n{day:02}", 100, day=day)
    first, second = nodes
    chosen = second.space._oldest(list(second.outside.bytes()))
    assert first.space.sweep() == Cleared(3, 0, 300)
    # The other had looked before, and goes on with what it saw.
    assert all(second.space._dropped(item) for item in chosen[:3])
    assert second.names == [f"n{day:02}" for day in range(3, 12)]
    assert second.space.sweep() == Cleared()


def test_what_was_used_since_it_was_looked_at_stays(memory):
    node = Node(memory, 1000)
    node.keep("a", 10)
    (seen,) = node.space.kept()
    node.use("a", day=2)
    assert not node.space._dropped(seen)
    assert node.names == ["a"]


class Meanwhile(WrappedStore):
    """A store in which something happens after the first deletion."""

    happens = staticmethod(lambda: None)

    def _delete(self, key: str) -> None:
        super()._delete(key)
        happens, self.happens = self.happens, lambda: None
        happens()


def test_what_another_node_uses_while_room_is_made_stays(memory):
    busy = Meanwhile(memory)
    node, other = Node(busy, 1000), Node(memory, None)
    for day in range(12):
        other.keep(f"n{day:02}", 100, day=day)
    busy.happens = lambda: other.use("n01", day=20)
    assert node.space.sweep() == Cleared(3, 0, 300)
    assert node.names == ["n01", *(f"n{day:02}" for day in range(4, 12))]


def test_orphans_go_when_they_are_a_day_old(store):
    node = Node(store, None)
    node.keep("a", 10)
    file = RemoteFile("b-1.zip", "1", "", "0" * 64)
    node.outside.add(SITE.name, "b", file, BytesIO(b"12345"), 5)
    node.outside.add(SITE.name, "a", file, BytesIO(b"12345"), 5)
    node.now = time.time()
    assert node.space.sweep() == Cleared()
    node.now += DAY + 60
    assert node.space.sweep(dry_run=True) == Cleared(0, 2, 10)
    assert node.space.sweep() == Cleared(0, 2, 10)
    assert (node.names, node.bytes) == (["a"], 10)


def test_a_dry_run_deletes_nothing(memory):
    Node(memory, None).keep("a", 500)
    node = Node(memory, 100)
    assert node.space.sweep(dry_run=True) == Cleared(1, 0, 500)
    assert node.names == ["a"]
    assert node.space.sweep() == Cleared(1, 0, 500)


def test_emptying_has_pages_asked_for_anew(memory):
    node = Node(memory, None)
    node.outside.edit(SITE.name, "a", lambda known: type(known)(SITE.name, "a", fresh_until=9e9))
    assert node.space.empty("other") == Cleared()
    assert node.space.empty("a") == Cleared()
    held = node.outside.get(SITE.name, "a")
    assert held and held.value.fresh_until == 0
    assert node.space.empty() == Cleared()


def test_bytes_that_somebody_deleted_meanwhile_are_no_fault(memory):
    node = Node(memory, None)
    node.keep("a", 5)
    (item,) = node.space.kept()
    node.outside.drop(item.kept.key)
    assert node.space.sweep() == Cleared()
    assert node.space.empty() == Cleared(1, 0, 5)


def test_room_that_cannot_be_made_now_is_made_later(memory, caplog):
    faulty = FaultyStore(memory)
    node = Node(faulty, 1000)
    for name in "abcd":
        node.keep(name, 220)
    faulty.fail(Point("before", faulty.calls["list"] + 1, "list"), Unavailable("x", "away"))
    node.keep("e", 220)
    assert "no room can be made" in caplog.text
    node.keep("f", 220)
    assert node.bytes <= 900


def test_one_thread_makes_room_at_a_time(memory):
    node = Node(memory, 10)
    node.space._turn.acquire()
    node.keep("a", 8)
    node.keep("b", 8)
    assert node.bytes == 16
    node.space._turn.release()
    node.keep("c", 8)
    assert node.bytes <= 9


@pytest.mark.parametrize("limit, taken", [(None, True), (0, False), (100, False), (1000, True)])
def test_what_takes_nearly_all_the_room_is_not_kept(limit, taken, memory):
    node = Node(memory, limit)
    node.keep("a", 95)
    assert (node.names == ["a"]) is taken


def test_what_is_kept_can_be_lost_without_a_word(memory):
    node = Node(memory, None)
    node.keep("a", 5)
    held = node.outside.get(SITE.name, "a")
    assert held
    other = Kept("upstream-files/pypi/a/0000000000000000/a-1.zip", 5, "0" * 64, "2025-01-01")
    node.shelf.forget(held.value, "a-1.zip", other)
    assert node.names == ["a"]


def test_a_name_whose_document_was_lost_has_orphans_only(memory):
    node = Node(memory, 10)
    file = RemoteFile("b-1.zip", "1", "", "0" * 64)
    node.outside.add(SITE.name, "b", file, BytesIO(bytes(50)), 50)
    node.keep("a", 8)
    assert node.names == []
    node.now = time.time() + 2 * DAY
    assert node.space.sweep() == Cleared(0, 1, 50)


def test_pages_that_nobody_wants_go_after_a_season(memory):
    node = Node(memory, None)
    node.keep("held", 10)
    for name, fetched in (("held", 0), ("old", MONDAY - IDLE - 1), ("new", MONDAY - IDLE + 1)):
        node.outside.edit(SITE.name, name, lambda present, at=fetched: replace(present, fetched=at))
    node.now = time.time() + IDLE + 60
    node.outside.edit(SITE.name, "new", lambda present: replace(present, fetched=node.now - 5))
    assert node.space.sweep(dry_run=True) == Cleared(pages=1)
    assert node.space.sweep() == Cleared(pages=1)
    assert {name for _, name in node.outside.names()} == {"held", "new"}
    node.now = time.time()
    node.outside.edit(SITE.name, "new", lambda present: replace(present, fetched=0))
    assert node.space.sweep() == Cleared(), "it was written a moment ago, whatever it says"
