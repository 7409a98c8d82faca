"""``mypi verify --repair``: it proposes, asks, does it, and names what is left; and the ways in which damage heals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mypi.repository import Repository
from tests.commands.conftest import Run
from tests.repository.shorthand import filename, live, package, publish

WHEEL = filename()


@pytest.fixture
def filled(index: Repository) -> Repository:
    publish(index)
    publish(index, version="2.0")
    return index


def path_of(index: Repository, ini: Path, ending: str = "", name: str = WHEEL) -> Path:
    token = index.project("acme-lib").value.files[name].place(ending)
    return ini.parent / "var" / f"files/main/acme-lib/{token}/{name}{ending}"


def damage(path: Path, data: bytes = b"rot") -> None:
    path.chmod(0o600)
    path.write_bytes(data)


def test_nothing_is_to_repair(run: Run, filled: Repository) -> None:
    done = run("verify", "--repair")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("all is well\nnothing to repair\n")


def test_a_dry_run_shows_what_would_be_done_and_does_nothing(run: Run, filled: Repository, ini: Path) -> None:
    damage(path_of(filled, ini))
    for options in (("--repair", "--dry-run"), ("-n",)):
        done = run("verify", *options)
        assert done.code == 1
        assert done.out.splitlines()[-2:] == [
            f"would mark {WHEEL} as damaged, and withdraw it from the pages",
            "nothing was done: --dry-run",
        ]
    assert len(live(filled)) == 2
    path_of(filled, ini).write_bytes(package()[1])
    assert run("verify", "--repair", "-n").code == 0


def test_it_asks_at_a_terminal(run: Run, filled: Repository, ini: Path, terminal: Callable[[str], None]) -> None:
    damage(path_of(filled, ini))
    terminal("n")
    done = run("verify", "--repair")
    assert (done.code, done.out.splitlines()[-1]) == (1, "Go on? [y/N] nothing was done")
    assert len(live(filled)) == 2
    terminal("y")
    assert run("verify", "--repair").code == 1
    assert live(filled) == [filename(version="2.0")]
    # Where there is nothing to ask, nothing is asked: what is left takes a person.
    terminal("")
    done = run("verify", "--repair")
    assert (done.code, done.out.splitlines()[-1]) == (1, "1 left to do by hand")


def test_what_is_damaged_is_marked_and_what_must_be_restored_is_named(run: Run, filled: Repository, ini: Path) -> None:
    file = filled.project("acme-lib").value.files[WHEEL]
    path = path_of(filled, ini)
    damage(path)
    done = run("verify", "--repair", "--yes")
    assert done.code == 1
    key = f"files/main/acme-lib/{file.token}/{WHEEL}"
    assert done.out.splitlines() == [
        f"{key}: has 3 bytes instead of {file.size}",
        done.out.splitlines()[1],
        f"would mark {WHEEL} as damaged, and withdraw it from the pages",
        f"done: {WHEEL} is marked as damaged",
        f"left: {WHEEL} of acme-lib (sha256 {file.sha256}, {file.size:,} bytes) must come from a backup or from who "
        f"built it: `mypi import FILE`, an upload of the same file, or `mypi restore BACKUP`; the wrong bytes, if any, "
        f"are left as {key}",
        "1 left to do by hand",
    ]
    assert path.read_bytes() == b"rot"
    event = filled.project("acme-lib").value.history[-1]
    assert (event.did, event.origin, event.reason) == (
        "damage",
        "command",
        f"{WHEEL} has 3 bytes instead of {file.size}",
    )
    assert "damage" in run("log").out
    assert (
        f"damaged: {WHEEL} has 3 bytes instead of {file.size}; restore it from a backup" in run("show", "acme-lib").out
    )
    plain = run("verify")
    assert plain.code == 1
    assert plain.out.splitlines()[0].endswith(f"instead of {file.size} (marked as damaged)")


def test_what_can_be_made_again_is_made_and_then_all_is_well(run: Run, filled: Repository, ini: Path) -> None:
    damage(path_of(filled, ini, ".metadata"))
    damage(ini.parent / "var" / "indexes/main.json", b"{")
    done = run("verify", "--repair")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "all is well now"
    assert "done: every project is listed again; what was there is kept as aside/" in done.out
    assert run("verify").code == 0


def test_projects_that_are_not_listed_are_listed_by_one_repair(run: Run, filled: Repository, ini: Path) -> None:
    publish(filled, "other")
    damage(ini.parent / "var" / "indexes/main.json", b'{"projects":{"x":"x"}}')
    done = run("verify", "--repair")
    assert done.code == 0
    assert done.out.count("done: ") == 1


def test_import_heals(run: Run, filled: Repository, ini: Path) -> None:
    damage(path_of(filled, ini))
    run("verify", "--repair")
    folder = ini.parent / "built"
    folder.mkdir()
    (folder / WHEEL).write_bytes(package()[1])
    assert run("import", str(folder)).code == 0
    assert run("verify").code == 0
    assert len(live(filled)) == 2


def test_bytes_that_are_put_back_by_hand_are_offered_again(run: Run, filled: Repository, ini: Path) -> None:
    path = path_of(filled, ini)
    damage(path)
    run("verify", "--repair")
    path.write_bytes(package()[1])
    done = run("verify")
    assert (done.code, done.out.splitlines()[-1].rpartition(": ")[2]) == (1, "1 right again")
    done = run("verify", "--repair")
    assert (done.code, done.out.splitlines()[-1]) == (0, "all is well now")
    assert len(live(filled)) == 2


@pytest.mark.parametrize("target", ["kept", "kept.tar"])
def test_a_backup_heals_though_it_is_older_than_the_mark(run: Run, filled: Repository, ini: Path, target: str) -> None:
    assert run("backup", target).code == 0
    damage(path_of(filled, ini))
    run("verify", "--repair")
    publish(filled, "later")
    done = run("restore", target)
    assert f"put back, and offered again: {WHEEL}\n" in done.out
    assert run("verify").code == 0
    assert len(live(filled)) == 2


def test_a_backup_of_an_index_with_damage_is_whole_in_the_rest(run: Run, filled: Repository, ini: Path) -> None:
    damage(path_of(filled, ini))
    run("verify", "--repair")
    done = run("backup", "kept")
    assert done.code == 0
    assert "damage" not in done.out


def test_an_outage_is_not_damage(run: Run, filled: Repository, ini: Path) -> None:
    # A link to itself stands for a disk that gives errors: root may read what nobody may.
    path = path_of(filled, ini)
    path.rename(path.with_name("whole"))
    path.symlink_to(path)
    done = run("verify", "--repair")
    assert done.code == 1
    assert ": could not be read now: " in done.out
    assert done.out.splitlines()[1].endswith(": 1 could not be read now")
    assert done.out.splitlines()[-1] == "1 left to do by hand"
    assert len(live(filled)) == 2
