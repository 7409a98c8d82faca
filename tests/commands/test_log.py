"""``mypi log``: the histories of all projects and of the accounts as one (threat 46)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mypi.model import Actor
from mypi.repository import Repository
from tests.commands.conftest import Run
from tests.repository.shorthand import ALICE, Clock, filename, publish

BOB = Actor("bob", "10.0.0.7", "token ci")


@pytest.fixture
def clock(index: Repository, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock of the index that stands, and is set by hand."""
    moment = Clock()
    monkeypatch.setattr(index, "_clock", lambda: 1_767_225_600.0 + moment.ahead)  # 2026-01-01
    return moment


@pytest.fixture
def filled(index: Repository, clock: Clock) -> Repository:
    """Six entries, a day each, of two projects and the accounts by turns."""
    publish(index)
    clock.ahead += 86400
    index.members.record(ALICE, lambda accounts, event: accounts.set_password("bob", "hash", event))
    clock.ahead += 86400
    publish(index, "other")
    clock.ahead += 86400
    index.yank("acme-lib", [filename()], "loses data", BOB)
    clock.ahead += 86400
    index.add_owner("other", "bob", ALICE)
    clock.ahead += 86400
    index.set_status("acme-lib", "archived", "", Actor(None, None))
    return index


ALL = ["publish", "user add", "publish", "yank", "owner add", "status archived"]


def dids(run: Run, *line: str) -> list[str]:
    done = run("log", *line, "--json")
    assert done.code == 0
    return [entry["did"] for entry in json.loads(done.out)]


def test_all_histories_are_one_with_the_newest_last(run: Run, filled: Repository) -> None:
    assert run("log").out.splitlines() == [
        f"2026-01-01T00:00:00Z  acme-lib  publish {filename()}  by alice from 127.0.0.1",
        "2026-01-02T00:00:00Z  (accounts)  user add bob  by alice from 127.0.0.1",
        f"2026-01-03T00:00:00Z  other  publish {filename('other')}  by alice from 127.0.0.1",
        f"2026-01-04T00:00:00Z  acme-lib  yank {filename()}: loses data  by bob with token ci from 10.0.0.7",
        "2026-01-05T00:00:00Z  other  owner add bob  by alice from 127.0.0.1",
        "2026-01-06T00:00:00Z  acme-lib  status archived  by anonymous from ?",
    ]


def test_json_has_every_field_of_each_entry(run: Run, filled: Repository) -> None:
    found = json.loads(run("log", "--json").out)
    assert found[3] == {
        "project": "acme-lib",
        "at": "2026-01-04T00:00:00.000000Z",
        "did": "yank",
        "by": "bob",
        "origin": "10.0.0.7",
        "file": filename(),
        "version": "1.0",
        "reason": "loses data",
        "via": "token ci",
        "subject": None,
    }
    assert found[1]["project"] is None
    assert [entry["did"] for entry in found] == ALL


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("--project acme_LIB", [0, 3, 5]),
        ("--project o*", [2, 4]),
        ("--project nothing*", []),
        ("--accounts", [1]),
        # What bob did, and what was done to bob.
        ("--user bob", [1, 3, 4]),
        ("--user alice --project other", [2, 4]),
        ("--action yank", [3]),
        ("--action status", [5]),
        ("--action owner", [4]),
        ("--action add", []),
        ("--action pub", []),
        ("--via", None),
        ("--origin 10.0.0.7", [3]),
        ("--origin command", []),
        ("--since 2026-01-04", [3, 4, 5]),
        ("--since 2026-01-04T00:00:01Z", [4, 5]),
        ("--since 2026-01-04T01:00:00+01:00 --until 2026-01-05", [3]),
        ("--until 2026-01-02", [0]),
        ("--limit 2", [4, 5]),
        ("--limit 100", [0, 1, 2, 3, 4, 5]),
        ("--user alice --limit 1", [4]),
    ],
)
def test_filters(run: Run, filled: Repository, line: str, wanted: list[int] | None) -> None:
    given = ["--via", "token ci"] if wanted is None else line.split()
    assert dids(run, *given) == [ALL[number] for number in (wanted if wanted is not None else [3])]


def test_show_says_what_stood_for_the_user(run: Run, filled: Repository) -> None:
    shown = run("show", "acme-lib").out.splitlines()
    assert shown[-2] == f"  2026-01-04T00:00:00Z  yank {filename()}: loses data  by bob with token ci from 10.0.0.7"


def test_of_one_moment_each_document_keeps_its_order(run: Run, index: Repository, clock: Clock) -> None:
    index.members.record(ALICE, lambda a, e: a.set_password("z", "h", e).join("b", ["z"], e).join("a", ["z"], e))
    assert dids(run) == ["user add", "group add b", "group add a"]


def test_nothing_was_done_yet(run: Run, index: Repository) -> None:
    assert run("log").out == "no entries\n"
    assert json.loads(run("log", "--json").out) == []
    assert run("log", "--accounts").out == "no entries\n"


def test_a_project_that_is_named_and_not_there_is_told(run: Run, filled: Repository) -> None:
    done = run("log", "--project", "nothing")
    assert (done.code, done.out) == (1, "")
    assert done.err == "mypi: there is no nothing on this index; `mypi list` shows what there is\n"


def test_a_name_that_is_only_announced_has_no_history(run: Run, filled: Repository) -> None:
    filled._catalogue.announce("late", "late")
    assert dids(run) == ALL
    assert dids(run, "--project", "late") == []


def test_a_damaged_document_is_named_and_the_rest_is_shown(run: Run, filled: Repository, ini: Path) -> None:
    folder = ini.parent / "var"
    (folder / "indexes" / "main" / "acme-lib.json").write_bytes(b"{")
    done = run("log")
    assert done.code == 1
    assert len(done.out.splitlines()) == 3
    assert "indexes/main/acme-lib.json" in done.err
    assert done.err.endswith("; what it records is not shown\n")
    (folder / "accounts.json").write_bytes(b"{")
    done = run("log")
    assert (done.code, len(done.out.splitlines()), len(done.err.splitlines())) == (1, 2, 2)


def test_what_others_typed_stays_in_its_line_and_commands_no_terminal(run: Run, index: Repository) -> None:
    publish(index)
    forged = "x\n2026-01-01T00:00:00Z  acme-lib  publish evil.whl\x1b[2J"
    index.yank("acme-lib", [filename()], forged, ALICE)
    for done in (run("log"), run("show", "acme-lib")):
        assert "\x1b" not in done.out
        assert "yank acme_lib-1.0-py3-none-any.whl: x\\n2026-01-01T00:00:00Z" in done.out.splitlines()[-1]
    assert json.loads(run("log", "--json").out)[-1]["reason"] == forged


@pytest.mark.parametrize(
    "line",
    [
        "--since yesterday",
        "--since 2026-13-01",
        "--since 0001-01-01T00:00+14:00",
        "--limit 0",
        "--limit x",
        "--limit ²",
        "--project a/b",
        "--project x --accounts",
    ],
)
def test_wrong_usage_is_told(run: Run, ini: Path, line: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run("log", *line.split())
    assert ended.value.code == 2


def test_the_accounts_of_a_backup_tell_the_same(run: Run, filled: Repository, ini: Path) -> None:
    filled.members.edit(lambda accounts: accounts.signing("5ec7e7"))
    before = run("log").out
    backup = ini.parent / "kept"
    assert run("backup", str(backup)).code == 0
    assert b"5ec7e7" not in (backup / "accounts.json").read_bytes()
    other = ini.parent / "other.ini"
    other.write_text(ini.read_text().replace("%(here)s/var", "%(here)s/kept"))
    assert run("-c", str(other), "log").out == before
    tar = ini.parent / "kept.tar"
    assert run("backup", str(tar)).code == 0
    assert b"5ec7e7" not in tar.read_bytes()
    other.write_text(ini.read_text().replace("%(here)s/var", "%(here)s/again"))
    assert run("-c", str(other), "restore", str(tar)).code == 0
    assert run("-c", str(other), "log").out == before
