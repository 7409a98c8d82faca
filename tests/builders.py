"""Wheels and sdists made in memory, the same bytes every time: honest ones, and archives with one lie in them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

BLOCK = 512


def metadata(
    name: str = "acme-lib",
    version: str = "1.0",
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    description: str = "",
    metadata_version: str = "2.1",
    **fields: str | Iterable[str],
) -> bytes:
    """METADATA or PKG-INFO; further fields by keyword: ``home_page="..."``, ``classifier=["...", "..."]``."""
    lines = [f"Metadata-Version: {metadata_version}", f"Name: {name}", f"Version: {version}"]
    for key, value in fields.items():
        for text in [value] if isinstance(value, str) else value:
            lines.append(f"{key.replace('_', '-').title()}: {text}")
    if requires_python is not None:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return ("\n".join(lines) + "\n" + (f"\n{description}" if description else "")).encode()


def record_row(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}"


def wheel(
    name: str = "acme-lib",
    version: str = "1.0",
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    files: Mapping[str, bytes] | None = None,
    *,
    tag: str = "py3-none-any",
    build: str = "",
    info: Mapping[str, bytes | None] | None = None,
    filename: str | None = None,
    **fields: str | Iterable[str],
) -> tuple[str, bytes]:
    """A wheel's file name and bytes.

    ``files`` replaces the one module in it; ``info`` adds files to the ``.dist-info``, replaces them, or leaves them
    out (None), after RECORD was written. A text for ``RECORD`` is taken as it is.
    """
    escaped = name.replace("-", "_").replace(".", "_")
    folder = f"{escaped}-{version}.dist-info/"
    contents = dict(files if files is not None else {f"{escaped}/__init__.py": b"VALUE = 1\n"})
    contents[folder + "METADATA"] = metadata(name, version, requires, requires_python, **fields)
    contents[folder + "WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    extra = dict(info or {})
    for file, data in extra.items():
        if data is not None and file != "RECORD":
            contents[folder + file] = data
    rows = [record_row(file, data) for file, data in contents.items()] + [f"{folder}RECORD,,"]
    contents[folder + "RECORD"] = extra.get("RECORD") or ("\n".join(rows) + "\n").encode()
    for file, data in extra.items():
        if data is None:
            del contents[folder + file]
    middle = f"-{build}" if build else ""
    return filename or f"{escaped}-{version}{middle}-{tag}.whl", zip_of(contents)


def sdist(
    name: str = "acme-lib",
    version: str = "1.0",
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    files: Mapping[str, bytes] | None = None,
    *,
    filename: str | None = None,
    ending: str = ".tar.gz",
    pkg_info: bytes | None = None,
    **fields: str | Iterable[str],
) -> tuple[str, bytes]:
    """An sdist's file name and bytes; ``ending=".zip"`` makes the other kind, ``files`` go into the top folder."""
    top = f"{name.replace('-', '_').replace('.', '_')}-{version}"
    contents = {f"{top}/PKG-INFO": pkg_info or metadata(name, version, requires, requires_python, **fields)}
    setup = f"from setuptools import setup\nsetup(name={name!r}, version={version!r}, py_modules=['acme'])\n"
    chosen = {"setup.py": setup.encode(), "acme.py": b"VALUE = 1\n"} if files is None else files
    contents |= {f"{top}/{file}": data for file, data in chosen.items()}
    make = zip_of if ending == ".zip" else tar_of
    return filename or f"{top}{ending}", make(contents)


@dataclass
class Entry:
    """A member of a zip; ``local`` and ``central`` replace fields of one header: a lie."""

    name: bytes
    data: bytes = b""
    method: int = 8
    flags: int = 0x800
    attributes: int = 0o100644 << 16
    local_extra: bytes = b""
    central_extra: bytes = b""
    comment: bytes = b""
    packed: bytes | None = None
    behind: bytes = b""
    local: dict[str, int | bytes] = field(default_factory=dict)
    central: dict[str, int | bytes] = field(default_factory=dict)


def zip_of(contents: Mapping[str, bytes]) -> bytes:
    return zip_file([Entry(name.encode(), data) for name, data in contents.items()])


def zip_file(
    entries: Iterable[Entry],
    *,
    prefix: bytes = b"",
    comment: bytes = b"",
    suffix: bytes = b"",
    middle: bytes = b"",
    zip64: bool = False,
    end: Mapping[str, int] | None = None,
    wide: Mapping[str, int] | None = None,
) -> bytes:
    """A zip archive, honest but for what is asked for; ``end`` and ``wide`` replace fields of the end records."""
    body, directory, count = bytearray(prefix), bytearray(), 0
    for entry in entries:
        head, tail = _headers(entry, len(body))
        body += head
        directory += tail
        count += 1
    start = len(body)
    body += directory + middle
    values = {"disk": 0, "first": 0, "here": count, "entries": count, "size": len(directory), "start": start}
    if zip64:
        full = {"signature": 0x06064B50, "length": 44, **values, "place": len(body), "locator_disk": 0, "disks": 1}
        full.update(wide or {})
        body += struct.pack(
            "<LQ2H2L4Q",
            *(full["signature"], full["length"], 45, 45, full["disk"], full["first"]),
            *(full["here"], full["entries"], full["size"], full["start"]),
        )
        body += struct.pack("<4sLQL", b"PK\x06\x07", full["locator_disk"], full["place"], full["disks"])
    values.update(end or {})
    return bytes(body) + struct.pack("<4s4H2LH", b"PK\x05\x06", *values.values(), len(comment)) + comment + suffix


def _headers(entry: Entry, offset: int) -> tuple[bytes, bytes]:
    packed = entry.packed
    if packed is None:
        engine = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = engine.compress(entry.data) + engine.flush() if entry.method == 8 else entry.data
    common: dict[str, int | bytes] = {
        "name": entry.name,
        "flags": entry.flags,
        "method": entry.method,
        "time": 0,
        "date": 33,
        "crc": zlib.crc32(entry.data),
        "packed": len(packed),
        "size": len(entry.data),
        "extra": b"",
    }
    sides = {"signature": b"PK\x03\x04", **common, "extra": entry.local_extra, **entry.local}
    local = struct.pack(
        "<4s5H3L2H",
        sides["signature"],
        sides.get("needed", 20),
        *_numbers(sides),
        len(sides["name"]),
        len(sides["extra"]),
    )
    local += sides["name"] + sides["extra"] + packed + entry.behind
    more = {"signature": b"PK\x01\x02", **common, "extra": entry.central_extra, "disk": 0, "offset": offset}
    more |= entry.central
    lengths = len(more["name"]), len(more["extra"]), len(entry.comment)
    central = struct.pack("<4s6H3L", more["signature"], 0x0314, more.get("needed", 20), *_numbers(more))
    central += struct.pack("<5H2L", *lengths, more["disk"], 0, entry.attributes, more["offset"])
    return local, central + more["name"] + more["extra"] + entry.comment


def _numbers(fields: Mapping[str, int | bytes]) -> list[int | bytes]:
    return [fields[key] for key in ("flags", "method", "time", "date", "crc", "packed", "size")]


def tar_of(contents: Mapping[str, bytes]) -> bytes:
    return tar_file(*(tar_member(name, data) for name, data in contents.items()))


def tar_file(*members: bytes, end: bytes = bytes(2 * BLOCK), suffix: bytes = b"") -> bytes:
    """A gzipped tar archive of ready members; ``suffix`` comes after the compressed data."""
    return gzip.compress(b"".join(members) + end, mtime=0) + suffix


def tar_member(name: str | bytes, data: bytes = b"", **header: bytes | int) -> bytes:
    return tar_header(name, **{"size": len(data), **header}) + data + bytes(-len(data) % BLOCK)


def tar_header(
    name: str | bytes,
    *,
    kind: bytes = b"0",
    size: int | bytes = 0,
    target: bytes = b"",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    uid: bytes = b"0000000\0",
    checksum: int | None = None,
) -> bytes:
    """A header block; ``size`` as bytes is taken as it is."""
    raw = name.encode() if isinstance(name, str) else name
    sized = size if isinstance(size, bytes) else b"%011o\0" % size
    devices = bytes(16) if magic[:5] != b"ustar" else b"0000000\0" * 2
    block = struct.pack("100s8s8s8s12s12s", raw, b"0000644\0", uid, b"0000000\0", sized, b"00000000000\0")
    tail = struct.pack("c100s8s32s32s16s155s12x", kind, target, magic, b"", b"", devices, prefix)
    total = sum(block) + 8 * 32 + sum(tail) if checksum is None else checksum
    return block + b"%06o\0 " % total + tail


def pax(records: Mapping[str, str] | bytes, kind: bytes = b"x") -> bytes:
    """An extended header for the member that follows."""
    data = records if isinstance(records, bytes) else b"".join(_pax_record(*pair) for pair in records.items())
    return tar_member("PaxHeaders/x", data, kind=kind)


def _pax_record(keyword: str, value: str) -> bytes:
    text = f" {keyword}={value}\n".encode()
    length = len(text)
    while length != len(str(length)) + len(text):
        length = len(str(length)) + len(text)
    return str(length).encode() + text


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    """GNU's way to name a member (L) or a link's target (K) of more than 100 bytes."""
    return tar_member("././@LongLink", name + b"\0", kind=kind, magic=b"ustar  \0")
