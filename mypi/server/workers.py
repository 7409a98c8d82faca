"""The threads that answer requests."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

log = logging.getLogger(__name__)
queue = logging.getLogger("mypi.server.queue")  # made sparse, because it speaks when there is no time for it


class Workers:
    """So many threads, and the queue from which they take connections whose next request is to be answered.

    They stand in the place of waitress' own, whose queue is a condition variable: several locks for each request, of
    which each may let another thread run. Python's simple queue has one, which takes a fifth off a small page's time.
    """

    def __init__(self, count: int) -> None:
        self._waiting: SimpleQueue[Any] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"mypi-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def add_task(self, channel: Any) -> None:
        """Have the first request of a connection answered."""
        self._waiting.put(channel)
        depth = self._waiting.qsize()
        if depth > len(self._threads):
            queue.warning("%d requests wait; threads = %d", depth, len(self._threads))

    def shutdown(self, timeout: float) -> None:
        """Drop what was not begun, and let the threads end within so many seconds.

        One that still works then is a daemon thread and ends with the process.
        """
        with suppress(Empty):
            while True:
                self._waiting.get_nowait()
        for _ in self._threads:
            self._waiting.put(None)
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        while (channel := self._waiting.get()) is not None:
            try:
                channel.service()
            except BaseException:
                # A thread that ended here would be missing from now on.
                log.exception("Exception while serving %r", channel)
