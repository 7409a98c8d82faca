"""Files of upstream indexes: from our store if they are kept, else fetched once for all who want them, and kept."""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO

from ..model.remote import Cached, Kept, RemoteFile, Site
from ..store import StoreError
from .client import Answer, Client
from .errors import Away, Garbage, UpstreamError
from .faults import shown
from .flights import Crowd, Flight
from .shelf import Shelf, Stream

log = logging.getLogger(__name__)

SLOWEST, GRACE = 8 * 1024, 60.0
"""Bytes a second that a fetch must average after so many seconds, so that a trickle does not hold it for ever."""

FETCHES = 32
"""Files that are fetched at a time; others wait for their turn."""

SEATS = 4
"""Clients that wait for an upstream that says nothing; production.ini has 16 threads."""

_PIECE = 256 * 1024


@dataclass(frozen=True)
class Bytes:
    """Bytes to send: the size of the whole file (None if it is not known before it came), and the wanted part of it.

    ``pieces`` must be closed. Reading them raises Away, Garbage, StoreError, after which they are not whole. A local
    file that holds all of them, and is known to be right, has a ``path``.
    """

    size: int | None
    pieces: Stream
    path: str | None = None


class Files:
    """Fetches and keeps. ``limit`` is the largest file in bytes; the ``shelf`` is where files are kept.

    ``patience`` is in seconds: how long a client waits for any news of a file. Methods may be called from any thread.
    """

    def __init__(
        self,
        client: Client,
        shelf: Shelf,
        spool: Callable[[], IO[bytes]],
        *,
        limit: int,
        patience: float = 10,
        seats: int = SEATS,
    ) -> None:
        self._client = client
        self._shelf = shelf
        self._make_spool = spool
        self._limit = limit
        self._patience = patience
        self._crowd = Crowd(seats)
        self._lock = threading.Lock()
        self._flights: dict[tuple[str, str, str], Flight] = {}
        self._closing = threading.Event()
        self._workers = ThreadPoolExecutor(FETCHES, thread_name_prefix="mypi-fetch")

    def close(self) -> None:
        """Break off what is under way: at its next byte, or when its time limit for one is over."""
        self._closing.set()
        self._workers.shutdown(cancel_futures=True)
        with self._lock:
            waiting = list(self._flights.items())
            self._flights.clear()
        for _, flight in waiting:  # those that were never begun
            flight.land(_stopped())
            flight.close()

    def open(
        self,
        site: Site,
        cached: Cached,
        file: RemoteFile,
        start: int = 0,
        stop: int | None = None,
        *,
        until: float | None = None,
    ) -> Bytes:
        """Return the bytes of a file; for ``until`` see Flight.lead. Raises Away, Garbage, Busy, StoreError."""
        while True:
            kept = self._shelf.open(cached, file.filename, file.digest, start, stop)
            if kept:
                return Bytes(kept.size, kept, kept.path)
            flight = self._flight(site, cached, file)
            pieces = flight.read(start, stop) if flight else None
            if flight and pieces:
                try:
                    flight.lead(until)
                except BaseException:
                    pieces.close()
                    raise
                return Bytes(flight.size, pieces)
            # Else it came to its end between two lines of ours, and is kept now.
            cached = self._shelf.known(cached)

    def kept(self, cached: Cached, file: RemoteFile) -> Kept | None:
        """Return what is known of the kept bytes of a file, None if it is not kept."""
        found = cached.kept.get(file.filename)
        return found if found and found.digest == file.digest else None

    def _flight(self, site: Site, cached: Cached, file: RemoteFile) -> Flight | None:
        """Join a fetch that is under way, or begin one; None if the file was kept meanwhile."""
        key = (site.name, file.filename, file.digest)
        with self._lock:
            running = self._flights.get(key)
        if running:
            return running
        if self.kept(self._shelf.known(cached), file) != self.kept(cached, file):
            return None
        with self._lock:
            return self._flights.get(key) or self._begin(key, site, cached.name, file)

    def _begin(self, key: tuple[str, str, str], site: Site, name: str, file: RemoteFile) -> Flight:
        """Begin a fetch; the lock is held by the caller."""
        if self._closing.is_set():
            raise _stopped()
        flight = self._flights[key] = Flight(file, self._spool(), self._crowd, self._patience)
        self._workers.submit(self._fetch, key, site, name, file, flight)
        return flight

    def _spool(self) -> IO[bytes]:
        try:
            return self._make_spool()
        except StoreError as exc:
            log.warning("the store gives no room for files on their way: %s", exc)
            return tempfile.TemporaryFile()

    def _fetch(self, key: tuple[str, str, str], site: Site, name: str, file: RemoteFile, flight: Flight) -> None:
        try:
            self._fly(site, file, flight)
            self._shelf.keep(site, name, file, flight.source())
        except UpstreamError as exc:
            log.warning("%s could not be fetched: %s", file.filename, exc)
        except Exception:
            log.exception("%s could not be fetched or kept", file.filename)
        finally:
            with self._lock:
                self._flights.pop(key, None)
            flight.close()

    def _fly(self, site: Site, file: RemoteFile, flight: Flight) -> None:
        try:
            with self._client.get(site, file.url, {"Accept-Encoding": "identity"}) as answer:
                _check(answer, site, file)
                flight.fill(self._steady(answer, file), self._limit, announced(answer))
        except BaseException as exc:
            with self._lock:  # first, so that who asks again begins anew, and is not told the same
                self._flights.pop((site.name, file.filename, file.digest), None)
            flight.land(exc)
            raise
        flight.land()

    def _steady(self, answer: Answer, file: RemoteFile) -> Iterator[bytes]:
        """Yield the bytes of an answer as they come. Raises Away if they hardly do."""
        began, size = time.monotonic(), 0
        while piece := answer.read1(_PIECE):
            if self._closing.is_set():
                raise _stopped()
            size += len(piece)
            took = time.monotonic() - began
            if took > GRACE and size < took * SLOWEST:
                raise Away(f"{shown(file.url)} sends less than {SLOWEST:,} bytes a second")
            yield piece


def _check(answer: Answer, site: Site, file: RemoteFile) -> None:
    if answer.status != 200:
        raise Away(f"{site.name} answers {answer.status} for {file.filename}")


def announced(answer: Answer) -> int | None:
    """Return the size that an answer announces. Raises Garbage.

    A Content-Encoding is not looked at: what an upstream calls the encoding of a ``.tar.gz`` is the file itself.
    """
    said: str | None = answer.headers.get("Content-Length")
    if said is None or answer.headers.get("Transfer-Encoding"):
        return None
    if not (said.isascii() and said.isdigit()):
        raise Garbage(f"an answer announces {said[:40]!r} bytes")
    return int(said[:20])


def _stopped() -> Away:
    return Away("mypi is being stopped; try again")
