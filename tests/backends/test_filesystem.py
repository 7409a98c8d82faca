"""What the filesystem store does beyond the contract: its layout, its races, its times."""

import errno
import fcntl
import io
import os
import shutil
from pathlib import Path

import pytest

from mypi.backends.filesystem import FilesystemStore, disk
from mypi.backends.filesystem.files import make_later
from mypi.store import Conflict, Unavailable

from .breaking import DOCUMENT, FILE, add, break_call, spools


def test_object_lies_under_its_key_and_is_read_only(store, root):
    add(store)
    tag = store.swap(DOCUMENT, b"{}", None)
    store.swap(DOCUMENT, b"{1}", tag)
    for key in (FILE, DOCUMENT):
        assert (root / key).stat().st_mode & 0o222 == 0
        with store.open(key) as reader:
            assert reader.path == str(root / key)
    assert spools(root) == []


def test_spool_that_was_removed_before_it_was_locked_is_made_again(store, root, monkeypatch):
    lock = fcntl.flock
    removed = []

    def remove_first(file, how):
        if not removed:
            removed.extend(spools(root))
            removed[0].unlink()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with store.spool() as spool:
        assert len(removed) == 1
        assert spools(root) == [Path(spool.name)]


def test_root_is_closed_to_others(store, root):
    assert root.stat().st_mode & 0o077 == 0


def test_spool_is_linked_without_copying(store, root):
    with store.spool() as spool:
        spool.write(b"bytes")
        spool.seek(0)
        store.add(FILE, spool, 5)
        assert spool.tell() == 5
        assert (root / FILE).samefile(spool.name)
    assert (root / FILE).read_bytes() == b"bytes"
    assert spools(root) == []


def test_spool_takes_no_writes_once_it_is_stored(store):
    with store.spool() as spool:
        spool.write(b"bytes...")
        spool.truncate(5)
        spool.seek(0)
        store.add(FILE, spool, 5)
        with pytest.raises(io.UnsupportedOperation, match="stored"):
            spool.write(b"more")
        with pytest.raises(io.UnsupportedOperation, match="stored"):
            spool.truncate(0)
    assert store.read(FILE)[0] == b"bytes"


def test_spool_of_another_store_is_copied(store, root, tmp_path):
    other = FilesystemStore(str(tmp_path / "other"))
    other.check()
    with other.spool() as spool:
        spool.write(b"bytes")
        spool.seek(0)
        store.add(FILE, spool, 5)
        assert not (root / FILE).samefile(spool.name)
    assert store.read(FILE)[0] == b"bytes"


def test_deleting_prunes_the_folder_of_the_token_only(store, root):
    add(store)
    add(store, FILE + ".metadata")
    store.delete(FILE)
    assert (root / FILE).parent.is_dir()
    store.delete(FILE + ".metadata")
    assert not (root / FILE).parent.exists()
    assert (root / "files/main/acme").is_dir()
    add(store, "at-the-top")
    store.delete("at-the-top")


def test_add_goes_on_when_a_delete_prunes_its_folder(store, root, monkeypatch):
    real = os.link
    prunes = [(root / FILE).parent.rmdir]

    def prune_once(*args, **kwargs):
        if prunes:
            prunes.pop()()
        return real(*args, **kwargs)

    monkeypatch.setattr(os, "link", prune_once)
    add(store)
    assert store.read(FILE)[0] == b"bytes"


def test_add_gives_up_when_its_spool_is_taken_away(store, root):
    with store.spool() as spool:
        spool.write(b"bytes")
        spool.seek(0)
        spools(root)[0].unlink()
        with pytest.raises(Unavailable, match="keeps vanishing; try again"):
            store.add(FILE, spool, 5)


def test_add_makes_no_store_where_there_is_none_any_more(store, root):
    with store.spool() as spool:
        spool.write(b"bytes")
        spool.seek(0)
        shutil.rmtree(root)
        with pytest.raises(Unavailable, match="try again"):
            store.add(FILE, spool, 5)
    assert not root.exists()


def test_listing_tolerates_what_vanishes_meanwhile(store, root):
    for number in range(50):
        add(store, f"files/a/{number}/f")
        add(store, f"files/a/flat{number}")
    listing = store.list("files/")
    next(listing)
    shutil.rmtree(root / "files")
    assert list(listing) == []


def test_listing_of_a_store_that_goes_away_meanwhile_is_no_listing(store, root):
    for number in range(50):
        add(store, f"files/a/{number}/f")
    listing = store.list()
    next(listing)
    shutil.rmtree(root)
    with pytest.raises(Unavailable, match="mount its disk"):
        list(listing)


def test_folders_known_to_be_durable_are_bounded(store, monkeypatch):
    monkeypatch.setattr(disk, "_REMEMBERED", 3)
    for number in range(5):
        add(store, f"files/{number}/a/b/c")
    assert len(store._disk._durable) <= 3


def test_known_folders_are_not_synced_again(store, monkeypatch):
    add(store, "files/main/acme/1/f")
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), real(fd)))
    add(store, "files/main/acme/2/f")
    assert len(synced) == 3  # the file, the project's folder for the new token, the token's folder
    synced.clear()
    store.add_all({f"files/main/acme/3/f{ending}": (io.BytesIO(b""), 0) for ending in ("", ".metadata", ".asc")})
    assert len(synced) == 5  # three files, and the same two folders once
    tag = store.swap(DOCUMENT, b"1", None)
    synced.clear()
    store.swap(DOCUMENT, b"2", tag)
    assert len(synced) == 2  # the document and its folder


def test_tag_does_not_repeat_when_the_clock_stands_still(store, root, monkeypatch):
    tags = [store.swap(DOCUMENT, b"A", None)]
    ahead = (root / DOCUMENT).stat().st_mtime_ns + 10**18  # the clock was far ahead and was set back
    os.utime(root / DOCUMENT, ns=(ahead, ahead))
    tags.append(store.read(DOCUMENT)[1])
    for data in (b"B", b"A", b"B"):
        tags.append(store.swap(DOCUMENT, data, tags[-1]))
    assert len(set(tags)) == 5


def test_file_system_whose_times_never_grow_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "utime", lambda *_, **__: None)
    with pytest.raises(Unavailable, match="keeps no times that grow"):
        FilesystemStore(str(tmp_path)).check()


def test_time_is_raised_by_as_little_as_the_file_system_takes(tmp_path, monkeypatch):
    real = os.utime
    monkeypatch.setattr(os, "utime", lambda fd, ns: real(fd, ns=(ns[0] // 10**9 * 10**9,) * 2))
    with (tmp_path / "f").open("wb") as file:
        than = (os.fstat(file.fileno()).st_mtime_ns // 10**9 + 5) * 10**9
        make_later(file.fileno(), than)
        assert os.fstat(file.fileno()).st_mtime_ns == than + 10**9


def test_mark_of_a_vanished_document_is_cleared(store, root):
    with store._disk.locked("once/a/b") as lock:
        lock.doubt("once/a/b")
    tag = store.swap("once/a/b", b"1", None)
    with pytest.raises(Conflict):
        store.swap("once/a/b", b"2", None)
    assert store.read("once/a/b") == (b"1", tag)


@pytest.mark.parametrize("rubbish", [b"\0\0\0", b"\xff\xfe", b"../x/y", b"x" * 300 + b"/y"])
def test_rubbish_in_a_lock_after_a_power_loss_is_cleared(store, rubbish):
    with store._disk.locked(DOCUMENT) as lock:
        os.pwrite(lock._fd, rubbish, 0)
    tag = store.swap(DOCUMENT, b"1", None)
    assert store.read(DOCUMENT) == (b"1", tag)


def test_mark_stays_until_its_document_is_durable(store, monkeypatch):
    with store._disk.locked(DOCUMENT) as lock:
        lock.doubt(DOCUMENT)
    with monkeypatch.context() as patch:
        break_call(patch, "open", errno.EMFILE, passing=1)  # the lock opens, the folder does not
        with pytest.raises(Unavailable, match="too many open files"):
            store.swap(DOCUMENT, b"1", None)
    with store._disk.locked(DOCUMENT) as lock:
        assert os.pread(lock._fd, 99, 0) == DOCUMENT.encode()


def test_lock_is_released_although_a_forked_child_holds_its_descriptor(store):
    with store._disk.locked("key") as lock:
        copy = os.dup(lock._fd)
    with store._disk.locked("key"):
        pass
    os.close(copy)


def test_maintenance_removes_what_killed_uploads_left(store, root):
    old, young = root / ".spool" / "old", root / ".spool" / "young"
    for path in (old, young):
        path.write_bytes(b"rubbish")
    os.utime(old, (1000, 1000))
    assert store.maintain(2000) == 1
    assert spools(root) == [young]


def test_maintenance_leaves_the_spool_of_an_upload_that_goes_on(store, root):
    with store.spool() as spool:
        spool.write(b"bytes")
        assert store.maintain(2**40) == 0
        assert len(spools(root)) == 1
