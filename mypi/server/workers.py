"""The threads that answer requests."""

from __future__ import annotations

import logging
import threading
import time
from queue import Empty, SimpleQueue
from typing import Any

log = logging.getLogger(__name__)
queue = logging.getLogger("mypi.server.queue")  # made sparse, because a busy minute repeats it


class Workers:
    """A number of threads and the queue that they take connections from, whose requests they answer.

    In the place of waitress' ``ThreadedTaskDispatcher``, whose queue is a condition variable: four locks for each task,
    each of which may let another thread run. This one is the C queue of Python, with one.
    """

    def __init__(self, count: int) -> None:
        self._tasks: SimpleQueue[Any] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"mypi-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def add_task(self, channel: Any) -> None:
        """Have the first request of a connection answered."""
        self._tasks.put(channel)
        waiting = self._tasks.qsize()
        if waiting > len(self._threads):
            queue.warning("%d requests wait for one of %d threads", waiting, len(self._threads))

    def shutdown(self, timeout: float) -> None:
        """Let the threads end, within so many seconds, and drop what they have not begun."""
        for _ in self._threads:
            self._tasks.put(None)
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        while (channel := self._tasks.get()) is not None:
            try:
                channel.service()
            except BaseException:
                log.exception("Exception when servicing %r", channel)
