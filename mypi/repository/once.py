"""Things that may happen once, such as the use of an identity token: whoever writes the record first has it.

Records are swapped from None, which one of all nodes wins, and forgotten by a sweep when their time is over.
"""

from __future__ import annotations

import contextlib
import json
import secrets

from ..store import Conflict, Full, NotFound, Sealed, Store, Unavailable
from . import keys

GRACE = 86400.0
"""Seconds for which a record outlives its time: clocks differ, and one that goes early lets it happen again."""


class Once:
    """The records of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(self, purpose: str, id: str, until: float) -> bool:
        """Let something happen, unless it has happened before; see Repository.once."""
        key = keys.once(purpose, id)
        own = json.dumps({"until": until, "revision": secrets.token_hex(8)}).encode()
        try:
            self._store.swap(key, own, None)
        except Conflict:
            return self._is(key, own)  # drivers retry by themselves, and meet their own success
        except (Full, Sealed):
            raise  # even if it can be read: the first wrote nothing, the second promised nothing
        except Unavailable:
            if not self._is(key, own):
                raise
        return True

    def happened(self, purpose: str, id: str) -> bool:
        """Tell whether something has happened, and is not forgotten yet."""
        try:
            self._store.open(keys.once(purpose, id)).close()
        except NotFound:
            return False
        return True

    def sweep(self, now: float) -> int:
        """Forget what is long over; return how many records that were."""
        doomed = [entry.key for entry in self._store.list(keys.ONCE) if self._over(entry.key, now - GRACE)]
        for key in doomed:
            with contextlib.suppress(NotFound):
                self._store.delete(key)
        return len(doomed)

    def _is(self, key: str, own: bytes) -> bool:
        try:
            return self._store.read(key)[0] == own
        except NotFound:
            return False

    def _over(self, key: str, before: float) -> bool:
        """Tell whether the time of a record was over; one that cannot be read stays."""
        try:
            return float(json.loads(self._store.read(key)[0])["until"]) < before
        except (NotFound, ValueError, KeyError, TypeError):
            return False
