"""The part of the contract that is about files: written once, whole, streamed, and spooled on their way in."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable

import pytest

from ..store import CHUNK, InvalidKey, NotFound, Source, Store, Truncated
from .samples import BESIDE, DOCUMENT, FILE, OTHER, Broken, Sips, Zeros, add, keys


class FileContract:
    """Inherited by StoreContract, which gives the fixtures."""

    large = 64 * 2**20
    """Bytes of the file that is streamed."""
    headroom = 8 * 2**20
    """Memory that streaming it may take; only a store that lives in memory needs more than the default."""

    @pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
    def test_added_file_reads_back_whole(self, store: Store, size: int) -> None:
        data = bytes(index % 251 for index in range(size))
        add(store, FILE, data)
        with store.open(FILE) as reader:
            assert (reader.key, reader.size, reader.remaining) == (FILE, size, size)
            assert b"".join(reader) == data
            assert reader.read() == reader.read(1) == b""
        assert store.read(FILE) == (data, reader.tag)

    def test_file_is_added_from_where_the_source_stands(self, store: Store) -> None:
        source = io.BytesIO(b"skipped,kept")
        source.seek(8)
        store.add(FILE, source, 4)
        assert store.read(FILE)[0] == b"kept"

    def test_source_may_give_few_bytes_at_a_time(self, store: Store) -> None:
        store.add(FILE, Sips(b"0123456789" * 10), 100)
        assert store.read(FILE)[0] == b"0123456789" * 10

    @pytest.mark.parametrize("announced", [0, 9, 11, 10 + CHUNK])
    @pytest.mark.parametrize("kind", [io.BytesIO, Sips])
    def test_source_of_another_size_is_refused_and_nothing_is_stored(
        self, store: Store, kind: Callable[[bytes], Source], announced: int
    ) -> None:
        with pytest.raises(Truncated):
            store.add(FILE, kind(b"0123456789"), announced)
        with pytest.raises(NotFound):
            store.open(FILE)
        assert keys(store) == []
        add(store, FILE, b"again")
        assert store.read(FILE)[0] == b"again"

    def test_error_of_the_source_comes_through_and_nothing_is_stored(self, store: Store) -> None:
        with pytest.raises(ConnectionResetError):
            store.add(FILE, Broken(), 10)
        assert keys(store) == []

    def test_files_of_one_folder_are_added_together(self, store: Store) -> None:
        with store.spool() as spool:
            spool.write(b"0123456789" * 100_000)
            spool.seek(0)
            later = io.BytesIO(b"skipped,kept")
            later.seek(8)
            store.add_all({BESIDE: (later, 4), FILE: (spool, 1_000_000), FILE + ".asc": (Sips(b"signature"), 9)})
        assert keys(store) == [FILE, FILE + ".asc", BESIDE]
        assert store.read(FILE)[0] == b"0123456789" * 100_000
        assert (store.read(BESIDE)[0], store.read(FILE + ".asc")[0]) == (b"kept", b"signature")
        store.add_all({})

    def test_files_added_together_are_refused_where_one_is(self, store: Store) -> None:
        with pytest.raises(Truncated):
            store.add_all({BESIDE: (io.BytesIO(b"0123"), 4), FILE: (io.BytesIO(b"0123456789"), 11)})
        with pytest.raises(NotFound):
            store.open(FILE)
        with pytest.raises(ConnectionResetError):
            store.add_all({FILE: (Broken(), 10), BESIDE: (io.BytesIO(b"0123"), 4)})
        for key in keys(store):
            store.delete(key)
        store.add_all({BESIDE: (io.BytesIO(b"again"), 5)})
        assert store.read(BESIDE)[0] == b"again"

    @pytest.mark.parametrize("stray", [OTHER, "files", f"{FILE}/below", "files//acme"])
    def test_files_of_several_folders_are_not_added_together(self, store: Store, stray: str) -> None:
        with pytest.raises(InvalidKey):
            store.add_all({FILE: (io.BytesIO(b"1"), 1), stray: (io.BytesIO(b"2"), 1)})
        assert keys(store) == []

    def test_large_file_is_streamed(self, store: Store) -> None:
        tracemalloc.start()
        try:
            store.add(FILE, Zeros(self.large), self.large)
            with store.open(FILE) as reader:
                assert sum(map(len, reader)) == self.large
            store.copy(FILE, OTHER)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < self.headroom

    def test_copy_is_independent_of_the_original(self, store: Store) -> None:
        add(store, FILE, b"bytes")
        store.copy(FILE, OTHER)
        store.delete(FILE)
        assert store.read(OTHER)[0] == b"bytes"
        with pytest.raises(NotFound):
            store.copy(FILE, "files/elsewhere")

    def test_deleted_file_is_gone(self, store: Store) -> None:
        add(store, FILE, b"bytes")
        add(store, OTHER, b"other")
        store.delete(FILE)
        with pytest.raises(NotFound):
            store.open(FILE)
        with pytest.raises(NotFound):
            store.delete(FILE)
        assert keys(store) == [OTHER]

    def test_url_is_a_link_or_none(self, store: Store) -> None:
        add(store, FILE, b"bytes")
        link = store.url(FILE, "acme-1.0.tar.gz")
        assert link is None or link.startswith(("http://", "https://"))

    @pytest.mark.parametrize("data", [b"", b"0123456789" * 100_000])
    def test_spool_goes_into_the_store(self, store: Store, data: bytes) -> None:
        with store.spool() as spool:
            spool.write(data)
            spool.seek(0)
            assert spool.read() == data
            spool.seek(0)
            store.add(FILE, spool, len(data))
            spool.seek(0)
            store.add(OTHER, spool, len(data))
        assert store.read(FILE)[0] == store.read(OTHER)[0] == data
        store.delete(FILE)
        assert store.read(OTHER)[0] == data

    def test_spool_is_added_from_where_it_stands_or_refused(self, store: Store) -> None:
        with store.spool() as spool:
            spool.write(b"0123456789")
            with pytest.raises(Truncated):
                store.add(FILE, spool, 10)
            spool.seek(4)
            store.add(FILE, spool, 6)
            spool.seek(0)
            with pytest.raises(Truncated):
                store.add(OTHER, spool, 9)
        assert keys(store) == [FILE]
        assert store.read(FILE)[0] == b"456789"

    def test_spool_is_no_object_and_goes_when_closed(self, store: Store) -> None:
        with store.spool() as spool:
            spool.write(b"x" * CHUNK)
            assert keys(store) == []
            assert store.maintain(0) == 0
        spool.close()
        assert store.maintain(2**40) == 0

    def test_maintenance_leaves_objects_and_open_spools_alone(self, store: Store) -> None:
        add(store, FILE, b"bytes")
        tag = store.swap(DOCUMENT, b"{}", None)
        with store.spool() as spool:
            spool.write(b"12345")
            store.maintain(2**40)
            spool.seek(0)
            store.add(OTHER, spool, 5)
        assert keys(store) == sorted([FILE, OTHER, DOCUMENT])
        assert store.read(DOCUMENT) == (b"{}", tag)
