"""What is counted and measured, for Prometheus: one registry per application, and nothing global.

No label has a value that a client can choose, so that nobody can fill the memory with new ones (threat 8). Whoever
keeps numbers of their own hands over a function that returns them, which is asked at each scrape::

    metrics.gauge("mypi_scrub_damaged_files", "Files found damaged.", lambda: scrub.damaged)
    metrics.counts("mypi_scrub_files", "Files checked.", ("outcome",), lambda: {("good",): scrub.good})
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, Info, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from ..store import Store
from .tallies import Shown, Tallies
from .watched import Watched

__all__ = ["CONTENT_TYPE", "Metrics", "Watched"]

log = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Those that are counted by name; a client may make up others."""

Numbers = Mapping[Any, float]
"""Numbers by the values of their labels, a tuple of str."""


class Metrics:
    """The numbers of one application. Methods may be called from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info("mypi", "Which mypi this is.", registry=self.registry).info({"version": version("mypi")})
        self._requests, self._calls = Tallies(), Tallies()
        requests = Shown(
            self._requests,
            ("kind", "method", "status"),
            1,
            ("mypi_requests", "Requests answered."),
            ("mypi_request_seconds", "From a request to the head of its answer."),
            ("mypi_received_bytes", "Bytes of the bodies of requests."),
            ("mypi_sent_bytes", "Bytes of the bodies of answers, as announced."),
        )
        calls = Shown(
            self._calls,
            ("role", "operation", "outcome"),
            2,
            ("mypi_store_calls", "Calls of a store."),
            ("mypi_store_seconds", "How long a store took."),
        )
        self.registry.register(requests)
        self.registry.register(calls)
        self._lock = threading.Lock()
        self._refused: Counter[tuple[str]] = Counter()
        self._turned_away: Counter[tuple[str]] = Counter()
        self.counts("mypi_uploads_refused", "Uploads refused.", ("reason",), lambda: self._copy(self._refused))
        self.counts(
            "mypi_server_refusals",
            "Requests refused before their body.",
            ("status",),
            lambda: self._copy(self._turned_away),
        )

    def request(self, kind: str, method: str, status: int, seconds: float, received: int, sent: int) -> None:
        """Count a request that was answered; bytes are those of the bodies."""
        method = method if method in METHODS else "other"
        self._requests.count((kind, method, str(status)), seconds, received, sent)

    def refused(self, reason: str) -> None:
        """Count an upload that was refused; the reason is one of a few words."""
        with self._lock:
            self._refused[reason,] += 1

    def turned_away(self, status: int) -> None:
        """Count a request that the server answered before the application saw it."""
        with self._lock:
            self._turned_away[str(status),] += 1

    def called(self, role: str, operation: str, outcome: str, seconds: float) -> None:
        """Count a call of a store."""
        self._calls.count((role, operation, outcome), seconds)

    def around(self, role: str, store: Store) -> Store:
        """Return a store that passes everything on to another one and has its calls counted."""
        return Watched(store, partial(self.called, role))

    def gauge(self, name: str, text: str, source: Callable[[], float]) -> None:
        """Show what ``source`` returns at each scrape; nothing, and a line in the log, when it raises."""
        self.registry.register(_Asked(GaugeMetricFamily, name, text, (), lambda: {(): source()}))

    def counts(self, name: str, text: str, labels: tuple[str, ...], source: Callable[[], Numbers]) -> None:
        """Show counts that somebody else keeps; their labels must have few values, and none that clients choose."""
        self.registry.register(_Asked(CounterMetricFamily, name, text, labels, source))

    def text(self) -> bytes:
        """Return everything in the text format of Prometheus."""
        return generate_latest(self.registry)

    def _copy(self, counts: Counter[tuple[str]]) -> Numbers:
        with self._lock:
            return dict(counts)


class _Asked:
    """A collector that asks for its numbers when they are wanted."""

    def __init__(
        self, family: Any, name: str, text: str, labels: tuple[str, ...], source: Callable[[], Numbers]
    ) -> None:
        self._make = partial(family, name, text, labels=labels)
        self._name = name
        self._source = source

    def describe(self) -> Iterable[Any]:
        """Name itself, so that no two have one name."""
        return [self._make()]

    def collect(self) -> Iterable[Any]:
        """Yield the numbers; one that cannot be had keeps no other from being shown."""
        family = self._make()
        try:
            for values, number in self._source().items():
                family.add_metric(values, number)
        except Exception:
            log.exception("%s cannot be told", self._name)
            return
        yield family
