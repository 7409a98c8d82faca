"""Zip archives that lie: each has one fault, and each is refused for that fault."""

from __future__ import annotations

import io
import struct
import time
import zlib

import pytest

from mypi.archives import ArchiveError, Limits
from mypi.archives.zips import ZipArchive
from tests import builders
from tests.builders import Entry

FULL = 0xFFFFFFFF
A, B = Entry(b"a", b"one" * 9), Entry(b"b/c.py", b"two", method=0)


def opened(data: bytes, limits: Limits | None = None, **options) -> ZipArchive:
    return ZipArchive(io.BytesIO(data), limits, **options)


def contents(data: bytes, limits: Limits | None = None, **options) -> dict[str, bytes]:
    archive = opened(data, limits, **options)
    return {name: archive.read(name, 10**9) for name in archive.members}


def zip64(*values: int) -> bytes:
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values)


def one(**fields) -> bytes:
    return builders.zip_file([Entry(**{"name": b"a", "data": b"data", **fields}), B])


def named(*names: bytes) -> bytes:
    return builders.zip_file([Entry(name, attributes=0) for name in names])


HONEST = builders.zip_file([A, B])
HOSTILE = {
    "nothing": (b"", "not a zip archive"),
    "no zip": (b"x" * 100_000, "not a zip archive"),
    "cut in the end record": (HONEST[:-1], "not a zip archive"),
    "trailing data": (HONEST + b"x", "after its end record"),
    "a second end record": (HONEST + builders.zip_file([]), "something before its first member"),
    "an archive in the comment": (builders.zip_file([A], comment=b"PK\1\2"), "after its end record"),
    "prefix data": (builders.zip_file([A], prefix=b"#!/bin/sh\n"), "does not follow"),
    "prefix data, offsets shifted": (b"x" + HONEST, "something before"),
    "a gap in the members": (one(behind=b"hidden"), "does not follow"),
    "a hidden member before the directory": (
        builders.zip_file([A, Entry(b"b", behind=builders.zip_file([B])[:40])]),
        "something between",
    ),
    "a gap after the directory": (builders.zip_file([A], middle=b"x"), "around its directory"),
    "an entry less": (builders.zip_file([A, B], end={"entries": 1, "here": 1}), "something between"),
    "an entry more": (builders.zip_file([A], end={"entries": 2, "here": 2}), "in place of an entry"),
    "too few entries for the directory": (
        builders.zip_file([Entry(b"a", central_extra=struct.pack("<2H", 7, 5_000) + bytes(5_000))]),
        "longer than its entries can be",
    ),
    "several disks": (builders.zip_file([A], end={"disk": 1}), "one part of several"),
    "another disk": (one(central={"disk": 1}), "on another disk"),
    "entries on other disks": (builders.zip_file([A], end={"here": 0}), "one part of several"),
    "a comment of an entry": (one(comment=b"hello"), "has a comment"),
    "encrypted": (one(flags=0x801), "encrypted"),
    "a version that nobody reads": (one(central={"needed": 199}), "needs version 19.9"),
    "a local version that nobody reads": (one(local={"needed": 63}), "needs version 6.3"),
    "strange flags": (one(flags=0x820), "unusual flags"),
    "another method": (one(method=12, packed=b"data"), "neither stored nor deflated"),
    "stored, but shorter": (one(method=0, local={"size": 3}, central={"size": 3}), "neither stored nor deflated"),
    "local name": (one(local={"name": b"b"}), "disagree"),
    "local size": (one(local={"size": 3}), "disagree"),
    "local checksum": (one(local={"crc": 1}), "disagree"),
    "local flags": (one(local={"flags": 0}), "disagree"),
    "local method": (one(local={"method": 0}), "disagree"),
    "local time": (one(local={"time": 7}), "disagree"),
    "local long name": (one(local={"name": b"b" * 2_000}), "longer than"),
    "local signature": (one(local={"signature": b"PK\3\5"}), "in place of a member's header"),
    "central signature": (one(central={"signature": b"PK\1\3"}), "in place of an entry"),
    "a symbolic link": (one(attributes=0o120777 << 16), "is a link"),
    "a device": (one(attributes=0o60777 << 16), "is a link, a device"),
    "a folder that is a file": (one(name=b"a/", data=b"", attributes=0o100644 << 16), "not what its name says"),
    "a folder with data": (one(name=b"a/", attributes=0), "has data"),
    "extra data cut short": (one(local_extra=b"\1"), "not well-formed"),
    "extra data too long": (one(central_extra=struct.pack("<2H", 9, 9)), "not well-formed"),
    "a second name": (one(local_extra=struct.pack("<2H", 0x7075, 0)), "a second name"),
    "two zip64 fields": (one(local_extra=zip64(4, 6) * 2), "two zip64 fields"),
    "an empty zip64 field": (one(central_extra=zip64()), "exactly"),
    "a zip64 field that lies": (one(central_extra=zip64(5, 6)), "exactly"),
    "a zip64 field missing": (one(central={"size": FULL}), "exactly"),
    "a zip64 field too short": (one(local={"size": FULL, "packed": FULL}, local_extra=zip64(4)), "exactly"),
    "zip64 for a small size": (one(central={"size": FULL}, central_extra=zip64(4)), "without need"),
    "zip64 end without need": (builders.zip_file([A], zip64=True), "without need"),
    "zip64 end disagrees": (builders.zip_file([A], zip64=True, wide={"entries": 2, "here": 2}), "disagree"),
    "zip64 end elsewhere": (builders.zip_file([A], zip64=True, wide={"place": 0}), "right before it"),
    "zip64 end on a disk": (builders.zip_file([A], zip64=True, wide={"disks": 2}), "right before it"),
    "zip64 end unsigned": (builders.zip_file([A], zip64=True, wide={"signature": 1}), "not well-formed"),
    "zip64 end too long": (builders.zip_file([A], zip64=True, wide={"length": 99}), "not well-formed"),
    "a locator alone": (b"PK\6\7" + bytes(16) + builders.zip_file([]), "right before it"),
    "traversal": (named(b"../a"), "climbs"),
    "traversal inside": (named(b"a/../../b"), "climbs"),
    "absolute": (named(b"/etc/passwd"), "absolute"),
    "a drive": (named(b"C:/a"), "absolute"),
    "a backslash": (named(b"a\\b"), "backslash"),
    "a NUL": (named(b"a\0.py"), "control character"),
    "a control character": (named(b"a\x1b"), "control character"),
    "an empty name": (named(b""), "empty part"),
    "the root": (named(b"/"), "empty part"),
    "a dot": (named(b"./a"), "empty part"),
    "a long name": (named(b"a" * 1_025), "longer than 1024"),
    "no UTF-8": (named(b"\xff"), "not in UTF-8"),
    "UTF-8 without its flag": (one(name="é".encode(), flags=0), "flagged"),
    "duplicates": (named(b"a", b"b", b"a"), "two members are called 'a'"),
    "duplicate folders": (named(b"a/", b"b", b"a/"), "two entries for one folder"),
    "a file and a folder": (named(b"a", b"a/"), "two members are called 'a'"),
    "a file in a file": (named(b"a", b"a-b", b"a/b"), "needs a folder there"),
    "a wrong checksum": (one(local={"crc": 1}, central={"crc": 1}), "length and checksum"),
    "longer than it says": (one(local={"size": 3}, central={"size": 3}), "longer than its header says"),
    "shorter than it says": (one(local={"size": 5}, central={"size": 5}), "length and checksum"),
    "a damaged stream": (one(packed=b"\xff\xff\xff"), "cannot be read"),
    "a stream without end": (one(packed=b"\x4a"), "cut short"),
    "a stream that goes on": (one(packed=zlib.compress(b"data")[2:-4] + b"more"), "after the end"),
    "a header past the end": (builders.zip_file([Entry(b"a", local={"extra": b""}, local_extra=b"")])[-22:], "around"),
    "an entry past the directory": (
        b"PK\1\2"
        + bytes(24)
        + b"\xff\0"
        + bytes(16)
        + b"PK\5\6"
        + bytes(4)
        + b"\1\0\1\0"
        + struct.pack("<2LH", 46, 0, 0),
        "reaches past the end",
    ),
    "a header past the file": (
        struct.pack("<4s6H3L5H2L", b"PK\1\2", *[0] * 16)
        + b"PK\5\6"
        + bytes(4)
        + b"\1\0\1\0"
        + struct.pack("<2LH", 46, 0, 0),
        "in place of a member's header",
    ),
}


@pytest.mark.parametrize(("data", "said"), HOSTILE.values(), ids=HOSTILE)
def test_C18_C19_C_paths_a_hostile_archive_is_refused(data, said):
    with pytest.raises(ArchiveError, match=said):
        contents(data)


def test_a_header_that_reaches_past_the_file_is_refused():
    data = builders.zip_file([Entry(b"a", local={"extra": b"x" * 60_000})])
    cut = data.replace(b"x" * 60_000, b"")
    start = len(cut) - 22 - 47
    with pytest.raises(ArchiveError, match="cut short"):
        opened(cut[:-22] + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 47, start, 0))


def test_names_that_differ_in_case_are_honest():
    assert set(contents(named(b"README", b"readme"))) == {"README", "readme"}


def test_C18_a_bomb_is_refused_before_it_is_unpacked():
    bomb = builders.zip_of({"a": bytes(70 * 2**20)})
    with pytest.raises(ArchiveError, match="50 times its size"):
        opened(bomb)
    with pytest.raises(ArchiveError, match="more than 1000 bytes"):
        opened(builders.zip_of({"a": bytes(1_001)}), Limits(unpacked=1_000))


def test_C19_overlapping_members_are_refused():
    inner = Entry(b"b", b"x" * 1000)
    data = builders.zip_file([Entry(b"a", b"y"), Entry(b"b", b"z", central={"offset": 0}), inner])
    with pytest.raises(ArchiveError, match="does not follow"):
        opened(data)


def test_a_lying_size_costs_no_more_than_it_says():
    data = one(data=bytes(60 * 2**20), local={"size": 10}, central={"size": 10})
    began = time.process_time()
    with pytest.raises(ArchiveError, match="longer than its header says"):
        contents(data)
    assert time.process_time() - began < 10


def test_too_many_members_are_refused():
    with pytest.raises(ArchiveError, match="more than 2 members"):
        opened(named(b"a", b"b", b"c"), Limits(members=2))


def test_many_fields_of_extra_data_are_passed_over_quickly():
    extra = struct.pack("<2H", 9, 0) * 16_000
    data = builders.zip_file([Entry(b"%d" % number, local_extra=extra) for number in range(20)])
    began = time.process_time()
    assert len(contents(data)) == 20
    assert time.process_time() - began < 10
