"""``mypi list`` and ``mypi show``."""

from __future__ import annotations

import json

from mypi import metadata
from mypi.model import Actor
from mypi.repository import Repository
from tests import builders
from tests.commands.conftest import Run
from tests.repository.shorthand import ALICE, filename, publish


def test_list_names_the_projects_as_they_write_themselves(run: Run, index: Repository) -> None:
    assert run("list").out == "no projects\n"
    for name in ("zeta", "Acme.Lib", "acme-app"):
        publish(index, name)
    done = run("list")
    assert (done.code, done.out, done.err) == (0, "acme-app\nAcme.Lib\nzeta\n", "")


def test_list_takes_a_pattern_of_canonical_names(run: Run, index: Repository) -> None:
    for name in ("zeta", "Acme.Lib", "acme-app"):
        publish(index, name)
    assert run("list", "ACME-*").out == "acme-app\nAcme.Lib\n"
    assert run("list", "nothing*").out == "no projects\n"


def test_list_gives_json(run: Run, index: Repository) -> None:
    assert json.loads(run("list", "--json").out) == []
    publish(index, "Acme.Lib")
    assert json.loads(run("list", "--json").out) == ["Acme.Lib"]


def test_a_very_long_list_is_one_name_a_line(run: Run, index: Repository) -> None:
    for number in range(300):
        index.register(metadata.read(builders.metadata(f"p{number}", "1")), ALICE)
    lines = run("list").out.splitlines()
    assert len(lines) == 300
    assert lines == sorted(lines)


def test_show_says_what_became_of_each_file(run: Run, index: Repository) -> None:
    for version in ("1.10", "1.9", "1.8", "1.7", "1.6"):
        publish(index, "Acme.Lib", version)
    index.register(metadata.read(builders.metadata("Acme.Lib", "2.0", summary="A library")), ALICE)
    index.register(metadata.read(builders.metadata("Acme.Lib", "10.0", summary="Later")), ALICE)
    index.yank("acme-lib", [filename("Acme.Lib", "1.9")], "broken", ALICE)
    index.yank("acme-lib", [filename("Acme.Lib", "1.8")], "", ALICE)
    index.remove("acme-lib", [filename("Acme.Lib", "1.6")], ALICE)
    list(index.sweep(ALICE, trash_days=0, grace=0))
    index.remove("acme-lib", [filename("Acme.Lib", "1.7")], ALICE)
    index.set_status("acme-lib", "deprecated", "use another", ALICE)
    done = run("show", "ACME_lib")
    lines = done.out.splitlines()
    assert lines[0] == "Acme.Lib: deprecated (use another)"
    assert lines[1:3] == ["  2.0  registered  A library", "  10.0  registered  Later"]
    files = [line.split() for line in lines[3:13:2]]
    assert [line[0] for line in files] == [filename("Acme.Lib", f"1.{n}") for n in (6, 7, 8, 9, 10)]
    states = [" ".join(line[3:]) for line in files]
    assert states[0] == "purged"
    assert states[1].startswith("removed 2")
    assert states[1].endswith(", can be restored")
    assert states[2:4] == ["yanked", "yanked: broken"]
    assert states[4].startswith("uploaded 2")
    assert states[4].endswith(" by alice")
    assert lines[4].startswith("    sha256 ")
    assert "history, 13 changes, the last ten:" in lines
    assert lines[-1].endswith("Z  status deprecated: use another  by alice from 127.0.0.1")
    assert done.code == 0


def test_show_of_something_nobody_signed_for(run: Run, index: Repository) -> None:
    index.register(metadata.read(builders.metadata("acme-lib", "2.0")), Actor(None, None))
    assert "register 2.0  by anonymous from ?" in run("show", "acme-lib").out


def test_show_gives_the_whole_document_as_json(run: Run, index: Repository) -> None:
    file = publish(index, "Acme.Lib")
    shown = json.loads(run("show", "acme-lib", "--json").out)
    assert shown["display"] == "Acme.Lib"
    assert shown["files"][file.filename]["sha256"] == file.sha256
    assert [event["did"] for event in shown["history"]] == ["publish"]
