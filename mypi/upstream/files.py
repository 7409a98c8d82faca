"""Files of upstream indexes: from our store if they are kept, else fetched once for all who want them, and kept."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import IO

from ..model.remote import Cached, Kept, RemoteFile, Site
from ..repository import Outside
from ..store import NotFound, Reader, StoreError
from .client import Client
from .errors import Away
from .flights import Flight

log = logging.getLogger(__name__)

LEAD = 1.0
"""Seconds that a fetch is waited for before its bytes are passed on: a small file that is wrong is a clean 502 then."""

_PIECE = 256 * 1024


@dataclass(frozen=True)
class Bytes:
    """Bytes to send: the size of the whole file (None if it is not known before it came), and the wanted part of it."""

    size: int | None
    pieces: Iterator[bytes]


class Files:
    """Fetches and keeps. ``limit`` is the largest file in bytes; without ``keep`` nothing stays in the store.

    Methods may be called from any thread.
    """

    def __init__(
        self, client: Client, outside: Outside, spool: Callable[[], IO[bytes]], *, limit: int, keep: bool = True
    ) -> None:
        self._client = client
        self._outside = outside
        self._spool = spool
        self._limit = limit
        self._keeps = keep
        self._lock = threading.Lock()
        self._flights: dict[tuple[str, str, str], Flight] = {}
        self._workers = ThreadPoolExecutor(32, thread_name_prefix="mypi-fetch")

    def close(self) -> None:
        """Let what is under way come to its end."""
        self._workers.shutdown(cancel_futures=True)

    def open(self, site: Site, cached: Cached, file: RemoteFile, start: int = 0, stop: int | None = None) -> Bytes:
        """Return the bytes of a file. Raises Away, Garbage; so does reading them, after which they are not whole."""
        kept = self._kept(cached, file.filename, file.digest, start, stop)
        if kept:
            return kept
        while True:
            flight = self._flight(site, cached.name, file)
            flight.wait(LEAD)
            pieces = flight.read(start, stop)
            if pieces is not None:  # else it came to its end between two lines of ours
                return Bytes(flight.size, pieces)

    def small(self, site: Site, cached: Cached, file: RemoteFile) -> bytes:
        """Return the whole of a small file. Raises Away, Garbage."""
        return b"".join(self.open(site, cached, file).pieces)

    def _kept(self, cached: Cached, filename: str, digest: str, start: int, stop: int | None) -> Bytes | None:
        known = cached.kept.get(filename)
        if known is None or known.digest != digest:
            return None
        try:
            reader = self._outside.open(known.key, start, stop)
        except NotFound:
            return None  # made room for another by somebody; it is fetched again
        except StoreError as exc:
            log.warning("%s of %s cannot be read here and is fetched again: %s", filename, cached.site, exc)
            return None
        if reader.size != known.size:
            reader.close()
            return None
        self._touch(cached, filename, known)
        return Bytes(known.size, _pieces(reader))

    def _touch(self, cached: Cached, filename: str, known: Kept) -> None:
        """Note the day of the last use, so that what nobody wants goes first."""
        today = _today()
        if known.used == today:
            return

        def use(present: Cached) -> Cached:
            kept = present.kept.get(filename)
            if kept is None or kept.used == today:
                return present
            return replace(present, kept={**present.kept, filename: replace(kept, used=today)})

        try:
            self._outside.edit(cached.site, cached.name, use)
        except StoreError as exc:
            log.warning("the use of %s cannot be noted: %s", filename, exc)

    def _flight(self, site: Site, name: str, file: RemoteFile) -> Flight:
        """Begin a fetch, or join one that is under way."""
        key = (site.name, file.filename, file.digest)
        with self._lock:
            running = self._flights.get(key)
            if running is None:
                running = self._flights[key] = Flight(file, self._spool())
                self._workers.submit(self._fetch, key, site, name, file, running)
        return running

    def _fetch(self, key: tuple[str, str, str], site: Site, name: str, file: RemoteFile, flight: Flight) -> None:
        try:
            with self._client.get(site, file.url, {"Accept-Encoding": "identity"}) as answer:
                _check(answer.status, site, file)
                flight.fill(answer.stream(_PIECE), self._most(file))
            flight.land()
            if self._keeps:
                self._keep(site, name, file, flight)
        except BaseException as exc:
            log.warning("%s could not be fetched: %s", file.filename, exc)
            flight.land(exc)
        finally:
            with self._lock:
                self._flights.pop(key, None)
            flight.close()

    def _most(self, file: RemoteFile) -> int:
        return min(self._limit, file.size) if file.size is not None else self._limit

    def _keep(self, site: Site, name: str, file: RemoteFile, flight: Flight) -> None:
        """Put the bytes into the store; whoever comes meanwhile reads from the flight, which is not over yet."""
        try:
            source, size = flight.source()
            key = self._outside.add(site.name, name, file, source, size)
            kept = Kept(key, size, file.digest, _today())
            self._outside.edit(
                site.name, name, lambda present: replace(present, kept={**present.kept, file.filename: kept})
            )
        except StoreError as exc:
            log.warning("%s cannot be kept: %s", file.filename, exc)


def _check(status: int, site: Site, file: RemoteFile) -> None:
    if status != 200:
        raise Away(f"{site.name} answers {status} for {file.filename}")


def _pieces(reader: Reader) -> Iterator[bytes]:
    with reader:
        while piece := reader.read(_PIECE):
            yield piece


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()
