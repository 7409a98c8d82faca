"""``mypi pack``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mypi.repository import Repository
from mypi.settings import Settings
from mypi.store import Store
from tests import stores
from tests.commands.conftest import Result, Run
from tests.repository.shorthand import ALICE, filename, publish

INI = "[app:main]\nuse = egg:mypi\nmypi.upload = everyone\nmypi.htpasswd = %(here)s/htpasswd\nmypi.trash_days = 0\n"


@pytest.fixture
def over(ini: Path, run: Run) -> Callable[[str], Callable[..., Result]]:
    """Let the commands work on a store of a kind, with one published file and one that was removed and swept."""

    def over(kind: str) -> Callable[..., Result]:
        settings = {f"mypi.{name}": value for name, value in stores.settings(kind, ini.parent).items()}
        ini.write_text(INI + "".join(f"{name} = {value}\n" for name, value in settings.items()))
        index = Repository.open(Settings.load({**settings, "mypi.upload": "everyone"}, {}))
        for version in ("1.0", "2.0"):
            publish(index, version=version)
        index.remove("acme-lib", [filename(version="1.0")], ALICE)
        list(index.sweep(ALICE, trash_days=-1, grace=0))
        index.close()
        return run

    return over


def blobs(folder: Path) -> list[Path]:
    return list(folder.rglob("*.blob"))


def test_pack_clears_what_interrupted_uploads_left(run: Run, index: Repository, ini: Path) -> None:
    left = ini.parent / "var" / ".spool" / "left"
    left.write_bytes(b"rubbish")
    os.utime(left, (1000, 1000))
    done = run("pack")
    assert (done.code, done.err) == (0, "")
    assert done.out == "packed mypi.storage: 1 files of deleted objects and interrupted uploads cleared away\n"
    assert not left.exists()


def test_pack_keeps_the_last_days(run: Run, index: Repository, ini: Path) -> None:
    left = ini.parent / "var" / ".spool" / "left"
    left.write_bytes(b"rubbish")
    assert run("pack", "--days", "1").out.startswith("packed mypi.storage: 0 files")
    assert left.exists()


def test_pack_removes_the_blobs_of_what_was_swept(over: Callable[[str], Run], ini: Path) -> None:
    run = over("zodb")
    before = len(blobs(ini.parent / "store"))
    assert run("pack", "--days", "1").out.startswith("packed mypi.storage: 0 files")
    assert len(blobs(ini.parent / "store")) == before
    done = run("pack")
    assert (done.code, done.err) == (0, "")
    assert done.out == "packed mypi.storage: 2 files of deleted objects and interrupted uploads cleared away\n"
    assert len(blobs(ini.parent / "store")) == before - 2
    assert not (ini.parent / "store" / "Data.fs.old").exists()
    assert run("verify").code == 0


@pytest.mark.parametrize("kind", ["zeo", "postgresql"])
def test_pack_works_beside_a_server(over: Callable[[str], Run], ini: Path, kind: str) -> None:
    run = over(kind)
    serving: Store = stores.opened(kind, ini.parent)
    done = run("pack")
    assert (done.code, done.err) == (0, "")
    assert len(list(serving.list("files/"))) == 2
    serving.close()
    assert run("verify").code == 0


def test_pack_works_on_both_stores(run: Run, ini: Path) -> None:
    ini.write_text(f"{INI}mypi.storage.path = %(here)s/var\nmypi.catalogue = zodb\nmypi.catalogue.path = %(here)s/db\n")
    done = run("pack")
    assert [line.split(":")[0] for line in done.out.splitlines()] == ["packed mypi.storage", "packed mypi.catalogue"]
