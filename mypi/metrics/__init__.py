"""What is counted and measured, for Prometheus: one registry per application, and nothing global.

No label has a value that a client can choose, so that nobody can fill the memory with new ones (threat 8). Whoever
keeps numbers of their own hands over a function that returns them, which is asked at each scrape::

    metrics.gauge("mypi_scrub_damaged_files", "Files found damaged.", lambda: scrub.damaged)
    metrics.counts("mypi_scrub_files", "Files checked.", ("outcome",), lambda: {("good",): scrub.good})
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from ..store import Store
from .watched import Watched

__all__ = ["CONTENT_TYPE", "Metrics", "Watched"]

log = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Those that are counted by name; a client may make up others."""

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The bounds of the histograms: a page takes under a millisecond, a large upload into a far store many seconds."""

Numbers = Mapping[Any, float]
"""Numbers by the values of their labels, a tuple of str."""


class Metrics:
    """The numbers of one application. Methods may be called from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info("mypi", "Which mypi this is.", registry=self.registry).info({"version": version("mypi")})
        kinds = ("kind",)
        self._requests = self._counter("mypi_requests", "Requests answered.", ("kind", "method", "status"))
        self._seconds = self._histogram("mypi_request_seconds", "From a request to the head of its answer.", kinds)
        self._received = self._counter("mypi_received_bytes", "Bytes of the bodies of requests.", kinds)
        self._sent = self._counter("mypi_sent_bytes", "Bytes of the bodies of answers, as announced.", kinds)
        self._refused = self._counter("mypi_uploads_refused", "Uploads refused.", ("reason",))
        self._turned_away = self._counter("mypi_server_refusals", "Requests refused before their body.", ("status",))
        self._calls = self._counter("mypi_store_calls", "Calls of a store.", ("role", "operation", "outcome"))
        self._waits = self._histogram("mypi_store_seconds", "How long a store took.", ("role", "operation"))
        self._lock = threading.Lock()
        self._children: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def request(self, kind: str, method: str, status: int, seconds: float, received: int, sent: int) -> None:
        """Count a request that was answered; bytes are those of the bodies."""
        method = method if method in METHODS else "other"
        requests, spent, taken, given = self._child(
            ("request", kind, method, status),
            lambda: (
                self._requests.labels(kind, method, str(status)),
                self._seconds.labels(kind),
                self._received.labels(kind),
                self._sent.labels(kind),
            ),
        )
        requests.inc()
        spent.observe(seconds)
        if received:
            taken.inc(received)
        if sent:
            given.inc(sent)

    def refused(self, reason: str) -> None:
        """Count an upload that was refused; the reason is one of a few words."""
        self._refused.labels(reason).inc()

    def turned_away(self, status: int) -> None:
        """Count a request that the server answered before the application saw it."""
        self._turned_away.labels(str(status)).inc()

    def called(self, role: str, operation: str, outcome: str, seconds: float) -> None:
        """Count a call of a store."""
        calls, waits = self._child(
            ("call", role, operation, outcome),
            lambda: (self._calls.labels(role, operation, outcome), self._waits.labels(role, operation)),
        )
        calls.inc()
        waits.observe(seconds)

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
        return generate_latest(_Plain(self.registry))

    def _child(self, key: tuple[Any, ...], make: Callable[[], tuple[Any, ...]]) -> tuple[Any, ...]:
        """Return what counts for a set of labels; looking it up in each metric would cost more than the counting."""
        found = self._children.get(key)
        if found is None:
            with self._lock:
                found = self._children.setdefault(key, make())
        return found

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: tuple[str, ...]) -> Histogram:
        return Histogram(name, text, labels, buckets=SECONDS, registry=self.registry)


class _Plain(CollectorRegistry):
    """What a registry collects, without the times at which each number began: Prometheus takes none in this format."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()
        self._all = registry

    def collect(self) -> Iterable[Any]:
        """Yield what there is."""
        for metric in self._all.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


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
