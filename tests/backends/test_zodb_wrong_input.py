"""What is wrong with the options or the servers is told in one sentence, without secrets, within seconds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zodburi

from mypi.backends.zodb import ZodbStore
from mypi.options import SettingError
from mypi.settings import Settings
from mypi.store import StoreError, Unavailable
from tests import services, stores
from tests.services import Postgres, Zeo

NO_BLOBS = "the database has no place for the bytes of files; add blob_dir=/a/folder to the URI"


def refused(**given: str) -> str:
    """Return the sentence with which the options are refused, after making sure that it is one and quick."""
    began = time.monotonic()
    with pytest.raises((SettingError, StoreError)) as caught:
        ZodbStore(**given)
    said = str(caught.value)
    assert time.monotonic() - began < 30
    assert "\n" not in said
    assert "geheim" not in said
    return said


@pytest.mark.parametrize("given", [{}, {"path": "a", "uri": "b"}, {"path": "a", "uri": "b", "conf": "c"}])
def test_one_of_three_ways_is_to_be_named(given: dict[str, str]) -> None:
    assert refused(**given) == (
        "the zodb backend takes one of path, uri and conf (such as mypi.storage.path), and has "
        + (" and ".join(given) or "none")
    )


def test_the_name_of_the_index_may_not_be_empty() -> None:
    with pytest.raises(SettingError, match=r"mypi.storage.root = : not a name; write one word, such as mypi"):
        Settings.load({"mypi.storage": "zodb", "mypi.storage.root": ""}, {})


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("db.fs", "nothing serves db.fs://; write file://, zeo:// or postgres://"),
        ("postgresql://mypi:geheim@db/mypi", "write postgres:// instead of postgresql://"),
        ("zeo://db?password=geheim&bolb_dir=x", "uri = zeo://db?password=(hidden)&bolb_dir=x: unknown parameters"),
        ("postgres://mypi:geheim@db/mypi?bolb_dir=x", "unknown parameters bolb_dir"),
        ("zeo://db:port", "not a ZODB URI"),
        ("postgres://mypi:geheim#1@db/mypi", "a password in it may not hold / ? or #; use another, or PGPASSFILE"),
        ("postgres://mypi:geheim/1@db/mypi", "a password in it may not hold / ? or #; use another, or PGPASSFILE"),
        ("file:///nonesuch/Data.fs?blobstorage_dir=/nonesuch", "cannot be opened ([Errno 2] No such file or directory"),
        ("memory://", NO_BLOBS),
        ("postgres://mypi:geheim@db/mypi?driver=pg8000", "is not installed; pip install 'mypi[postgresql]'"),
        (
            "postgres://mypi:ge'geheim@localhost/mypi?blob_dir=x",
            "cannot be opened (the connection string is not valid)",
        ),
    ],
)
def test_a_uri_that_cannot_be_served_is_told(uri: str, sentence: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sentence in refused(uri=uri)


@pytest.mark.parametrize(("scheme", "extra"), [("zeo", "zeo"), ("postgres", "postgresql")])
def test_what_is_not_installed_is_told(scheme: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zodburi, "entry_points", lambda **_: ())
    assert refused(uri=f"{scheme}://db/x").endswith(f"{scheme}:// is not installed; pip install 'mypi[{extra}]'")


def test_a_package_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "relstorage.adapters.postgresql", None)
    assert "pip install 'mypi[zeo,postgresql]'" in refused(uri="postgres://db/x")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "error opening file"),
        ("<zodb>", "unclosed section"),
        ("<zodb>\n<filestoragee>\n</filestoragee>\n</zodb>", "unknown type name: 'filestoragee'"),
        ("%import nonesuch\n", "nonesuch"),
        ("<zodb>\n<mappingstorage>\n</mappingstorage>\n</zodb>", NO_BLOBS),
        ("<zodb a>\n<mappingstorage>\n</mappingstorage>\n</zodb>\n" * 2, "describes 2 databases; leave one <zodb>"),
    ],
)
def test_a_conf_that_cannot_be_served_is_told(text: str | None, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "zodb.conf"
    if text is not None:
        path.write_text(text.replace("<zodb a>", "<zodb b>", 1))
    assert sentence in refused(conf=str(path))


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "Data.fs").write_bytes(b"this is no database" * 100)
    assert "is damaged, or no database at all" in refused(path=str(tmp_path))


def test_a_place_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert "File exists" in refused(path=str(tmp_path / "file"))


def test_zeo_without_a_folder_for_blobs_is_refused(tmp_path: Path) -> None:
    zeo = services.shared(Zeo)
    assert NO_BLOBS in refused(uri=f"zeo://127.0.0.1:{zeo.port}")


def test_zeo_that_does_not_know_the_storage_is_told(tmp_path: Path) -> None:
    uri = stores.zeo_uri(services.shared(Zeo), tmp_path).replace("wait_timeout=10", "wait_timeout=1&storage=9")
    assert "correct its address and the name of its storage" in refused(uri=uri)


@pytest.fixture
def postgres() -> Postgres:
    """The server, with a user who needs a password."""
    server = services.shared(Postgres)
    rules = server.data / "pg_hba.conf"
    if "guarded" not in rules.read_text():
        rules.write_text("host all guarded 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        server.execute("create user guarded password 'secret'")
        server.execute("select pg_reload_conf()")
    return server


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda uri: uri.replace("/postgres?", "/nonesuch?"), 'database "nonesuch" does not exist'),
        (lambda uri: uri.replace("mypi@", "stranger:geheim@"), 'role "stranger" does not exist'),
        (lambda uri: uri.replace("mypi@", "guarded:geheim@"), 'password authentication failed for user "guarded"'),
    ],
)
def test_postgresql_says_what_is_wrong(
    change: Callable[[str], str], sentence: str, postgres: Postgres, tmp_path: Path
) -> None:
    said = refused(uri=change(stores.postgres_uri(postgres, tmp_path)))
    assert sentence in said
    assert said.endswith("is PostgreSQL running, and are user, password and database right?")


def test_postgresql_without_a_folder_for_blobs_is_refused(postgres: Postgres) -> None:
    assert NO_BLOBS in refused(uri=f"postgres://mypi@127.0.0.1:{postgres.port}/postgres")


INI = "[app:main]\nuse = egg:mypi\nmypi.upload = everyone\nmypi.storage = zodb\nmypi.storage.path = %(here)s/db\n"
SERVER = "[server:main]\nuse = egg:mypi\nlisten = 127.0.0.1:0\n"


@pytest.mark.parametrize("command", [["pserve", "mypi.ini"], ["mypi", "sweep"]])
def test_a_second_process_ends_with_a_sentence(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "mypi.ini").write_text(INI + SERVER)
    first = ZodbStore(path=str(tmp_path / "db"))
    done = subprocess.run(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    first.close()
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"{tmp_path / 'db'}: is in use by another process, such as a server; stop that one first" in done.stderr


def test_a_second_store_in_this_process_is_refused_too(tmp_path: Path) -> None:
    first = ZodbStore(path=str(tmp_path / "db"))
    with pytest.raises(Unavailable, match="is in use by another process"):
        ZodbStore(path=str(tmp_path / "db"))
    first.close()
