"""The newest entries of all projects' histories, a bounded number of them."""

from __future__ import annotations

import heapq
import itertools

from ..model import Event
from .values import Logged

KEPT = 10_000
"""Entries that are kept in memory, of all projects together: some 6 MB. Each document has its own whole history."""


class Log:
    """Entries by their time. Not for several threads at once."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._numbers = itertools.count()
        self._heap: list[tuple[str, int, str, Event]] = []
        self._known: dict[str, tuple[int, Event]] = {}
        self._newest: tuple[Logged, ...] | None = None

    def update(self, project: str, history: tuple[Event, ...]) -> None:
        """Take in what a history has that was not known. Histories only grow, unless a backup is brought back."""
        count, last = self._known.get(project, (0, None))
        if count and (count > len(history) or history[count - 1] != last):
            self.forget(project)
            count = 0
        if count < len(history):
            self._newest = None
        for event in history[count:]:
            entry = (event.at, next(self._numbers), project, event)
            if len(self._heap) < self._kept:
                heapq.heappush(self._heap, entry)
            else:
                heapq.heappushpop(self._heap, entry)
        if history:
            self._known[project] = (len(history), history[-1])

    def forget(self, project: str) -> None:
        """Leave a project out that is there no more."""
        if self._known.pop(project, None):
            self._newest = None
            self._heap = [entry for entry in self._heap if entry[2] != project]
            heapq.heapify(self._heap)

    def newest(self) -> tuple[Logged, ...]:
        """Return the entries, the newest first."""
        if self._newest is None:
            entries = sorted(self._heap, key=lambda entry: entry[:2], reverse=True)
            self._newest = tuple(Logged(project, event) for _, _, project, event in entries)
        return self._newest
