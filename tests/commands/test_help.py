"""The command line itself: its help, its errors, and how it ends."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mypi import commands
from mypi.commands import main, parser
from mypi.repository import Repository
from mypi.store import Unavailable
from tests.commands.conftest import Run
from tests.repository.shorthand import ALICE, publish

NAMES = {
    *("serve", "init", "list", "show", "yank", "unyank", "remove", "restore", "status", "import", "sweep", "verify"),
    *("htpasswd", "copy", "unseal", "backup", "pack", "log", "nginx-config"),
    *("user", "user add", "user passwd", "user remove", "user list"),
    *("group", "group add", "group remove", "group list"),
    *("token", "token add", "token remove", "token list"),
    "why",
    *("owner", "owner add", "owner remove"),
    "takeover",
    "upstream",
    "upstream list",
    "upstream warm",
    "upstream check",
    "upstream empty",
}


def parsers(top: argparse.ArgumentParser | None = None) -> Iterator[argparse.ArgumentParser]:
    """Yield the parser of each command, and of each action that a command has."""
    for action in (top or parser())._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield each
                yield from parsers(each)


def name_of(each: argparse.ArgumentParser) -> str:
    return each.prog.removeprefix("mypi ")


def test_there_is_a_command_for_everything_that_an_operator_does() -> None:
    assert {name_of(each) for each in parsers()} == NAMES


@pytest.mark.parametrize("command", sorted(NAMES))
def test_the_help_of_each_command_is_complete(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    (found,) = (each for each in parsers() if name_of(each) == command)
    assert found.description
    assert found.description.endswith(".")
    for action in found._actions:
        assert action.help, action.dest
        assert (action.option_strings or [action.metavar or action.dest])[-1] in said


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    for name in NAMES:
        assert " " in name or f"\n    {name} " in said


@pytest.mark.parametrize("line", ["", "lst", "list --jsn", "list --js", "show", "sweep --grace -1", "status x gone"])
def test_wrong_usage_ends_with_2(ini: Path, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == 2
    assert "usage: mypi" in capsys.readouterr().err


# The .ini file


def test_without_an_ini_the_remedy_is_named(run: Run, ini: Path) -> None:
    ini.unlink()
    done = run("list")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "mypi: there is no mypi.ini, production.ini or development.ini here; `mypi init` writes one, -c names another\n"
    )


def test_an_ini_that_is_named_but_not_there_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("-c", "other.ini", "list").err.startswith("mypi: there is no other.ini here; `mypi init` writes one")
    monkeypatch.setenv("MYPI_INI", "third.ini")
    assert run("list").err.startswith("mypi: there is no third.ini here")


@pytest.mark.parametrize("name", ["mypi.ini", "production.ini", "development.ini"])
def test_the_usual_files_are_found(run: Run, ini: Path, name: str) -> None:
    ini.rename(ini.parent / name)
    assert run("list").code == 0


def test_c_and_the_environment_name_another(run: Run, ini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ini.rename(ini.parent / "else.ini")
    assert run("-c", "else.ini", "list").code == 0
    monkeypatch.setenv("MYPI_INI", "else.ini")
    assert run("list").code == 0


@pytest.mark.parametrize(
    "text", ["no section", "[app:other]\nuse = egg:mypi\n", "[app:main]\na\n", "[app:main]\nx = %(no)s\n", "\xff"]
)
def test_a_file_that_is_no_ini_is_told(run: Run, ini: Path, text: str) -> None:
    ini.write_text(text, encoding="latin-1")
    done = run("list")
    assert done.code == 1
    assert done.err.startswith(f"mypi: {ini} is no .ini file that serves mypi: ")


@pytest.mark.parametrize("command", ["list", "serve"])
def test_a_value_that_cannot_be_read_is_named_and_not_shown(run: Run, ini: Path, command: str) -> None:
    ini.write_text(ini.read_text() + "mypi.storage.uri = postgres://mypi:x%geheim@db/mypi\n")
    done = run(command)
    assert done.code == 1
    assert "the value of mypi.storage.uri in [app:main] has a % that stands for nothing; write %% for one" in done.err
    assert "geheim" not in done.err


def test_an_unknown_setting_is_told_with_the_nearest(run: Run, ini: Path) -> None:
    ini.write_text(ini.read_text() + "mypi.trash_day = 3\n")
    done = run("list")
    assert done.code == 1
    assert "mypi.trash_day" in done.err
    assert "mypi.trash_days" in done.err


def test_a_folder_of_something_else_is_refused(run: Run, ini: Path) -> None:
    (ini.parent / "var").mkdir()
    (ini.parent / "var" / "holiday.jpg").write_bytes(b"beach")
    done = run("list")
    assert done.code == 1
    assert done.err.startswith("mypi: store.json: is missing although there is something in mypi.storage")


def test_a_catalogue_of_its_own_holds_the_documents(run: Run, ini: Path) -> None:
    ini.write_text(ini.read_text() + "mypi.catalogue = filesystem\nmypi.catalogue.path = %(here)s/documents\n")
    assert run("list").out == "no projects\n"
    assert (ini.parent / "documents" / "store.json").read_bytes() == (ini.parent / "var" / "store.json").read_bytes()


def test_a_pair_that_belongs_apart_is_refused(run: Run, ini: Path) -> None:
    assert run("list").code == 0
    text = ini.read_text()
    ini.write_text(text.replace("/var", "/other"))
    assert run("list").code == 0
    ini.write_text(text + "mypi.catalogue = filesystem\nmypi.catalogue.path = %(here)s/other\n")
    assert "belong to different indexes; name a pair" in run("list").err


# How a command ends


def test_ctrl_c_ends_with_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Repository, "names", interrupted)
    done = run("list")
    assert (done.code, done.err) == (130, "mypi: stopped; what was done so far stays done\n")


def test_a_store_that_is_away_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise Unavailable("indexes/main.json", "the disk is away")

    monkeypatch.setattr(Repository, "names", away)
    done = run("list")
    assert (done.code, done.err) == (1, "mypi: indexes/main.json: the disk is away\n")


@pytest.mark.parametrize("line", ["show {}", "yank {} 1.0", "remove {} 1.0", "restore {} 1.0", "status {} active"])
def test_an_unknown_project_is_told(run: Run, line: str) -> None:
    done = run(*line.format("Acme.Lib").split())
    assert (done.code, done.out) == (1, "")
    assert done.err == "mypi: there is no acme-lib on this index; `mypi list` shows what there is\n"


def test_a_name_that_is_none_is_told(run: Run) -> None:
    done = run("show", "no name")
    assert done.code == 1
    assert "'no name' is not a project name" in done.err


def test_a_reader_who_is_gone_is_no_error(ini: Path, index: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        assert main(["list"]) == 0


def test_output_that_nobody_reads_to_its_end_is_no_error(ini: Path, index: Repository) -> None:
    publish(index)
    for number in range(150):
        index.yank("acme-lib", ["acme_lib-1.0-py3-none-any.whl"], "x" * 1000 + str(number), ALICE)
    command = [sys.executable, "-c", "import sys; from mypi.commands import main; sys.exit(main())"]
    with subprocess.Popen(
        [*command, "-c", str(ini), "show", "acme-lib", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(commands.__file__).parents[2],
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.read(1) == b"{"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
