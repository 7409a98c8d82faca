"""Sessions of people at a browser: a signed value in a cookie, good on every node until it ends."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeTimedSerializer

from ..repository import Members
from ..times import timestamp

HOURS = 12
"""How long a session lasts, however much it is used."""


@dataclass(frozen=True)
class Session:
    """A session: a random id, the user, and the stamp of the password that opened it."""

    id: str
    user: str
    stamp: str


class Sessions:
    """Opens, reads and ends sessions."""

    def __init__(self, members: Members) -> None:
        self._members = members

    def open(self, user: str, stamp: str) -> str:
        """Return the value for the cookie of a new session."""
        return str(self._serializer(self.key()).dumps([secrets.token_hex(16), user, stamp]))

    def read(self, value: str) -> Session | None:
        """Return the session of a cookie; None if its value is not ours, its time is over, or it was ended."""
        accounts = self._members.get()
        if not accounts.key:
            return None
        try:
            id, user, stamp = self._serializer(accounts.key).loads(value, max_age=HOURS * 3600)
        except (BadData, ValueError, TypeError):
            return None
        # A stamp that is none is that of a user who was gone already.
        return None if id in accounts.ended or not stamp else Session(id, user, stamp)

    def end(self, session: Session) -> None:
        """End a session on every node."""
        now = time.time()
        until = timestamp(now + HOURS * 3600)
        self._members.edit(lambda accounts: accounts.end(session.id, until, timestamp(now)))

    def key(self) -> str:
        """Return the key of the store that signs, made when it is first wanted."""
        known = self._members.get().key
        if known:
            return known
        drawn = secrets.token_hex(32)
        return self._members.edit(lambda accounts: accounts.signing(drawn)).key

    def _serializer(self, key: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(key, salt="mypi session")
