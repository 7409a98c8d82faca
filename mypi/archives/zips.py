"""Zip archives, read so that no other reader can see anything else in them.

The whole file must be accounted for: members one after the other from the first byte, then the directory in the same
order, then the end record. What PyPI refuses in a zip is refused (its documentation's page on archives says why), and
names that would leave the folder as well.
"""

import stat
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import BinaryIO

from mypi.archives import ArchiveError, Limits, paths, streams, zip_records
from mypi.archives.zip_records import DESCRIPTOR, CentralEntry, Directory, Entry

_STORED = 0
_DEFLATED = 8


@dataclass(frozen=True)
class Member:
    """A file in a zip archive: its name, its size in bytes once unpacked, and where its data is."""

    name: str
    size: int
    packed: int
    crc: int
    method: int
    start: int


class ZipArchive:
    """An open zip archive whose structure was checked; the data of a member is checked as it is read.

    The file must be seekable and stays the caller's to close. With `descriptors` the sizes of a member may stand
    behind its data, as writers to a pipe leave it; PyPI refuses such archives since 2025, older ones have it.
    Raises ArchiveError.
    """

    members: Mapping[str, Member]
    folders: frozenset[str]

    def __init__(self, file: BinaryIO, limits: Limits | None = None, *, descriptors: bool = False) -> None:
        self._file = file
        self._limits = limits or Limits()
        self._descriptors = descriptors
        total = file.seek(0, 2)
        directory = zip_records.directory(file, total)
        if directory.entries > self._limits.members:
            raise ArchiveError(f"the zip archive has more than {self._limits.members} members")
        members, folders = self._walk(directory)
        paths.check_tree([member.name for member in members], folders)
        if len(set(folders)) != len(folders):
            raise ArchiveError("the zip archive has two entries for one folder")
        self._limits.check_unpacked(sum(member.size for member in members), total)
        self.members = MappingProxyType({member.name: member for member in members})
        self.folders = frozenset(folders)

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a member in small pieces. Raises KeyError, and ArchiveError if the data is not right.

        Bytes were yielded before a wrong checksum shows: use them only once the iterator has ended.
        """
        return self._chunks(self.members[name])

    def read(self, name: str, limit: int) -> bytes:
        """Give the bytes of a member that has at most `limit`. Raises KeyError and ArchiveError."""
        if self.members[name].size > limit:
            raise ArchiveError(f"the member {name!r} is longer than {limit} bytes")
        return b"".join(self.chunks(name))

    def _chunks(self, member: Member) -> Iterator[bytes]:
        source = _Window(self._file, member.start, member.packed)
        what = f"the member {member.name!r}"
        pieces = iter(source, b"") if member.method == _STORED else streams.inflate(source, streams.RAW, what)
        size = crc = 0
        for piece in pieces:
            size += len(piece)
            if size > member.size:
                raise ArchiveError(f"{what} is longer than its header says")
            crc = zlib.crc32(piece, crc)
            yield piece
        if (size, crc) != (member.size, member.crc):
            raise ArchiveError(f"{what} does not have the length and checksum that its header says")

    def _walk(self, directory: Directory) -> tuple[list[Member], list[str]]:
        """Follow the directory and the members side by side."""
        length = directory.stop - directory.start
        if length > directory.entries * (self._limits.name + 1_024):
            raise ArchiveError("the central directory is longer than its entries can be")
        data = zip_records.read_exactly(self._file, directory.start, length)
        members: list[Member] = []
        folders: list[str] = []
        place = position = 0
        for _ in range(directory.entries):
            central = zip_records.central(data, place)
            place += central.length
            if central.offset != position:
                raise ArchiveError(f"the member {central.entry.raw_name!r} does not follow the one before it")
            member = self._member(central)
            position = self._end(central.entry, member, directory.start)
            if member.name.endswith("/"):
                folders.append(self._folder(member))
            else:
                paths.check(member.name, self._limits)
                members.append(member)
        if place != length or position != directory.start:
            raise ArchiveError("the zip archive has something between its members, its directory and its end record")
        return members, folders

    def _member(self, central: CentralEntry) -> Member:
        """Compare both headers of a member and check what they say."""
        entry = central.entry
        name = entry.name()
        local = zip_records.local(self._file, central.offset, self._limits)
        seen = local.entry
        if entry.flags & DESCRIPTOR:
            if not self._descriptors:
                raise ArchiveError(f"the member {name!r} has its sizes behind its data (a data descriptor)")
            if not (seen.crc or seen.packed or seen.size):
                seen = replace(seen, crc=entry.crc, packed=entry.packed, size=entry.size)
        if seen != entry:
            raise ArchiveError(f"the header of the member {name!r} and its entry in the directory disagree")
        if entry.method not in (_STORED, _DEFLATED) or (entry.method == _STORED and entry.packed != entry.size):
            raise ArchiveError(f"the member {name!r} is neither stored nor deflated")
        kind = stat.S_IFMT(central.attributes >> 16)
        if kind not in (0, stat.S_IFDIR if name.endswith("/") else stat.S_IFREG):
            raise ArchiveError(f"the member {name!r} is a link, a device or not what its name says")
        start = central.offset + local.length
        return Member(name, entry.size, entry.packed, entry.crc, entry.method, start)

    def _end(self, entry: Entry, member: Member, stop: int) -> int:
        """Give where the next member begins."""
        end = member.start + member.packed
        if end > stop:
            raise ArchiveError(f"the member {member.name!r} reaches into the directory")
        if entry.flags & DESCRIPTOR:
            self._file.seek(end)
            behind = self._file.read(24)
            form = next((form for form in zip_records.descriptors(entry) if behind.startswith(form)), None)
            if form is None:
                raise ArchiveError(f"the data descriptor of the member {member.name!r} does not fit")
            end += len(form)
        return end

    def _folder(self, member: Member) -> str:
        name = member.name[:-1]
        paths.check(name, self._limits)
        # An empty deflated stream has two bytes; some writers spend them on folders.
        if member.size or member.crc or member.packed > 2:
            raise ArchiveError(f"the folder {member.name!r} has data")
        return name


class _Window:
    """The bytes of one member, read in order whatever else moves the file's position."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        self._file = file
        self._start = start
        self._stop = start + length

    def __call__(self, size: int = streams.PIECE) -> bytes:
        self._file.seek(self._start)
        data = self._file.read(min(size, self._stop - self._start))
        self._start += len(data)
        return data
