"""One file on its way in from an upstream, read by all who want it while it comes.

The last bytes are let go only when the digest of all of them is the one that the page gave: nobody ever gets the whole
of a wrong file, and a client notices by the length that it has none.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator
from typing import IO

from ..model.remote import RemoteFile
from .errors import Garbage, UpstreamError

HELD_BACK = 64 * 1024
"""Bytes at the end that wait for the digest."""

_PIECE = 256 * 1024


class Flight:
    """A file that is being fetched into a spool. One thread fills it; any number read."""

    def __init__(self, file: RemoteFile, spool: IO[bytes]) -> None:
        self._file = file
        self._spool = spool
        self._news = threading.Condition()
        self._written = 0
        self._whole = False
        self._error: BaseException | None = None

    def fill(self, pieces: Iterable[bytes], limit: int) -> int:
        """Take all bytes in and return how many they were. Raises Garbage if they are not those of the file."""
        digest = hashlib.new(self._file.algorithm)
        for piece in pieces:
            digest.update(piece)
            self._spool.write(piece)
            with self._news:
                self._written += len(piece)
                self._news.notify_all()
            if self._written > limit:
                raise Garbage(f"{self._file.filename} has more than {limit:,} bytes at {self._file.url}")
        self._spool.flush()
        if digest.hexdigest() != self._file.digest:
            raise Garbage(
                f"{self._file.filename} at {self._file.url} has another {self._file.algorithm} than its page says; it "
                "is not kept"
            )
        return self._written

    def land(self, error: BaseException | None = None) -> None:
        """Let go of the last bytes, or tell everybody why there are none."""
        with self._news:
            self._whole, self._error = error is None, error
            self._news.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait until the file is there or failed, or for so long. Raises what failed."""
        with self._news:
            self._news.wait_for(lambda: self._whole or self._error, seconds)
        self._raise()

    @property
    def size(self) -> int | None:
        """The size in bytes: as the page says, or as it came; None while nobody knows."""
        with self._news:
            return self._written if self._whole else self._file.size

    def read(self, start: int, stop: int | None) -> Iterator[bytes] | None:
        """Return the bytes from ``start`` to ``stop``, as they come; None if the flight is over and closed.

        Reading them raises UpstreamError, OSError.
        """
        with self._news:
            if self._spool.closed:
                return None
            descriptor = os.dup(self._spool.fileno())
        return self._pieces(descriptor, start, stop)

    def close(self) -> None:
        """Let nobody begin to read any more; who reads already goes on."""
        with self._news:
            self._spool.close()

    def source(self) -> tuple[IO[bytes], int]:
        """Return the whole file, at its beginning, and its size, for who keeps it."""
        self._spool.seek(0)
        return self._spool, self._written

    def _pieces(self, descriptor: int, start: int, stop: int | None) -> Iterator[bytes]:
        try:
            position = start
            while stop is None or position < stop:
                ready = self._ready(position)
                end = min(ready, position + _PIECE, *(() if stop is None else (stop,)))
                piece = os.pread(descriptor, end - position, position)
                if not piece:
                    return
                position += len(piece)
                yield piece
        finally:
            os.close(descriptor)

    def _ready(self, position: int) -> int:
        """Wait for bytes after a position; return up to where they may be read."""
        with self._news:
            self._news.wait_for(lambda: self._whole or self._error or self._written - HELD_BACK > position)
            self._raise()
            return self._written if self._whole else self._written - HELD_BACK

    def _raise(self) -> None:
        if isinstance(self._error, UpstreamError):
            raise type(self._error)(*self._error.args) from self._error
        if self._error is not None:
            raise self._error
