"""What is kept of other indexes, for who looks at it or wants it gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..model.remote import Cached
from ..repository import Outside, in_threads
from .space import Space

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
    for found in in_threads(lambda place: outside.passing(*place), outside.names(), _AT_ONCE, name="mypi-upstream"):
        if found:
            yield _holding(found)


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


def forget(outside: Outside, name: str | None = None) -> int:
    """Drop all that is kept of a name at every index, or of all names; return how many bytes that were.

    Raises StoreError.
    """
    space = Space(outside, None)
    freed = space.empty(name).freed
    for site, each in list(outside.names()):
        if name in (None, each):
            outside.forget(site, each)
    # Bytes that no document names: one that just came is fetched once more.
    return freed if name else freed + space.sweep(grace=0).freed
