"""The headers of the tar formats: one block of 512 bytes, and the extended headers before it.

Every number is parsed, used or not: CPython's reader takes a header with a bad one for the end of the archive, and so
would not see the members after it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mypi.archives import ArchiveError, Limits

BLOCK = 512

# pax for the next member (x) and for all (g), GNU's long name (L) and long link (K).
EXTENSIONS = frozenset((b"x", b"g", b"L", b"K"))

_OCTAL = re.compile(rb"\A *([0-7]*) *\Z")
_LARGEST_OCTAL = 0o77777777777
_POSIX = b"ustar\x0000"
_FIELDS = {"mode": (100, 108), "uid": (108, 116), "gid": (116, 124), "size": (124, 136), "time": (136, 148)}
_DEVICES = {"major": (329, 337), "minor": (337, 345)}
_RECORD = re.compile(rb"([1-9][0-9]{0,7}) ")


@dataclass(frozen=True)
class Header:
    """What one header block says."""

    name: str
    kind: bytes
    size: int
    target: str

    def real_size(self, extension: "Extension") -> int:
        """Give the size of the data, which a pax header may hold where the block cannot.

        Readers that miss the pax header and readers that follow it must find the next member at one place
        (CVE-2025-62518), so a size that fits both must be the same in both.
        """
        if extension.size is None or extension.size == self.size:
            return self.size
        if extension.size <= _LARGEST_OCTAL:
            raise ArchiveError(f"the member {self.name!r} has two sizes, {self.size} and {extension.size}")
        return extension.size


@dataclass(frozen=True)
class Extension:
    """What the extended headers say about the member to come; None where they say nothing."""

    name: str | None = None
    target: str | None = None
    size: int | None = None
    pax: bool = False

    @property
    def empty(self) -> bool:
        """Tell whether there was no extended header."""
        return self == Extension()


def parse(block: bytes, limits: Limits) -> Header:
    """Read a header block. Raises ArchiveError if any field is not what every reader understands."""
    name = _text(block[0:100])
    places = dict(_FIELDS)
    if block[257:262] == b"ustar":
        places |= _DEVICES
    numbers = {field: _number(block[start:stop], field, name) for field, (start, stop) in places.items()}
    if not _sums_to(block, _number(block[148:156], "checksum", name)):
        raise ArchiveError(f"the checksum of the header of {name!r} is wrong: this is no tar archive, or a damaged one")
    prefix = _text(block[345:500])
    if prefix and block[257:265] != _POSIX:
        # GNU keeps times there, which CPython's reader takes for a folder.
        raise ArchiveError(f"the header of {name!r} has a prefix, which its format does not have")
    if not 0 <= numbers["size"] <= limits.unpacked:
        raise ArchiveError(f"the member {name!r} has the impossible size {numbers['size']}")
    full = f"{prefix}/{name}" if prefix else name
    return Header(name=full, kind=block[156:157], size=numbers["size"], target=_text(block[157:257]))


def extend(extension: Extension, kind: bytes, data: bytes, limits: Limits) -> Extension:
    """Add an extended header of `kind` to what those before it said. Raises ArchiveError."""
    if kind in (b"L", b"K"):
        text = _text(data)
        if kind == b"L" and extension.name is None and not extension.pax:
            return replace(extension, name=text)
        if kind == b"K" and extension.target is None and not extension.pax:
            return replace(extension, target=text)
        raise ArchiveError("a member of the tar archive has two long names")
    values = dict(_records(data))
    size = values.get(b"size")
    if kind == b"g":
        # What git writes: a comment. A name or a size for every member to come is no honest archive's.
        if values.keys() & {b"path", b"linkpath", b"size"}:
            raise ArchiveError("a global header of the tar archive names a member or a size")
        return extension
    if not extension.empty:
        raise ArchiveError("a member of the tar archive has two extended headers")
    if size is not None and (not size.isdigit() or len(size) > 19 or int(size) > limits.unpacked):
        raise ArchiveError(f"a member of the tar archive has the impossible size {size[:20]!r}")
    return Extension(
        name=_pax_text(values, b"path"),
        target=_pax_text(values, b"linkpath"),
        size=None if size is None else int(size),
        pax=True,
    )


def _sums_to(block: bytes, checksum: int) -> bool:
    plain = block[:148] + b" " * 8 + block[156:]
    # Historic writers summed the bytes as signed ones.
    return sum(plain) == checksum or sum(plain) - 256 * sum(byte > 127 for byte in plain) == checksum


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keyword and value of each record of a pax header, ``<length> <keyword>=<value>\\n``."""
    place = 0
    seen: set[bytes] = set()
    while place < len(data):
        match = _RECORD.match(data, place)
        stop = place + int(match[1]) if match else 0
        record = data[match.end() : stop] if match else b""
        keyword, equals, value = record[:-1].partition(b"=")
        if not keyword or not equals or stop > len(data) or record[-1:] != b"\n":
            raise ArchiveError("an extended header of the tar archive is not well-formed")
        if keyword.startswith(b"GNU.sparse."):
            raise ArchiveError("the tar archive holds a sparse file")
        if keyword in seen or keyword == b"hdrcharset":
            raise ArchiveError(f"an extended header of the tar archive has {keyword!r} twice, or one that renames")
        seen.add(keyword)
        yield keyword, value
        place = stop


def _pax_text(values: dict[bytes, bytes], keyword: bytes) -> str | None:
    value = values.get(keyword)
    if value is None:
        return None
    # Readers cut at a NUL or they do not.
    if b"\0" in value or not value:
        raise ArchiveError(f"an extended header of the tar archive has a NUL or nothing in its {keyword!r}")
    return value.decode("utf-8", "surrogateescape")


def _text(field: bytes) -> str:
    # Old archives have names in the encoding of their maker's system. Nothing is refused for that: no page or
    # metadata ever shows such a name, and the surrogates make it equal to no other.
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _number(field: bytes, what: str, name: str) -> int:
    """Read a number: octal digits, or the two's complement that GNU marks with the first bit."""
    if field[0] in (0o200, 0o377):
        return int.from_bytes(field[1:], "big") - (256 ** (len(field) - 1) if field[0] == 0o377 else 0)
    match = _OCTAL.match(field.partition(b"\0")[0])
    if match is None:
        raise ArchiveError(f"the {what} in the header of {name!r} is not a number")
    return int(match[1] or b"0", 8)
