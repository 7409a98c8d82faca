"""``mypi yank``, ``unyank``, ``remove``, ``restore``, ``status``, ``sweep`` and ``verify``, beside a running server."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path

import pytest

from mypi.repository import Repository
from tests import builders
from tests.commands.conftest import Run
from tests.repository.shorthand import ALICE, content, entries, filename, live, publish, submission

WHEEL, OTHER = filename(), filename(version="2.0")
Answer = Callable[[str], None]


@pytest.fixture
def filled(index: Repository) -> Repository:
    """Two releases, the first with a wheel and an sdist."""
    publish(index)
    index.publish(submission(*builders.sdist()), ALICE)
    publish(index, version="2.0")
    return index


def state(index: Repository, name: str = WHEEL):  # type: ignore[no-untyped-def]
    return index.project("acme-lib").value.files[name]


def test_yank_marks_a_release_for_everybody_at_once(run: Run, filled: Repository) -> None:
    done = run("yank", "Acme.Lib", "1.0", "-r", "broken")
    assert done.code == 0
    assert done.out.startswith("yank 2 of acme-lib:\n")
    assert done.out.endswith("done\n")
    for name in (WHEEL, "acme_lib-1.0.tar.gz"):
        assert name in done.out
        assert state(filled, name).yanked == "broken"
    assert state(filled, OTHER).yanked is None
    assert run("unyank", "acme-lib", "v1").code == 0
    assert state(filled).yanked is None


def test_one_file_can_be_named_and_several_words_given(run: Run, filled: Repository) -> None:
    assert run("remove", "acme-lib", WHEEL, "1.0", "2").code == 0
    assert live(filled) == []
    assert run("restore", "acme-lib", WHEEL).code == 0
    assert live(filled) == [WHEEL]
    assert run("restore", "acme-lib", "1.0", "2.0").code == 0
    assert len(live(filled)) == 3


def test_the_history_says_who_ran_the_command(run: Run, filled: Repository) -> None:
    run("remove", "acme-lib", WHEEL)
    event = filled.project("acme-lib").value.history[-1]
    assert (event.did, event.by, event.origin) == ("remove", getpass.getuser(), "command")


def test_a_user_without_a_name_is_anonymous(run: Run, filled: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 1000")

    monkeypatch.setattr(getpass, "getuser", nameless)
    run("remove", "acme-lib", WHEEL)
    assert filled.project("acme-lib").value.history[-1].by is None


@pytest.mark.parametrize("command", ["yank", "unyank", "remove"])
def test_what_is_not_there_is_told_and_nothing_is_done(run: Run, filled: Repository, command: str) -> None:
    before = filled.project("acme-lib").tag
    done = run(command, "acme-lib", "1.0", "9.9")
    assert done.code == 1
    assert done.err == "mypi: acme-lib has no live file or version 9.9; `mypi show` lists what it has\n"
    assert filled.project("acme-lib").tag == before


def test_only_what_was_removed_can_be_restored(run: Run, filled: Repository) -> None:
    assert "acme-lib has no removed file or version 1.0;" in run("restore", "acme-lib", "1.0").err


def test_what_was_purged_cannot_be_restored(run: Run, filled: Repository) -> None:
    run("remove", "acme-lib", WHEEL)
    run("sweep", "--grace", "0")
    run("remove", "acme-lib", "1.0")
    assert "its bytes are gone and its name stays taken" in run("restore", "acme-lib", WHEEL).err
    done = run("restore", "acme-lib", "1.0")
    assert (done.code, WHEEL in done.out) == (0, False)
    assert "acme_lib-1.0.tar.gz" in live(filled)


@pytest.mark.parametrize("command", ["yank", "unyank", "remove", "restore"])
def test_dry_run_shows_it_and_does_nothing(run: Run, filled: Repository, command: str) -> None:
    if command == "restore":
        run("remove", "acme-lib", "1.0")
    before = filled.project("acme-lib").tag
    done = run(command, "acme-lib", "1.0", "--dry-run")
    assert (done.code, WHEEL in done.out) == (0, True)
    assert done.out.endswith("nothing was done: --dry-run\n")
    assert filled.project("acme-lib").tag == before


@pytest.mark.parametrize("answer", ["n", "", "no", "what?"])
def test_at_a_terminal_it_asks_and_takes_no_for_an_answer(
    run: Run, filled: Repository, terminal: Answer, answer: str
) -> None:
    terminal(answer)
    done = run("remove", "acme-lib", "1.0")
    assert done.code == 1
    assert "Go on? [y/N]" in done.out
    assert "nothing was done" in done.out + done.err
    assert len(live(filled)) == 3


@pytest.mark.parametrize("answer", ["y", "YES", " yes "])
def test_at_a_terminal_it_goes_on_after_a_yes(run: Run, filled: Repository, terminal: Answer, answer: str) -> None:
    terminal(answer)
    assert run("remove", "acme-lib", "1.0").code == 0
    assert live(filled) == [OTHER]


def test_yes_is_not_asked(run: Run, filled: Repository, terminal: Answer) -> None:
    terminal("n")
    done = run("remove", "acme-lib", "1.0", "--yes")
    assert (done.code, "Go on?" in done.out) == (0, False)


def test_status_is_set_and_shown(run: Run, filled: Repository) -> None:
    done = run("status", "acme-lib", "archived", "--reason", "use another")
    assert (done.code, done.out) == (0, "acme-lib is archived\n")
    project = filled.project("acme-lib").value
    assert (project.status, project.status_reason) == ("archived", "use another")


# Sweep


def test_sweep_shows_what_goes_and_then_it_is_gone(run: Run, filled: Repository, ini: Path) -> None:
    size = state(filled).size
    run("remove", "acme-lib", WHEEL)
    shown = run("sweep", "--grace", "0", "--dry-run")
    assert shown.code == 0
    assert f"purge acme-lib: {WHEEL}\ndelete of acme-lib: 2 objects, " in shown.out
    assert shown.out.endswith("nothing was done: --dry-run\n")
    assert state(filled).purged is False
    done = run("sweep", "--grace", "0")
    assert done.code == 0
    assert done.out.splitlines()[-1].startswith("done: ")
    assert done.out.endswith(" bytes freed, 1 files purged for ever\n")
    assert state(filled).purged is True
    assert int(done.out.splitlines()[-1].split()[1].replace(",", "")) >= size
    assert content(filled, state(filled, OTHER))
    assert run("sweep").out == "nothing to sweep\ndone: 0 bytes freed, 0 files purged for ever\n"


def test_sweep_of_a_file_whose_bytes_are_gone_says_what_it_purges(run: Run, filled: Repository) -> None:
    run("remove", "acme-lib", OTHER)
    for entry in entries(filled._files, f"files/main/acme-lib/{state(filled, OTHER).token}/"):
        filled._files.delete(entry.key)
    assert run("sweep").out.startswith(f"purge acme-lib: {OTHER}\ndone: 0 bytes freed, 1 files purged")


def test_sweep_asks_at_a_terminal(run: Run, filled: Repository, terminal: Answer) -> None:
    run("remove", "acme-lib", WHEEL)
    terminal("n")
    done = run("sweep")
    assert (done.code, done.out.splitlines()[-1]) == (1, "Go on? [y/N] nothing was done")
    assert state(filled).purged is False
    assert run("sweep", "-y").code == 0
    assert state(filled).purged is True


# Verify


def test_verify_of_a_whole_index_says_so(run: Run, filled: Repository) -> None:
    done = run("verify")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("6 objects, ")
    assert done.out.endswith(" bytes: all is well\n")


def test_verify_names_the_damage_and_ends_with_1(run: Run, filled: Repository, ini: Path) -> None:
    path = ini.parent / "var" / f"files/main/acme-lib/{state(filled).token}/{WHEEL}"
    path.chmod(0o600)
    path.write_bytes(b"rot")
    done = run("verify")
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0] == (
        f"files/main/acme-lib/{state(filled).token}/{WHEEL}: has 3 bytes instead of {state(filled).size}"
    )
    assert lines[1].endswith(": 1 damaged")
    assert len(lines) == 2


def test_verify_shows_its_progress_at_a_terminal(run: Run, filled: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    done = run("verify")
    assert "verify: " in done.err
    assert done.code == 0
