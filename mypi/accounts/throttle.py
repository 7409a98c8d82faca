"""The brake on guessing: failed passwords are counted for each user name and each address, in this process."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from cachetools import LRUCache

TRIES, WINDOW = 10, 300
"""Failures within so many seconds, after which further passwords are not looked at (as PyPI has it; threat 32)."""

_KEPT = 10_000


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

    def check(self, user: str, address: str | None) -> None:
        """Raise Throttled if the user name or the address has failed too often; None is nobody's address."""
        now = self._clock()
        with self._lock:
            waits = [self._wait(kind, now) for kind in _kinds(user, address)]
        if max(waits) > 0:
            raise Throttled(math.ceil(max(waits)))

    def failed(self, user: str, address: str | None) -> None:
        """Count a failure."""
        now = self._clock()
        with self._lock:
            for kind in _kinds(user, address):
                times = self._failures.setdefault(kind, deque(maxlen=TRIES))
                times.append(now)

    def succeeded(self, user: str, address: str | None) -> None:
        """Forget the failures of a name from whom the right password came; those of the address stay."""
        with self._lock:
            self._failures.pop(("user", user), None)

    def _wait(self, kind: tuple[str, str], now: float) -> float:
        times = self._failures.get(kind)
        if times is None or len(times) < TRIES:
            return 0
        return times[0] + WINDOW - now


def _kinds(user: str, address: str | None) -> list[tuple[str, str]]:
    return [("user", user), *([("address", address)] if address else [])]
