"""What the base class of stores does itself, before and after any backend."""

import io

import pytest

from mypi.backends.memory import MemoryStore
from mypi.store import (
    CHUNK,
    Conflict,
    Full,
    InvalidKey,
    NotFound,
    Reader,
    Sealed,
    Store,
    StoreError,
    Tag,
    Truncated,
    Unavailable,
    Unchanged,
    copy_exactly,
)


class Bare(MemoryStore):
    """A store with the defaults of the base class."""


def reader(data, remaining, stream=None):
    return Reader("key", stream or io.BytesIO(data), size=remaining, tag=Tag("t"), remaining=remaining)


def test_errors_form_one_tree_and_carry_the_key():
    for error in (NotFound("k"), Unchanged("k"), Conflict("k"), Truncated("k", "r"), Full("k", "r"), Sealed("k", "r")):
        assert isinstance(error, StoreError)
        assert error.key == "k"
        assert str(error) == f"k: {error.reason}"
    assert isinstance(NotFound("k"), KeyError)
    assert isinstance(InvalidKey("k"), ValueError)
    assert issubclass(Full, Unavailable)
    assert issubclass(Sealed, Unavailable)


def test_invalid_key_is_shown_in_part():
    assert len(InvalidKey("x" * 5000).key) == 200


@pytest.mark.parametrize(
    "key", ["a", "store.json", "a/b/c", "a" * 220, "1!0+x_y-z", "-", "+x", "/".join(["abcdefgh"] * 100)]
)
def test_well_formed_keys_are_taken(key):
    store = MemoryStore()
    store.add(key, io.BytesIO(b""), 0)
    assert [entry.key for entry in store.list()] == [key]


@pytest.mark.parametrize(
    "key", ["", "/", "a/", "/a", "a//b", "..", ".a", "a\n", "a/b\n", "a" * 221, "/".join(["abcdefghi"] * 91)]
)
def test_malformed_keys_never_reach_the_backend(key):
    class Unreachable(MemoryStore):
        def _open(self, *args):
            raise AssertionError

    with pytest.raises(InvalidKey):
        Unreachable().open(key)


def test_reader_gives_all_parts_and_then_nothing():
    with reader(b"x" * (2 * CHUNK + 3), 2 * CHUNK + 3) as whole:
        assert len(whole.read()) == 2 * CHUNK + 3
        assert whole.read() == whole.read(5) == b""
    assert [len(part) for part in reader(b"x" * (CHUNK + 3), CHUNK + 3)] == [CHUNK, 3]


def test_reader_collects_what_a_stream_gives_in_sips():
    class Sips(io.BytesIO):
        def read(self, size=-1, /):
            return super().read(min(size, 2))

    assert reader(b"", 7, Sips(b"1234567")).read(5) == b"12345"


@pytest.mark.parametrize("size", [-1, 5])
def test_reader_never_takes_short_bytes_for_the_end(size):
    with pytest.raises(Truncated, match="ended 2 bytes early"):
        reader(b"123", 5).read(size)


def test_reader_closes_its_stream():
    stream = io.BytesIO(b"")
    reader(b"", 0, stream).close()
    assert stream.closed


@pytest.mark.parametrize("size", [0, 2, 4, CHUNK + 3])
def test_copy_of_another_size_is_refused(size):
    with pytest.raises(Truncated, match=f"the {size} bytes"):
        copy_exactly("key", io.BytesIO(b"123"), io.BytesIO(), size)


def test_copy_moves_chunk_by_chunk():
    target = io.BytesIO()
    copy_exactly("key", io.BytesIO(b"x" * (CHUNK + 1)), target, CHUNK + 1)
    assert target.getvalue() == b"x" * (CHUNK + 1)


def test_defaults_are_those_of_a_store_without_rubbish_or_links():
    store = Bare()
    store.check()
    assert store.url("key", "name") is None
    assert store.maintain(0) == 0
    with store.spool() as spool:
        spool.write(b"x")
    store.close()
    assert (Store.processes, Store.nodes, Store.options) == (False, False, ())
