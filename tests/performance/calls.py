"""Indexes whose every call of the store is written down, and stores that are full without anybody having published."""

from __future__ import annotations

from benchmarks.corpora import documents
from mypi.backends.memory import MemoryStore
from mypi.repository import Repository
from mypi.store import NotFound, Reader, Store, Tag, Unchanged
from mypi.testing.doubles import RecordingStore
from tests.functional.conftest import Index
from tests.repository.shorthand import settings

PROJECT = "indexes/main/acme-1.json"
NAMES = "indexes/main.json"


class Calls(RecordingStore):
    """Says of a look also what came of it: "read", "unchanged" or "absent"; ``told`` forgets what it has told."""

    def _open(self, key: str, start: int, stop: int | None, unless: Tag | None) -> Reader:
        try:
            reader = self.store._open(key, start, stop, unless)
        except (Unchanged, NotFound) as exc:
            self.log.append(("unchanged" if isinstance(exc, Unchanged) else "absent", key))  # type: ignore[arg-type]
            raise
        self.log.append(("read", key))  # type: ignore[arg-type]
        return reader

    def still(self, key: str, tag: Tag) -> bool:
        same = self.store.still(key, tag)
        if same:
            self.log.append(("unchanged", key))  # type: ignore[arg-type]
        return same

    def told(self) -> list[tuple[str, str]]:
        """Return what was asked since the last call."""
        log, self.log = self.log, []
        return list(log)


def full(projects: int, files: int = 2) -> MemoryStore:
    """A store in which so many projects were published; the bytes of their files are not there."""
    store = MemoryStore()
    Repository(store, store, settings())  # which makes it an index's
    for key, data in documents(projects, files):
        store.swap(key, data, None)
    return store


def started(store: Store, **given: str) -> tuple[Index, Calls]:
    """Start an application over a store, and return what its start asked of the store among the calls."""
    calls = Calls(store)
    return Index.over(calls, **given), calls
