"""Counts and times by the values of their labels, kept for what is counted at every request.

prometheus-client's own objects take a lock and a few microseconds for each number; a request has five, and one of its
calls of the store two. Here each is one addition under one lock, and what Prometheus reads is made at a scrape.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The bounds of the histograms: a page takes under a millisecond, a large upload into a far store many seconds."""

_BOUNDS = [*map(floatToGoString, SECONDS), "+Inf"]

Key = tuple[str, ...]


class Tally:
    """What was counted under one set of labels: how many within each bound, the seconds, and two numbers of bytes."""

    __slots__ = ("received", "seconds", "sent", "within")

    def __init__(self) -> None:
        self.within = [0] * len(_BOUNDS)
        self.seconds = 0.0
        self.received = self.sent = 0

    def add(self, other: Tally) -> None:
        """Take in what another counted."""
        self.within = [sum(pair) for pair in zip(self.within, other.within, strict=True)]
        self.seconds += other.seconds
        self.received += other.received
        self.sent += other.sent


class Tallies:
    """Tallies by the values of labels, which must be few. Methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Key, Tally] = {}

    def count(self, key: Key, seconds: float, received: int = 0, sent: int = 0) -> None:
        """Count one that took so long, and the bytes that came and went with it."""
        at = bisect_left(SECONDS, seconds)
        with self._lock:
            tally = self._kept.get(key)
            if tally is None:
                tally = self._kept[key] = Tally()
            tally.within[at] += 1
            tally.seconds += seconds
            tally.received += received
            tally.sent += sent

    def by(self, length: int) -> dict[Key, Tally]:
        """Return them summed up by the first labels, so many of them."""
        found: dict[Key, Tally] = {}
        with self._lock:
            for key, tally in self._kept.items():
                found.setdefault(key[:length], Tally()).add(tally)
        return found


class Shown:
    """Shows tallies to Prometheus: how many there were by all labels, how long they took by the first ``timed`` ones.

    ``names`` are those of the two metrics, and of two more for the bytes that came and went, if there are such.
    """

    def __init__(self, tallies: Tallies, labels: Key, timed: int, *names: tuple[str, str]) -> None:
        self._tallies = tallies
        self._labels = labels
        self._timed = timed
        self._names = names

    def collect(self) -> Iterator[Any]:
        """Yield the metrics."""
        (counted, timed, *moved), labels = self._names, self._labels[: self._timed]
        count = CounterMetricFamily(*counted, labels=self._labels)
        for key, tally in self._tallies.by(len(self._labels)).items():
            count.add_metric(key, sum(tally.within))
        yield count
        tallies = self._tallies.by(self._timed)
        times = HistogramMetricFamily(*timed, labels=labels)
        for key, tally in tallies.items():
            times.add_metric(key, list(zip(_BOUNDS, accumulate(tally.within), strict=True)), tally.seconds)
        yield times
        for name, way in zip(moved, ("received", "sent"), strict=False):
            bytes_ = CounterMetricFamily(*name, labels=labels)
            for key, tally in tallies.items():
                bytes_.add_metric(key, getattr(tally, way))
            yield bytes_
