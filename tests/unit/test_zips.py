"""Zip archives: honest ones are read, and whatever two readers could see differently is refused."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mypi.archives import ArchiveError, Limits
from mypi.archives.zips import ZipArchive
from tests import builders
from tests.builders import Entry
from tests.tally import Tally

TORTURE = int(os.environ.get("MYPI_TORTURE", "1"))
FULL = 0xFFFFFFFF
A, B = Entry(b"a", b"one" * 9), Entry(b"b/c.py", b"two", method=0)
PACKED = len(zlib.compress(A.data, 9)) - 6


def opened(data: bytes, limits: Limits | None = None, **options) -> ZipArchive:
    return ZipArchive(io.BytesIO(data), limits, **options)


def contents(data: bytes, limits: Limits | None = None, **options) -> dict[str, bytes]:
    archive = opened(data, limits, **options)
    return {name: archive.read(name, 10**9) for name in archive.members}


def zip64(*values: int) -> bytes:
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values)


def test_an_honest_archive_is_read():
    data = builders.zip_file([A, Entry(b"b/", method=0, attributes=0o40755 << 16), B], comment=b"0123abcd")
    archive = opened(data)
    assert {name: member.size for name, member in archive.members.items()} == {"a": 27, "b/c.py": 3}
    assert archive.folders == {"b"}
    assert contents(data) == {"a": b"one" * 9, "b/c.py": b"two"}
    with zipfile.ZipFile(io.BytesIO(data)) as other:
        assert other.testzip() is None


def test_an_empty_archive_is_read():
    assert contents(builders.zip_file([])) == {}


def test_what_the_standard_library_writes_is_read():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("é.py", b"x" * 200_000)
        archive.mkdir("folder") if hasattr(archive, "mkdir") else None
        with archive.open("forced", "w", force_zip64=True) as member:
            member.write(b"y" * 100)
    assert contents(file.getvalue()) == {"é.py": b"x" * 200_000, "forced": b"y" * 100}


def test_reading_two_members_at_once_does_not_mix_them():
    noise = os.urandom(300_000)
    archive = opened(builders.zip_of({"a": noise, "b": b"b" * 300_000}))
    first, second = archive.chunks("a"), archive.chunks("b")
    got = {"a": next(first), "b": next(second)}
    assert max(map(len, got.values())) <= 64 * 1024
    assert got["a"] + b"".join(first) == noise
    assert got["b"] + b"".join(second) == b"b" * 300_000


def test_a_missing_member_is_a_key_error():
    with pytest.raises(KeyError):
        opened(builders.zip_of({})).chunks("a")


def test_a_member_over_the_limit_is_not_read():
    with pytest.raises(ArchiveError, match="longer than 2 bytes"):
        opened(builders.zip_of({"a": b"one"})).read("a", 2)


def test_honest_zip64_is_read():
    # As CPython writes a large member, Bazel any member, and both the end records of many members.
    large = {"packed": FULL, "size": FULL}
    lies = [
        Entry(b"a", A.data, local=large, local_extra=zip64(27, PACKED)),
        Entry(b"b", A.data, local_extra=zip64(27, PACKED), central_extra=b"UT\5\0\1abcd"),
    ]
    assert contents(builders.zip_file(lies)) == {"a": A.data, "b": A.data}
    many = builders.zip_file([Entry(b"%d" % number) for number in range(0xFFFF)], zip64=True)
    assert len(opened(many, Limits(members=0xFFFF)).members) == 0xFFFF


def test_large_sizes_in_zip64_are_understood():
    size = 5 * 2**30
    wide = {"packed": FULL, "size": FULL}
    entry = Entry(b"a", local=wide, central=wide, local_extra=zip64(size, size), central_extra=zip64(size, size))
    with pytest.raises(ArchiveError, match="reaches into the directory"):
        opened(builders.zip_file([Entry(b"a", method=0, **{k: getattr(entry, k) for k in WIDE})]))


WIDE = ("local", "central", "local_extra", "central_extra")


def test_C19_data_descriptors_are_refused_unless_allowed():
    entry = {"flags": 0x808, "local": {"crc": 0, "packed": 0, "size": 0}}
    crc = struct.pack("<L", zlib.crc32(A.data))
    forms = [
        crc + struct.pack("<2L", PACKED, 27),
        b"PK\7\10" + crc + struct.pack("<2L", PACKED, 27),
        b"PK\7\10" + crc + struct.pack("<2Q", PACKED, 27),
    ]
    for form in forms:
        data = builders.zip_file([Entry(b"a", A.data, behind=form, **entry), B])
        assert contents(data, descriptors=True) == {"a": A.data, "b/c.py": b"two"}
        with pytest.raises(ArchiveError, match="data descriptor"):
            opened(data)
    same = builders.zip_file([Entry(b"a", A.data, flags=0x808, behind=forms[0])])
    assert contents(same, descriptors=True) == {"a": A.data}
    with pytest.raises(ArchiveError, match="does not fit"):
        opened(builders.zip_file([Entry(b"a", A.data, behind=b"x" * 16, **entry)]), descriptors=True)


SAMPLES = [
    builders.zip_file([A, B]),
    builders.wheel()[1],
    builders.zip_file([Entry(b"a", b"data", local={"packed": FULL, "size": FULL}, local_extra=zip64(4, 6)), B]),
    builders.zip_file([A], zip64=True, comment=b"abc"),
]


def mutate(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for place, length, fresh in changes:
        at = place % (len(data) + 1)
        data = data[:at] + fresh + data[at + length :]
    return data


CHANGES = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 8), st.binary(max_size=8)), min_size=1, max_size=4)


@settings(max_examples=1_000 * TORTURE, deadline=2_000, derandomize=True, suppress_health_check=list(HealthCheck))
@given(sample=st.sampled_from(range(len(SAMPLES))), changes=CHANGES, descriptors=st.booleans())
@example(sample=0, changes=[(0, 0, b"")], descriptors=True)
def test_a_mutated_archive_is_read_or_refused(tally: Tally, sample, changes, descriptors):
    tally.add("archives mutated")
    data = SAMPLES[sample]
    try:
        read = contents(mutate(data, changes), descriptors=descriptors)
    except ArchiveError:
        return
    with zipfile.ZipFile(io.BytesIO(mutate(data, changes))) as other:
        assert {name: other.read(name) for name in other.namelist() if not name.endswith("/")} == read
