"""Sources of users, asked in turn: the store, an htpasswd file, and what else is configured."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from cachetools import TTLCache

from ..model import Accounts
from .errors import AccountError
from .passwords import Hasher

_REMEMBERED = 60
"""Seconds for which a password that was right is not verified again: hashing is slow on purpose, and an installer sends
the same one with every request."""


class Source(Protocol):
    """Somewhere users come from. Methods may be called from any thread, and raise AccountError while it is away."""

    def verify(self, user: str | None, password: str) -> bool:
        """Say whether this is the user's password; an unknown user, and None, cost what a wrong password costs."""

    def stamp(self, user: str) -> str | None:
        """Return what changes when the user's password does, without telling it; None if the user is unknown."""

    def groups(self, user: str) -> frozenset[str]:
        """Return the groups that this source puts the user into."""


@runtime_checkable
class Listed(Protocol):
    """What a source has besides that can tell all its users."""

    def names(self) -> frozenset[str]:
        """Return the names of all users."""


class StoreUsers:
    """The users whom the accounts document holds."""

    def __init__(self, accounts: Callable[[], Accounts]) -> None:
        self._accounts = accounts
        self._hasher = Hasher()

    def verify(self, user: str | None, password: str) -> bool:
        known = self._accounts().users.get(user) if user is not None else None
        return self._hasher.verify(known.password if known else None, password)

    def stamp(self, user: str) -> str | None:
        known = self._accounts().users.get(user)
        return hashlib.sha256(known.password.encode()).hexdigest()[:16] if known else None

    def groups(self, user: str) -> frozenset[str]:
        """Return none: the groups of the store have members of every source, see Users."""
        return frozenset()

    def names(self) -> frozenset[str]:
        """Return the names of all users."""
        return frozenset(self._accounts().users)


class Users:
    """All users of this index: the first source that knows a name decides about it."""

    def __init__(self, sources: Sequence[Source], accounts: Callable[[], Accounts]) -> None:
        self._sources = tuple(sources)
        self._accounts = accounts
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._right: TTLCache[bytes, bool] = TTLCache(1000, ttl=_REMEMBERED)

    def verify(self, user: str, password: str) -> bool:
        """Say whether this is the user's password.

        Every source does its work for every wrong pair, so that the time tells nobody which names there are.
        """
        try:
            password.encode()
        except UnicodeEncodeError:
            return False  # half a surrogate pair: no password can hold it, whoever the user is
        knower, stamp = self._knower(user)
        known = hmac.digest(self._key, "\0".join((user, stamp or "", password)).encode("utf-8", "replace"), "sha256")
        with self._lock:
            if known in self._right:
                return True
        for source in self._sources:
            # What a source said of a name a minute ago is no reason not to ask it, while none before it knows the name.
            asked = user if knower in (source, None) else None
            if self._verifies(source, asked, password):
                with self._lock:
                    self._right[known] = True
                return True
        return False

    def _verifies(self, source: Source, user: str | None, password: str) -> bool:
        try:
            return source.verify(user, password)
        except AccountError:
            if user is None:
                return False  # it was asked for the time's sake only: what is away holds up none but its own users
            raise

    def stamp(self, user: str) -> str | None:
        """Return what changes when the user's password does; None if nobody knows the user."""
        return self._knower(user)[1]

    def groups(self, user: str) -> frozenset[str]:
        """Return the groups of a user: those of the store, and of the source that knows them."""
        knower, _ = self._knower(user)
        return self._accounts().groups_of(user) | (knower.groups(user) if knower else frozenset())

    def names(self) -> frozenset[str] | None:
        """Return the names of all users; None if a source cannot tell them."""
        listed = [source for source in self._sources if isinstance(source, Listed)]
        if len(listed) < len(self._sources):
            return None
        return frozenset(name for source in listed for name in source.names())

    def _knower(self, user: str) -> tuple[Source | None, str | None]:
        for source in self._sources:
            stamp = source.stamp(user)
            if stamp is not None:
                return source, stamp
        return None, None
