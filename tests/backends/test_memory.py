"""What the memory store declares about itself."""

import io

from mypi.backends.memory import MemoryStore
from mypi.store import Store


def test_memory_store_serves_one_process_and_needs_no_options():
    assert (MemoryStore.processes, MemoryStore.nodes, MemoryStore.options) == (False, False, ())


def test_memory_store_adds_nothing_to_the_interface():
    public = {name for name in vars(MemoryStore) if not name.startswith("_")}
    assert public <= set(vars(Store))
    assert issubclass(MemoryStore, Store)


def test_two_memory_stores_share_nothing():
    one, other = MemoryStore(), MemoryStore()
    one.add("a", io.BytesIO(b"x"), 1)
    assert list(other.list()) == []


def test_begun_anew_it_repeats_no_tag():
    assert MemoryStore().swap("a", b"one", None) != MemoryStore().swap("a", b"two", None)
