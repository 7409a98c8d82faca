"""Tar archives compressed with gzip, walked header by header under bounds of our own.

CPython's reader never ends on some of 200 bytes (CVE-2025-8194), so it is not used. Understood are the ustar, pax
(POSIX.1-2001) and GNU formats; whatever one reader could take for something else is refused.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from mypi.archives import ArchiveError, Limits, paths, streams, tar_headers
from mypi.archives.tar_headers import BLOCK, Extension, Header

MemberKind = Literal["file", "folder", "symlink", "hardlink"]

_KINDS: dict[bytes, MemberKind] = {b"0": "file", b"\0": "file", b"5": "folder", b"2": "symlink", b"1": "hardlink"}
# git writes one; concatenated archives bring one each. The other extended headers are few for each member.
_GLOBALS = 1_000
_WHAT = {
    b"3": "a device",
    b"4": "a device",
    b"6": "a FIFO",
    b"S": "a sparse file",
    b"V": "a volume label",
    b"M": "a part of a file",
}


@dataclass(frozen=True)
class Member:
    """A member of a tar archive; its name has no slash at the end, `target` is where a link points."""

    name: str
    kind: MemberKind
    size: int
    target: str = ""


class TarArchive:
    """A gzipped tar archive, read once from front to back.

    Iterating yields the members; :meth:`read` and :meth:`chunks` give the data of the one yielded last. What speaks
    against the archive as a whole shows at the end, so nothing may be used before the iteration has ended. The file
    must be seekable and stays the caller's to close. With `trailer` it may go on after its compressed data, as long
    as that is no further archive. Raises ArchiveError.
    """

    def __init__(self, file: BinaryIO, limits: Limits | None = None, *, trailer: bool = False) -> None:
        self._limits = limits or Limits()
        self._stream = _Stream(file, self._limits, trailer)
        self._left = 0
        self._count = self._globals = 0
        self._hash = hashlib.sha256()
        self._files: dict[str, Member] = {}
        self._digests: dict[str, bytes] = {}
        self._folders: list[str] = []

    def __iter__(self) -> Iterator[Member]:
        """Yield each member. The iterator can be used once."""
        extension = Extension()
        while any(block := self._stream.block()):
            header = tar_headers.parse(block, self._limits)
            if header.kind in tar_headers.EXTENSIONS:
                data = self._extension_data(header)
                self._globals += header.kind == b"g"
                extension = tar_headers.extend(extension, header.kind, data, self._limits)
                continue
            member = self._member(header, extension)
            extension = Extension()
            self._left = member.size
            self._hash = hashlib.sha256()
            yield member
            for _ in self.chunks():
                pass
            self._stream.skip_padding(member.size)
            # Some build tools write a licence twice. Two equal members unpack to the same in any order.
            if self._digests.setdefault(member.name, self._hash.digest()) != self._hash.digest():
                raise ArchiveError(f"two members that differ are called {member.name!r}")
        if not extension.empty:
            raise ArchiveError("the tar archive ends after a header that belongs to a member to come")
        self._stream.finish()
        paths.check_tree(self._files, self._folders)

    def chunks(self) -> Iterator[bytes]:
        """Yield what is left of the data of the current member, in small pieces."""
        while self._left:
            piece = self._stream.take(min(self._left, streams.PIECE))
            self._left -= len(piece)
            self._hash.update(piece)
            yield piece

    def read(self, limit: int) -> bytes:
        """Give what is left of the data of the current member, at most `limit` bytes."""
        if self._left > limit:
            raise ArchiveError(f"a member that must be read whole is longer than {limit} bytes")
        return b"".join(self.chunks())

    def _extension_data(self, header: Header) -> bytes:
        if self._globals > _GLOBALS:
            raise ArchiveError(f"the tar archive has more than {_GLOBALS} global headers")
        if header.size > self._limits.header:
            raise ArchiveError(f"an extended header of the tar archive is longer than {self._limits.header} bytes")
        data = self._stream.take(header.size)
        self._stream.skip_padding(header.size)
        return data

    def _member(self, header: Header, extension: Extension) -> Member:
        name = header.name if extension.name is None else extension.name
        kind = _KINDS.get(header.kind)
        if kind is None:
            raise ArchiveError(f"the member {name!r} is {_WHAT.get(header.kind, 'of an unknown kind')}")
        # Before POSIX a folder was a file whose name ended in a slash, and readers still see it so.
        if kind == "file" and header.kind == b"\0" and name.endswith("/"):
            kind = "folder"
        if kind == "file" and name.endswith("/"):
            raise ArchiveError(f"the file {name!r} has the name of a folder")
        plain = _plain(name)
        if plain:
            paths.check(plain, self._limits)
        elif kind != "folder":
            raise ArchiveError(f"the name {name!r} of a member names nothing")
        size = header.real_size(extension)
        if kind != "file" and size:
            raise ArchiveError(f"the member {plain!r} has data, but is no file")
        target = header.target if extension.target is None else extension.target
        member = Member(plain, kind, size, target if kind in ("symlink", "hardlink") else "")
        return self._remember(member)

    def _remember(self, member: Member) -> Member:
        """Check the place of a member in the tree, as far as the members before it tell."""
        self._count += 1
        if self._count > self._limits.members:
            raise ArchiveError(f"the tar archive has more than {self._limits.members} members")
        if member.kind == "folder":
            # The root itself needs no place.
            self._folders += [member.name] if member.name else []
            return member
        if self._files.get(member.name, member) != member:
            raise ArchiveError(f"two members that differ are called {member.name!r}")
        if member.kind == "symlink":
            paths.check_link(member.name, member.target, self._limits)
        if member.kind == "hardlink":
            origin = self._files.get(_plain(member.target))
            if origin is None or origin.kind == "symlink":
                raise ArchiveError(f"the link {member.name!r} points to {member.target!r}, which is no file before it")
        self._files[member.name] = member
        return member


def _plain(name: str) -> str:
    """Give `name` without the parts that mean nothing (``./a//b/`` is ``a/b``); a slash in front stays."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return ("/" if name.startswith("/") else "") + "/".join(parts)


class _Stream:
    """The unpacked bytes of the archive, counted against the limits."""

    def __init__(self, file: BinaryIO, limits: Limits, trailer: bool) -> None:
        self._packed = file.seek(0, 2)
        file.seek(0)
        self._pieces = streams.inflate(file.read, streams.GZIP, "the archive", trailer=trailer)
        self._limits = limits
        self._buffer = b""
        self._place = 0
        self._count = 0

    def block(self) -> bytes:
        """Give the next block, or nothing at the end of the stream."""
        return self.take(BLOCK) if self._place < len(self._buffer) or self._fill() else b""

    def take(self, length: int) -> bytes:
        """Give exactly `length` bytes, a number that the caller has bounded."""
        parts: list[bytes] = []
        while length:
            if self._place == len(self._buffer) and not self._fill():
                raise ArchiveError("the tar archive is cut short")
            part = self._buffer[self._place : self._place + length]
            self._place += len(part)
            length -= len(part)
            parts.append(part)
        return b"".join(parts)

    def skip_padding(self, size: int) -> None:
        """Pass over what fills the last block of `size` bytes of data."""
        self.take(-size % BLOCK)

    def finish(self) -> None:
        """Check that only zeros follow: the archive has ended, and a reader that goes on must find nothing."""
        rest = self._buffer[self._place :]
        while True:
            if rest.strip(b"\0"):
                raise ArchiveError("the tar archive has something after its end")
            if not self._fill():
                return
            rest = self._buffer

    def _fill(self) -> bool:
        self._buffer = next(self._pieces, b"")
        self._place = 0
        self._count += len(self._buffer)
        self._limits.check_unpacked(self._count, self._packed)
        return bool(self._buffer)
