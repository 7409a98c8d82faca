"""What a ZODB store does in one process rarely: a fork's copy of it, a pack beside it, a full cache."""

from __future__ import annotations

import errno
import io
import os
import shutil
from pathlib import Path

import pytest
from ZODB.MappingStorage import MappingStorage

from mypi.backends.zodb import ZodbStore, opening
from mypi.store import Full, Unavailable

DOCUMENT = "indexes/main/acme.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds a database with one document."""
    store = ZodbStore(path=str(tmp_path / "db"))
    store.check()
    store.swap(DOCUMENT, b"{}", None)
    store.close()
    return tmp_path / "db"


def test_what_a_fork_inherits_is_refused_and_left_open(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ZodbStore(path=str(folder))
    with monkeypatch.context() as forked:
        forked.setattr(store._database, "_process", -1)
        for call in (lambda: store.read(DOCUMENT), lambda: store._database.pack(0)):
            with pytest.raises(Unavailable, match="fork"):
                call()
        store.close()
    assert store.read(DOCUMENT)[0] == b"{}"
    store.close()


@pytest.mark.parametrize("moment", ["after", "between the renames"])
def test_a_folder_that_was_packed_meanwhile_is_told(folder: Path, moment: str) -> None:
    beside = ZodbStore.for_reading(path=str(folder))
    assert isinstance(beside, ZodbStore)
    beside._database.refuse_if_packed(DOCUMENT)
    (folder / "Data.fs").rename(folder / "Data.fs.old")
    if moment == "after":
        shutil.copy(folder / "Data.fs.old", folder / "Data.fs")
    with pytest.raises(Unavailable, match="packed while it was read"):
        beside._database.refuse_if_packed(DOCUMENT)
    beside.close()


def test_a_cache_without_room_is_unavailable_and_no_loss(folder: Path) -> None:
    store = ZodbStore(path=str(folder))
    with pytest.raises(Unavailable, match="no room left") as caught, store._blobs._fetching("files/a"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not isinstance(caught.value, Full)
    store.add("files/a", io.BytesIO(b"x"), 1)
    store.close()


def test_a_file_that_comes_during_a_pack_remembers_no_folder_as_durable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ZodbStore(path=str(folder))
    store.add("files/a", io.BytesIO(b"x"), 1)
    assert store._blobs._known
    synced = []
    monkeypatch.setattr(store._blobs, "_sync", lambda key, folder: synced.append(folder))
    with store._blobs.packing():
        for name in ("files/b", "files/c"):
            synced.clear()
            store.add(name, io.BytesIO(b"x"), 1)
            assert synced[-1] == store._blobs._base
        assert store._blobs._known is None
    assert store._blobs._known == set()
    store.close()


def test_a_storage_that_makes_no_database_is_closed() -> None:
    storage = MappingStorage()
    with pytest.raises(TypeError):
        opening.database(storage, {"cache_size": "many"})
    assert not storage.opened()
