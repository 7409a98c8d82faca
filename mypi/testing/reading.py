"""The part of the contract that is about reading: ranges, tags, and what is absent."""

from __future__ import annotations

import pytest

from ..store import CHUNK, NotFound, Reader, Store, Truncated, Unavailable, Unchanged
from .samples import DOCUMENT, FILE, add


class ReadingContract:
    """Inherited by StoreContract, which gives the fixtures."""

    @pytest.mark.parametrize(
        ("start", "stop", "part"),
        [
            (0, None, b"0123456789"),
            (3, None, b"3456789"),
            (3, 5, b"34"),
            (0, 10, b"0123456789"),
            (8, 99, b"89"),
            (10, None, b""),
            (99, 100, b""),
            (4, 4, b""),
        ],
    )
    def test_range_gives_its_bytes_cut_to_the_end(
        self, store: Store, start: int, stop: int | None, part: bytes
    ) -> None:
        add(store, FILE, b"0123456789")
        with store.open(FILE, start, stop) as reader:
            assert reader.remaining == len(part)
            assert reader.size == 10
            assert reader.read() == part

    def test_reads_of_any_size_follow_each_other(self, store: Store) -> None:
        add(store, FILE, b"0123456789")
        with store.open(FILE, 1, 9) as reader:
            assert [reader.read(3), reader.read(0), reader.read(3), reader.read(99)] == [b"123", b"", b"456", b"78"]

    def test_local_path_holds_the_object_whole(self, store: Store) -> None:
        add(store, FILE, b"0123456789")
        with store.open(FILE, 3, 5) as reader:
            if reader.path:
                with open(reader.path, "rb") as file:  # noqa: PTH123 - a path is a str here
                    assert file.read() == b"0123456789"

    def test_known_tag_is_answered_unchanged(self, store: Store) -> None:
        tag = store.swap(DOCUMENT, b"1", None)
        with pytest.raises(Unchanged):
            store.open(DOCUMENT, unless=tag)
        with pytest.raises(Unchanged):
            store.read(DOCUMENT, unless=tag)
        newer = store.swap(DOCUMENT, b"2", tag)
        assert store.read(DOCUMENT, unless=tag) == (b"2", newer)

    def test_what_has_changed_or_is_absent_is_never_still_the_same(self, store: Store) -> None:
        tag = store.swap(DOCUMENT, b"1", None)
        told = store.still(DOCUMENT, tag)
        newer = store.swap(DOCUMENT, b"2", tag)
        assert not store.still(DOCUMENT, tag)
        assert store.still(DOCUMENT, newer) == told
        assert not store.still("nothing", tag)

    def test_what_is_absent_is_not_found(self, store: Store) -> None:
        add(store, FILE, b"bytes")
        for absent in ("nothing", DOCUMENT, "files/main/acme", FILE + "/below", FILE + ".metadata"):
            with pytest.raises(NotFound) as caught:
                store.open(absent)
            assert isinstance(caught.value, KeyError)
            assert caught.value.key == absent
            with pytest.raises(NotFound):
                store.delete(absent)
        assert store.read(FILE)[0] == b"bytes"

    @pytest.mark.parametrize("change", ["swap", "delete"])
    def test_open_reader_keeps_its_version_or_raises(self, store: Store, change: str) -> None:
        old = b"old" * CHUNK
        tag = store.swap(DOCUMENT, old, None)
        add(store, FILE, old)
        with store.open(DOCUMENT if change == "swap" else FILE) as reader:
            begun = reader.read(10)
            if change == "swap":
                store.swap(DOCUMENT, b"new" * CHUNK, tag)
            else:
                store.delete(FILE)
            assert old.startswith(begun + rest_or_error(reader))


def rest_or_error(reader: Reader) -> bytes:
    """Return what the reader still gives, or nothing if it refuses to go on, which it may."""
    try:
        return reader.read()
    except (Truncated, Unavailable):
        return b""
