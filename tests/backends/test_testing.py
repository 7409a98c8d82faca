"""The stores that misbehave on purpose do so at the moment they were told, and otherwise not at all."""

import io

import pytest

from mypi.backends.memory import MemoryStore
from mypi.store import Conflict, Unavailable
from mypi.testing import FaultyStore, Point, RecordingStore


def do_everything(store):
    store.add("file", io.BytesIO(b"bytes"), 5)
    tag = store.swap("document", b"1", None)
    store.swap("document", b"2", tag)
    store.copy("file", "copy")
    store.delete("file")
    return sorted(entry.key for entry in store.list())


def test_recording_store_writes_down_each_operation():
    store = RecordingStore(MemoryStore())
    assert do_everything(store) == ["copy", "document"]
    assert store.log == [
        ("add", "file"),
        ("swap", "document"),
        ("swap", "document"),
        ("open", "file"),
        ("add", "copy"),
        ("delete", "file"),
        ("list", ""),
    ]


def passed_points():
    store = FaultyStore(MemoryStore())
    do_everything(store)
    return store.points()


@pytest.mark.parametrize("point", passed_points(), ids=str)
def test_fault_is_raised_at_each_point_once(point):
    store = FaultyStore(MemoryStore())
    error = Unavailable("key", "injected")
    store.fail(point, error)
    with pytest.raises(Unavailable) as caught:
        do_everything(store)
    assert caught.value is error
    assert list(store.list()) == list(store.store.list())


def test_fault_after_a_swap_hides_that_it_was_done():
    store = FaultyStore(MemoryStore())
    store.fail(Point("after", 1, "swap"), Unavailable("document", "no answer"))
    with pytest.raises(Unavailable):
        store.swap("document", b"1", None)
    with pytest.raises(Conflict):
        store.swap("document", b"1", None)


def test_fault_before_a_swap_leaves_everything_as_it_was():
    store = FaultyStore(MemoryStore())
    store.fail(Point("before", 1, "swap"), KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        store.swap("document", b"1", None)
    assert list(store.list()) == []


def test_refused_call_counts_and_has_no_after():
    store = FaultyStore(MemoryStore())
    store.fail(Point("after", 1, "delete"), Unavailable("k", "never reached"))
    with pytest.raises(KeyError):
        store.delete("absent")
    assert store.calls == {"delete": 1}


def test_wrapper_passes_on_what_the_store_declares():
    inner = MemoryStore()
    inner.processes = inner.nodes = True
    store = FaultyStore(inner)
    assert (store.processes, store.nodes) == (True, True)
    assert store.url("a", "b") is None
