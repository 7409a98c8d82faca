"""A record that somebody else wrote into the database runs nothing, and others' objects stay as they are."""

from __future__ import annotations

import importlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ZODB
from BTrees.OOBTree import OOBTree
from persistent import Persistent
from persistent.mapping import PersistentMapping
from ZODB.Connection import TransactionMetaData
from ZODB.FileStorage import FileStorage
from ZODB.utils import load_current, z64
from zodbpickle.pickle import dumps

from mypi.backends.zodb import ZodbStore, records
from mypi.backends.zodb.records import Refused, harmless
from mypi.store import StoreError
from tests import stores

DOCUMENT = "indexes/main/acme.json"


class Command:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


class Theirs(Persistent):
    """An object of another application in the same database."""


@pytest.fixture(autouse=True)
def nothing_ran(tmp_path: Path) -> Iterator[None]:
    # What a hostile record would make is looked for here, whoever else undoes a patch meanwhile.
    before = Path.cwd()
    os.chdir(tmp_path)
    yield
    os.chdir(before)
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def path(tmp_path: Path) -> str:
    store = ZodbStore(path=str(tmp_path / "db"))
    store.check()
    store.swap(DOCUMENT, b"{}", None)
    store.close()
    return str(tmp_path / "db")


def edit(path: str, change: Callable[[Any], object]) -> None:
    """Change the database as another application does, which chooses no classes."""
    db = ZODB.DB(FileStorage(f"{path}/Data.fs", blob_dir=f"{path}/blobs"))
    with db.transaction() as connection:
        change(connection.root())
    db.close()


def overwrite(storage: Any, oid: bytes, serial: bytes, record: bytes) -> None:
    """Write a record as somebody who goes past ZODB does."""
    written = TransactionMetaData()
    storage.tpc_begin(written)
    storage.store(oid, serial, record, "", written)
    storage.tpc_vote(written)
    storage.tpc_finish(written)


def opened(path: str, look: Callable[[ZodbStore], object]) -> object:
    store = ZodbStore(path=path)
    try:
        return look(store)
    finally:
        store.close()


def in_document(root: Any) -> None:
    root["mypi"]["objects"][DOCUMENT][0]["data"] = Command()


class Plain:
    """An object of another application that is no record of its own."""

    def __init__(self) -> None:
        self.value = 17


def plain_in_document(root: Any) -> None:
    root["mypi"]["objects"][DOCUMENT][0]["data"] = Plain()


def test_an_object_that_runs_nothing_is_refused_too(path: str) -> None:
    edit(path, plain_in_document)
    with pytest.raises(StoreError, match=r"names the class .*test_zodb_records\.Plain, which mypi never stores"):
        opened(path, lambda store: store.read(DOCUMENT))


def test_a_record_that_cannot_be_read_is_damage(path: str) -> None:
    storage = FileStorage(f"{path}/Data.fs", blob_dir=f"{path}/blobs")
    db = ZODB.DB(storage)
    with db.transaction() as connection:
        oid = connection.root()["mypi"]["objects"][DOCUMENT][0]._p_oid
    _, serial = load_current(storage, oid)
    overwrite(storage, oid, serial, b"garbage")
    db.close()
    with pytest.raises(StoreError, match=r"the database is damaged \(.*\); restore it from a backup"):
        opened(path, lambda store: store.read(DOCUMENT))


def in_tree(root: Any) -> None:
    root["mypi"]["objects"]["other"] = (Command(), 1, 1.0)


def in_root(root: Any) -> None:
    root["other"] = Command()


@pytest.mark.parametrize("change", [in_document, in_tree, in_root])
def test_a_record_that_would_run_something_is_refused(path: str, change: Callable[[Any], object]) -> None:
    edit(path, change)
    calls: list[Callable[[ZodbStore], object]] = [
        lambda store: store.read(DOCUMENT),
        lambda store: store.swap(DOCUMENT, b"mine", None),
    ]
    for call in calls:
        with pytest.raises(StoreError, match=r"names the class (posix|os)\.mkdir, which mypi never stores"):
            opened(path, call)


def test_control_the_same_record_runs_when_zodb_chooses_the_classes(path: str, tmp_path: Path) -> None:
    edit(path, in_document)
    edit(path, lambda root: root["mypi"]["objects"][DOCUMENT][0]["data"])
    assert (tmp_path / "ran").is_dir()
    (tmp_path / "ran").rmdir()


def test_objects_of_others_stay_as_they_are(tmp_path: Path) -> None:
    path = str(tmp_path / "db")
    (tmp_path / "db").mkdir()

    def put(root: Any) -> None:
        root["theirs"] = Theirs()
        root["theirs"].value = 17

    edit(path, put)

    def use(store: ZodbStore) -> bytes:
        store.check()
        store.swap(DOCUMENT, b"{}", None)
        return store.read(DOCUMENT)[0]

    assert opened(path, use) == b"{}"
    seen: list[object] = []
    edit(path, lambda root: seen.append((type(root["theirs"]), root["theirs"].value)))
    assert seen == [(Theirs, 17)]


@pytest.mark.parametrize(
    "other",
    [
        Theirs(),
        PersistentMapping(),
        PersistentMapping({"format": 1, "objects": PersistentMapping()}),
        OOBTree({"a": 1}),
        "text",
    ],
)
def test_a_name_that_is_somebody_elses_is_refused(path: str, other: object) -> None:
    edit(path, lambda root: root.update(taken=other))
    with pytest.raises(StoreError, match=r"taken: .*(name another mypi.storage.root|which mypi never stores)"):
        opened_as = ZodbStore(path=path, root="taken")
        try:
            opened_as.check()
        finally:
            opened_as.close()


def test_a_root_that_is_somebody_elses_is_refused(tmp_path: Path) -> None:
    storage = FileStorage(str(tmp_path / "Data.fs"), blob_dir=str(tmp_path / "blobs"))
    overwrite(storage, z64, z64, dumps(Theirs, 3) + dumps({}, 3))
    storage.close()
    with pytest.raises(StoreError, match="name another"):
        opened(str(tmp_path), ZodbStore.check)


def test_a_newer_format_is_refused(path: str) -> None:
    edit(path, lambda root: root["mypi"].update(format=2))
    with pytest.raises(StoreError, match=r"was written by another mypi \(this one reads format 1\); upgrade"):
        opened(path, ZodbStore.check)


def test_a_record_is_looked_at_before_a_conflict_in_it_is_resolved() -> None:
    good = dumps((OOBTree, None), 3) + dumps(OOBTree({"a": 1}).__getstate__(), 3)
    assert harmless(good) is good
    with pytest.raises(Refused, match=r"mkdir"):
        harmless(dumps((OOBTree, None), 3) + dumps(((("a", Command()),),), 3))


@pytest.fixture(params=["zodb", "postgresql"])
def overtaken(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZodbStore]:
    """A store whose next commit comes after another that writes a hostile record into the same bucket.

    ZEO is not among them: its server resolves the conflict, unless it is told to leave that to its clients.
    """
    store = stores.make(request.param, tmp_path)
    assert isinstance(store, ZodbStore)
    store.swap("a", b"1", None)

    def commit(connection: Any) -> None:
        monkeypatch.undo()
        with store._database._db.transaction() as other:
            other.root()[store._root]["objects"]["hostile"] = (Command(), 1, 1.0)
        connection.transaction_manager.commit()

    monkeypatch.setattr("mypi.backends.zodb.commit", commit)
    yield store
    store.close()


def test_conflicts_are_resolved_only_over_records_that_were_looked_at(overtaken: ZodbStore) -> None:
    with pytest.raises(StoreError, match=r"names the class (posix|os)\.mkdir"):
        overtaken.swap("b", b"2", None)


def test_control_a_record_that_was_not_looked_at_runs(overtaken: ZodbStore) -> None:
    """What the hook is there for; it reaches what a storage makes for each connection."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_strict", lambda module, name: getattr(importlib.import_module(module), name))
        with pytest.raises(StoreError):
            overtaken.swap("b", b"2", None)
    (Path.cwd() / "ran").rmdir()


def test_blobs_lie_in_records_of_zodb_alone(path: str) -> None:
    def use(store: ZodbStore) -> None:
        store.add("files/a", io.BytesIO(b"x"), 1)

    opened(path, use)
    with FileStorage(f"{path}/Data.fs", read_only=True)._file as file:
        assert b"mypi.backends" not in file.read()
