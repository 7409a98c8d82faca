"""A store in one tar file, for backups: written once from front to back, then only read.

It unpacks, with any tar, into the folder of a filesystem store. An object is a member whose name is its key; a document
that is swapped is written again, and the later member wins, as it does when unpacking.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import re
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any, NamedTuple, cast

from mypi import options
from mypi.options import Option
from mypi.store import (
    Conflict,
    Entry,
    Full,
    NotFound,
    Reader,
    Source,
    Store,
    Tag,
    Truncated,
    Unavailable,
    Unchanged,
    copy_exactly,
)

_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
_LONGEST_HEADER = 64 * 1024
_PART = ".part"


class _Member(NamedTuple):
    """Where the bytes of an object begin, how many they are, and when it was written."""

    start: int
    size: int
    modified: int


class TarStore(Store):
    """Keeps everything in one tar file, which is whole after each write, but durable only when it was synced.

    A new store begins a new file; one whose name ends in ``.part`` was never finished, and is begun anew. What is in a
    file that is finished is read through ``for_reading``. One process writes at a time, and nothing is ever deleted.
    """

    options = (Option("path", options.path, None, "The tar file; not compressed."),)

    def __init__(self, path: str) -> None:
        self._path = path
        self._members: dict[str, _Member] = {}
        self._end = 0
        self._lock = threading.RLock()
        with _errors(path):
            self._file = self._begin()

    @classmethod
    def for_reading(cls, **values: Any) -> TarStore:
        """Open a file that is finished. Raises Unavailable, Truncated if it is none that can be read whole."""
        path: str = values["path"]
        store = cls.__new__(cls)
        store._path, store._lock, store.read_only = path, threading.RLock(), True
        with _errors(path):
            store._file = io.FileIO(path)
        try:
            store._members = dict(_walk(path, store._file))
        except BaseException:
            store._file.close()
            raise
        return store

    def _begin(self) -> io.FileIO:
        """Open an empty file and keep others from writing to it."""
        file = io.FileIO(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
        with ExitStack() as opened:
            opened.callback(file.close)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise Unavailable(self._path, "is being written by another process; wait for its end") from exc
            if os.fstat(file.fileno()).st_size and not self._path.endswith(_PART):
                raise Unavailable(self._path, "exists; name another file, or remove it first")
            file.truncate(0)
            os.pwrite(file.fileno(), _END, 0)
            opened.pop_all()
        return file

    def _open(self, key: str, start: int, stop: int | None, unless: Tag | None) -> Reader:
        found = self._members.get(key)
        if found is None:
            raise NotFound(key)
        tag = Tag(f"{found.start:x}")
        if tag == unless:
            raise Unchanged(key)
        first = min(start, found.size)
        last = found.size if stop is None else min(stop, found.size)
        stream = _Part(key, self._file, found.start + first)
        return Reader(key, stream, size=found.size, tag=tag, remaining=max(0, last - first))

    def _add(self, key: str, source: Source, size: int) -> None:
        with self._lock, self._appending(key, size) as target:
            copy_exactly(key, source, target, size)

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        with self._lock:
            found = self._members.get(key)
            if (Tag(f"{found.start:x}") if found else None) != expect:
                raise Conflict(key)
            self._add(key, io.BytesIO(data), len(data))
            return Tag(f"{self._members[key].start:x}")

    def _delete(self, key: str) -> None:
        raise Unavailable(key, "cannot be deleted: nothing leaves a tar file")

    def _list(self, prefix: str) -> Iterator[Entry]:
        with self._lock:
            members = list(self._members.items())
        for key, found in members:
            if key.startswith(prefix):
                yield Entry(key, found.size, found.modified)

    def close(self) -> None:
        """Close the file; it is whole, and whoever wants it durable has synced it."""
        self._file.close()

    @contextmanager
    def _appending(self, key: str, size: int) -> Iterator[IO[bytes]]:
        """Write a member's header, let the caller write its bytes, and end the archive after it.

        After an error the file is as it was before.
        """
        if self.read_only:
            raise Unavailable(key, "cannot be written: a tar file that is finished is only read")
        modified = int(time.time())
        header = _header(key, size, modified)
        target = _Tail(key, self._file, self._end)
        try:
            target.write(header)
            yield cast(IO[bytes], target)
            target.write(bytes(-size % _BLOCK) + _END)
        except BaseException:
            with _errors(key):
                self._file.truncate(self._end)
            _Tail(key, self._file, self._end).write(_END)
            raise
        start = self._end + len(header)
        self._end = start + size + -size % _BLOCK
        self._members[key] = _Member(start, size, modified)


class _Tail:
    """Where the next member is written."""

    def __init__(self, key: str, file: io.FileIO, place: int) -> None:
        self._key = key
        self._file = file
        self._place = place

    def write(self, data: bytes) -> int:
        left = memoryview(data)
        while left:
            with _errors(self._key):
                written = os.pwrite(self._file.fileno(), left, self._place)
            self._place += written
            left = left[written:]
        return len(data)


class _Part:
    """The bytes of an object from some place on; Reader knows where they end."""

    def __init__(self, key: str, file: io.FileIO, place: int) -> None:
        self._key = key
        self._file = file
        self._place = place

    def read(self, size: int, /) -> bytes:
        with _errors(self._key):
            data = os.pread(self._file.fileno(), size, self._place)
        self._place += len(data)
        return data

    def close(self) -> None:
        """The file stays open, for the store and its other readers."""


def _header(key: str, size: int, modified: int) -> bytes:
    """Return the header of a member, with a pax header before it where its name or its size are long."""
    info = tarfile.TarInfo(key)
    info.size, info.mtime, info.mode = size, modified, 0o444
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _walk(path: str, file: io.FileIO) -> Iterator[tuple[str, _Member]]:
    """Yield each member that is a file, under its key. Raises Unavailable, Truncated.

    Only single headers are left to the standard library, whose walk has no end on some archives (CVE-2025-8194): each
    step here goes forward, and to no place behind the end. Whatever such a file says of names, nothing is written to
    them: they are keys to be asked for, and digests decide about the bytes.
    """
    total, place, given = os.fstat(file.fileno()).st_size, 0, _Given()
    while any(block := _take(path, file, place, _BLOCK)):
        place += _BLOCK
        header = _parsed(path, block)
        size = header.size if given.size is None else given.size
        if header.type in _NO_DATA:
            size = 0
        if not 0 <= size <= total - place:
            raise Truncated(path, f"is cut short, or damaged, at {header.name!r}")
        if header.type in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
            given = _given(path, header.type, _take(path, file, place, min(size, _LONGEST_HEADER)))
        else:
            if header.type in tarfile.REGULAR_TYPES:
                yield (given.name or header.name).removeprefix("./"), _Member(place, size, int(header.mtime))
            if header.type not in (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK):
                given = _Given()
        place += size + -size % _BLOCK


_NO_DATA = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)


class _Given(NamedTuple):
    """What an extended header says of the member after it."""

    name: str | None = None
    size: int | None = None


def _given(path: str, kind: bytes, data: bytes) -> _Given:
    """Read an extended header, a GNU one that is a name or one of pax. Raises Unavailable."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return _Given(name=data.partition(b"\0")[0].decode("utf-8", "surrogateescape"))
    found: dict[str, str] = {}
    while data:
        length = re.match(rb"([0-9]{1,8}) ", data)
        record = data[length.end() : int(length[1])] if length else b""
        name, equals, value = record[:-1].decode("utf-8", "surrogateescape").partition("=")
        if not length or not equals or not record.endswith(b"\n"):
            raise Unavailable(path, "has a damaged extended header")
        found[name] = value
        data = data[int(length[1]) :]
    size = found.get("size", "0")
    if not re.fullmatch("[0-9]{1,18}", size):
        raise Unavailable(path, "has a damaged extended header")
    return _Given(found.get("path"), int(size) if "size" in found else None)


def _parsed(path: str, block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as exc:
        raise Unavailable(path, f"is no tar file, a compressed one, or damaged ({exc})") from exc


def _take(path: str, file: io.FileIO, place: int, size: int) -> bytes:
    with _errors(path):
        data = os.pread(file.fileno(), size, place)
    if len(data) < size:
        raise Truncated(path, "is cut short: the end of the archive is missing")
    return data


@contextmanager
def _errors(key: str) -> Iterator[None]:
    """Turn the errors of the file, also of one that is closed, into those of a store."""
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise Full(key, "no room left for the tar file; free some") from exc
        raise Unavailable(key, exc.strerror or str(exc)) from exc
    except ValueError as exc:
        raise Unavailable(key, f"the tar file is closed ({exc})") from exc
