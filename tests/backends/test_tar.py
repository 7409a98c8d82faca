"""The store in one tar file: written once, read with bounds, unpacked by any tar."""

from __future__ import annotations

import io
import os
import random
import subprocess
import tarfile
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from mypi.backends.tar import TarStore
from mypi.settings import backend
from mypi.store import Conflict, Full, InvalidKey, NotFound, Store, Truncated, Unavailable, Unchanged
from tests import builders

LONG = "files/main/" + "p" * 120 + "/0123456789abcdef/" + "f" * 210


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "x.tar.part")


@pytest.fixture
def store(path: str):
    made = TarStore(path)
    yield made
    made.close()


def reading(path: str) -> TarStore:
    return TarStore.for_reading(path=path)


def put(store: Store, key: str, data: bytes) -> None:
    store.add(key, io.BytesIO(data), len(data))


def everything(store: Store) -> dict[str, bytes]:
    return {entry.key: store.read(entry.key)[0] for entry in store.list()}


def test_it_is_found_by_its_dotted_name() -> None:
    assert backend("mypi.backends.tar:TarStore") is TarStore


def test_what_is_written_is_read_back_while_writing_and_after(store: TarStore, path: str) -> None:
    put(store, LONG, b"x" * 3000)
    put(store, "files/empty", b"")
    tag = store.swap("indexes/main.json", b"one", None)
    assert store.swap("indexes/main.json", b"second", tag) != tag
    expected = {LONG: b"x" * 3000, "files/empty": b"", "indexes/main.json": b"second"}
    assert everything(store) == expected
    store.close()
    with_reader = reading(path)
    assert everything(with_reader) == expected
    assert {entry.key for entry in with_reader.list("files/")} == {LONG, "files/empty"}
    assert all(abs(entry.modified - time.time()) < 100 for entry in with_reader.list())
    with_reader.close()


def test_any_tar_unpacks_it(store: TarStore, path: str, tmp_path: Path) -> None:
    put(store, LONG, b"x" * 3000)
    tag = store.swap("indexes/main.json", b"one", None)
    store.swap("indexes/main.json", b"second", tag)
    target = tmp_path / "out"
    target.mkdir()
    subprocess.run(["tar", "-xf", path, "-C", str(target)], check=True, capture_output=True)
    assert (target / LONG).read_bytes() == b"x" * 3000
    assert (target / "indexes/main.json").read_bytes() == b"second"


def test_ranges_and_tags(store: TarStore) -> None:
    put(store, "a", b"0123456789")
    with store.open("a", 2, 5) as reader:
        assert (reader.read(), reader.size) == (b"234", 10)
        tag = reader.tag
    with store.open("a", 8, 50) as reader:
        assert reader.read() == b"89"
    with store.open("a", 50) as reader:
        assert reader.read() == b""
    with pytest.raises(Unchanged):
        store.open("a", unless=tag)
    with pytest.raises(NotFound):
        store.open("b")


def test_a_swap_that_expects_another_version_is_a_conflict(store: TarStore) -> None:
    tag = store.swap("a", b"1", None)
    with pytest.raises(Conflict):
        store.swap("a", b"2", None)
    store.swap("a", b"2", tag)
    with pytest.raises(Conflict):
        store.swap("a", b"3", tag)


class Breaks:
    def read(self, size: int) -> bytes:
        raise OSError("the source broke")


def test_after_an_error_the_file_is_as_before(store: TarStore, path: str) -> None:
    put(store, "a", b"1" * 1000)
    before = Path(path).read_bytes()
    with pytest.raises(Truncated):
        store.add("b", io.BytesIO(b"12"), 3)
    with pytest.raises(OSError, match="the source broke"):
        store.add("b", Breaks(), 3)
    assert Path(path).read_bytes() == before
    put(store, "b", b"2")
    with closing(reading(path)) as found:
        assert everything(found) == {"a": b"1" * 1000, "b": b"2"}


def test_nothing_is_deleted_and_nothing_written_to_what_is_finished(store: TarStore, path: str) -> None:
    put(store, "a", b"1")
    with pytest.raises(Unavailable, match="nothing leaves a tar file"):
        store.delete("a")
    finished = reading(path)
    assert finished.read_only
    with pytest.raises(Unavailable, match="only read"):
        put(finished, "b", b"2")
    finished.close()


def test_one_process_writes_at_a_time(store: TarStore, path: str) -> None:
    put(store, "a", b"1")
    with pytest.raises(Unavailable, match="another process"):
        TarStore(path)
    store.close()
    # What was never finished is begun anew.
    again = TarStore(path)
    assert everything(again) == {}
    again.close()


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(b"mine")
    with pytest.raises(Unavailable, match="exists; name another file"):
        TarStore(str(path))
    assert path.read_bytes() == b"mine"


def test_places_that_cannot_be_are_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "x.tar.part", tmp_path):
        with pytest.raises(Unavailable):
            TarStore(str(path))
    for path in (tmp_path / "x.tar", tmp_path):
        with pytest.raises(Unavailable):
            reading(str(path))


def test_a_full_disk_is_told(store: TarStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "a", b"1")

    def full(fd: int, data: bytes, place: int) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(Full):
            put(store, "b", b"2")
    put(store, "c", b"3")
    assert everything(store) == {"a": b"1", "c": b"3"}


def test_after_its_end_a_store_says_so(store: TarStore) -> None:
    put(store, "a", b"1")
    reader = store.open("a")
    store.close()
    with pytest.raises(Unavailable, match="closed"):
        reader.read()


# What others made


def write(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "given.tar"
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize("form", ["gnu", "pax", "ustar"])
def test_a_tar_that_tar_made_of_a_store_is_read(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "store"
    name = "files/main/acme/0123456789abcdef/" + ("short" if form == "ustar" else "f" * 180)
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(b"1" * 700)
    (folder / "store.json").write_bytes(b"{}")
    (folder / "link").symlink_to("store.json")
    path = str(tmp_path / "given.tar")
    subprocess.run(["tar", f"--format={form}", "-cf", path, "-C", str(folder), "."], check=True)
    found = reading(path)
    assert everything(found) == {name: b"1" * 700, "store.json": b"{}"}
    found.close()


def test_a_size_that_only_the_extended_header_has_is_used(tmp_path: Path) -> None:
    member = builders.tar_header("a", size=0) + b"12345" + bytes(507)
    found = reading(write(tmp_path, builders.pax({"size": "5"}) + member + bytes(1024)))
    assert everything(found) == {"a": b"12345"}
    found.close()


def test_headers_about_nothing_are_passed_over(tmp_path: Path) -> None:
    archive = builders.pax({"comment": "x"}, kind=b"g") + builders.tar_member("a", b"1") + bytes(1024)
    found = reading(write(tmp_path, archive))
    assert everything(found) == {"a": b"1"}
    found.close()


HOSTILE = {
    "empty": b"",
    "text": b"not a tar " * 100,
    "compressed": builders.tar_of({"a": b"1"}) + bytes(1024),
    "negative": builders.tar_header("a", size=b"\xff" * 12) + bytes(1024),
    "huge": builders.tar_header("a", size=b"\x80" + b"\x7f" * 11) + bytes(1024),
    "longer than the file": builders.tar_header("a", size=5000) + bytes(1024),
    "no end": builders.tar_member("a", b"1"),
    "half a block": builders.tar_member("a", b"1") + bytes(100),
    "no records": builders.pax(b"nothing") + builders.tar_member("a", b"1") + bytes(1024),
    "no length": builders.pax(b"0 a=b\n") + builders.tar_member("a", b"1") + bytes(1024),
    "no newline": builders.pax(b"6 a=bc") + builders.tar_member("a", b"1") + bytes(1024),
    "size that is none": builders.pax({"size": "-512"}) + builders.tar_member("a", b"1") + bytes(1024),
    "size too great": builders.pax({"size": "1" * 18}) + builders.tar_member("a", b"1") + bytes(1024),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_tar_that_is_none_is_told_at_once(tmp_path: Path, case: str) -> None:
    begun = time.process_time()
    with pytest.raises((Unavailable, Truncated)):
        reading(write(tmp_path, HOSTILE[case]))
    assert time.process_time() - begun < 10


def test_what_is_cut_anywhere_is_told_or_whole(store: TarStore, path: str, tmp_path: Path) -> None:
    put(store, LONG, b"x" * 700)
    put(store, "b", b"2")
    data = Path(path).read_bytes()
    for size in range(0, len(data) - 512, 100):
        with pytest.raises((Unavailable, Truncated)):
            reading(write(tmp_path, data[:size]))


def test_mutated_tars_raise_nothing_else_and_have_an_end(store: TarStore, path: str, tmp_path: Path) -> None:
    put(store, LONG, b"x" * 700)
    put(store, "b", b"2")
    data = Path(path).read_bytes()
    chance = random.Random(7)
    opened = 0
    for _ in range(300):
        mutated = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        try:
            found = reading(write(tmp_path, bytes(mutated)))
        except (Unavailable, Truncated):
            continue
        opened += 1
        # A name that is no key is listed, but never asked for.
        with closing(found), suppress(InvalidKey):
            everything(found)
    assert opened


def test_control_the_standard_library_reads_what_we_write(store: TarStore, path: str) -> None:
    put(store, LONG, b"x" * 700)
    with tarfile.open(path) as archive:
        assert archive.getnames() == [LONG]
