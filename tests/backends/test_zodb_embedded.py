"""A database in a folder: durable when it says so, read beside its server, mended after a kill, sealed if it fails."""

from __future__ import annotations

import errno
import io
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ZODB.FileStorage import FileStorage

from mypi.backends.filesystem.disk import Disk
from mypi.backends.zodb import ZodbStore, blobs, embedded
from mypi.commands import main
from mypi.repository import Repository
from mypi.settings import Settings
from mypi.store import Full, NotFound, Sealed, StoreError, Truncated, Unavailable
from tests import stores
from tests.repository.shorthand import publish

from .breaking import DOCUMENT, FILE

MIB = 2**20


def add(store: Any, key: str = FILE, data: bytes = b"bytes") -> None:
    store.add(key, io.BytesIO(data), len(data))


def blob_of(root: Path) -> Path:
    (found,) = root.glob("blobs/0x*/**/*.blob")
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> Iterator[ZodbStore]:
    store = ZodbStore(path=str(root))
    store.check()
    yield store
    store.close()


# What a power loss leaves


@pytest.fixture
def after_power_loss(mount: Callable[..., Path], tmp_path: Path) -> Callable[[], ZodbStore]:
    """Publish on a disk, copy what the disk has got by then, as if the power had gone, and open the copy."""

    def publish_and_lose_power() -> ZodbStore:
        store = ZodbStore(path=str(mount("ext4", size=64 * MIB) / "a" / "db"))
        store.check()
        tag = None
        for number in range(20):
            with store.spool() as spool:
                spool.write(b"%d" % number * 1000)
                spool.seek(0)
                store.add(f"files/spooled/{number}", spool, len(b"%d" % number) * 1000)
            add(store, f"files/copied/{number}", b"%d" % number * 1000)
            tag = store.swap(DOCUMENT, b"%d" % number, tag)
        shutil.copyfile(tmp_path / "image0", tmp_path / "copy")
        store.close()
        return ZodbStore(path=str(mount("ext4", image=tmp_path / "copy") / "a" / "db"))

    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    return publish_and_lose_power


def lost(store: ZodbStore) -> list[str]:
    """Return what was acknowledged and is not there, or not whole."""
    found = []
    for kind in ("spooled", "copied"):
        for number in range(20):
            try:
                assert store.read(f"files/{kind}/{number}")[0] == b"%d" % number * 1000
            except (StoreError, AssertionError):
                found.append(f"{kind}/{number}")
    return found


def test_what_was_acknowledged_survives_the_loss_of_power(after_power_loss: Callable[[], ZodbStore]) -> None:
    survivor = after_power_loss()
    survivor.check()
    assert lost(survivor) == []
    assert survivor.read(DOCUMENT)[0] == b"19"
    survivor.close()


def test_control_without_our_syncs_blobs_are_lost(
    after_power_loss: Callable[[], ZodbStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disk, "finish", lambda *_: None)
    monkeypatch.setattr(Disk, "sync_folder", lambda *_: None)
    survivor = after_power_loss()
    assert len(lost(survivor)) > 20
    # What is damaged can be listed and deleted all the same.
    assert len(list(survivor.list("files/"))) == 40
    survivor.delete("files/copied/0")
    survivor.close()


def test_known_folders_are_not_synced_again(store: ZodbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store, "files/1")
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), real(fd))[1])
    add(store, "files/2")
    assert len(synced) == 3  # the bytes, the blob's folder, the folder of that; ZODB syncs Data.fs itself


def test_folders_known_to_be_durable_are_bounded(store: ZodbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "_REMEMBERED", 3)
    for number in range(3):
        add(store, f"files/{number}")
    assert store._blobs._known is not None
    assert len(store._blobs._known) <= 10


# What fails


def test_a_failed_sync_of_the_bytes_stores_nothing_and_seals(store: ZodbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(Sealed, match=r"a sync of .* failed .*; mend the disk, run mypi verify, restart mypi"):
            add(store)
    for call in (lambda: add(store, "files/other"), store.probe):
        with pytest.raises(Sealed):
            call()
    assert list(store.list()) == []


def test_a_failed_sync_of_a_folder_is_not_acknowledged(store: ZodbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync
    passing = 1  # the bytes

    def fail(fd: int) -> None:
        nonlocal passing
        passing -= 1
        if passing < 0:
            raise OSError(errno.EIO, "input/output error")
        real(fd)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Sealed):
        add(store)


def test_a_failed_sync_of_the_database_seals_it(store: ZodbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["ZODB.FileStorage.FileStorage"], "fsync", fail)
        with pytest.raises(Sealed, match=r"a write failed .*; mend the disk, restart mypi, run mypi verify"):
            store.swap(DOCUMENT, b"1", None)
    for call in (lambda: store.read(DOCUMENT), lambda: store.swap(DOCUMENT, b"1", None), store.probe):
        with pytest.raises(Sealed, match="restart mypi"):
            call()


def test_a_full_disk_is_told_leaves_nothing_and_recovers(mount: Callable[..., Path]) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    store = ZodbStore(path=str(mount("ext4", size=16 * MIB) / "db"))
    store.check()
    add(store, data=bytes(2 * MIB))
    tag = store.swap(DOCUMENT, b"1", None)
    with pytest.raises(Full):
        add(store, "files/large", bytes(16 * MIB))
    with pytest.raises(Full):
        store.swap(DOCUMENT, os.urandom(16 * MIB), tag)
    assert sorted(entry.key for entry in store.list()) == [FILE, DOCUMENT]
    assert store.read(DOCUMENT) == (b"1", tag)
    store.swap(DOCUMENT, b"2", tag)
    store.delete(FILE)
    assert store.maintain(time.time()) == 1
    add(store, "files/again", bytes(2 * MIB))
    store.close()


def test_a_file_system_without_links_is_refused(store: ZodbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EPERM, "not permitted")

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(Unavailable, match="has no hard links; keep it on one that has, such as ext4"):
        store.check()


def test_trouble_with_links_is_told(store: ZodbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(Unavailable, match="mounted read-only"):
        store.check()


def test_a_folder_that_cannot_be_synced_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(embedded, "sync", fail)
    with pytest.raises(Unavailable, match="input/output error"):
        ZodbStore(path=str(root))
    monkeypatch.undo()
    ZodbStore(path=str(root)).close()


# What is missing


def test_a_blob_that_is_missing_is_not_found_and_can_be_deleted(store: ZodbStore, root: Path) -> None:
    add(store)
    blob_of(root).unlink()
    with pytest.raises(NotFound, match="its bytes are missing; run mypi verify"):
        store.open(FILE)
    assert [entry.key for entry in store.list()] == [FILE]
    store.delete(FILE)
    assert list(store.list()) == []


def test_a_blob_of_another_size_is_truncated(store: ZodbStore, root: Path) -> None:
    add(store)
    blob_of(root).chmod(0o600)
    blob_of(root).write_bytes(b"byte")
    with pytest.raises(Truncated, match="has 4 bytes instead of 5; run mypi verify"):
        store.open(FILE)


def test_a_folder_of_blobs_that_is_away_is_no_loss_of_files(store: ZodbStore, root: Path) -> None:
    add(store)
    (root / "blobs").rename(root / "away")
    with pytest.raises(Unavailable, match="mount its disk"):
        store.open(FILE)
    (root / "away").rename(root / "blobs")
    assert store.read(FILE)[0] == b"bytes"


def test_known_tag_of_a_file_is_answered_unchanged(store: ZodbStore) -> None:
    add(store)
    with store.open(FILE) as reader:
        tag = reader.tag
    with pytest.raises(StoreError, match="unchanged"):
        store.open(FILE, unless=tag)


def test_a_database_that_lost_its_file_is_refused_and_keeps_its_blobs(store: ZodbStore, root: Path) -> None:
    add(store)
    store.close()
    (root / "Data.fs").rename(root / "elsewhere")
    with pytest.raises(Unavailable, match=r"its Data\.fs is missing, although its blobs are there; restore it"):
        ZodbStore(path=str(root))
    assert blob_of(root).read_bytes() == b"bytes"
    (root / "elsewhere").rename(root / "Data.fs")
    again = ZodbStore(path=str(root))
    assert again.read(FILE)[0] == b"bytes"
    again.close()


# What is listed


def test_listing_goes_on_over_many_slices(store: ZodbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mypi.backends.zodb._SLICE", 4)
    stay = [f"files/{number:02}" for number in range(12)]
    for key in ("a", *stay, "filesystem", "z"):
        add(store, key)
    listed = []
    for entry in store.list("files/"):
        listed.append(entry.key)
        if entry.key in ("files/03", "files/07"):
            store.delete(entry.key)
            add(store, entry.key + "a")
            stay.remove(entry.key)
    assert [key for key in listed if key in stay] == stay
    assert len(listed) == len(set(listed))
    assert [entry.key for entry in store.list("nothing/")] == []
    assert len(list(store.list())) == 15


# What is packed


@pytest.mark.parametrize("moment", ["first", "second"])
def test_a_kill_between_the_renames_of_a_pack_loses_nothing(
    store: ZodbStore, root: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store)
    tag = store.swap(DOCUMENT, b"1", None)
    store.swap(DOCUMENT, b"2", tag)
    real = os.rename
    passing = 1 if moment == "first" else 2
    copy = root.parent / "copy"

    def rename(source: str, target: str) -> None:
        nonlocal passing
        real(source, target)
        passing -= 1
        if passing == 0:
            shutil.copytree(root, copy, ignore=shutil.ignore_patterns("*.lock"))

    monkeypatch.setattr(os, "rename", rename)
    store.maintain(time.time())
    monkeypatch.undo()
    killed = ZodbStore(path=str(copy))
    assert killed.read(DOCUMENT)[0] == b"2"
    assert killed.read(FILE)[0] == b"bytes"
    killed.maintain(time.time())
    assert killed.read(FILE)[0] == b"bytes"
    killed.close()


def test_a_packed_file_that_cannot_be_synced_takes_no_place(
    store: ZodbStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = store.swap(DOCUMENT, b"1", None)
    tag = store.swap(DOCUMENT, b"2", tag)
    before = (root / "Data.fs").stat().st_ino

    def fail(_: object) -> None:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(embedded, "sync", fail)
        with pytest.raises(Unavailable, match="input/output error"):
            store.maintain(time.time())
    assert (root / "Data.fs").stat().st_ino == before
    assert store.read(DOCUMENT)[0] == b"2"
    store.swap(DOCUMENT, b"3", tag)
    store.maintain(time.time())
    assert (root / "Data.fs").stat().st_ino != before


def test_files_come_while_others_are_packed_away(store: ZodbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    # Packed up to now, but not cleared: a sweep leaves what is younger than a day alone, and ZODB locks nothing.
    monkeypatch.setattr(store._blobs, "clear", lambda before: 0)
    done = threading.Event()
    added: list[str] = []

    def keep_adding() -> None:
        while not done.is_set():
            add(store, f"files/stay/{len(added)}")
            added.append(f"files/stay/{len(added)}")
            add(store, "files/go")
            store.delete("files/go")

    thread = threading.Thread(target=keep_adding)
    thread.start()
    for _ in range(5):
        store.maintain(time.time())
    done.set()
    thread.join(30)
    assert added
    assert all(store.read(key)[0] == b"bytes" for key in added)


# What is read beside a server


def beside(root: Path) -> ZodbStore:
    store = ZodbStore.for_reading(path=str(root))
    assert isinstance(store, ZodbStore)
    return store


def test_a_database_can_be_read_beside_the_process_that_has_it_open(store: ZodbStore, root: Path) -> None:
    add(store)
    tag = store.swap(DOCUMENT, b"1", None)
    reading = beside(root)
    assert (reading.read_only, reading.processes, reading.nodes) == (True, False, False)
    assert reading.read(DOCUMENT) == (b"1", tag)
    assert reading.read(FILE)[0] == b"bytes"
    calls: list[Callable[[], object]] = [
        lambda: add(reading, "files/mine"),
        lambda: reading.swap(DOCUMENT, b"2", tag),
        lambda: reading.delete(FILE),
        lambda: reading.maintain(0),
        lambda: reading.tidy(0),
        reading.probe,
    ]
    for call in calls:
        with pytest.raises(Unavailable, match="was opened for reading, beside a server; stop that to write"):
            call()
    reading.close()
    store.swap(DOCUMENT, b"2", tag)


def test_where_no_database_is_nothing_is_made_for_reading(root: Path) -> None:
    with pytest.raises(Unavailable, match="holds no database yet; start the server once, which makes one"):
        beside(root)
    assert not root.exists()


def test_a_database_without_an_index_reads_as_empty(root: Path) -> None:
    ZodbStore(path=str(root)).close()
    reading = beside(root)
    assert list(reading.list()) == []
    with pytest.raises(NotFound):
        reading.read(DOCUMENT)
    reading.close()


def test_commands_that_read_stand_beside_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {f"mypi.{name}": value for name, value in stores.settings("zodb", tmp_path).items()}
    serving = Repository.open(Settings.load({**given, "mypi.upload": "everyone"}, {}))
    publish(serving)
    ini = tmp_path / "mypi.ini"
    ini.write_text(
        "[app:main]\nuse = egg:mypi\nmypi.upload = everyone\n" + "".join(f"{k} = {v}\n" for k, v in given.items())
    )
    for command in (["list"], ["show", "acme-lib"], ["verify"]):
        assert main(["-c", str(ini), *command]) == 0
    capsys.readouterr()
    assert main(["-c", str(ini), "sweep"]) == 1
    assert "is in use by another process" in capsys.readouterr().err
    serving.close()


def test_a_writing_process_that_was_killed_leaves_no_lock(root: Path) -> None:
    code = (
        "import os, sys; from mypi.backends.zodb import ZodbStore; s = ZodbStore(path=sys.argv[1]); s.check();"
        "left = s.spool(); left.write(b'x' * 300000); s.swap('a', b'1', None); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(root)], check=False)
    store = ZodbStore(path=str(root))
    assert store.read("a")[0] == b"1"
    assert store.tidy(2**40) == 1
    store.close()


@pytest.mark.parametrize("killed_in", ["ZODB.blob.Blob.consumeFile", "ZODB.blob.BlobStorageMixin.storeBlob"])
def test_a_process_that_was_killed_while_it_added_leaves_no_bytes_for_ever(root: Path, killed_in: str) -> None:
    code = (
        "import io, os, pkgutil, sys; from mypi.backends.zodb import ZodbStore; name = sys.argv[2].rpartition('.');"
        "setattr(pkgutil.resolve_name(name[0]), name[2], lambda *_: os.kill(os.getpid(), 9));"
        "s = ZodbStore(path=sys.argv[1]); s.check(); s.add('files/a', io.BytesIO(b'x'), 1)"
    )
    subprocess.run([sys.executable, "-c", code, str(root), killed_in], check=False)
    assert len(list((root / "blobs" / "tmp").iterdir())) == 1
    store = ZodbStore(path=str(root))
    assert store.tidy(0) == 0
    assert store.tidy(2**40) == 2
    assert list((root / "blobs" / "tmp").iterdir()) == []
    store.close()


def test_who_reads_beside_a_pack_is_told_to_read_again(store: ZodbStore, root: Path) -> None:
    tags = {key: store.swap(key, b"1" * 200, None) for key in (f"indexes/main/{n}.json" for n in range(50))}
    for key, tag in tags.items():
        store.swap(key, b"2" * 200, tag)
    add(store)
    store.close()
    reading = ZodbStore.for_reading(path=str(root))
    packing = ZodbStore(path=str(root))
    packing.delete(FILE)
    packing.maintain(time.time())
    packing.close()
    reading._database.storage._files.empty()  # as if every thread met it for the first time
    told = set()
    for key in (*tags, FILE):
        try:
            assert reading.read(key)[0] == b"2" * 200
        except StoreError as exc:
            told.add(f"{type(exc).__name__}: {exc.reason}")
    assert told == {"Unavailable: the database was packed while it was read here; run this again"}
    reading.close()


def test_folders_are_closed_to_others(store: ZodbStore, root: Path) -> None:
    for folder in (root, root / "blobs"):
        assert folder.stat().st_mode & 0o077 == 0


def test_path_of_a_file_is_the_blob(store: ZodbStore, root: Path) -> None:
    add(store)
    with store.open(FILE) as reader:
        assert reader.path == str(blob_of(root))


def test_spool_is_taken_without_copying(store: ZodbStore, root: Path) -> None:
    with store.spool() as spool:
        spool.write(b"bytes")
        spool.seek(0)
        store.add(FILE, spool, 5)
        assert blob_of(root).samefile(spool.name)
    assert store.spool_folder == str(root / "blobs" / ".spool")
    assert list((root / "blobs" / ".spool").iterdir()) == list((root / "blobs" / "tmp").iterdir()) == []


def test_a_file_uri_and_a_conf_keep_blobs_as_durably(tmp_path: Path) -> None:
    data, folder = tmp_path / "Data.fs", tmp_path / "blobs"
    by_uri = ZodbStore(uri=f"file://{data}?blobstorage_dir={folder}&connection_cache_size=100")
    by_uri.check()
    add(by_uri)
    assert (by_uri.processes, by_uri._blobs.kept) == (False, True)
    by_uri.close()
    conf = tmp_path / "zodb.conf"
    conf.write_text(f"<zodb>\n<filestorage>\npath {data}\nblob-dir {folder}\n</filestorage>\n</zodb>\n")
    by_conf = ZodbStore(conf=str(conf))
    with by_conf.open(FILE) as reader:
        assert reader.path
    by_conf.close()
    FileStorage(str(data), read_only=True).close()
