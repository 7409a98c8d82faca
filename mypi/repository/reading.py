"""Reading documents of one kind: a copy is kept by its tag, and one fetch serves all who wait for it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, cast
from weakref import WeakValueDictionary

from cachetools import LRUCache

from ..store import NotFound, Store, StoreError, Tag, Unchanged

_PARSED = 6
"""A parsed document takes about six times the memory of its JSON (measured on projects of 10 and 10,000 files)."""

COUNTED = ("kept", "unchanged", "read", "absent")
"""How a document was come by: trusted unasked, or the store was asked and had the same, another, or none."""

_STAMP = b'{"sha256":"'
_DIGITS = 64


class Document(Protocol):
    """What can be kept in a document.

    It carries the random revision that makes each version's bytes unique, and when it was sealed, "" if it is not.
    """

    @property
    def revision(self) -> str: ...
    @property
    def sealed(self) -> str: ...
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


@dataclass(frozen=True)
class _Copy(Generic[D]):
    """A kept document: the memory it takes, roughly, and when the store was asked for it."""

    held: Held[D]
    cost: int
    asked: float


class _Fetch(Generic[D]):
    """The queue of those who want one document: what began after they came is new enough for them."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.begun = float("-inf")
        self.outcome: Held[D] | StoreError | None = None


class Reading(Generic[D]):
    """Reads documents and keeps the latest used within ``cache_size`` bytes of memory, roughly.

    ``load`` reads one from its key and bytes. Within ``cache_seconds`` of its last check a kept document is trusted
    unasked; 0 keeps invariant 2 (read your writes) on every node. ``counts`` says how often each of
    ``COUNTED`` was the case.
    """

    def __init__(self, store: Store, load: Callable[[str, bytes], D], *, cache_size: int, cache_seconds: float) -> None:
        self._store = store
        self._load = load
        self._seconds = cache_seconds
        self._lock = threading.Lock()
        self._kept: LRUCache[str, _Copy[D]] = LRUCache(cache_size, getsizeof=lambda copy: copy.cost)
        self._fetches: WeakValueDictionary[str, _Fetch[D]] = WeakValueDictionary()
        self.counts = dict.fromkeys(COUNTED, 0)

    def get(self, key: str) -> Held[D]:
        """Return a document, at most ``cache_seconds`` old. Raises NotFound, Unavailable, Damaged."""
        kept = self._copy(key)
        if kept and self._seconds and time.monotonic() - kept.asked < self._seconds:
            self._count("kept")
            return kept.held
        return self._newest(key, kept)

    def newest(self, key: str) -> Held[D]:
        """Return a document as the store has it after this call began. Raises as ``get``."""
        return self._newest(key, self._copy(key))

    def _newest(self, key: str, kept: _Copy[D] | None) -> Held[D]:
        came = time.monotonic()
        if kept and self._store.still(key, kept.held.tag):
            self._count("unchanged")
            if self._seconds:
                self.keep(key, kept.held, kept.cost // _PARSED, came)
            return kept.held
        with self._lock:
            fetch = self._fetches.setdefault(key, _Fetch())
        with fetch.turn:
            if fetch.begun < came:
                begun = time.monotonic()
                try:
                    fetch.outcome = self._fetch(key, begun)
                except StoreError as exc:
                    fetch.outcome = exc
                fetch.begun = begun
            outcome = fetch.outcome
        if isinstance(outcome, StoreError):
            raise outcome
        return cast(Held[D], outcome)

    def kept(self, key: str) -> Held[D] | None:
        """Return the copy that is kept, however old it is, or None; the store is not asked."""
        copy = self._copy(key)
        return copy.held if copy else None

    def passing(self, key: str) -> Held[D]:
        """Return a document as the store has it, and keep it not: for who reads all. Raises as ``get``."""
        data, tag = self._store.read(key)
        return Held(self._parse(key, data), tag)

    def keep(self, key: str, held: Held[D], size: int, asked: float) -> None:
        """Keep a document of ``size`` bytes, unless one that was asked for later is kept already."""
        copy = _Copy(held, size * _PARSED, asked)
        with self._lock:
            kept = self._kept.get(key)
            if kept and kept.asked > asked:
                return
            self._kept.pop(key, None)
            if copy.cost <= self._kept.maxsize:
                self._kept[key] = copy

    def _copy(self, key: str) -> _Copy[D] | None:
        with self._lock:
            return self._kept.get(key)

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def _fetch(self, key: str, begun: float) -> Held[D]:
        kept = self._copy(key)
        try:
            data, tag = self._store.read(key, unless=kept.held.tag if kept else None)
        except Unchanged:
            self._count("unchanged")
            same = cast(_Copy[D], kept)  # only a known tag can be unchanged
            self.keep(key, same.held, same.cost // _PARSED, begun)
            return same.held
        except NotFound:
            with self._lock:
                self._kept.pop(key, None)
            self._count("absent")
            raise
        self._count("read")
        held = Held(self._parse(key, data), tag)
        self.keep(key, held, len(data), begun)
        return held

    def _parse(self, key: str, data: bytes) -> D:
        with damage(key):
            return self._load(key, unstamped(data))


@contextmanager
def damage(key: str) -> Iterator[None]:
    """Turn whatever bytes that are no document make a parser raise into Damaged."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise Damaged(key, "the document is damaged; restore it from a backup (mypi verify lists all)") from exc


def stamped(data: bytes) -> bytes:
    """Put the digest of a JSON object into it, first, so that no bit of it can change unseen.

    >>> import json
    >>> sorted(json.loads(stamped(b'{"name":"acme"}')))
    ['name', 'sha256']
    """
    return _STAMP + hashlib.sha256(data).hexdigest().encode() + b'",' + data[1:]


def unstamped(data: bytes) -> bytes:
    """Return the object without its stamp; one that somebody wrote by hand has none. Raises ValueError."""
    if not data.startswith(_STAMP):
        return data
    head = len(_STAMP) + _DIGITS
    body = b"{" + data[head + len(b'",') :]
    if stamped(body) != data:
        raise ValueError("the digest in the document is not that of the document")
    return body
