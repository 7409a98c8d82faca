"""The room that upstream files take in our store: what was used least recently goes first, and nothing of ours ever.

Several nodes may make room at once: they choose alike, and each step may be done twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from ..model.remote import Cached, Kept
from ..repository import Outside
from ..store import Entry, NotFound, StoreError

log = logging.getLogger(__name__)

DAY = 86400.0

IDLE = 90 * DAY
"""Seconds after which a page goes that nobody asked for, and of which no file is kept: there is no bound for pages but
that, and whoever may read can ask for each name that there is."""

_ENOUGH = 0.9
"""Room is made down to this share of the limit, so that not every file that is kept asks for it anew."""

_UNMEASURED = 20
"""After a share of the limit, one in so many, the store is measured again: other nodes keep files too."""


@dataclass(frozen=True)
class Item:
    """Something that is kept: for what file of what name at what index."""

    site: str
    name: str
    filename: str
    kept: Kept


@dataclass(frozen=True)
class Cleared:
    """What was deleted, or would be: files that were kept, bytes that nobody named any more, and their size; pages."""

    files: int = 0
    orphans: int = 0
    freed: int = 0
    pages: int = 0


class Space:
    """Bounds what is kept to ``limit`` bytes; 0 keeps nothing, None has no bound.

    ``clock`` gives seconds since 1970. Methods may be called from any thread.
    """

    def __init__(self, outside: Outside, limit: int | None, *, clock: Callable[[], float] = time.time) -> None:
        self._outside = outside
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._measured: int | None = None
        self._since = 0

    def takes(self, size: int) -> bool:
        """Tell whether something of a size may be kept at all."""
        return self._limit is None or size < self._limit * _ENOUGH

    def added(self, size: int) -> None:
        """Hear that something was kept, and make room if that was too much. Never fails: the next may do better."""
        if self._limit is None:
            return
        with self._lock:
            self._since += size
            known = self._measured
            fits = known is not None and known + self._since <= self._limit and self._since * _UNMEASURED <= self._limit
        if fits or not self._turn.acquire(blocking=False):
            return
        try:
            self._make_room(dry_run=False)
        except StoreError as exc:
            log.warning("no room can be made among the files of other indexes: %s", exc)
        finally:
            self._turn.release()

    def sweep(self, *, grace: float = DAY, dry_run: bool = False) -> Cleared:
        """Delete what nobody names and is older than ``grace`` seconds, what is too much, and idle pages.

        Raises StoreError.
        """
        orphans = self._orphans(grace, dry_run=dry_run)
        room = self._make_room(dry_run=dry_run)
        return Cleared(room.files, orphans.orphans, orphans.freed + room.freed, self._idle(dry_run=dry_run))

    def kept(self) -> Iterator[Item]:
        """Yield all that is kept, in no promised order. Raises StoreError."""
        for site, name in self._outside.names():
            yield from self._items(site, name)

    def empty(self, name: str | None = None) -> Cleared:
        """Delete what is kept of a name, or all, and have its pages asked for anew. Raises StoreError."""
        files = freed = 0
        for site, each in list(self._outside.names()):
            if name not in (None, each):
                continue
            gone = self._emptied(site, each)
            files, freed = files + len(gone), freed + sum(kept.size for kept in gone)
        return Cleared(files, 0, freed)

    def _emptied(self, site: str, name: str) -> list[Kept]:
        gone: list[Kept] = []

        def change(present: Cached) -> Cached:
            gone[:] = present.kept.values()
            return replace(present, kept={}, fresh_until=0) if gone or present.fresh_until else present

        self._outside.edit(site, name, change)
        for kept in gone:
            self._drop(kept.key)
        return gone

    def _make_room(self, *, dry_run: bool) -> Cleared:
        """Measure, and delete what was used least recently until there is room again."""
        entries = list(self._outside.bytes())
        total = sum(entry.size for entry in entries)
        files = freed = 0
        if self._limit is not None and total > self._limit:
            for item in self._oldest(entries):
                if total - freed <= self._limit * _ENOUGH:
                    break
                if dry_run or self._dropped(item):
                    files, freed = files + 1, freed + item.kept.size
        if not dry_run:
            with self._lock:
                self._measured, self._since = total - freed, 0
        if files and not dry_run:
            log.info("%d files of other indexes made room, %d bytes", files, freed)
        return Cleared(files, 0, freed)

    def _oldest(self, entries: Collection[Entry]) -> list[Item]:
        """List what is kept and there, the least recently used first: by the day, within one by when it was kept."""
        since = {entry.key: entry.modified for entry in entries}
        items = [item for pair in self._places(entries) for item in self._items(*pair) if item.kept.key in since]
        return sorted(items, key=lambda item: (item.kept.used, since[item.kept.key], item.kept.key))

    def _items(self, site: str, name: str) -> Iterator[Item]:
        cached = self._outside.passing(site, name)
        for filename, kept in sorted(cached.kept.items()) if cached else ():
            yield Item(site, name, filename, kept)

    def _places(self, entries: Collection[Entry]) -> dict[tuple[str, str], list[Entry]]:
        found: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for entry in entries:
            found[self._outside.owner(entry.key)].append(entry)
        return found

    def _dropped(self, item: Item) -> bool:
        """Delete something, unless it was used or replaced since it was looked at."""
        gone = False

        def change(present: Cached) -> Cached:
            nonlocal gone
            found = present.kept.get(item.filename)
            gone = found is None or (found.key, found.used) == (item.kept.key, item.kept.used)
            if found is None or not gone:
                return present
            return replace(present, kept={name: kept for name, kept in present.kept.items() if name != item.filename})

        self._outside.edit(item.site, item.name, change)
        if gone:
            self._drop(item.kept.key)
        return gone

    def _orphans(self, grace: float, *, dry_run: bool) -> Cleared:
        before = self._clock() - grace
        old = [entry for entry in self._outside.bytes() if entry.modified < before]
        orphans = freed = 0
        for (site, name), entries in self._places(old).items():
            named = {item.kept.key for item in self._items(site, name)}
            for entry in entries:
                if entry.key not in named and (dry_run or self._drop(entry.key)):
                    orphans, freed = orphans + 1, freed + entry.size
        return Cleared(0, orphans, freed)

    def _idle(self, *, dry_run: bool) -> int:
        """Forget pages that nobody wants; one that is asked for at this very moment is asked for anew."""
        before = self._clock() - IDLE
        pages = 0
        for site, name in list(self._outside.names(before=before)):
            cached = self._outside.passing(site, name)
            if cached and not cached.kept and cached.fetched < before:
                pages += 1
                if not dry_run:
                    self._outside.forget(site, name)
        return pages

    def _drop(self, key: str) -> bool:
        """Delete bytes; False if another node did already."""
        try:
            self._outside.drop(key)
        except NotFound:
            return False
        return True
