"""One file on its way in from an upstream, read by all who want it while it comes.

The last bytes are let go only when the digest of all of them is the one that the page gave: nobody ever gets the whole
of a wrong file, and a client notices by the length that it has none.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO

from ..model.remote import RemoteFile
from .errors import Away, Busy, Garbage, UpstreamError
from .faults import shown

HELD_BACK = 64 * 1024
"""Bytes at the end that wait for the digest."""

SMALL, SMALL_LEAD, LEAD = 1024 * 1024, 5.0, 1.0
"""Seconds that the whole of a file is waited for before its bytes are passed on, up to so many bytes and beyond: one
that is wrong is a clean 502 then."""

QUIET, CROWDED = 2.0, 0.25
"""Seconds without news after which a reader needs a seat to wait longer; who comes when none is free has less."""

_PIECE = 256 * 1024
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class Crowd:
    """Bounds how many wait for an upstream that says nothing: each holds a thread of the server, which others need."""

    def __init__(self, seats: int) -> None:
        self._lock = threading.Lock()
        self._free = seats

    @property
    def grace(self) -> float:
        """How long, in seconds, somebody who comes now may wait without a seat."""
        return QUIET if self._free > 0 else CROWDED

    @contextmanager
    def seat(self, what: str) -> Iterator[None]:
        """Have somebody wait. Raises Busy if too many do already."""
        with self._lock:
            if self._free <= 0:
                raise Busy(f"{what} is slow to come from its index, and many wait already; try again")
            self._free -= 1
        try:
            yield
        finally:
            with self._lock:
                self._free += 1


class Flight:
    """A file that is being fetched into a spool. One thread fills it; any number read.

    ``patience`` is in seconds: so long a reader waits for any news.
    """

    def __init__(self, file: RemoteFile, spool: IO[bytes], crowd: Crowd, patience: float) -> None:
        self._file = file
        self._crowd = crowd
        self._patience = patience
        self._spools = [(0, spool)]
        self._news = threading.Condition()
        self._announced: int | None = None
        self._written = 0
        self._readers = 0
        self._whole = self._over = False
        self._error: BaseException | None = None

    def fill(self, pieces: Iterable[bytes], limit: int, announced: int | None = None) -> None:
        """Take all bytes in, of which ``announced`` are to come. Raises Garbage if they are not those of the file."""
        name, said = self._file.filename, self._file.size
        most = limit if said is None else min(limit, said)
        allowed = f"the {most:,} that its page says" if most == said else f"at most {most:,}"
        if announced is not None and (announced > most or said not in (None, announced)):
            raise Garbage(f"{name} has {announced:,} bytes at {shown(self._file.url)}, not {allowed}")
        with self._news:
            self._announced = announced
        digest = hashlib.new(self._file.algorithm)
        for piece in pieces:
            digest.update(piece)
            if self._written + len(piece) > most:
                raise Garbage(f"{name} has more bytes at {shown(self._file.url)} than {allowed}")
            self._write(piece)
        expected = said if announced is None else announced
        if expected is not None and self._written < expected:
            raise Away(f"{shown(self._file.url)} ended after {self._written:,} of {expected:,} bytes")
        if digest.hexdigest() != self._file.digest:
            where, kind = shown(self._file.url), self._file.algorithm
            raise Garbage(f"{name} at {where} has another {kind} than its page says; it is not kept")

    def land(self, error: BaseException | None = None) -> None:
        """Let go of the last bytes, or tell everybody why there are none."""
        with self._news:
            self._whole, self._error = error is None, error
            self._news.notify_all()

    def lead(self, until: float | None = None) -> None:
        """Wait until an answer may begin: for the whole of a small file, for a little of a large one.

        ``until`` is when it must have begun, by ``time.monotonic``, if that is sooner than patience ends. Raises what
        failed; Away if nothing comes, Busy if too many wait for that.
        """
        enough = time.monotonic()
        self._wait(lambda: self._written > 0, self._crowd.grace, until)
        with self._news:
            enough += SMALL_LEAD if (self.size or SMALL + 1) <= SMALL else LEAD
            self._news.wait_for(lambda: self._settled, enough - time.monotonic())
            self._raise()

    @property
    def size(self) -> int | None:
        """The size in bytes: as it came, or as the page or the upstream's answer says; None while nobody knows."""
        with self._news:
            if self._whole:
                return self._written
            return self._announced if self._file.size is None else self._file.size

    def read(self, start: int, stop: int | None) -> Wanted | None:
        """Return the bytes from ``start`` to ``stop``, as they come; None if the flight is over and closed."""
        with self._news:
            if self._over:
                return None
            self._readers += 1
        return Wanted(self, start, stop)

    def close(self) -> None:
        """Let nobody begin to read any more; who reads already goes on."""
        with self._news:
            self._over = True
            self._settle()

    def source(self) -> tuple[IO[bytes], int] | None:
        """Return the whole file, at its beginning, and its size, for who keeps it; None if it lies in pieces."""
        return (self._spools[0][1], self._written) if len(self._spools) == 1 else None

    def leave(self) -> None:
        """Have one reader less."""
        with self._news:
            self._readers -= 1
            self._settle()

    def piece(self, position: int, stop: int | None) -> bytes:
        """Wait for bytes at a position and return some of them, none at the end. Raises as ``lead``."""
        self._wait(lambda: self._written - HELD_BACK > position)
        with self._news:
            ready = self._written if self._whole else self._written - HELD_BACK
            first, spool = next(each for each in reversed(self._spools) if each[0] <= position)
            later = [begin for begin, _ in self._spools if begin > position]
        end = min(ready, position + _PIECE, *later, *(() if stop is None else (stop,)))
        return os.pread(spool.fileno(), max(0, end - position), position - first)

    @property
    def _settled(self) -> bool:
        return self._whole or self._error is not None

    def _wait(self, ready: Callable[[], bool], grace: float | None = None, until: float | None = None) -> None:
        """Wait until the flight is settled or ``ready``, as long as there is news."""
        quiet = QUIET if grace is None else grace
        patience = self._patience if until is None else min(self._patience, until - time.monotonic())
        with self._news:
            while not self._settled and not ready():
                seen = self._written
                if not self._news_after(seen, quiet):
                    with self._crowd.seat(self._file.filename):
                        if not self._news_after(seen, max(0.0, patience - quiet)):
                            raise Away(f"nothing of {self._file.filename} came within {self._patience:g} seconds")
            self._raise()

    def _news_after(self, seen: int, seconds: float) -> bool:
        """Wait for more than there was; tell whether it came. The lock is held by the caller."""
        return self._news.wait_for(lambda: self._settled or self._written > seen, seconds)

    def _write(self, piece: bytes) -> None:
        """Append to the spool; where its disk is full, to another: what cannot be kept can be passed on still."""
        rest = memoryview(piece)
        while rest:
            first, spool = self._spools[-1]
            try:
                done = os.pwrite(spool.fileno(), rest, self._written - first)
            except OSError as exc:
                if exc.errno not in _NO_ROOM or len(self._spools) > 1:
                    raise
                self._spools.append((self._written, tempfile.TemporaryFile()))  # noqa: SIM115 - closed with the flight
                continue
            rest = rest[done:]
            with self._news:
                self._written += done
                self._news.notify_all()

    def _settle(self) -> None:
        if self._over and not self._readers:
            for _, spool in self._spools:
                spool.close()

    def _raise(self) -> None:
        if isinstance(self._error, UpstreamError):
            raise type(self._error)(*self._error.args) from self._error
        if self._error is not None:
            raise self._error


class Wanted:
    """What one reader wants of a flight. It must be closed; reading raises UpstreamError, OSError."""

    def __init__(self, flight: Flight, start: int, stop: int | None) -> None:
        self._flight: Flight | None = flight
        self._position = start
        self._stop = stop

    def __iter__(self) -> Wanted:
        return self

    def __next__(self) -> bytes:
        if self._flight is None or (self._stop is not None and self._position >= self._stop):
            raise StopIteration
        piece = self._flight.piece(self._position, self._stop)
        if not piece:
            raise StopIteration
        self._position += len(piece)
        return piece

    def close(self) -> None:
        flight, self._flight = self._flight, None
        if flight:
            flight.leave()
