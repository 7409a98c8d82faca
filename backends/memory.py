"""A store in memory: the executable specification of the contract, for tests and for trying things out."""

from __future__ import annotations

import io
import itertools
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mypi.store import Conflict, Entry, NotFound, Reader, Source, Store, Tag, Unchanged, copy_exactly


@dataclass(frozen=True)
class _Object:
    data: bytes
    tag: Tag
    modified: float


class MemoryStore(Store):
    """Keeps everything in one dictionary, for as long as the process lives."""

    def __init__(self) -> None:
        self._objects: dict[str, _Object] = {}
        self._lock = threading.Lock()
        # Begun anew, another index has the same history to count: pip would be told that what it keeps is still so.
        self._life = secrets.token_hex(8)
        self._versions = itertools.count(1)

    def _open(self, key: str, start: int, stop: int | None, unless: Tag | None) -> Reader:
        found = self._objects.get(key)
        if found is None:
            raise NotFound(key)
        if found.tag == unless:
            raise Unchanged(key)
        part = found.data[start:stop]
        return Reader(key, io.BytesIO(part), size=len(found.data), tag=found.tag, remaining=len(part))

    def still(self, key: str, tag: Tag) -> bool:
        found = self._objects.get(key)
        return found is not None and found.tag == tag

    def _add(self, key: str, source: Source, size: int) -> None:
        target = io.BytesIO()
        copy_exactly(key, source, target, size)
        self._objects[key] = self._version(target.getvalue())

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        with self._lock:
            found = self._objects.get(key)
            if (found.tag if found else None) != expect:
                raise Conflict(key)
            new = self._objects[key] = self._version(data)
            return new.tag

    def _delete(self, key: str) -> None:
        if self._objects.pop(key, None) is None:
            raise NotFound(key)

    def _list(self, prefix: str) -> Iterator[Entry]:
        for key, found in self._objects.copy().items():
            if key.startswith(prefix):
                yield Entry(key, len(found.data), found.modified)

    def _version(self, data: bytes) -> _Object:
        return _Object(data, Tag(f"{self._life}-{next(self._versions)}"), time.time())
