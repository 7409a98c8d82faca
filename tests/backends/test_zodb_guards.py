"""What a ZODB store refuses in one process: a fork's copy of it, a folder packed beside it, a full cache."""

from __future__ import annotations

import errno
import io
import os
import shutil
from pathlib import Path

import pytest

from mypi.backends.zodb import ZodbStore
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
