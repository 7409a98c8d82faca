"""Doing the same to many things at once, where each waits for a store."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_threads(
    work: Callable[[T], R],
    items: Iterable[T],
    jobs: int,
    *,
    stop: Callable[[], None] = lambda: None,
    name: str = "mypi-copy",
) -> Generator[R, None, None]:
    """Yield what ``work`` returns for each item, in no promised order, with ``jobs`` of them under way at a time.

    The first error is raised here. Then, or when the caller wants no more, nothing new is begun, ``stop`` is called,
    and what is under way is waited for.
    """
    rest = iter(items)
    with ThreadPoolExecutor(jobs, thread_name_prefix=name) as threads:
        running: set[Future[R]] = set()
        try:
            while True:
                running |= {threads.submit(work, item) for item in islice(rest, 2 * jobs - len(running))}
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for each in done:
                    yield each.result()
        except BaseException:
            stop()
            for each in running:
                each.cancel()
            raise
