"""Log lines that a busy minute would repeat by the thousand."""

from __future__ import annotations

import logging
import threading
import time


class Sparse(logging.Filter):
    """Let one line through per `seconds`, with the number of those that were held back since the one before.

    Of the queue somebody speaks at every request that has to wait: exactly when there is no time for it.
    """

    def __init__(self, seconds: float = 60.0) -> None:
        super().__init__()
        self._seconds = seconds
        self._lock = threading.Lock()
        self._next = 0.0
        self._held = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide about one line."""
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                self._held += 1
                return False
            held, self._held, self._next = self._held, 0, now + self._seconds
        if held:
            record.msg = f"{record.getMessage()} (and {held} more such lines before)"
            record.args = None
        return True


def quieten(name: str) -> None:
    """Make a logger sparse, once."""
    logger = logging.getLogger(name)
    if not any(isinstance(each, Sparse) for each in logger.filters):
        logger.addFilter(Sparse())
