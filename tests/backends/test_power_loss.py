"""An acknowledged write survives the loss of power at any moment after it; each detector is shown to detect."""

import io
from pathlib import Path

import pytest

from mypi.backends.filesystem import FilesystemStore
from mypi.backends.filesystem.disk import Disk
from mypi.store import Conflict

from .powerloss import Recorder, crashes, lies

DOCUMENT = "indexes/main/acme.json"


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


class ForgetfulDisk(Disk):
    """Leaves out one kind of sync, to show that the model notices."""

    def __init__(self, root, forgotten):
        super().__init__(root)
        self.forgotten = forgotten

    def finish(self, fd, key):
        if self.forgotten != "file":
            super().finish(fd, key)

    def sync_folder(self, fd, key):
        leaf = Path(f"/proc/self/fd/{fd}").readlink() == self.path(key).parent
        if self.forgotten != ("folder" if leaf else "parent"):
            super().sync_folder(fd, key)


@pytest.fixture
def root(tmp_path):
    FilesystemStore(str(tmp_path)).check()
    return tmp_path


@pytest.fixture
def recorder(root, monkeypatch):
    recorder = Recorder(monkeypatch, root)
    yield recorder
    recorder.close()


def opened(root, forgotten=None):
    store = FilesystemStore(str(root))
    store._disk = ForgetfulDisk(root, forgotten)
    return store


def add(recorder, store, key, data):
    recorder.note("try", key, data)
    store.add(key, io.BytesIO(data), len(data))
    recorder.note("promise", key, data)


def add_all(recorder, store, sources):
    for key, data in sources.items():
        recorder.note("try", key, data)
    store.add_all({key: (io.BytesIO(data), len(data)) for key, data in sources.items()})
    for key, data in sources.items():
        recorder.note("promise", key, data)


def swap(recorder, store, key, data, expect):
    recorder.note("try", key, data)
    tag = store.swap(key, data, expect)
    recorder.note("promise", key, data)
    return tag


def work(recorder, store):
    """Publish some files, remove one, and keep a record, as an index does."""
    swap(recorder, store, "store.json", b"id", None)
    tag = None
    for number in range(3):
        key = f"files/main/acme/{number}/acme-{number}.tar.gz"
        with store.spool() as spool:
            spool.write(b"bytes %d" % number)
            spool.seek(0)
            recorder.note("try", key, b"bytes %d" % number)
            store.add(key, spool, 7)
            recorder.note("promise", key, b"bytes %d" % number)
        add(recorder, store, key + ".metadata", b"metadata %d" % number)
        tag = swap(recorder, store, DOCUMENT, b"revision %d" % number, tag)
    for project in ("acme", "other"):
        key = f"files/main/{project}/x/{project}-x.whl"
        add_all(recorder, store, {key + ".metadata": b"metadata", key + ".asc": b"signature", key: b"bytes"})
    swap(recorder, store, "once/token/1", b"used", None)
    recorder.note("promise", "files/main/acme/0/acme-0.tar.gz", None)
    store.delete("files/main/acme/0/acme-0.tar.gz")


def broken_promises(recorder):
    return {lie for past, survivors in crashes(recorder) for lie in lies(past, survivors)}


def test_acknowledged_writes_survive_a_power_loss_at_any_moment(recorder, root):
    work(recorder, opened(root))
    assert len(recorder.events) > 60
    assert broken_promises(recorder) == set()


@pytest.mark.parametrize(("forgotten", "complaint"), [("file", "torn"), ("folder", "lost"), ("parent", "lost")])
def test_a_forgotten_sync_is_noticed(recorder, root, forgotten, complaint):
    work(recorder, opened(root, forgotten))
    assert any(complaint in lie for lie in broken_promises(recorder))


@pytest.mark.parametrize("when", ["mkdir", "link", "fsync"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_files_added_together_bear_another_process_in_their_folders(recorder, root, when, nth):
    """The other stores beside them at every moment, and it is killed or lives on: each promise stands by itself."""
    key = "files/main/acme/1/acme-1.whl"

    def other(left):
        if left:
            recorder.after[when] = lambda: other(left - 1)
        else:
            add(recorder, opened(root), "files/main/acme/2/acme-2.whl", b"another")

    other(nth)
    add_all(recorder, opened(root), {key + ".metadata": b"metadata", key: b"bytes"})
    assert broken_promises(recorder) == set()


def interrupted_by_another(recorder, root, forgotten):
    """Let a second process store a file in folders that the first has made but not synced yet."""
    recorder.after["mkdir"] = lambda: add(recorder, opened(root, forgotten), "files/b/2", b"second")
    add(recorder, opened(root), "files/a/1", b"first")


def test_folder_that_another_process_has_just_made_is_made_durable_too(recorder, root):
    interrupted_by_another(recorder, root, None)
    assert broken_promises(recorder) == set()


def test_trusting_the_other_process_to_sync_is_noticed(recorder, root):
    interrupted_by_another(recorder, root, "parent")
    assert "files/b/2 lost b'second'" in broken_promises(recorder)


def killed_between_rename_and_sync(recorder, root):
    tag = swap(recorder, opened(root), DOCUMENT, b"old", None)

    def kill():
        raise Killed

    recorder.after["replace"] = kill
    with pytest.raises(Killed):
        swap(recorder, opened(root), DOCUMENT, b"new", tag)
    return tag


def test_what_a_reader_was_shown_survives_although_its_writer_was_killed(recorder, root):
    killed_between_rename_and_sync(recorder, root)
    assert opened(root).read(DOCUMENT)[0] == b"new"
    recorder.note("promise", DOCUMENT, b"new")
    assert broken_promises(recorder) == set()


def test_what_a_reader_was_shown_in_a_folder_just_made_survives_too(recorder, root):
    def kill():
        raise Killed

    recorder.after["replace"] = kill
    with pytest.raises(Killed):
        swap(recorder, opened(root), "indexes/other/first.json", b"new", None)
    assert opened(root).read("indexes/other/first.json")[0] == b"new"
    recorder.note("promise", "indexes/other/first.json", b"new")
    assert broken_promises(recorder) == set()


def test_showing_what_is_not_durable_is_noticed(recorder, root, monkeypatch):
    monkeypatch.setattr(Disk, "confirm", lambda *_: None)
    killed_between_rename_and_sync(recorder, root)
    assert opened(root).read(DOCUMENT)[0] == b"new"
    recorder.note("promise", DOCUMENT, b"new")
    assert broken_promises(recorder) == {f"{DOCUMENT} lost b'new'"}


def test_conflict_is_answered_when_what_caused_it_is_durable(recorder, root):
    tag = killed_between_rename_and_sync(recorder, root)
    with pytest.raises(Conflict):
        opened(root).swap(DOCUMENT, b"mine", tag)
    recorder.note("promise", DOCUMENT, b"new")
    assert broken_promises(recorder) == set()


def test_restart_makes_durable_what_a_kill_left_in_doubt(recorder, root):
    killed_between_rename_and_sync(recorder, root)
    FilesystemStore(str(root)).check()
    recorder.note("promise", DOCUMENT, b"new")
    assert broken_promises(recorder) == set()
    assert all(path.stat().st_size == 0 for path in (root / ".locks").iterdir())


def test_root_made_at_the_first_start_is_synced_into_its_parents(tmp_path, monkeypatch):
    recorder = Recorder(monkeypatch, tmp_path)
    store = FilesystemStore(str(tmp_path / "srv" / "mypi"))
    store.check()
    recorder.note("try", "srv/mypi/store.json", b"id")
    store.swap("store.json", b"id", None)
    recorder.note("promise", "srv/mypi/store.json", b"id")
    assert broken_promises(recorder) == set()
    recorder.close()
