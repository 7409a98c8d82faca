"""Users of an LDAP directory: remembered for minutes, asked within seconds, and left alone while it is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooSlow
from typing import TypeVar

from cachetools import TTLCache

from ..directory import Directory
from .errors import AccountError
from .lookup import Entry, Lookup
from .passwords import check_user

T = TypeVar("T")

KEPT = 300
"""Seconds for which it is remembered whom the directory knows: every request with a session or a token wants it. The
same for those whom it does not know, so that the time tells nobody which names there are (threat 31)."""

PAUSE = 10
"""Seconds for which a directory that failed is not asked again, so that nobody waits for it in vain."""

AT_ONCE = 4
"""Questions at a time: half of the server's threads, so that users of the store do not wait for a slow directory."""

_WAIT = 1
_LONGEST = 1000
"""Characters of a password; a directory drops the connection on what is far too long, as if it was broken."""


class Ldap:
    """The users of a directory; a source of users. ``clock`` gives seconds that never go back."""

    def __init__(self, directory: Directory, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask nothing yet: an index starts without its directory. Raises AccountError if python-ldap is absent."""
        self._lookup = Lookup(directory)
        self._timeout = directory.timeout
        self._clock = clock
        self._lock = threading.Lock()
        self._slots = threading.Semaphore(AT_ONCE)
        self._known: TTLCache[str, Entry | None] = TTLCache(10_000, ttl=KEPT, timer=clock)
        self._away_until = 0.0
        self._why: str | None = None

    def verify(self, user: str | None, password: str) -> bool:
        """Say whether this is the user's password; an unknown user, and None, cost what a wrong password costs.

        The directory is asked anew each time, so that who was put into it may come in at once.
        """
        # With a name and an empty password a directory lets everybody in, as nobody (RFC 4513 5.1.2).
        if not password or len(password) > _LONGEST or not _is_text(password):
            return False
        name = user if user is not None and _is_name(user) else None
        entry, right = self._ask(lambda: self._lookup.prove(name, password))
        if name is not None:
            with self._lock:
                self._known[name] = entry
        return right and entry is not None

    def stamp(self, user: str) -> str | None:
        """Return what changes when the entry is another, or its password if the directory tells; None if unknown."""
        entry = self._entry(user)
        return entry.stamp if entry else None

    def groups(self, user: str) -> frozenset[str]:
        """Return the groups of the directory that the user is in."""
        entry = self._entry(user)
        return entry.groups if entry else frozenset()

    def _entry(self, user: str) -> Entry | None:
        if not _is_name(user):
            return None
        with self._lock:
            if user in self._known:
                return self._known[user]
        entry = self._ask(lambda: self._lookup.find(user))
        with self._lock:
            self._known[user] = entry
        return entry

    def _ask(self, question: Callable[[], T]) -> T:
        """Ask the directory, unless it failed a moment ago. Raises AccountError."""
        with self._lock:
            now = self._clock()
            if now < self._away_until:
                raise AccountError(self._why)
            if self._why is not None:
                # One finds out whether it is back; the others do not wait for that.
                self._away_until = now + PAUSE
        try:
            answer = self._within(question)
        except AccountError as exc:
            with self._lock:
                self._why, self._away_until = str(exc), self._clock() + PAUSE
            raise
        with self._lock:
            self._why, self._away_until = None, 0.0
        return answer

    def _within(self, question: Callable[[], T]) -> T:
        """Ask in a thread of its own: OpenLDAP waits without end for a server that takes a connection and says nothing.

        A thread that is stuck keeps its slot until its connection breaks, so that there are never many.
        """
        if not self._slots.acquire(timeout=_WAIT):
            raise AccountError("the directory of users is too slow: too many questions wait for its answers")
        answer: Future[T] = Future()

        def ask() -> None:
            try:
                answer.set_result(question())
            except BaseException as exc:
                answer.set_exception(exc)
            finally:
                self._slots.release()

        threading.Thread(target=ask, name="mypi-ldap", daemon=True).start()
        try:
            return answer.result(self._timeout)
        except TooSlow as exc:
            raise AccountError(f"the directory of users did not answer within {self._timeout} seconds") from exc


def _is_name(user: str) -> bool:
    try:
        check_user(user)
    except AccountError:
        return False
    return True


def _is_text(password: str) -> bool:
    try:
        password.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in password
