"""``mypi init``, ``mypi serve`` and ``mypi htpasswd``: from an installed mypi to a running index."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyramid.scripts import pserve

from mypi.accounts import Htpasswd
from tests.commands.conftest import Run
from tests.commands.people import asked, say


@pytest.mark.parametrize("more", [(), ("--production",)])
def test_init_writes_an_ini_that_works(run: Run, ini: Path, more: tuple[str, ...]) -> None:
    ini.unlink()
    done = run("init", *more)
    assert done.code == 0
    assert done.out.startswith(f"mypi.ini is written. Everything will be kept in {ini.parent / 'var'}.\n")
    assert ("user add NAME --group admins" in done.out) is bool(more)
    text = ini.read_text()
    assert "[server:main]" in text
    assert ("mypi.upload = users" in text) is bool(more)
    assert run("list").out == "no projects\n"


def test_init_writes_where_it_is_told(run: Run, ini: Path) -> None:
    assert run("init", "index.ini").code == 0
    assert (ini.parent / "index.ini").is_file()


def test_init_overwrites_nothing(run: Run, ini: Path) -> None:
    before = ini.read_text()
    done = run("init")
    assert (done.code, done.out) == (1, "")
    assert done.err == "mypi: mypi.ini cannot be written: File exists; name another file, or remove it\n"
    assert ini.read_text() == before


def test_init_in_a_folder_that_is_not_there_is_told(run: Run) -> None:
    assert "No such file or directory" in run("init", "none/mypi.ini").err


@pytest.mark.parametrize("code", [0, None, 3])
def test_serve_runs_the_server_with_the_ini(
    run: Run, ini: Path, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    served = []
    monkeypatch.setattr(pserve, "main", lambda argv: (served.append(argv), code)[1])
    assert run("serve").code == (code or 0)
    assert served == [["pserve", str(ini)]]


def test_serve_without_an_ini_is_told(run: Run, ini: Path) -> None:
    ini.unlink()
    assert "`mypi init` writes one" in run("serve").err


# Users


def test_htpasswd_reads_the_password_of_a_script(run: Run, ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, "secret words\n")
    done = run("htpasswd", "alice")
    assert (done.code, done.out) == (0, f"alice is in {ini.parent / 'htpasswd'}\n")
    users = Htpasswd(str(ini.parent / "htpasswd"))
    assert users.verify("alice", "secret words")
    assert not users.verify("alice", "secret words\n")


def test_htpasswd_asks_a_person_twice(run: Run, ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, "secret", "secret")
    assert run("htpasswd", "alice").code == 0
    assert Htpasswd(str(ini.parent / "htpasswd")).verify("alice", "secret")


def test_htpasswd_takes_no_two_passwords_for_one(run: Run, ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, "secret", "secrte")
    done = run("htpasswd", "alice")
    assert (done.code, done.err) == (1, "mypi: the two passwords differ; nothing was changed\n")
    assert not (ini.parent / "htpasswd").exists()


def test_htpasswd_takes_a_user_out(run: Run, ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, "secret\n")
    run("htpasswd", "alice")
    assert run("htpasswd", "alice", "--remove").out == f"alice is taken out of {ini.parent / 'htpasswd'}\n"
    assert run("htpasswd", "alice", "--remove").err.startswith("mypi: there is no user alice")


@pytest.mark.parametrize("password", ["", "\n"])
def test_htpasswd_takes_no_empty_password(run: Run, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    say(monkeypatch, password)
    assert "a password has 1 to" in run("htpasswd", "alice").err


def test_htpasswd_wants_the_setting(run: Run, ini: Path) -> None:
    ini.write_text("\n".join(line for line in ini.read_text().splitlines() if "htpasswd" not in line))
    done = run("htpasswd", "alice")
    assert done.code == 1
    assert done.err.startswith("mypi: mypi.htpasswd is not set in the .ini file; name a file there")
