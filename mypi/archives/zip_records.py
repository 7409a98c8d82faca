"""The records of the zip format (PKWARE APPNOTE 6.3), read from bytes without leniency.

Layouts are spelled out here once; :mod:`mypi.archives.zips` decides how records must fit together.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from mypi.archives import ArchiveError, Limits

FULL16 = 0xFFFF
FULL32 = 0xFFFFFFFF
# Writers switch to zip64 here, where a signed 32-bit number ends, not where the fields end (CPython does).
_LARGE = 0x7FFFFFFF

UTF8 = 0x0800
DESCRIPTOR = 0x0008
# Bits 1 and 2 only tell how hard the compressor tried.
_KNOWN_FLAGS = 0x0006 | UTF8 | DESCRIPTOR

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_NEWEST = 45  # "version needed to extract", in tenths: 4.5 has zip64 (APPNOTE 4.4.3.2)

_ZIP64 = 0x0001
# A second name for the member, which some readers prefer (Info-ZIP), and the one that a stronger cipher needs.
_HARMFUL = {0x7075: "a second name", 0x9901: "encryption"}


@dataclass(frozen=True)
class Directory:
    """Where the central directory is and how many entries it has."""

    start: int
    stop: int
    entries: int


@dataclass(frozen=True)
class Entry:
    """What the central directory and the local header both say about a member."""

    raw_name: bytes
    flags: int
    method: int
    stamp: tuple[int, int]
    crc: int
    packed: int
    size: int

    def name(self) -> str:
        """Give the name. Raises ArchiveError where readers would disagree about its characters."""
        try:
            return self.raw_name.decode("utf-8" if self.flags & UTF8 else "ascii")
        except UnicodeDecodeError as exc:
            raise ArchiveError(f"the name {self.raw_name!r} of a member is not in UTF-8, or not flagged so") from exc


@dataclass(frozen=True)
class CentralEntry:
    """An entry of the central directory: the member, its attributes and where its local header is."""

    entry: Entry
    attributes: int
    offset: int
    length: int


@dataclass(frozen=True)
class LocalEntry:
    """The header before a member's data."""

    entry: Entry
    length: int


def read_exactly(file: BinaryIO, offset: int, length: int) -> bytes:
    """Read `length` bytes at `offset`. Raises ArchiveError if the file is shorter."""
    file.seek(offset)
    data = file.read(length)
    if len(data) != length:
        raise ArchiveError("the archive is cut short: a record reaches past its end")
    return data


def directory(file: BinaryIO, total: int) -> Directory:
    """Find the central directory of a file of `total` bytes from the records at its very end."""
    tail_start = max(0, total - _END.size - FULL16)
    tail = read_exactly(file, tail_start, total - tail_start)
    # The last signature counts and its comment must reach the end exactly: no reader can find another record.
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END.size:
        raise ArchiveError("the file is not a zip archive: it does not end with an end record")
    _, disk, first, here, entries, size, start, comment = _END.unpack_from(tail, place)
    if len(tail) - place != _END.size + comment or b"PK" in tail[place + _END.size :]:
        raise ArchiveError("the zip archive has something after its end record")
    if disk or first or here != entries:
        raise ArchiveError("the zip archive is one part of several")
    stop = tail_start + place
    locator = tail[place - _LOCATOR.size : place] if place >= _LOCATOR.size else b""
    if locator.startswith(b"PK\x06\x07"):
        stop, wide = _wide_directory(file, locator, stop)
        for narrow, value, full in zip((entries, size, start), wide, (FULL16, FULL32, FULL32), strict=True):
            if narrow not in (value, full):
                raise ArchiveError("the zip archive's two end records disagree")
        entries, size, start = wide
        if entries < FULL16 and size < _LARGE and start < _LARGE:
            raise ArchiveError("the zip archive has a zip64 end record without need")
    if start + size != stop:
        raise ArchiveError("the zip archive has something before its first member or around its directory")
    return Directory(start=start, stop=stop, entries=entries)


def _wide_directory(file: BinaryIO, locator: bytes, end: int) -> tuple[int, tuple[int, int, int]]:
    """Give where the zip64 end record starts, and (entries, size, start) as it has them."""
    _, disk, place, disks = _LOCATOR.unpack(locator)
    # Readers differ in whether they follow the locator or look right before it: both must come to one place.
    if disk or disks != 1 or place != end - _LOCATOR.size - _END64.size:
        raise ArchiveError("the zip64 locator does not point to the record right before it")
    record = _END64.unpack(read_exactly(file, place, _END64.size))
    signature, size, _, _, disk, first, here, entries, length, start = record
    if signature != b"PK\x06\x06" or size != _END64.size - 12 or disk or first or here != entries:
        raise ArchiveError("the zip64 end record is not well-formed")
    return place, (entries, length, start)


def central(data: bytes, place: int) -> CentralEntry:
    """Read the entry of the central directory at `place` in `data`."""
    if len(data) - place < _CENTRAL.size or data[place : place + 4] != b"PK\x01\x02":
        raise ArchiveError("the central directory has something else in place of an entry")
    fields = _CENTRAL.unpack_from(data, place)
    flags, method, time, date, crc, packed, size = fields[3:10]
    names, extras, comment, disk, _, attributes, offset = fields[10:]
    stop = place + _CENTRAL.size + names + extras
    if stop > len(data):
        raise ArchiveError("an entry reaches past the end of the central directory")
    raw_name = data[place + _CENTRAL.size : place + _CENTRAL.size + names]
    if comment or disk:
        raise ArchiveError(f"the entry of {raw_name!r} has a comment or is on another disk")
    _check_flags(raw_name, flags)
    _check_needed(raw_name, fields[2])
    wide = _widen(raw_name, data[stop - extras : stop], (size, packed, offset))
    if wide != (size, packed, offset) and max(wide) < _LARGE:
        raise ArchiveError(f"the entry of {raw_name!r} uses zip64 without need")
    entry = Entry(raw_name, flags, method, (date, time), crc, packed=wide[1], size=wide[0])
    return CentralEntry(entry, attributes, wide[2], stop - place)


def local(file: BinaryIO, offset: int, limits: Limits) -> LocalEntry:
    """Read the local header at `offset`."""
    head = read_exactly(file, offset, _LOCAL.size)
    signature, needed, flags, method, time, date, crc, packed, size, names, extras = _LOCAL.unpack(head)
    if signature != b"PK\x03\x04":
        raise ArchiveError("the zip archive has something else in place of a member's header")
    if names > limits.name:
        raise ArchiveError(f"the name of a member is longer than {limits.name} bytes")
    rest = read_exactly(file, offset + _LOCAL.size, names + extras)
    raw_name = rest[:names]
    _check_flags(raw_name, flags)
    _check_needed(raw_name, needed)
    size, packed = _widen(raw_name, rest[names:], (size, packed))
    entry = Entry(raw_name, flags, method, (date, time), crc, packed=packed, size=size)
    return LocalEntry(entry, _LOCAL.size + names + extras)


def descriptors(entry: Entry) -> list[bytes]:
    """Give each form of the data descriptor that a writer may put after the data of `entry`."""
    narrow = struct.pack("<2L", entry.packed, entry.size) if max(entry.packed, entry.size) <= FULL32 else b""
    wide = struct.pack("<2Q", entry.packed, entry.size)
    crc = struct.pack("<L", entry.crc)
    return [mark + crc + sizes for mark in (b"PK\x07\x08", b"") for sizes in (narrow, wide) if sizes]


def _check_needed(raw_name: bytes, needed: int) -> None:
    """Refuse what zipfile, unzip and uv do not unpack; stored and deflated members need no more than zip64 does."""
    if needed & 0xFF > _NEWEST:
        raise ArchiveError(
            f"the member {raw_name!r} needs version {(needed & 0xFF) / 10} of zip, and none that is read"
        )


def _check_flags(raw_name: bytes, flags: int) -> None:
    if flags & 0x2041:
        raise ArchiveError(f"the member {raw_name!r} is encrypted")
    if flags & ~_KNOWN_FLAGS:
        raise ArchiveError(f"the member {raw_name!r} has the unusual flags {flags:#06x}")


def _widen(raw_name: bytes, extra: bytes, values: tuple[int, ...]) -> tuple[int, ...]:
    """Give `values` (sizes first) with those that are full taken from the zip64 field of `extra`.

    The field holds exactly the full ones, in order. Bazel writes a field also where none is full: it must then repeat
    what the header says.
    """
    if not extra and FULL32 not in values:
        return values  # as almost all are
    field = _zip64_field(raw_name, extra)
    full = [value == FULL32 for value in values]
    wanted = sum(full)
    if field is not None and not wanted and field == struct.pack("<2Q", *values[:2]):
        return values
    if len(field or b"") != 8 * wanted or field == b"":
        raise ArchiveError(f"the zip64 field of {raw_name!r} does not hold exactly what the header leaves to it")
    found = iter(struct.unpack(f"<{wanted}Q", field or b""))
    return tuple(next(found) if lacks else value for value, lacks in zip(values, full, strict=True))


def _zip64_field(raw_name: bytes, extra: bytes) -> bytes | None:
    """Give the zip64 field of well-formed extra data, None if there is none."""
    field: bytes | None = None
    place = 0
    while place < len(extra):
        kind, length = struct.unpack_from("<2H", extra, place) if len(extra) - place >= 4 else (0, FULL16)
        place += 4 + length
        if place > len(extra):
            raise ArchiveError(f"the extra data of {raw_name!r} is not well-formed")
        if kind in _HARMFUL or (kind == _ZIP64 and field is not None):
            raise ArchiveError(f"the extra data of {raw_name!r} has {_HARMFUL.get(kind, 'two zip64 fields')} in it")
        if kind == _ZIP64:
            field = extra[place - length : place]
    return field
