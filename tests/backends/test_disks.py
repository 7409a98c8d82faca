"""Real file systems that are full, read-only, coarse, or not fit for a store, mounted for one test each."""

import errno
import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mypi.backends.filesystem import FilesystemStore
from mypi.store import Full, NotFound, Sealed, Unavailable

if os.geteuid() != 0:
    pytest.skip("mounting a file system needs root", allow_module_level=True)

BIG = 8 * 2**20
NAMES = ("f", "f.metadata")


def opened(folder):
    store = FilesystemStore(str(folder))
    store.check()
    return store


def add(store, key, size):
    store.add(key, io.BytesIO(bytes(size)), size)


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
@pytest.mark.parametrize("spooled", [True, False])
def test_full_disk_is_told_leaves_nothing_and_recovers(mount, kind, spooled):
    store = opened(mount(kind))
    add(store, "files/a/1", 2 * 2**20)
    tag = store.swap("document", b"1", None)
    with pytest.raises(Full):
        if spooled:
            with store.spool() as spool:
                spool.write(bytes(BIG))
                spool.seek(0)
                store.add("files/a/2", spool, BIG)
        else:
            add(store, "files/a/2", BIG)
    assert sorted(entry.key for entry in store.list()) == ["document", "files/a/1"]
    assert store.maintain(2**40) == 0
    with pytest.raises(NotFound):
        store.open("files/a/2")
    assert store.read("document") == (b"1", tag)
    store.delete("files/a/1")
    add(store, "files/a/3", 2 * 2**20)
    store.swap("document", b"2", tag)


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_document_that_does_not_fit_stays_as_it_was(mount, kind):
    folder = mount(kind)
    store = opened(folder)
    tag = store.swap("document", b"1", None)
    ballast = folder / "ballast"
    with pytest.raises(OSError, match="No space left") as caught, ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(Full):
        store.swap("document", bytes(2**20), tag)
    assert store.read("document") == (b"1", tag)
    ballast.unlink()
    store.swap("document", b"2", tag)


def test_tags_do_not_repeat_where_times_are_in_whole_seconds(mount):
    folder = mount("ext4", made_with=["-I", "128"])
    store = opened(folder)
    tags = [None]
    for revision in range(1000):
        tags.append(store.swap("document", b"A" if revision % 2 else b"B", tags[-1]))
    assert len(set(tags)) == len(tags)
    assert (folder / "document").stat().st_mtime_ns % 10**9 == 0


def test_folder_on_another_disk_is_refused(mount):
    folder = mount("tmpfs")
    mount("tmpfs", folder / "files")
    with pytest.raises(Unavailable, match=r"another file system than \.spool") as caught:
        opened(folder)
    assert str(folder / "files") in str(caught.value)


def test_root_of_a_disk_with_its_lost_and_found_is_fine(mount):
    folder = mount("ext4")
    assert (folder / "lost+found").is_dir()
    (folder / "lost+found" / "#12").write_bytes(b"found")
    store = opened(folder)
    assert list(store.list()) == []


def test_read_only_disk_is_told_and_recovers_without_a_restart(mount):
    folder = mount("tmpfs")
    store = opened(folder)
    add(store, "files/a/1", 10)
    tag = store.swap("document", b"1", None)
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    calls = [
        lambda: add(store, "files/a/2", 10),
        lambda: store.swap("document", b"2", tag),
        lambda: store.delete("files/a/1"),
        store.spool,
        store.check,
    ]
    for call in calls:
        with pytest.raises(Unavailable, match="mounted read-only; mount it for writing") as caught:
            call()
        assert not isinstance(caught.value, Sealed | Full)
    assert store.read("files/a/1")[0] == bytes(10)
    assert store.read("document") == (b"1", tag)
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
    add(store, "files/a/2", 10)
    store.swap("document", b"2", tag)


def test_unmounted_disk_is_unavailable_and_not_an_empty_store(mount, tmp_path):
    folder = mount("tmpfs")
    opened(folder).swap("document", b"1", None)
    (tmp_path / "bare").mkdir()
    store = FilesystemStore(str(tmp_path / "bare"))
    calls = [
        lambda: store.read("document"),
        lambda: list(store.list()),
        lambda: list(store.list("files/")),
        lambda: add(store, "files/a/1", 1),
        lambda: store.swap("document", b"2", None),
        lambda: store.delete("document"),
        lambda: store.maintain(0),
        store.spool,
    ]
    for call in calls:
        with pytest.raises(Unavailable, match="a folder of the store is missing; mount its disk"):
            call()
    assert list(Path(tmp_path / "bare").iterdir()) == []


@pytest.mark.parametrize("forgotten", [None, "everything"])
def test_copy_of_the_disk_at_any_moment_holds_what_was_acknowledged(mount, tmp_path, forgotten):
    """Copy the image under a mounted disk, as a power loss would leave it, and let the journal of ext4 recover it."""
    store = opened(mount("ext4"))
    if forgotten:
        store._disk.finish = store._disk.sync_folder = lambda *_: None
    tag, kept = None, []
    for number in range(10):
        store.add_all({f"files/a/{number}/{name}": (io.BytesIO(bytes(5000)), 5000) for name in NAMES})
        tag = store.swap("indexes/a.json", b"%d" % number, tag)
        shutil.copy(tmp_path / "image0", tmp_path / f"copy{number}")
    for number in range(10):
        folder = mount("ext4", image=tmp_path / f"copy{number}")
        copied = FilesystemStore(str(folder))
        try:
            documents = copied.read("indexes/a.json")[0]
            files = [copied.read(f"files/a/{each}/{name}")[0] for each in range(number + 1) for name in NAMES]
            kept.append(documents == b"%d" % number and files == [bytes(5000)] * len(NAMES) * (number + 1))
        except NotFound:
            kept.append(False)
    if forgotten:
        assert not all(kept)  # shows that the copy does lose what was not synced
    else:
        assert all(kept)
