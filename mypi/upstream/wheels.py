"""METADATA out of a wheel of which only parts are at hand: the end, the directory, and the one member."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from typing import BinaryIO, cast

from packaging.utils import canonicalize_name

from .. import names
from ..archives import ArchiveError, Limits, streams, zip_records
from ..archives.zip_records import CentralEntry

TAIL = 128 * 1024
"""Bytes at the end that are read first: the end record can stand before 64 KiB of comment, and in most wheels the
directory and METADATA are among them."""

LARGEST = 8 * 1024 * 1024
"""Bytes of METADATA, packed and unpacked."""

_BLOCK = 64 * 1024
_DIRECTORY = 16 * 1024 * 1024
_ENDING = b".dist-info/METADATA"
_STORED, _DEFLATED = 0, 8

_ODD_DIRECTORY = 4 * 1024 * 1024
_ODD = (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError, KeyError)
"""What Python's reader raises for an archive that it cannot read."""


class Parts:
    """A file of ``size`` bytes that is read by ``fetch(start, stop)``, each block at most once."""

    def __init__(self, fetch: Callable[[int, int], bytes], size: int, tail: bytes = b"") -> None:
        self._fetch = fetch
        self._size = size
        self._tail = tail
        self._blocks: dict[int, bytes] = {}
        self._position = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, from the beginning or the end."""
        self._position = offset + (self._size if whence == io.SEEK_END else 0)
        return self._position

    def tell(self) -> int:
        """Return where reading goes on."""
        return self._position

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, fewer only at the end."""
        start, stop = self._position, min(self._size, self._position + size)
        self._position = max(start, stop)
        if start >= stop:
            return b""
        behind = self._size - len(self._tail)
        if start >= behind:
            return self._tail[start - behind : stop - behind]
        first, last = start // _BLOCK, (stop - 1) // _BLOCK
        self._load(first, last)
        whole = b"".join(self._blocks[number] for number in range(first, last + 1))
        return whole[start - first * _BLOCK : stop - first * _BLOCK]

    def _load(self, first: int, last: int) -> None:
        """Fetch what is missing of some blocks by one request."""
        missing = [number for number in range(first, last + 1) if number not in self._blocks]
        if not missing:
            return
        start, stop = missing[0] * _BLOCK, min(self._size, (missing[-1] + 1) * _BLOCK)
        data = self._fetch(start, stop)
        for number in range(missing[0], missing[-1] + 1):
            self._blocks[number] = data[(number - missing[0]) * _BLOCK :][:_BLOCK]


def metadata(file: Parts | BinaryIO, filename: str) -> bytes:
    """Return METADATA exactly as it is in a wheel. Raises ArchiveError if there is none, or none that can be read.

    What our own reader refuses is read as pip does, by Python's: the page promises the metadata of every wheel, and pip
    gives up where the promise is not kept, and is to install from us what it installs from there.
    """
    source = cast(BinaryIO, file)
    try:
        return _strictly(source, filename)
    except ArchiveError:
        try:
            found = _as_pip_does(source, filename)
        except _ODD:
            found = None
        if found is None:
            raise
        return found


class _Bounded:
    """A file of which nobody reads much at once, as Python's reader of zip archives wants it."""

    def __init__(self, source: BinaryIO, size: int) -> None:
        self._source = source
        self._size = size
        self.tell = source.tell

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._source.tell(), io.SEEK_END: self._size}[whence]
        if place < 0:
            raise io.UnsupportedOperation("there is nothing before the beginning")
        return self._source.seek(place)

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._source.tell())
        size = left if size < 0 else min(size, left)
        if size > _ODD_DIRECTORY:
            raise zipfile.BadZipFile("its directory is too large")
        return self._source.read(size)

    def seekable(self) -> bool:
        return True


def _as_pip_does(source: BinaryIO, filename: str) -> bytes | None:
    """Return METADATA of the one folder that begins with the name of the project; None if there is none or two."""
    project = canonicalize_name(filename.partition("-")[0])
    with zipfile.ZipFile(cast(BinaryIO, _Bounded(source, source.seek(0, io.SEEK_END)))) as archive:
        folders = {name.partition("/")[0] for name in archive.namelist()}
        fitting = [
            each for each in folders if each.endswith(".dist-info") and canonicalize_name(each).startswith(project)
        ]
        if len(fitting) != 1:
            return None
        member = archive.getinfo(f"{fitting[0]}/METADATA")
        if member.compress_type not in (_STORED, _DEFLATED) or max(member.file_size, member.compress_size) > LARGEST:
            return None
        with archive.open(member) as opened:
            return b"".join(iter(lambda: opened.read(_BLOCK), b""))


def _strictly(source: BinaryIO, filename: str) -> bytes:
    """Return METADATA of an archive of which all readers say the same. Raises ArchiveError."""
    directory = zip_records.directory(source, source.seek(0, io.SEEK_END))
    length = directory.stop - directory.start
    limits = Limits()
    if directory.entries > limits.members or length > _DIRECTORY:
        raise ArchiveError("the zip archive has too many members")
    data = zip_records.read_exactly(source, directory.start, length)
    central = _find(data, directory.entries, filename)
    entry = central.entry
    if entry.method not in (_STORED, _DEFLATED) or max(entry.packed, entry.size) > LARGEST:
        raise ArchiveError("METADATA is neither stored nor deflated, or too large")
    local = zip_records.local(source, central.offset, limits)
    if (local.entry.raw_name, local.entry.method) != (entry.raw_name, entry.method):
        raise ArchiveError("the header of METADATA and its entry in the directory disagree")
    packed = zip_records.read_exactly(source, central.offset + local.length, entry.packed)
    return _unpacked(packed, central)


def _find(data: bytes, entries: int, filename: str) -> CentralEntry:
    """Return the one entry of METADATA in the central directory."""
    found, place = [], 0
    for _ in range(entries):
        central = zip_records.central(data, place)
        place += central.length
        raw = central.entry.raw_name
        if raw.endswith(_ENDING) and raw.count(b"/") == 1 and _fits(central.entry.name(), filename):
            found.append(central)
    if len(found) != 1:
        raise ArchiveError(f"{len(found) or 'no'} members are METADATA of what the file name says")
    return found[0]


def _fits(member: str, filename: str) -> bool:
    """Tell whether the folder is that of the project in the file name, as installers demand."""
    try:
        return names.project(member.partition("-")[0]) == names.project(filename.partition("-")[0])
    except names.InvalidName:
        return False


def _unpacked(packed: bytes, central: CentralEntry) -> bytes:
    entry = central.entry
    pieces = [packed]
    if entry.method == _DEFLATED:
        pieces = []
        size = 0
        for piece in streams.inflate(io.BytesIO(packed).read, streams.RAW, "METADATA"):
            size += len(piece)
            if size > entry.size:
                break
            pieces.append(piece)
    data = b"".join(pieces)
    if (len(data), zlib.crc32(data)) != (entry.size, entry.crc):
        raise ArchiveError("METADATA does not have the length and checksum that its entry says")
    return data
