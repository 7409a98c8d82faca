"""Tar archives: every honest format is read, and whatever could hurt an unpacker is refused."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import time
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mypi.archives import ArchiveError, Limits
from mypi.archives.tars import Member, TarArchive
from tests import builders
from tests.builders import long_name, pax, tar_file, tar_header, tar_member
from tests.tally import Tally

TORTURE = int(os.environ.get("MYPI_TORTURE", "1"))
GNU, OLD = b"ustar  \0", bytes(8)
DEEP = "top/" + "d" * 60 + "/" + "f" * 120


def contents(data: bytes, limits: Limits | None = None, **options) -> dict[Member, bytes]:
    archive = TarArchive(io.BytesIO(data), limits, **options)
    return {member: archive.read(10**9) for member in archive}


def names(data: bytes, **options) -> list[str]:
    return [member.name for member in contents(data, **options)]


def written(form: int) -> bytes:
    """What CPython's own writer makes of one of everything."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", format=form) as archive:
        for name, kind, target in [
            ("top", tarfile.DIRTYPE, ""),
            ("top/a", tarfile.REGTYPE, ""),
            (DEEP, tarfile.REGTYPE, ""),
            ("top/link", tarfile.SYMTYPE, "d" * 120 + "/a"),
            ("top/same", tarfile.LNKTYPE, "top/a"),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mtime = kind, target, 1
            info.size = 3 if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(b"abc"))
    return file.getvalue()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_the_standard_library_writes_is_read(form):
    if form == tarfile.USTAR_FORMAT:
        with pytest.raises(ValueError, match="name is too long"):
            written(form)
        return
    assert contents(written(form)) == {
        Member("top", "folder", 0): b"",
        Member("top/a", "file", 3): b"abc",
        Member(DEEP, "file", 3): b"abc",
        Member("top/link", "symlink", 0, "d" * 120 + "/a"): b"",
        Member("top/same", "hardlink", 0, "top/a"): b"",
    }


HONEST = {
    "empty": (tar_file(), []),
    "no end mark": (tar_file(tar_member("a"), end=b""), ["a"]),
    "one zero block": (tar_file(tar_member("a"), end=bytes(512)), ["a"]),
    "padded": (tar_file(tar_member("a"), end=bytes(10_240)), ["a"]),
    "before POSIX": (tar_file(tar_header("a/", kind=b"\0", magic=OLD), tar_member("a/b", magic=OLD)), ["a", "a/b"]),
    "ustar with a prefix": (tar_file(tar_member("b", prefix=b"a")), ["a/b"]),
    "names from the current folder": (tar_file(tar_header("./", kind=b"5"), tar_member("./a//b")), ["", "a/b"]),
    "a repeated folder": (tar_file(*[tar_header("a", kind=b"5")] * 2), ["a", "a"]),
    "an equal file twice": (tar_file(*[tar_member("a", b"x")] * 2), ["a"]),
    "no UTF-8": (tar_file(tar_member(b"caf\xe9")), ["caf\udce9"]),
    "a commit of git": (tar_file(pax({"comment": "0" * 40}, b"g"), tar_member("a")), ["a"]),
    "base-256": (tar_file(tar_member("a", b"x", size=b"\x80" + bytes(10) + b"\1", uid=b"\xff" * 8)), ["a"]),
    "pax name": (tar_file(pax({"path": "é/b", "mtime": "1.5"}), tar_member("short")), ["é/b"]),
    "pax size": (tar_file(pax({"size": "3"}), tar_member("a", b"abc")), ["a"]),
    "links to the top": (
        tar_file(tar_header("a/b/c", kind=b"2", target=b"../.."), tar_header("a/d", kind=b"2", target=b"./e")),
        ["a/b/c", "a/d"],
    ),
}


@pytest.mark.parametrize(("data", "found"), HONEST.values(), ids=HONEST)
def test_an_honest_archive_is_read(data, found):
    assert list(dict.fromkeys(names(data))) == list(dict.fromkeys(found))


def test_a_signed_checksum_is_understood():
    header = bytearray(tar_header(b"\xe9"))
    signed = sum(header[:148]) + 8 * 32 + sum(header[156:]) - 256
    assert names(tar_file(tar_member(b"\xe9", checksum=signed))) == ["\udce9"]


def test_data_that_is_not_read_is_passed_over():
    archive = TarArchive(io.BytesIO(builders.tar_of({"a": b"x" * 200_000, "b": b"yy"})))
    assert [archive.read(5) if member.name == "b" else b"" for member in archive] == [b"", b"yy"]


def test_a_trailer_that_is_no_archive_may_be_allowed():
    data = tar_file(tar_member("a"))
    assert names(data + b"left over", trailer=True) == ["a"]
    for rest in (b"left over", bytes(512), data, b"xPK\3\4", bytes(70_000)):
        with pytest.raises(ArchiveError, match="after the end"):
            names(data + rest, trailer=rest != b"left over" and rest != bytes(512))


def long(size: int) -> bytes:
    return pax({"comment": "x" * size})


def link(target: bytes, name: str = "a/b", kind: bytes = b"2") -> bytes:
    return tar_file(tar_header(name, kind=kind, target=target))


GOOD = tar_file(tar_member("a", b"abc"))
HOSTILE = {
    "nothing": (b"", "cut short"),
    "no gzip": (b"x" * 600, "cannot be read"),
    "no tar": (gzip.compress(b"x" * 600), "no tar archive|not a number"),
    "truncated": (GOOD[:-9], "cut short"),
    "a wrong checksum of gzip": (GOOD[:-8] + b"0000" + GOOD[-4:], "cannot be read"),
    "a wrong length of gzip": (GOOD[:-4] + b"0000", "cannot be read"),
    "a second gzip member": (GOOD + GOOD, "after the end"),
    "trailing data": (GOOD + b"x", "after the end"),
    "a member after the end": (tar_file(tar_member("a"), end=bytes(512) + tar_member("b")), "after its end"),
    "data after a megabyte of zeros": (tar_file(end=bytes(10**6) + b"x"), "after its end"),
    "cut in a header": (tar_file(tar_member("a")[:300], end=b""), "cut short"),
    "cut in the data": (tar_file(tar_member("a", b"x" * 600)[:700], end=b""), "cut short"),
    "cut in the padding": (tar_file(tar_member("a", b"x")[:520], end=b""), "cut short"),
    "cut before the padding": (tar_file(tar_header("a", size=1) + b"x", end=b""), "cut short"),
    "cut before the data": (tar_file(tar_header("a", size=512), end=b""), "cut short"),
    "a wrong checksum": (tar_file(tar_header("a", checksum=1)), "checksum"),
    "a negative size": (tar_file(tar_header("a", size=b"\xff" * 12)), "impossible size"),
    "a negative size in pax (CVE-2025-8194)": (tar_file(pax({"size": "-1"}), tar_member("a")), "impossible size"),
    "a huge size": (tar_file(tar_header("a", size=b"\x80" + b"\xff" * 11)), "impossible size"),
    "a huge size in pax": (tar_file(pax({"size": "9" * 30}), tar_member("a")), "impossible size"),
    "a size over the limit in pax": (tar_file(pax({"size": "9" * 15}), tar_member("a")), "impossible size"),
    "two sizes (CVE-2025-62518)": (tar_file(pax({"size": "1024"}), tar_member("a")), "two sizes"),
    "a number that is none": (tar_file(tar_header("a", uid=b"0_0 0+\0\0")), "uid in the header"),
    "a sign": (tar_file(tar_header("a", size=b"-0000000001\0")), "not a number"),
    "a prefix in GNU's format": (tar_file(tar_member("a", magic=GNU, prefix=b"123")), "prefix"),
    "a character device": (tar_file(tar_header("a", kind=b"3")), "a device"),
    "a block device": (tar_file(tar_header("a", kind=b"4")), "a device"),
    "a FIFO": (tar_file(tar_header("a", kind=b"6")), "a FIFO"),
    "a sparse file": (tar_file(tar_header("a", kind=b"S", magic=GNU)), "a sparse file"),
    "a sparse file in pax": (tar_file(pax({"GNU.sparse.map": "0,1"}), tar_member("a")), "sparse file"),
    "an unknown kind": (tar_file(tar_header("a", kind=b"Z")), "of an unknown kind"),
    "a contiguous file": (tar_file(tar_header("a", kind=b"7")), "of an unknown kind"),
    "a file named as a folder": (tar_file(tar_member("a/")), "name of a folder"),
    "a folder with data": (tar_file(tar_member("a", b"x", kind=b"5")), "has data"),
    "a link with data": (tar_file(tar_member("a", b"x", kind=b"2", target=b"b")), "has data"),
    "traversal": (tar_file(tar_member("../a")), "climbs"),
    "traversal inside": (tar_file(tar_member("a/../../b")), "climbs"),
    "absolute": (tar_file(tar_member("/etc/passwd")), "absolute"),
    "a drive": (tar_file(tar_member("c:a")), "absolute"),
    "a backslash": (tar_file(tar_member("a\\b")), "backslash"),
    "a control character": (tar_file(tar_member("a\nb")), "control character"),
    "no name": (tar_file(tar_member(b"")), "names nothing"),
    "a long name": (tar_file(long_name(b"a" * 1_025), tar_member("a", magic=GNU)), "longer than 1024"),
    "a link out": (link(b"../../x"), "out of the archive"),
    "a link up and out": (link(b"../c/../../../x"), "climbs"),
    "a link to the root": (link(b"/etc/passwd"), "absolute"),
    "a link through a link": (tar_file(tar_header("a", kind=b"2", target=b"b"), tar_member("a/c")), "needs a folder"),
    "a link without a target": (link(b""), "target that is not allowed"),
    "a hard link out": (link(b"../x", kind=b"1"), "no file before it"),
    "a hard link to a link": (
        tar_file(tar_header("a", kind=b"2", target=b"b"), tar_header("c", kind=b"1", target=b"a")),
        "no file before it",
    ),
    "two members": (tar_file(tar_member("a", b"x"), tar_member("a", b"y")), "that differ"),
    "two members of two kinds": (tar_file(tar_member("a"), tar_header("a", kind=b"2", target=b"b")), "that differ"),
    "two spellings": (tar_file(tar_member("a", b"x"), tar_member("./a", b"y")), "that differ"),
    "a file and a folder": (tar_file(tar_member("a"), tar_header("a", kind=b"5")), "two members"),
    "a header at the end": (tar_file(pax({"path": "a"})), "member to come"),
    "two pax headers": (tar_file(pax({"path": "a"}), pax({"path": "b"}), tar_member("c")), "two extended headers"),
    "GNU and pax": (tar_file(long_name(b"a"), pax({"path": "b"}), tar_member("c")), "two extended headers"),
    "pax and GNU": (tar_file(pax({"path": "b"}), long_name(b"a"), tar_member("c")), "two long names"),
    "two long names": (tar_file(long_name(b"a"), long_name(b"b"), tar_member("c")), "two long names"),
    "two long links": (tar_file(long_name(b"a", b"K"), long_name(b"b", b"K"), tar_member("c")), "two long names"),
    "a global name": (tar_file(pax({"path": "a"}, b"g"), tar_member("b")), "global header"),
    "another encoding": (tar_file(pax({"hdrcharset": "BINARY"}), tar_member("b")), "renames"),
    "a record twice": (tar_file(pax(b"8 path=a" * 2), tar_member("b")), "not well-formed"),
    "a keyword twice": (tar_file(pax(b"9 path=a\n9 path=b\n"), tar_member("b")), "twice"),
    "a record without length": (tar_file(pax(b"path=a\n"), tar_member("b")), "not well-formed"),
    "a record too long": (tar_file(pax(b"99 path=a\n"), tar_member("b")), "not well-formed"),
    "a record too short": (tar_file(pax(b"1 path=a\n"), tar_member("b")), "not well-formed"),
    "a record without a value": (tar_file(pax(b"7 path\n"), tar_member("b")), "not well-formed"),
    "a NUL in pax": (tar_file(pax({"path": "a\0b"}), tar_member("b")), "a NUL"),
    "nothing in pax": (tar_file(pax({"path": ""}), tar_member("b")), "a NUL"),
    "a long header": (tar_file(long(2**20), tar_member("a")), "longer than 1048576"),
}


@pytest.mark.parametrize(("data", "said"), HOSTILE.values(), ids=HOSTILE)
def test_C18_C_paths_a_hostile_archive_is_refused(data, said):
    with pytest.raises(ArchiveError, match=said):
        contents(data)


def test_a_member_over_the_limit_is_not_read():
    archive = TarArchive(io.BytesIO(GOOD))
    with pytest.raises(ArchiveError, match="longer than 2 bytes"):
        [archive.read(2) for _ in archive]


def test_a_size_that_only_pax_can_hold_is_believed():
    archive = TarArchive(io.BytesIO(tar_file(pax({"size": str(2**33)}), tar_member("a"))))
    with pytest.raises(ArchiveError, match="cut short"):
        assert [member.size for member in archive] == [2**33]


def test_too_many_members_are_refused():
    with pytest.raises(ArchiveError, match="more than 2 members"):
        contents(builders.tar_of({"a": b"", "b": b"", "c": b""}), Limits(members=2))


def test_C18_a_bomb_is_refused_before_it_has_gone_off():
    bomb = tar_file(tar_member("a", bytes(80 * 2**20)))
    began = time.process_time()
    with pytest.raises(ArchiveError, match="50 times its size"):
        contents(bomb)
    assert time.process_time() - began < 10
    with pytest.raises(ArchiveError, match="more than 1000 bytes"):
        contents(GOOD, Limits(unpacked=1_000))


def test_an_explosion_of_headers_ends_quickly():
    data = tar_file(*[pax({"comment": "x" * 400}, b"g")] * 20_000, tar_member("a"))
    began = time.process_time()
    with pytest.raises(ArchiveError, match="1000 global headers"):
        contents(data)
    assert time.process_time() - began < 10


CHANGES = st.lists(st.tuples(st.integers(0, 20_000), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4)
SAMPLES = [gzip.decompress(written(form)) for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)] + [
    gzip.decompress(builders.sdist()[1])
]


def repaired(data: bytearray) -> bytes:
    """The same with right checksums wherever a header may be: without them, changes would not get far."""
    for place in range(0, len(data) - 511, 512):
        block = data[place : place + 512]
        if block[257:262] == b"ustar":
            total = sum(block[:148]) + 8 * 32 + sum(block[156:])
            data[place + 148 : place + 156] = b"%06o\0 " % total
    return bytes(data)


@settings(max_examples=1_000 * TORTURE, deadline=2_000, derandomize=True, suppress_health_check=list(HealthCheck))
@given(sample=st.sampled_from(range(len(SAMPLES))), changes=CHANGES, fix=st.booleans())
def test_a_mutated_archive_is_read_or_refused(tally: Tally, sample, changes, fix):
    tally.add("archives mutated")
    raw = bytearray(SAMPLES[sample])
    for place, fresh in changes:
        raw[place % len(raw) : place % len(raw) + len(fresh)] = fresh
    packed = gzip.compress(repaired(raw) if fix else bytes(raw), 1)
    try:
        read = contents(packed)
    except ArchiveError:
        return
    with tarfile.open(fileobj=io.BytesIO(packed)) as other:
        seen = {member.name: member.size for member in other}
    assert {member.name: member.size for member in read} == seen


@settings(max_examples=200 * TORTURE, deadline=2_000, derandomize=True)
@given(CHANGES)
def test_damaged_compression_is_refused_or_harmless(changes):
    raw = bytearray(builders.sdist()[1])
    for place, fresh in changes:
        raw[place % len(raw) : place % len(raw) + len(fresh)] = fresh
    with suppress(ArchiveError):
        contents(bytes(raw))
