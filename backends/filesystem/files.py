"""Open files of the filesystem store, whose errors are those of a store, and the translation of errors itself."""

from __future__ import annotations

import errno
import fcntl
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mypi.store import Full, StoreError, Unavailable

ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}
"""By which a file system says that there is no such file."""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_SENTENCES = {
    errno.EACCES: "permission denied; let the user that runs mypi read and write the whole folder of the store",
    errno.EPERM: "not permitted; let the user that runs mypi read and write the whole folder of the store",
    errno.EROFS: "the file system is mounted read-only; mount it for writing",
    errno.EXDEV: "the folder is on another file system than .spool; keep the whole store on one file system",
    errno.ENOENT: "a folder of the store is missing; mount its disk, or start mypi once to make it",
    errno.EMFILE: "too many open files; raise the limit of open files (LimitNOFILE, ulimit -n)",
}


_Opener = Callable[[str, int], int]


@contextmanager
def errors(key: str) -> Iterator[None]:
    """Turn an OSError into the StoreError that names the situation, the file, and the remedy."""
    try:
        yield
    except OSError as exc:
        raise translated(key, exc) from exc


def translated(key: str, exc: OSError) -> StoreError:
    """Return the StoreError for an OSError."""
    if exc.errno in _NO_ROOM:
        return Full(key, "no room left on the disk or in the quota; free some or give more")
    sentence = _SENTENCES.get(exc.errno or 0, exc.strerror or str(exc))
    place = exc.filename2 or exc.filename
    return Unavailable(key, f"{sentence} ({place})" if place else sentence)


class File(io.FileIO):
    """A file without a buffer that raises StoreErrors."""

    def __init__(self, path: Path | str | int, mode: str, key: str, opener: _Opener | None = None) -> None:
        self._key = key
        super().__init__(path, mode, opener=opener)

    def read(self, size: int | None = -1, /) -> bytes | Any:
        with errors(self._key):
            return super().read(size)

    def readinto(self, buffer: Any, /) -> int | Any:
        with errors(self._key):
            return super().readinto(buffer)

    def readall(self) -> bytes | Any:
        with errors(self._key):
            return super().readall()

    def write(self, data: Any, /) -> int | Any:
        with errors(self._key):
            return super().write(data)


class Spool(io.BufferedRandom):
    """Bytes on their way into a store, in a file that goes when it is closed, wherever else it was linked."""

    def __init__(self, path: str, key: str) -> None:
        raw = File(path, "x+b", key, _read_only)
        super().__init__(raw)
        self._path = path
        self._sealed = False
        # Held until the file is closed, by kill -9 too: tells maintain, whatever the clock says, that somebody works.
        fcntl.flock(self.fileno(), fcntl.LOCK_EX)

    def holds(self, folder: Path, size: int) -> bool:
        """Tell whether the file lies in ``folder``, stands at its beginning and has ``size`` bytes."""
        if os.path.dirname(self._path) != str(folder) or self.tell():  # noqa: PTH120 - a Path is dearer
            return False
        self.flush()
        return os.fstat(self.fileno()).st_size == size

    def seal(self) -> None:
        """Refuse writes from now on, for the bytes are stored; the position moves to the end, as if they were read."""
        self._sealed = True
        self.seek(0, os.SEEK_END)

    def write(self, data: Any, /) -> int:
        if self._sealed:
            raise io.UnsupportedOperation("the bytes of this spool are stored; write to a new one")
        return super().write(data)

    def truncate(self, size: int | None = None, /) -> int:
        if self._sealed:
            raise io.UnsupportedOperation("the bytes of this spool are stored; truncate a new one")
        return super().truncate(size)

    def close(self) -> None:
        if self.closed:
            return
        try:
            # What could not be written for want of room is about to go anyway.
            with suppress(StoreError):
                super().close()
        finally:
            with suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108


def _read_only(path: str, flags: int) -> int:
    """Open a new file that can be written by who makes it only, and only until it is closed."""
    return os.open(path, flags, 0o444)


def make_later(fd: int, than: int) -> None:
    """Make a file's time greater than ``than`` (ns), by as little as the file system can tell apart.

    Times are part of the tag. A clock that stands still or is set back, and a file system that counts in seconds, would
    let one repeat.
    """
    step = 1
    while os.fstat(fd).st_mtime_ns <= than:
        if step > 10**11:
            raise OSError(errno.EINVAL, "the file system keeps no times that grow; use another one")
        os.utime(fd, ns=(than + step, than + step))
        step *= 10
