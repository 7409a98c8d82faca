"""Advice at start-up: rules that are right in themselves, and yet let nobody in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..model import Accounts
from ..rights import EVERYONE, NOBODY, OWNERS, PERMISSIONS, USERS, Rights
from ..store import StoreError
from .errors import AccountError
from .sources import Users

ADMINS = ("group:admins", "owners")
"""Who manages unless the ``.ini`` says otherwise: that there are no admins yet is no mistake."""


def on(rights: Rights, users: Users, accounts: Callable[[], Accounts], *, outside: bool) -> list[str]:
    """Return a sentence for each rule that lets nobody in, or names somebody whom nobody knows.

    ``outside`` says that users come from elsewhere too, such as REMOTE_USER; then, as with a source that cannot list
    its users, nothing can be said. Nor can it while a source or the store is away: the index starts all the same.
    """
    try:
        names = users.names()
        groups = accounts().groups
    except (StoreError, AccountError):
        return []
    if outside or names is None:
        return []
    # A member whom no source knows comes in by no door.
    there = {f"group:{group}" for group, members in groups.items() if names.intersection(members)}
    there |= {f"user:{name}" for name in names}
    there |= {EVERYONE} | ({USERS, OWNERS} if names else set())
    return [sentence for key, who in _rules(rights) for sentence in _on_rule(key, who, there)]


def _rules(rights: Rights) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each rule as the ``.ini`` has it: its key, and whom it names."""
    for permission in PERMISSIONS:
        yield f"mypi.{permission}", rights.index[permission]
        for pattern, who in rights.patterns.get(permission, {}).items():
            yield f"mypi.{permission}.{pattern}", who


def _on_rule(key: str, who: tuple[str, ...], there: set[str]) -> Iterator[str]:
    if who in ((NOBODY,), ADMINS):
        return
    written = f"{key} = {' '.join(who)}"
    if there.isdisjoint(who):
        yield f"{written} lets nobody in: {_missing(who)}"
        return
    unknown = [each for each in who if each not in there]
    if unknown:
        yield f"{written} names {_missing(tuple(unknown))}"


def _missing(who: tuple[str, ...]) -> str:
    """Say whom there is not, and how that is mended."""
    said = []
    if USERS in who or OWNERS in who:
        said.append("there is no user yet, make one with `mypi user add`")
    for each in who:
        kind, _, name = each.partition(":")
        if kind == "user":
            said.append(f"user {name}, whom no source of users knows; make them with `mypi user add` or mend the name")
        elif kind == "group":
            said.append(f"group {name}, of which no user is a member; fill it with `mypi group add` or mend the name")
    return "; ".join(said)
