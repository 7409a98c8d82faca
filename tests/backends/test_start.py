"""What the filesystem store proves about its folder before it takes the first byte."""

import errno
import fcntl
from concurrent.futures import ThreadPoolExecutor

import pytest

from mypi.backends.filesystem import FilesystemStore, probe
from mypi.store import Unavailable

from .breaking import break_call


def test_check_refuses_a_disk_without_hard_links(root, monkeypatch):
    break_call(monkeypatch, "link", errno.EPERM)
    with pytest.raises(Unavailable, match="no hard links; keep the store on one that has") as caught:
        FilesystemStore(str(root)).check()
    assert str(root) in str(caught.value)


def test_check_tells_any_other_error_of_linking(root, monkeypatch):
    break_call(monkeypatch, "link", errno.EXDEV)
    with pytest.raises(Unavailable, match="another file system"):
        FilesystemStore(str(root)).check()


def test_check_lets_a_full_disk_serve_what_it_has(root, monkeypatch, caplog):
    FilesystemStore(str(root)).check()
    break_call(monkeypatch, "link", errno.ENOSPC)
    FilesystemStore(str(root)).check()
    assert "no room left" in caplog.text


def test_check_takes_a_probe_of_another_process_for_proof(root, monkeypatch):
    break_call(monkeypatch, "link", errno.EEXIST)
    FilesystemStore(str(root)).check()


def test_check_refuses_a_disk_that_ignores_locks(root, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    with pytest.raises(Unavailable, match="ignores locks"):
        FilesystemStore(str(root)).check()


def test_check_refuses_a_network_file_system(root, tmp_path, monkeypatch):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / / rw - ext4 /dev/sda rw\n2 1 0:2 / {tmp_path} rw shared:1 - nfs4 host:/x rw\n")
    monkeypatch.setattr(probe, "_MOUNTS", mounts)
    with pytest.raises(Unavailable, match=r"network file system \(nfs4\).*zodb or s3"):
        FilesystemStore(str(root)).check()
    assert not root.exists()


def test_check_goes_on_where_mounts_are_not_known(root, tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "_MOUNTS", tmp_path / "absent")
    FilesystemStore(str(root)).check()


def test_check_tells_that_a_file_is_in_the_way(root):
    root.write_bytes(b"")
    with pytest.raises(Unavailable, match=str(root)):
        FilesystemStore(str(root)).check()


def test_check_tells_that_folders_cannot_be_synced(store, root, monkeypatch):
    break_call(monkeypatch, "fsync", errno.EINVAL)
    with pytest.raises(Unavailable, match="Invalid argument"):
        store.check()


def test_many_processes_may_start_at_the_same_moment(root):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: FilesystemStore(str(root)).check(), range(40)))
    assert not (root / ".probe").exists()
