"""The accounts document of a store: read for each request that brings credentials, edited by compare-and-swap."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from cachetools import LRUCache

from ..model import Accounts, Actor, Event
from ..settings import Settings
from ..store import NotFound, Store, StoreError
from . import keys
from .documents import Documents

T = TypeVar("T")


class Members:
    """Users, groups and tokens, as every node sees them; ``event`` makes the history's entry of somebody's change."""

    def __init__(self, store: Store, settings: Settings, event: Callable[[Actor], Event]) -> None:
        self._event = event
        self._lock = threading.Lock()
        self._looks = threading.local()
        self._noted: LRUCache[str, str] = LRUCache(1000)
        self._documents: Documents[Accounts] = Documents(
            store,
            lambda key, data: Accounts.load(data),
            lambda key: Accounts(),
            cache_size=settings.cache_size,
            cache_seconds=0,  # who is out is out on every node at once, whatever pages may be kept
        )

    def get(self) -> Accounts:
        """Return the accounts as they are now, empty ones if nobody was ever added. Raises Unavailable, Damaged."""
        look: list[Accounts] | None = getattr(self._looks, "one", None)
        if look:
            return look[0]
        try:
            found = self._documents.get(keys.ACCOUNTS).value
        except NotFound:
            found = Accounts()
        if look is not None:
            look.append(found)
        return found

    def at_one_moment(self, work: Callable[[], T]) -> T:
        """Do work for which the accounts are, in this thread, those that ``get`` first returns in it.

        Whose password this is and in which groups they are is asked for one by one, and each would be a request.
        """
        before = getattr(self._looks, "one", None)
        self._looks.one = [] if before is None else before
        try:
            return work()
        finally:
            self._looks.one = before

    def edit(self, change: Callable[[Accounts], Accounts]) -> Accounts:
        """Make a change so that needs no entry in the history; see Documents.edit."""
        return self._documents.edit(keys.ACCOUNTS, change)

    def used(self, token: str, hour: str) -> None:
        """Note that a token was used within an hour, as well as that can be done: nobody's request fails for it."""
        with self._lock:
            if self._noted.get(token) == hour:
                return
            self._noted[token] = hour
        with contextlib.suppress(StoreError):
            self.edit(lambda accounts: accounts.touch({token: hour}))

    def record(self, by: Actor, change: Callable[[Accounts, Event], Accounts]) -> Accounts:
        """Make a change so, with who made it, in one swap; see Documents.edit."""
        event = self._event(by)
        return self._documents.edit(keys.ACCOUNTS, lambda accounts: change(accounts, event))
