"""The brake on guessing: failed passwords are counted for each user name and each address, in this process."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import deque
from collections.abc import Callable

from cachetools import LRUCache

TRIES, WINDOW = 10, 300
"""Failures within so many seconds, after which further passwords are not looked at (as PyPI has it; threat 32)."""

SPRAYED = 100
"""Failures from an address where nobody needs to be known: more than made-up credentials of a ``.pypirc`` reach."""

_KEPT = 10_000
_LONGEST_NAME = 100
"""Of longer names the beginning counts: they are nobody's, and kept they would fill the memory."""


class Throttled(Exception):
    """Too many failures; ``retry_after`` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            f"Too many wrong passwords; the next is looked at in {retry_after} seconds. Tokens work all the while"
        )
        self.retry_after = retry_after


class Throttle:
    """Counts failures. ``clock`` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: LRUCache[tuple[str, str], deque[float]] = LRUCache(_KEPT)

    def check(self, user: str, address: str | None, *, needed: bool = True) -> None:
        """Raise Throttled if the user name or the address has failed too often; None is nobody's address.

        Where a password is not ``needed``, the address may fail more often, and counts apart: made-up credentials must
        not lock a machine out, and yet nobody may try one password for every name.
        """
        now = self._clock()
        with self._lock:
            waits = [self._wait(kind, now) for kind in _kinds(user, address, needed=needed)]
        if max(waits) > 0:
            raise Throttled(math.ceil(max(waits)))

    def failed(self, user: str, address: str | None, *, needed: bool = True) -> None:
        """Count a failure."""
        now = self._clock()
        with self._lock:
            for kind in _kinds(user, address, needed=needed):
                times = self._failures.setdefault(kind, deque(maxlen=_most(kind)))
                times.append(now)

    def succeeded(self, user: str) -> None:
        """Forget the failures of a name for which the right password came.

        Those of the address stay, or whoever has an account could go on guessing other people's.
        """
        with self._lock:
            self._failures.pop(("user", user[:_LONGEST_NAME]), None)

    def _wait(self, kind: tuple[str, str], now: float) -> float:
        times = self._failures.get(kind)
        if times is None or len(times) < _most(kind):
            return 0
        return times[0] + WINDOW - now


def network(address: str | None) -> str | None:
    """Return what stands for the guesser at an address: of IPv6 the /64, which is one household's.

    None for loopback and a Unix socket: behind them is a proxy that nobody named, which speaks for everybody.

    >>> network("2001:db8::1:2"), network("::ffff:192.0.2.1"), network("127.0.0.1")
    ('2001:db8::/64', '192.0.2.1', None)
    """
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    if found.is_loopback:
        return None
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False))


def _kinds(user: str, address: str | None, *, needed: bool) -> list[tuple[str, str]]:
    where = network(address)
    return [("user", user[:_LONGEST_NAME]), *([("address" if needed else "spray", where)] if where else [])]


def _most(kind: tuple[str, str]) -> int:
    return SPRAYED if kind[0] == "spray" else TRIES
