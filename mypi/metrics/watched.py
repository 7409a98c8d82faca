"""A store around a store, which tells somebody what was called, how it ended and how long it took."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import IO, TypeVar

from ..store import (
    Conflict,
    Entry,
    Full,
    NotFound,
    Reader,
    Sealed,
    Source,
    Store,
    StoreError,
    Tag,
    Truncated,
    Unavailable,
    Unchanged,
)

T = TypeVar("T")
Told = Callable[[str, str, float], None]
"""Takes an operation, its outcome, and the seconds it took."""

OUTCOMES: tuple[tuple[type[BaseException], str], ...] = (
    (Unchanged, "unchanged"),
    (NotFound, "absent"),
    (Conflict, "conflict"),
    (Full, "full"),
    (Sealed, "sealed"),
    (Unavailable, "unavailable"),
    (Truncated, "truncated"),
    (StoreError, "error"),
)
"""Words for what a store raises; the first match counts. What a source raises while it is added is an error too."""


def outcome(exc: BaseException) -> str:
    """Name an error by one of a few words.

    >>> outcome(Full("acme", "no room"))
    'full'
    """
    return next((word for kind, word in OUTCOMES if isinstance(exc, kind)), "error")


class Watched(Store):
    """Passes everything on to another store; what is read from a Reader afterwards is not watched."""

    def __init__(self, store: Store, told: Told) -> None:
        self.store = store
        self._told = told
        self.processes = store.processes
        self.nodes = store.nodes
        self.read_only = store.read_only
        self.spool_folder = store.spool_folder

    def _open(self, key: str, start: int, stop: int | None, unless: Tag | None) -> Reader:
        return self._timed("open", lambda: self.store._open(key, start, stop, unless))

    def still(self, key: str, tag: Tag) -> bool:
        """Pass it on, and count it if it saved an ``open``: without a frame more, as every page asks."""
        began = perf_counter()
        same = self.store.still(key, tag)
        if same:
            self._told("open", "unchanged", perf_counter() - began)
        return same

    def _add(self, key: str, source: Source, size: int) -> None:
        self._timed("add", lambda: self.store._add(key, source, size))

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        return self._timed("swap", lambda: self.store._swap(key, data, expect))

    def _delete(self, key: str) -> None:
        self._timed("delete", lambda: self.store._delete(key))

    def _copy(self, key: str, fresh: str) -> None:
        self._timed("copy", lambda: self.store._copy(key, fresh))

    def _list(self, prefix: str) -> Iterator[Entry]:
        """Pass a listing on; its time is until its first entry, for the rest is up to who reads it."""
        entries = self.store._list(prefix)
        first = self._timed("list", lambda: next(entries, None))
        if first is not None:
            yield first
            yield from entries

    def url(self, key: str, filename: str) -> str | None:
        return self.store.url(key, filename)

    def spool(self) -> IO[bytes]:
        return self.store.spool()

    def probe(self) -> None:
        self._timed("probe", self.store.probe)

    def check(self, *, catalogue: bool = True) -> None:
        self.store.check(catalogue=catalogue)

    def maintain(self, before: float) -> int:
        return self._timed("maintain", lambda: self.store.maintain(before))

    def tidy(self, before: float) -> int:
        return self._timed("tidy", lambda: self.store.tidy(before))

    def close(self) -> None:
        self.store.close()

    def _timed(self, operation: str, call: Callable[[], T]) -> T:
        began, ended = perf_counter(), "ok"
        try:
            return call()
        except BaseException as exc:
            ended = outcome(exc)
            raise
        finally:
            self._told(operation, ended, perf_counter() - began)
