"""What is kept of other indexes, for who looks at it or wants it gone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..model.remote import Cached
from ..repository import Outside, in_threads
from ..store import NotFound

_AT_ONCE = 8


@dataclass(frozen=True)
class Holding:
    """What is kept of a name at an index; ``used`` is the day of the last use of a file, None if none is kept."""

    site: str
    name: str
    known: bool
    files: int
    size: int
    used: str | None


def holdings(outside: Outside) -> Iterator[Holding]:
    """Yield what is kept of each name, in no promised order. Raises StoreError."""

    def held(place: tuple[str, str]) -> Holding | None:
        found = outside.get(*place)
        return _holding(found.value) if found else None

    for each in in_threads(held, outside.names(), _AT_ONCE):
        if each:
            yield each


def _holding(cached: Cached) -> Holding:
    kept = cached.kept.values()
    return Holding(
        site=cached.site,
        name=cached.name,
        known=cached.page is not None,
        files=sum(not filename.endswith(".metadata") for filename in cached.kept),
        size=sum(each.size for each in kept),
        used=max((each.used for each in kept), default=None),
    )


def drop_files(outside: Outside, site: str, name: str) -> int:
    """Drop all files of a name at an index; return how many bytes that were. Raises StoreError."""
    dropped: dict[str, int] = {}

    def without(present: Cached) -> Cached:
        # From now on nobody begins to read them; who reads already ends well, or is told that they are gone.
        dropped.update((kept.key, kept.size) for kept in present.kept.values())
        return replace(present, kept={}) if present.kept else present

    outside.edit(site, name, without)
    for key in dropped:
        with contextlib.suppress(NotFound):
            outside.drop(key)
    return sum(dropped.values())


def forget(outside: Outside, name: str | None = None) -> int:
    """Drop all that is kept of a name at every index, or of all names; return how many bytes that were.

    Raises StoreError.
    """
    freed = 0
    for site, each in list(outside.names()):
        if name in (None, each):
            freed += drop_files(outside, site, each)
            outside.forget(site, each)
    return freed if name else freed + _drop_strays(outside)


def _drop_strays(outside: Outside) -> int:
    """Drop bytes that no document names: one whose writing failed. A file that just came is fetched once more."""
    freed = 0
    for key, size, _ in list(outside.bytes()):
        with contextlib.suppress(NotFound):
            outside.drop(key)
            freed += size
    return freed
