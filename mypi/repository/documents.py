"""Documents of one kind: read through a cache, edited by compare-and-swap.

An edit is a function that makes it so, safe to apply twice. Edits that wait for one document inside a process are
applied by one swap, so that a hundred writers of one project cost a few swaps and none of them starves.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, cast
from weakref import WeakValueDictionary

from cachetools import LRUCache

from ..store import Conflict, Full, NotFound, Sealed, Store, StoreError, Tag, Unavailable, Unchanged

ATTEMPTS = 40
"""Swaps tried against other processes before giving up; waits grow to half a second, so this is some ten seconds."""

_PARSED = 6
"""A parsed document takes about six times the memory of its JSON (measured on projects of 10 and 10,000 files)."""


class Document(Protocol):
    """What can be kept in a document: it carries the random revision that makes each version's bytes unique."""

    @property
    def revision(self) -> str: ...
    def revised(self, revision: str) -> Document: ...
    def dump(self) -> bytes: ...


D = TypeVar("D", bound=Document)


class Damaged(StoreError):
    """A document's bytes cannot be read as one; it must be restored from a backup."""


@dataclass(frozen=True)
class Held(Generic[D]):
    """A document with the tag of the version it is."""

    value: D
    tag: Tag


class _Pending(Generic[D]):
    """An edit that waits to be applied."""

    def __init__(self, change: Callable[[D], D]) -> None:
        self.change = change
        self.outcome: D | BaseException | None = None

    def apply(self, before: D) -> D:
        """Apply the edit; one that refuses leaves the document to the others."""
        try:
            after = self.change(before)
        except Exception as exc:
            self.outcome = exc
            return before
        self.outcome = after
        return after


class _Gate(Generic[D]):
    """The queue before one document."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.waiting: list[_Pending[D]] = []


class Documents(Generic[D]):
    """The documents of one kind in a store.

    ``load`` reads one from bytes, ``empty`` makes the one that an absent key stands for. ``cache_size`` bounds the
    memory of parsed documents in bytes, roughly. Within ``cache_seconds`` of its last check a cached document is
    trusted unasked; 0 keeps invariant 2 (read your writes) on every node.
    """

    def __init__(
        self,
        store: Store,
        load: Callable[[bytes], D],
        empty: Callable[[str], D],
        *,
        cache_size: int,
        cache_seconds: float,
    ) -> None:
        self._store = store
        self._load = load
        self._empty = empty
        self._seconds = cache_seconds
        self._lock = threading.Lock()
        self._cache: LRUCache[str, tuple[Held[D], int, float]] = LRUCache(cache_size, getsizeof=lambda item: item[1])
        self._gates: WeakValueDictionary[str, _Gate[D]] = WeakValueDictionary()

    def get(self, key: str) -> Held[D]:
        """Return the document as it is now. Raises NotFound, Unavailable, Damaged."""
        cached = self._cached(key)
        if cached and self._seconds and time.monotonic() - cached[2] < self._seconds:
            return cached[0]
        return self._fetch(key, cached)

    def _cached(self, key: str) -> tuple[Held[D], int, float] | None:
        with self._lock:
            return self._cache.get(key)

    def _fetch(self, key: str, cached: tuple[Held[D], int, float] | None) -> Held[D]:
        try:
            data, tag = self._store.read(key, unless=cached[0].tag if cached else None)
        except Unchanged:
            held, cost, _ = cast(tuple[Held[D], int, float], cached)  # only a known tag can be unchanged
        except NotFound:
            with self._lock:
                self._cache.pop(key, None)
            raise
        else:
            held, cost = Held(self._parse(key, data), tag), len(data) * _PARSED
        self._keep(key, held, cost)
        return held

    def _parse(self, key: str, data: bytes) -> D:
        try:
            return self._load(data)
        except (ValueError, KeyError, TypeError) as exc:
            raise Damaged(key, "the document is damaged; restore it from a backup (mypi verify lists all)") from exc

    def _keep(self, key: str, held: Held[D], cost: int) -> None:
        with self._lock:
            if cost <= self._cache.maxsize:
                self._cache[key] = (held, cost, time.monotonic())
            else:
                self._cache.pop(key, None)

    def edit(self, key: str, change: Callable[[D], D]) -> D:
        """Make a change so and return the document that has it; when this returns the change is durable.

        ``change`` receives the present document (an empty one for an absent key) and returns the wanted one, or the
        same object if nothing is to do. It may be called several times. Whatever it raises is raised here, with
        nothing changed; besides: Unavailable ("perhaps"), Full, Sealed, Damaged.
        """
        pending = _Pending(change)
        with self._lock:
            gate = self._gates.setdefault(key, _Gate())
            gate.waiting.append(pending)
        with gate.turn:
            if pending.outcome is None:
                with self._lock:
                    batch, gate.waiting = gate.waiting, []
                try:
                    self._apply(key, batch)
                except BaseException as exc:
                    for each in batch:
                        each.outcome = exc
        if isinstance(pending.outcome, BaseException):
            raise pending.outcome
        return cast(D, pending.outcome)

    def _apply(self, key: str, batch: list[_Pending[D]]) -> None:
        """Apply a batch by one swap, again and again until it holds."""
        sent: set[str] = set()
        for attempt in range(ATTEMPTS):
            before, tag = self._present(key)
            if before.revision in sent:
                return  # our own swap, whose success was told as a failure
            after = before
            for each in batch:
                after = each.apply(after)
            if after is before:
                return
            after = cast(D, after.revised(secrets.token_hex(8)))
            sent.add(after.revision)
            data = after.dump()
            try:
                fresh = self._store.swap(key, data, tag)
            except (Full, Sealed):
                raise
            except Conflict:
                time.sleep(random.uniform(0, min(0.5, 0.002 * 2**attempt)))  # noqa: S311 - spreads writers
            except Unavailable:
                if self._present(key)[0].revision not in sent:
                    raise
                return
            else:
                self._keep(key, Held(after, fresh), len(data) * _PARSED)
                return
        raise Unavailable(key, f"{ATTEMPTS} attempts met other writers each time; try again")

    def _present(self, key: str) -> tuple[D, Tag | None]:
        try:
            held = self._fetch(key, self._cached(key))
        except NotFound:
            return self._empty(key), None
        return held.value, held.tag
