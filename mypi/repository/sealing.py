"""Sealing: an index that has moved takes no more changes, until the seal is taken off.

Every document is sealed by itself, and whoever edits one looks at its seal in the same swap. A seal keeps the revision,
so that nothing looks newer than it is; taking it off draws a fresh one, so that no bytes of a document ever repeat.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..model import Accounts, Names, Project
from . import keys
from .pool import in_threads
from .raws import Raw, Raws, fresh_revision


def seal(documents: Raws, key: str, at: str) -> Raw:
    """Seal a document and return it; one that is absent becomes a blank one, so that nobody can make it.

    ``at`` is an RFC 3339 time; a seal that is there already stays.
    """

    def change(before: Raw | None) -> Raw | None:
        if before and before.sealed:
            return None
        return (before or _blank(key)).replaced(sealed=at)

    sealed = documents.rewrite(key, change)
    assert sealed  # ``change`` leaves as it is only what is there
    return sealed


def unseal(documents: Raws, jobs: int) -> int:
    """Take the seal off every document; return how many had one. When killed, it can be run again.

    The names come last: as long as any document may be sealed, a new project is refused.
    """
    found = [entry.key for entry in documents.store.list() if keys.is_document(entry.key)]
    names = [key for key in found if keys.index_named_by(key)]
    return sum(_unsealed(documents, set(found) - set(names), jobs)) + sum(_unsealed(documents, names, jobs))


def _unsealed(documents: Raws, chosen: set[str] | list[str], jobs: int) -> Iterator[bool]:
    return in_threads(lambda key: _unseal(documents, key), chosen, jobs)


def _unseal(documents: Raws, key: str) -> bool:
    was = False

    def change(before: Raw | None) -> Raw | None:
        nonlocal was
        if before is None or not before.sealed:
            return None
        was = True
        return before.replaced(sealed="", revision=fresh_revision())

    documents.rewrite(key, change)
    return was


def _blank(key: str) -> Raw:
    place, revision = keys.project_of(key), fresh_revision()
    empty: Project | Names | Accounts = Names(revision=revision)
    if place:
        empty = Project(place[1], place[1], revision=revision)
    elif key == keys.ACCOUNTS:
        empty = Accounts(revision=revision)
    return Raw.load(empty.dump())
