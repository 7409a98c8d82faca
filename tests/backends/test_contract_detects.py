"""The contract fails on stores that break it: each of its detectors is shown to detect."""

import hashlib
import io
import time
from dataclasses import replace

import pytest

from mypi.backends.memory import MemoryStore
from mypi.store import Conflict, NotFound, Reader, StoreError, Tag, Truncated
from mypi.testing import StoreContract
from mypi.testing.reading import rest_or_error


class TagsOfBytes(MemoryStore):
    """Repeats a tag when the bytes repeat, as an S3 ETag does."""

    def _version(self, data):
        return replace(super()._version(data), tag=Tag(hashlib.md5(data[:1]).hexdigest()))


class LastWriterWins(MemoryStore):
    def _swap(self, key, data, expect):
        self._objects[key] = self._version(data)
        return self._objects[key].tag


class ChecksBeforeItLocks(MemoryStore):
    """Leaves time between looking at a document and replacing it."""

    def _swap(self, key, data, expect):
        found = self._objects.get(key)
        if (found.tag if found else None) != expect:
            raise Conflict(key)
        time.sleep(0.001)
        self._objects[key] = self._version(data)
        return self._objects[key].tag


class KeepsShortFiles(MemoryStore):
    def _add(self, key, source, size):
        self._objects[key] = self._version(source.read(size))


class StoresBeforeItChecks(MemoryStore):
    def _add(self, key, source, size):
        data = source.read(size + 1)
        self._objects[key] = self._version(data)
        if len(data) != size:
            raise Truncated(key, "too late")


class NothingEverChanges(MemoryStore):
    def still(self, key, tag):
        return key in self._objects


class ListsByStart(MemoryStore):
    def _list(self, prefix):
        return super()._list(prefix.rstrip("/"))


class ListsHalf(MemoryStore):
    def _list(self, prefix):
        return (entry for number, entry in enumerate(super()._list(prefix)) if number % 2)


class IgnoresRanges(MemoryStore):
    def _open(self, key, start, stop, unless):
        return super()._open(key, 0, None, unless)


class ForgetsToDelete(MemoryStore):
    def _delete(self, key):
        if key not in self._objects:
            raise NotFound(key)


class LivesInMemory(MemoryStore):
    """Is excused by the headroom of its own tests only."""


class TornReads(MemoryStore):
    def _swap(self, key, data, expect):
        tag = super()._swap(key, data, expect)
        whole = self._objects[key]
        self._objects[key] = replace(whole, data=whole.data[: len(data) // 2])
        time.sleep(0.001)
        self._objects[key] = whole
        return tag


TOO_LITTLE = {"kind": io.BytesIO, "announced": 11}
BROKEN = [
    (TagsOfBytes, "test_tags_never_repeat", {}),
    (LastWriterWins, "test_document_is_replaced_only_where_it_is_expected", {}),
    (LastWriterWins, "test_document_is_made_only_where_none_is", {}),
    (LastWriterWins, "test_one_of_many_replaces_the_document", {}),
    (ChecksBeforeItLocks, "test_threads_lose_no_update", {}),
    (ChecksBeforeItLocks, "test_one_of_many_makes_the_document", {}),
    (KeepsShortFiles, "test_source_may_give_few_bytes_at_a_time", {}),
    (StoresBeforeItChecks, "test_source_of_another_size_is_refused_and_nothing_is_stored", TOO_LITTLE),
    (NothingEverChanges, "test_what_has_changed_or_is_absent_is_never_still_the_same", {}),
    (ListsByStart, "test_listing_has_every_object_below_its_prefix", {}),
    (ListsHalf, "test_listing_has_every_object_below_its_prefix", {}),
    (ListsHalf, "test_listing_goes_on_while_objects_come_and_go", {}),
    (IgnoresRanges, "test_range_gives_its_bytes_cut_to_the_end", {"start": 3, "stop": 5, "part": b"34"}),
    (ForgetsToDelete, "test_deleted_file_is_gone", {}),
    (LivesInMemory, "test_large_file_is_streamed", {}),
    (TornReads, "test_reader_sees_whole_versions_that_only_grow", {}),
]  # fmt: skip


@pytest.mark.parametrize(("broken", "test", "given"), BROKEN, ids=lambda value: getattr(value, "__name__", str(value)))
def test_broken_store_is_found_out(broken, test, given):
    contract = StoreContract()
    contract.swaps = 200
    with pytest.raises((AssertionError, pytest.fail.Exception, StoreError)):
        getattr(contract, test)(broken(), **given)


def test_reader_that_raises_instead_of_mixing_versions_is_accepted():
    short = Reader("key", io.BytesIO(b""), size=3, tag=Tag("t"), remaining=3)
    assert rest_or_error(short) == b""


def test_subclass_without_a_factory_is_told_so():
    with pytest.raises(NotImplementedError, match="factory"):
        StoreContract.factory.__wrapped__(StoreContract())
