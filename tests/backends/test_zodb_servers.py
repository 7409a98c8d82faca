"""What ZEO and PostgreSQL need beyond the contract: configuration files, caches of blobs, starts at the same moment."""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ZODB.POSException import ConflictError

from mypi.backends.zodb import ZodbStore, database
from mypi.options import SettingError
from mypi.store import Full, NotFound, Truncated, Unavailable
from tests import services, stores
from tests.services import Postgres, Zeo

FILE = "files/main/acme/1/acme-1.0.tar.gz"


def add(store: ZodbStore, key: str = FILE, data: bytes = b"bytes") -> None:
    store.add(key, io.BytesIO(data), len(data))


@pytest.fixture(params=["zeo", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ZodbStore]:
    store = stores.make(request.param, tmp_path)
    assert isinstance(store, ZodbStore)
    yield store
    store.close()


def cached(folder: Path) -> Path:
    (found,) = (path for path in (folder / "blobs").rglob("*.blob"))
    return found


def test_servers_serve_processes_and_nodes(store: ZodbStore) -> None:
    assert (store.processes, store.nodes, store.read_only) == (True, True, False)
    add(store)
    with store.open(FILE) as reader:
        assert reader.path is None


def test_reading_needs_no_place_beside_a_server(tmp_path: Path) -> None:
    given = stores.STORES["zeo"].options(tmp_path)
    reading = ZodbStore.for_reading(**given)
    assert not reading.read_only
    reading.close()


def test_a_reader_goes_on_when_its_file_leaves_the_cache(store: ZodbStore, tmp_path: Path) -> None:
    add(store, data=b"0123456789")
    with store.open(FILE, 2) as reader:
        begun = reader.read(3)
        cached(tmp_path).unlink()
        assert begun + reader.read() == b"23456789"
    assert store.read(FILE)[0] == b"0123456789"


def test_a_cache_that_a_power_loss_emptied_is_filled_again(store: ZodbStore, tmp_path: Path) -> None:
    add(store)
    cached(tmp_path).chmod(0o600)
    cached(tmp_path).write_bytes(b"")
    assert store.read(FILE)[0] == b"bytes"


def test_bytes_that_the_server_has_lost_are_not_found(tmp_path: Path) -> None:
    with services.running(Zeo, tmp_path / "server") as zeo:
        store = ZodbStore(uri=stores.zeo_uri(zeo, tmp_path))
        store.check()
        add(store)
        add(store, "files/short")
        cut, gone = sorted((zeo.folder / "blobs").rglob("*.blob"), reverse=True)
        gone.unlink()
        cut.chmod(0o600)
        cut.write_bytes(b"byt")
        for path in (tmp_path / "blobs").rglob("*.blob"):
            path.unlink()
        with pytest.raises(NotFound, match="its bytes are missing"):
            store.open(FILE)
        with pytest.raises(Truncated, match="has 3 bytes instead of 5"):
            store.open("files/short")
        store.delete(FILE)
        store.close()


@pytest.mark.parametrize("section", ["<clientstorage>", "<zeoclient>"])
def test_zeo_is_described_in_a_conf(section: str, tmp_path: Path) -> None:
    zeo = services.shared(Zeo)
    conf = tmp_path / "zodb.conf"
    conf.write_text(
        f"%import ZEO\n<zodb>\n  {section}\n    server 127.0.0.1:{zeo.port}\n    blob-dir {tmp_path}/blobs\n"
        f"  {section.replace('<', '</')}\n</zodb>\n"
    )
    ours, theirs = (ZodbStore(conf=str(conf), root=tmp_path.name) for _ in range(2))
    ours.check()
    tag = None
    for number in range(50):
        tag = ours.swap("document", b"%d" % number, tag)
        assert theirs.read("document") == (b"%d" % number, tag)
    assert ours._database.storage._server.timeout <= 10
    ours.close()
    theirs.close()


def test_postgresql_is_described_in_a_conf(tmp_path: Path) -> None:
    server = services.shared(Postgres)
    conf = tmp_path / "zodb.conf"
    conf.write_text(
        f"%import relstorage\n<zodb>\n  <relstorage>\n    blob-dir {tmp_path}/blobs\n    <postgresql>\n"
        f"      dsn {server.dsn()}\n    </postgresql>\n  </relstorage>\n</zodb>\n"
    )
    store = ZodbStore(conf=str(conf), root=tmp_path.name)
    store.check()
    add(store)
    assert store.read(FILE)[0] == b"bytes"
    store.close()


def test_a_server_that_takes_no_writes_is_told(tmp_path: Path) -> None:
    uri = stores.zeo_uri(services.shared(Zeo), tmp_path)
    writing = ZodbStore(uri=uri, root=tmp_path.name)
    writing.check()
    reading = ZodbStore(uri=f"{uri}&read_only=1", root=tmp_path.name)
    assert list(reading.list()) == []
    with pytest.raises(Unavailable, match="the database takes no writes; it is served or was opened read-only"):
        reading.swap("document", b"1", None)
    reading.close()
    writing.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[str]:
    """The URI of a database in PostgreSQL that is empty."""
    server = services.shared(Postgres)
    name = "d" + tmp_path.name.replace("-", "_").lower()[-20:]
    server.execute(f"create database {name}")
    yield stores.postgres_uri(server, tmp_path, name)
    server.execute(f"drop database {name} with (force)")


def test_nodes_that_start_at_the_same_moment_make_one_database(fresh: str) -> None:
    def start(_: int) -> ZodbStore:
        store = ZodbStore(uri=fresh)
        store.check()
        return store

    before = logging.getLogger("relstorage").level
    with ThreadPoolExecutor(4) as pool:
        nodes = list(pool.map(start, range(4)))
    assert logging.getLogger("relstorage").level == before
    tag = nodes[0].swap("document", b"1", None)
    for node in nodes:
        assert node.read("document") == (b"1", tag)
        node.close()


def test_a_database_whose_disk_is_full_is_told(fresh: str, tmp_path: Path) -> None:
    import psycopg2

    store = ZodbStore(uri=fresh)
    store.check()
    server = services.shared(Postgres)
    connection = psycopg2.connect(server.dsn(fresh.partition("?")[0].rpartition("/")[2]))
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "create function full_disk() returns trigger language plpgsql as "
            "$$ begin raise exception 'no space left on device' using errcode = '53100'; end $$;"
            "create trigger full_disk before insert on object_state execute function full_disk()"
        )
    connection.close()
    with pytest.raises(Full, match="no room left on the disk of the database"):
        store.swap("document", b"1", None)
    assert list(store.list()) == []
    store.close()


def test_trouble_that_does_not_end_is_told(store: ZodbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def commit(_: Any) -> None:
        raise ConflictError

    monkeypatch.setattr(database, "ATTEMPTS", 3)
    monkeypatch.setattr("mypi.backends.zodb.commit", commit)
    with pytest.raises(Unavailable, match="too many others write to the database at this moment; try again"):
        store.swap("document", b"1", None)


def test_an_option_is_not_told_in_an_error() -> None:
    (uri,) = (option for option in ZodbStore.options if option.name == "uri")
    assert uri.secret


def test_two_stores_share_a_database_under_names_of_their_own(tmp_path: Path) -> None:
    uri = stores.zeo_uri(services.shared(Zeo), tmp_path)
    one, other = (ZodbStore(uri=uri, root=f"{tmp_path.name}{number}") for number in range(2))
    for store in (one, other):
        store.check()
        store.swap("document", store._root.encode(), None)
    assert one.read("document")[0] != other.read("document")[0]
    one.close()
    other.close()


def test_an_unknown_setting_of_the_backend_is_refused() -> None:
    from mypi.settings import Settings

    with pytest.raises(
        SettingError, match=r"mypi\.storage\.url is not a setting of mypi; did you mean mypi\.storage\."
    ):
        Settings.load({"mypi.storage": "zodb", "mypi.storage.url": "x"}, {})


@pytest.mark.filterwarnings("ignore:Exception ignored in")  # ZEO leaves files open where a write fails
@pytest.mark.parametrize("kind", ["zeo", "postgresql"])
def test_a_cache_without_room_is_told_and_is_no_damage(
    kind: str, tmp_path: Path, mount: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "store").mkdir()
    big, small = stores.STORES[kind].options(tmp_path / "store"), mount("tmpfs", tmp_path / "small", size=2 * 2**20)
    little = {**big, "uri": big["uri"].replace(str(tmp_path / "store"), str(small))}
    assert big["uri"] != little["uri"]
    with contextlib.closing(ZodbStore(**big)) as ours, contextlib.closing(ZodbStore(**little)) as theirs:
        ours.check()
        add(ours, data=secrets.token_bytes(4 * 2**20))
        add(ours, "files/little")
        for _ in range(2):
            with pytest.raises(Unavailable, match=r"o room left for the cache|No space left on device") as caught:
                theirs.open(FILE)
            assert not isinstance(caught.value, Full)  # of which people are told that it concerns the whole index
        for leftover in small.rglob("*.blob*"):
            leftover.unlink()
        assert theirs.read("files/little")[0] == b"bytes"
    gc.collect()  # what ZEO left open would keep the disk mounted
    assert all(len(record.getMessage()) < 300 for record in caplog.records)
