"""A disk that answers with errors: each is told, none is taken for something else, and nothing is half done."""

import errno
import io
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from mypi.backends.filesystem import FilesystemStore
from mypi.backends.filesystem.files import File, errors
from mypi.store import Full, NotFound, Sealed, StoreError, Unavailable

from .breaking import DOCUMENT, FILE, add, break_call, spools


def adding_spool(store):
    with store.spool() as spool:
        spool.write(b"bytes")
        spool.seek(0)
        store.add(FILE, spool, 5)


def adding_several(store):
    with store.spool() as spool:
        spool.write(b"bytes")
        spool.seek(0)
        store.add_all({FILE + ".metadata": (io.BytesIO(b"metadata"), 8), FILE: (spool, 5)})


CALLS = {
    "add": add,
    "add a spool": adding_spool,
    "add several": adding_several,
    "make a document": lambda store: store.swap("new", b"2", None),
    "replace a document": lambda store: store.swap("old", b"2", store.read("old")[1]),
    "delete": lambda store: store.delete("doomed"),
}


@pytest.fixture(params=CALLS)
def call(request, store):
    store.swap("old", b"1", None)
    add(store, "doomed")
    return CALLS[request.param]


@pytest.mark.parametrize("nth", range(6))
def test_store_is_sealed_by_a_failed_sync_until_it_is_restarted(store, root, monkeypatch, call, nth):
    break_call(monkeypatch, "fsync", errno.EIO, passing=nth)
    try:
        call(store)
    except Sealed as exc:
        assert "restart mypi" in str(exc)
        assert isinstance(exc.__cause__, OSError)
    else:
        assert nth >= 1  # this call syncs less often
        return
    assert spools(root) == []
    for other in (
        lambda: add(store, "files/other"),
        lambda: store.swap("other", b"", None),
        lambda: store.delete("old"),
        store.probe,
    ):
        with pytest.raises(Sealed):
            other()
    assert sum(1 for _ in store.list()) >= 1
    again = FilesystemStore(str(root))
    again.check()
    add(again, "files/after/f")
    assert again.read("old")[0] in (b"1", b"2")


def test_document_in_doubt_is_not_shown_by_a_sealed_store(store, monkeypatch):
    tag = store.swap(DOCUMENT, b"1", None)
    store.swap("other", b"1", None)
    break_call(monkeypatch, "fsync", errno.EIO, passing=1)
    with pytest.raises(Sealed):
        store.swap(DOCUMENT, b"2", tag)
    with pytest.raises(Sealed):
        store.read(DOCUMENT)
    assert store.read("other")[0] == b"1"


def test_sync_that_waited_while_another_failed_does_not_succeed(store, monkeypatch):
    with monkeypatch.context() as patch:
        break_call(patch, "fsync", errno.EIO)
        with pytest.raises(Sealed):
            add(store)
    with store._disk.folder("x") as fd, pytest.raises(Sealed):
        store._disk.sync_folder(fd, "x")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("name", ["add", "add a spool", "add several", "make a document"])
def test_full_disk_found_by_the_sync_of_a_file_leaves_nothing(store, root, monkeypatch, code, name):
    break_call(monkeypatch, "fsync", code)
    with pytest.raises(Full, match="free some"):
        CALLS[name](store)
    assert spools(root) == []
    assert list(store.list()) == []
    CALLS[name](store)


@pytest.mark.parametrize(
    ("code", "error", "sentence"),
    [
        (errno.ENOSPC, Full, "no room left"),
        (errno.EACCES, Unavailable, "let the user that runs mypi"),
        (errno.EPERM, Unavailable, "let the user that runs mypi"),
        (errno.EXDEV, Unavailable, "keep the whole store on one file system"),
        (errno.EIO, Unavailable, "Input/output error"),
    ],
)
def test_error_of_linking_is_told_and_nothing_is_left(store, root, monkeypatch, code, error, sentence):
    break_call(monkeypatch, "link", code)
    with pytest.raises(error, match=sentence) as caught:
        add(store)
    assert not isinstance(caught.value, Sealed)
    assert not (root / FILE).parent.exists()
    assert spools(root) == []
    add(store)


def test_document_survives_an_error_of_renaming(store, monkeypatch):
    tag = store.swap(DOCUMENT, b"1", None)
    break_call(monkeypatch, "replace", errno.ENOSPC)
    with pytest.raises(Full):
        store.swap(DOCUMENT, b"2", tag)
    assert store.read(DOCUMENT) == (b"1", tag)
    store.swap(DOCUMENT, b"2", tag)


def test_listing_never_skips_a_folder_in_silence(store, monkeypatch):
    add(store)
    break_call(monkeypatch, "scandir", errno.EACCES, passing=2)
    with pytest.raises(Unavailable, match="let the user that runs mypi"):
        list(store.list())


def test_listing_leaves_out_what_is_no_object(store, root):
    add(store)
    os.mkfifo(root / "files" / "pipe")
    (root / "files" / ".hidden").mkdir()
    (root / "lost+found").mkdir()
    (root / "lost+found" / "1").write_bytes(b"")
    assert [entry.key for entry in store.list()] == [FILE]


def test_error_of_opening_is_not_taken_for_absence(store, monkeypatch, tmp_path):
    loop = tmp_path / "store" / "loop"
    loop.symlink_to(loop)
    with pytest.raises(Unavailable) as caught:
        store.open("loop")
    assert not isinstance(caught.value, NotFound)


def test_folder_without_permission_is_told(tmp_path, monkeypatch):
    top = Path(tempfile.mkdtemp())
    user = os.geteuid()
    try:
        store = FilesystemStore(str(top / "store"))
        store.check()
        tag = store.swap("document", b"1", None)
        (top / "store").chmod(0o555)
        top.chmod(0o755)
        if user == 0:
            for path in (top / "store").rglob("*"):
                path.chmod(0o555 if path.is_dir() else 0o444)
            os.seteuid(65534)  # nobody: root may write everywhere
        for call in (lambda: add(store), lambda: store.swap("new", b"", None), lambda: store.delete("document")):
            with pytest.raises(Unavailable, match="permission denied; let the user that runs mypi") as caught:
                call()
            assert not isinstance(caught.value, Sealed | NotFound)
        assert store.read("document") == (b"1", tag)
    finally:
        os.seteuid(user)
        shutil.rmtree(top)


@pytest.mark.parametrize("read", [lambda f: f.read(1), lambda f: f.readinto(bytearray(1)), lambda f: f.readall()])
def test_error_of_reading_is_a_store_error(read):
    # The first page of a process is never mapped: the kernel answers EIO.
    with File(Path("/proc/self/mem"), "rb", "key") as file, pytest.raises(Unavailable, match="key: Input/output"):
        read(file)


def test_error_of_writing_is_a_store_error():
    with File(Path("/dev/full"), "r+b", "key") as file, pytest.raises(Full):
        file.write(b"x")


def test_any_os_error_has_a_sentence():
    with pytest.raises(StoreError, match="key: something"), errors("key"):
        raise OSError("something")
    with pytest.raises(StoreError, match=r"permission denied.*\(/a\)"), errors("key"):
        raise PermissionError(errno.EACCES, "no", "/a")
