"""``mypi copy``, ``unseal``, ``backup`` and ``restore`` of a backup, beside a running server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mypi import commands
from mypi.backends.filesystem import FilesystemStore
from mypi.repository import Repository
from mypi.store import Store
from tests import builders, stores
from tests.commands.conftest import INI, Run
from tests.repository.moves import documents, equal, fill, named, opened
from tests.repository.shorthand import filename, live, problems, publish

Answer = Callable[[str], None]


@pytest.fixture
def filled(index: Repository) -> Repository:
    fill(index._files)
    return index


@pytest.fixture
def there(ini: Path, tmp_path: Path) -> Iterator[Repository]:
    """The new place: ``there.ini``, and its index as a server has it."""
    (tmp_path / "there.ini").write_text(INI.replace("/var", "/there"))
    store = folder(tmp_path / "there")
    yield opened(store)
    store.close()


def store_of(index: Repository) -> Store:
    return index._files


def folder(path: Path) -> Store:
    found = FilesystemStore(str(path))
    found.check()
    return found


COPY = ("copy", "mypi.ini", "there.ini")


def test_copy_says_what_it_did_and_what_was_there(run: Run, filled: Repository, there: Repository) -> None:
    done = run(*COPY)
    size = sum(len(data) for data in named(store_of(filled)).values())
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"2 projects, 5 files, {size:,} bytes copied\nnext: `mypi -c there.ini verify` reads every byte there again\n"
    )
    assert equal(store_of(filled), store_of(there))
    publish(filled, "new")
    again = run(*COPY, "--jobs", "1")
    assert again.out.startswith("1 project, 1 file, ")
    assert "copied; 2 projects were there already\n" in again.out
    third = run(*COPY)
    assert third.out.startswith("0 projects, 0 files, 0 bytes copied; 3 projects were there already\n")
    assert run("-c", "there.ini", "verify").code == 0


def test_newer_work_is_named_and_left_alone(run: Run, filled: Repository, there: Repository) -> None:
    run(*COPY)
    publish(there, version="7.0")
    publish(filled, version="8.0")
    done = run(*COPY)
    assert done.code == 1
    assert done.err.startswith("acme-lib was changed at the target since it was copied")
    assert "; 1 project was there already; 1 document left alone\n" in done.out
    assert filename(version="7.0") in live(there)


def test_damage_is_named_and_the_rest_copied(run: Run, filled: Repository, there: Repository) -> None:
    store = store_of(filled)
    store.delete(next(key for key in named(store) if key.endswith(f"/{filename()}")))
    done = run(*COPY)
    assert done.code == 1
    assert f"/{filename()}: is missing at the source; put it back from a backup" in done.err
    assert done.out.startswith("1 project, 1 file, ")
    assert "; 1 document left out for damage\n" in done.out


def test_catch_up_seals_and_unseal_takes_it_back(run: Run, filled: Repository, there: Repository) -> None:
    run(*COPY)
    publish(filled, version="8.0")
    done = run(*COPY, "--catch-up")
    assert done.code == 0
    assert done.out.startswith("1 project, 1 file, ")
    assert "\nmypi.ini is sealed: it takes no more changes, and was copied as it will stay; " in done.out
    assert "`mypi -c mypi.ini unseal` takes that back\n" in done.out
    assert filename(version="8.0") in live(there)
    for line in (
        "yank acme-lib 2.0 -r other",
        "remove acme-lib 2.0",
        "restore acme-lib 3.0",
        "status acme-lib archived",
    ):
        refused = run(*line.split())
        assert refused.code == 1
        assert "this index was sealed at 20" in refused.err
        assert "run `mypi unseal` to take writes here again" in refused.err
    assert run("sweep", "--yes").code == 1
    for line in ("list", "show acme-lib", "verify"):
        assert run(*line.split()).code == 0
    unsealed = run("unseal")
    assert (unsealed.code, unsealed.out.splitlines()[-1]) == (0, "4 documents unsealed")
    assert run("unseal", "--yes").out.splitlines()[-1] == "nothing was sealed"
    assert run("yank", "acme-lib", "8.0").code == 0


def test_import_is_refused_after_catch_up(run: Run, filled: Repository, there: Repository, tmp_path: Path) -> None:
    run(*COPY, "--catch-up")
    name, data = builders.sdist("acme-lib", "9.0")
    (tmp_path / name).write_bytes(data)
    done = run("import", name)
    assert done.code == 1
    assert "this index was sealed at" in done.err


def test_unseal_asks_a_person(run: Run, filled: Repository, there: Repository, terminal: Answer) -> None:
    run(*COPY, "--catch-up")
    terminal("n")
    asked = run("unseal")
    assert asked.code == 1
    assert "publish here from now on, and not at its new place" in asked.out
    assert asked.out.endswith("nothing was done\n")
    terminal("y")
    assert run("unseal").code == 0


def test_a_last_copy_that_fails_says_that_the_source_may_be_sealed(
    run: Run, filled: Repository, there: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Repository, "copy", broken)
    done = run(*COPY, "--catch-up")
    assert done.code == 130
    assert done.err.startswith("mypi.ini may be sealed by now; `mypi -c mypi.ini unseal` takes that back\n")
    assert "sealed" not in run(*COPY).err


def test_one_store_is_not_copied_onto_itself(run: Run, filled: Repository) -> None:
    done = run("copy", "mypi.ini", "mypi.ini")
    assert done.code == 1
    assert "source and target are one store" in done.err


def test_wrong_words_are_told(
    run: Run,
    filled: Repository,
    there: Repository,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "there is no nowhere.ini" in run("copy", "nowhere.ini", "there.ini").err
    for wrong in ("0", "101", "x"):
        with pytest.raises(SystemExit):
            run(*COPY, "--jobs", wrong)
        assert f"argument --jobs: from 1 to 100, not {wrong}" in capsys.readouterr().err
    monkeypatch.setenv("MYPI_STORAGE_PATH", "/elsewhere")
    done = run(*COPY)
    assert (done.code, done.err) == (
        1,
        "mypi: MYPI_STORAGE_PATH is set and would stand for both files; unset it, and write it into the files\n",
    )


def test_a_terminal_is_shown_how_far_it_is(
    run: Run, filled: Repository, there: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*COPY)
    publish(filled, "new")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    done = run(*COPY)
    assert "copy: 100%" in done.err
    assert "B/s]" in done.err


# Backups


def test_a_backup_in_a_folder_is_a_store_and_is_brought_up_to_date(
    run: Run, filled: Repository, tmp_path: Path
) -> None:
    done = run("backup", "kept")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(f"{tmp_path / 'kept'} is a store that mypi can serve as it is\n")
    kept = folder(tmp_path / "kept")
    assert equal(store_of(filled), kept)
    assert not problems(opened(kept))
    publish(filled, version="8.0")
    assert "1 project, 1 file, " in run("backup", "kept").out
    assert equal(store_of(filled), kept)


def test_a_backup_in_a_tar_unpacks_into_a_store(run: Run, filled: Repository, tmp_path: Path) -> None:
    done = run("backup", "kept.tar")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(f"{tmp_path / 'kept.tar'} is written; it unpacks into a store\n")
    assert not list(tmp_path.glob("*.part"))
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "-xf", "kept.tar", "-C", "out"], check=True)
    unpacked = folder(tmp_path / "out")
    assert equal(store_of(filled), unpacked)
    assert not problems(opened(unpacked))
    publish(opened(unpacked), version="8.0")


def test_what_other_tools_put_beside_the_documents_of_a_tar_is_passed_over(
    run: Run, filled: Repository, tmp_path: Path
) -> None:
    run("backup", "kept.tar")
    with tarfile.open("kept.tar", "a") as tar:
        for name in ("indexes/main/._acme-lib.json", "./indexes/main/x/../y.json", ".hidden/a.json"):
            tar.addfile(tarfile.TarInfo(name))
    (tmp_path / "var").rename(tmp_path / "old")
    done = run("restore", "kept.tar")
    assert (done.code, done.err) == (0, "")
    assert run("verify").code == 0


def test_a_tar_that_is_there_is_not_written_over(run: Run, filled: Repository, tmp_path: Path) -> None:
    run("backup", "kept.tar")
    before = (tmp_path / "kept.tar").read_bytes()
    done = run("backup", "kept.tar")
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith("kept.tar exists; name another file, or remove it first\n")
    assert (tmp_path / "kept.tar").read_bytes() == before


def test_a_tar_that_cannot_be_finished_is_told(
    run: Run, filled: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "rename", broken)
    done = run("backup", "kept.tar")
    assert done.code == 1
    assert done.err.endswith("kept.tar cannot be finished: Input/output error\n")
    assert not (tmp_path / "kept.tar").exists()


def test_a_place_for_a_backup_that_is_something_else_is_refused(run: Run, filled: Repository, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    assert run("backup", "photos").err == (
        f"mypi: {tmp_path / 'photos'} has something in it, and is no store; name an empty folder, or one to be made\n"
    )
    assert [entry.name for entry in (tmp_path / "photos").iterdir()] == ["cat.jpg"]
    assert run("backup", "nowhere/kept.tar").code == 1
    assert "source and target are one store" in run("backup", "var").err
    for inside in ("var/kept", "var/kept.tar", "var/files/kept"):
        assert "var, which is a store itself; name a place outside of it\n" in run("backup", inside).err
        assert not (tmp_path / inside).exists()


@pytest.mark.parametrize("words", [COPY, (*COPY, "--catch-up"), ("backup", "kept"), ("backup", "kept.tar")])
def test_a_place_where_no_index_is_is_not_copied_from(
    run: Run, there: Repository, tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = run(*words)
    assert (done.code, done.out) == (1, "")
    assert "there is no index in this place; is the right place named, or its disk mounted?" in done.err
    assert not (tmp_path / "var" / "store.json").exists()
    assert not list(tmp_path.glob("kept*"))


@pytest.mark.parametrize("target", ["kept", "kept.tar"])
@pytest.mark.parametrize("kind", [kind for kind in stores.STORES if kind != "memory"])  # that ends with its process
def test_a_backup_of_any_store_is_restored_into_an_empty_one_of_its_kind(
    run: Run, tmp_path: Path, kind: str, target: str
) -> None:
    lines = {place: ini_of(kind, tmp_path / place) for place in ("a", "b")}
    for place, text in lines.items():
        (tmp_path / f"{place}.ini").write_text(text)
    source = stores.make(kind, tmp_path / "a")
    fill(source)
    whole = documents(source), named(source)
    source.close()
    assert run("-c", "a.ini", "backup", target).code == 0
    done = run("-c", "b.ini", "restore", target)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("2 projects, 5 files, ")
    assert done.out.endswith("next: `mypi verify` reads every byte again\n")
    assert run("-c", "b.ini", "verify").code == 0
    restored = stores.make(kind, tmp_path / "b")
    assert (documents(restored), named(restored)) == whole
    restored.close()


def ini_of(kind: str, place: Path) -> str:
    place.mkdir()
    given = "".join(f"mypi.{name} = {value}\n" for name, value in stores.settings(kind, place).items())
    return f"[app:main]\nuse = egg:mypi\nmypi.upload = everyone\n{given}"


def test_what_was_done_since_a_backup_is_not_undone(run: Run, filled: Repository) -> None:
    run("backup", "kept")
    publish(filled, version="8.0")
    done = run("restore", "kept")
    assert done.code == 1
    assert "acme-lib was changed at the target" in done.err
    assert filename(version="8.0") in live(filled)


def test_a_project_that_was_lost_comes_back(run: Run, filled: Repository, tmp_path: Path) -> None:
    run("backup", "kept.tar")
    (tmp_path / "var" / "indexes" / "main" / "acme-lib.json").unlink()
    done = run("restore", "kept.tar")
    assert done.code == 0
    assert "1 project, 0 files, 0 bytes copied; 1 project was there already" in done.out
    assert not problems(filled)


def test_what_is_no_backup_is_told(run: Run, filled: Repository, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "notes.tar").write_bytes(b"notes")
    (tmp_path / "empty.tar").write_bytes(bytes(1024))
    said = {name: run("restore", name).err for name in ("nowhere", "photos", "notes.tar", "empty.tar")}
    assert said["nowhere"] == (
        "mypi: there is no backup nowhere; to bring removed files back, name a version or a file as well\n"
    )
    for name in ("photos", "empty.tar"):
        assert said[name].endswith(
            f"{name} is no backup of mypi: it has no store.json of its own; name the folder that has\n"
        )
    assert "notes.tar: is cut short" in said["notes.tar"]
    assert not list((tmp_path / "photos").iterdir())
    run("backup", "kept")
    (tmp_path / "kept" / "store.json").write_text('{"id":"a","format":99}')
    assert "was written by a newer mypi (format 99, this one reads 1); upgrade" in run("restore", "kept").err
    assert "--dry-run is for removed files" in run("restore", "kept", "--dry-run").err


def test_a_copy_of_the_folder_made_by_hand_is_a_backup_too(run: Run, filled: Repository, tmp_path: Path) -> None:
    subprocess.run(["cp", "-a", "var", "by-hand"], check=True)
    (tmp_path / "there.ini").write_text(INI.replace("/var", "/there"))
    assert run("-c", "there.ini", "restore", "by-hand").code == 0
    assert equal(store_of(filled), folder(tmp_path / "there"))


def test_what_lies_on_a_file_system_that_is_mounted_read_only_is_verified_and_copied(
    run: Run, filled: Repository, there: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["cp", "-a", "var", "snapshot"], check=True)
    for own in (".spool", ".locks"):  # which need no backup
        shutil.rmtree(tmp_path / "snapshot" / own)
    (tmp_path / "snapshot.ini").write_text(INI.replace("/var", "/snapshot"))
    found, real = sorted((tmp_path / "snapshot").rglob("*")), os.statvfs

    def statvfs(path: Path) -> os.statvfs_result:
        asked = real(path)
        if Path(path).name != "snapshot":
            return asked
        return os.statvfs_result([*asked[:8], asked.f_flag | os.ST_RDONLY, *asked[9:]])

    monkeypatch.setattr(os, "statvfs", statvfs)
    assert run("-c", "snapshot.ini", "verify").code == 0
    assert run("copy", "snapshot.ini", "there.ini").code == 0
    assert equal(store_of(filled), store_of(there))
    shutil.rmtree(tmp_path / "var")
    assert run("restore", "snapshot").code == 0
    assert run("verify").code == 0
    assert sorted((tmp_path / "snapshot").rglob("*")) == found


def test_killed_a_backup_leaves_no_tar(filled: Repository, tmp_path: Path) -> None:
    publish(filled, "big", content=os.urandom(2_000_000).hex())
    code = (
        "import sys, time\nfrom mypi.backends.tar import TarStore\nadd = TarStore._add\n"
        "def slow(*given):\n    add(*given)\n    time.sleep(0.2)\nTarStore._add = slow\n"
        "from mypi.commands import main\nsys.exit(main())"
    )
    command = [sys.executable, "-c", code, "-c", "mypi.ini", "backup", "kept.tar"]
    environ = {**os.environ, "PYTHONPATH": str(Path(commands.__file__).parents[2])}
    with subprocess.Popen(command, cwd=tmp_path, env=environ) as process:
        part = tmp_path / "kept.tar.part"
        while not (part.exists() and part.stat().st_size > 3000):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "kept.tar").exists()
    # The next one begins anew.
    assert commands.main(["-c", str(tmp_path / "mypi.ini"), "backup", str(tmp_path / "kept.tar")]) == 0
    assert not part.exists()


def test_a_fresh_disk_takes_a_backup(run: Run, index: Repository, tmp_path: Path) -> None:
    publish(index)
    target = tmp_path / "disk"
    (target / "lost+found").mkdir(parents=True)
    assert run("backup", str(target)).code == 0
    assert run("backup", str(target)).code == 0
