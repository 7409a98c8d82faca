"""``mypi import``: folders and files go in; what cannot is named with the reason."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mypi.repository import Repository
from mypi.store import NotFound
from tests import builders, upstreams
from tests.attested import PUBLISH, SLSA, of
from tests.commands.conftest import Run
from tests.repository.shorthand import content, filename, live, package
from tests.upstreams import Upstream


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a wheel and its signature, and an sdist further below."""
    made = tmp_path / "dist"
    (made / "old" / "older").mkdir(parents=True)
    name, data = package()
    (made / name).write_bytes(data)
    (made / f"{name}.asc").write_bytes(b"signed")
    name, data = builders.sdist("other", "0.1")
    (made / "old" / "older" / name).write_bytes(data)
    return made


def test_a_folder_goes_in_with_all_below_it_and_the_signatures_beside(
    run: Run, index: Repository, folder: Path
) -> None:
    done = run("import", str(folder))
    assert (done.code, done.out, done.err) == (0, "2 imported, 0 refused\n", "")
    assert live(index) == [filename()]
    assert live(index, "other") == ["other-0.1.tar.gz"]
    project = index.project("acme-lib").value
    assert content(index, project.live[0]) == package()[1]
    with index.open_sidecar(project, project.live[0], ".asc") as reader:
        assert reader.read() == b"signed"
    assert project.history[-1].origin == "command"
    other = index.project("other").value
    with pytest.raises(NotFound):
        index.open_sidecar(other, other.live[0], ".asc")


def test_it_may_be_run_again(run: Run, index: Repository, folder: Path) -> None:
    assert run("import", str(folder)).code == 0
    tag = index.project("acme-lib").tag
    assert run("import", str(folder), str(folder / filename())).out == "2 imported, 0 refused\n"
    assert index.project("acme-lib").tag == tag


def test_files_can_be_named(run: Run, index: Repository, folder: Path) -> None:
    assert run("import", str(folder / filename())).out == "1 imported, 0 refused\n"
    assert live(index, "other") == []


def test_what_cannot_be_taken_is_named_with_the_reason_and_the_rest_is_in(
    run: Run, index: Repository, folder: Path
) -> None:
    (folder / "acme-0.9-py2.7.egg").write_bytes(b"")
    (folder / "readme.txt").write_text("hello")
    (folder / "bad-1.0.tar.gz").write_bytes(b"no archive")
    name, _ = package(version="3.0")
    (folder / name).write_bytes(package(version="4.0")[1])
    done = run("import", str(folder))
    assert (done.code, done.out) == (1, "2 imported, 4 refused\n")
    refused = dict(line.removeprefix(f"refused {folder}/").split(": ", 1) for line in done.err.splitlines())
    assert refused.keys() == {"acme-0.9-py2.7.egg", "readme.txt", "bad-1.0.tar.gz", name}
    assert "is an egg, which no current installer reads" in refused["acme-0.9-py2.7.egg"]
    assert "ends in none of .whl, .tar.gz and .zip" in refused["readme.txt"]
    assert live(index) == [filename()]


def test_other_bytes_under_a_taken_name_are_refused(run: Run, index: Repository, folder: Path) -> None:
    run("import", str(folder))
    (folder / filename()).write_bytes(package(content="other")[1])
    done = run("import", str(folder))
    assert (done.code, done.out) == (1, "1 imported, 1 refused\n")
    assert "File already exists" in done.err


def test_history_that_predates_a_rule_is_taken_when_that_is_asked_for(
    run: Run, index: Repository, tmp_path: Path
) -> None:
    name, data = builders.sdist(files={}, pkg_info=builders.metadata("another", "1.0"))
    (tmp_path / name).write_bytes(data)
    assert run("import", str(tmp_path / name)).code == 1
    assert run("import", "--allow", "pkg-info", str(tmp_path / name)).code == 0
    assert live(index) == [name]


def test_dry_run_names_the_files_and_does_nothing(run: Run, index: Repository, folder: Path) -> None:
    done = run("import", "--dry-run", str(folder))
    assert done.code == 0
    assert done.out.splitlines() == [
        str(folder / filename()),
        str(folder / "old/older/other-0.1.tar.gz"),
        "2 files would be tried: --dry-run",
    ]
    assert index.names() is None


def test_a_path_that_is_not_there_stops_before_anything_is_done(run: Run, index: Repository, folder: Path) -> None:
    done = run("import", str(folder), str(folder / "missing"))
    assert (done.code, done.err) == (1, f"mypi: {folder}/missing is neither a file nor a folder\n")
    assert index.names() is None


def test_hidden_files_and_folders_are_left_alone(run: Run, folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "x-1.0.tar.gz").write_bytes(b"")
    (folder / ".DS_Store").write_bytes(b"")
    assert run("import", str(folder)).out == "2 imported, 0 refused\n"


def test_links_that_lead_nowhere_are_left_alone(run: Run, folder: Path) -> None:
    (folder / "gone-1.0.tar.gz").symlink_to(folder / "nowhere")
    assert run("import", str(folder)).out == "2 imported, 0 refused\n"


def test_a_folder_that_cannot_be_read_is_named(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def denied(path):  # type: ignore[no-untyped-def]
        if str(path).endswith("old"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    done = run("import", str(folder))
    assert (done.code, done.out) == (1, "1 imported, 1 refused\n")
    assert done.err == f"refused {folder}/old: Permission denied\n"


def test_a_file_that_cannot_be_read_is_named(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def denied(self, mode="r", **more):  # type: ignore[no-untyped-def]
        if self.name == filename():
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, mode, **more)

    monkeypatch.setattr(Path, "open", denied)
    done = run("import", str(folder))
    assert (done.code, done.out) == (1, "1 imported, 1 refused\n")
    assert "Permission denied" in done.err


def test_progress_is_shown_at_a_terminal_only(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("import", str(folder)).err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    (folder / "readme.txt").write_text("hello")
    done = run("import", str(folder))
    assert "import: 100%" in done.err
    assert f"refused {folder}/readme.txt: " in done.err


def test_attestations_beside_a_file_come_along(run: Run, index: Repository, folder: Path) -> None:
    for number, (ending, kind) in enumerate({".publish.attestation": PUBLISH, ".slsa.attestation": SLSA}.items(), 1):
        (folder / f"{filename()}{ending}").write_text(json.dumps(of(*package(), kind)))
        (folder / f"another{number}{ending}").touch()
    assert run("import", str(folder)).out == "2 imported, 0 refused\n"
    project = index.project("acme-lib").value
    with index.open_sidecar(project, project.live[0], ".provenance") as reader:
        (bundle,) = json.loads(reader.read())["attestation_bundles"]
    assert bundle["attestations"] == [of(*package(), kind) for kind in (PUBLISH, SLSA)]


def test_a_file_whose_attestations_are_of_another_is_named(run: Run, folder: Path) -> None:
    (folder / f"{filename()}.publish.attestation").write_text(json.dumps(of(filename(), b"other")))
    done = run("import", str(folder))
    assert (done.code, done.out) == (1, "1 imported, 1 refused\n")
    assert "has another sha256" in done.err


def test_names_that_another_index_has_are_refused_and_the_rest_is_in(
    run: Run, index: Repository, folder: Path, elsewhere: Upstream
) -> None:
    done = run("import", str(folder))
    assert (done.code, done.out) == (1, "1 imported, 1 refused\n")
    assert done.err.startswith(f"refused {folder / filename()}: pypi has a project acme-lib, and a name is either ours")
    assert live(index, "other") == ["other-0.1.tar.gz"]
    assert live(index) == []
    assert elsewhere.count("/simple/acme-lib/") == elsewhere.count("/simple/other/") == 1


def test_names_are_taken_over_when_that_is_said(run: Run, index: Repository, folder: Path, elsewhere: Upstream) -> None:
    assert run("import", "--takeover", str(folder)).out == "2 imported, 0 refused\n"
    assert [event.did for event in index.project("acme-lib").value.history] == ["takeover", "publish"]
    assert index.project("acme-lib").value.history[0].reason == "import --takeover"
    assert [event.did for event in index.project("other").value.history] == ["publish"]
    elsewhere.requests.clear()
    assert run("import", str(folder)).out == "2 imported, 0 refused\n"
    assert elsewhere.requests == []


def test_an_index_that_is_away_refuses_new_names_unless_they_are_taken_over(
    run: Run, index: Repository, folder: Path, elsewhere: Upstream
) -> None:
    elsewhere.faults["*"] = upstreams.status(500)
    done = run("import", str(folder))
    assert (done.code, done.out) == (1, "0 imported, 2 refused\n")
    assert "Whether another index has a project other cannot be asked now" in done.err
    assert index.names() is None
    assert run("import", "--takeover", str(folder)).out == "2 imported, 0 refused\n"
    assert index.project("other").value.taken_over


def test_an_sdist_whose_name_can_be_read_in_two_ways_is_asked_for_by_that_of_its_archive(
    run: Run, index: Repository, folder: Path, elsewhere: Upstream
) -> None:
    elsewhere.add("acme", "acme-9.0.tar.gz", b"theirs")
    name, data = builders.sdist("acme-2", "1.0")
    (folder / "only").mkdir()
    (folder / "only" / name.replace("acme_2", "acme-2")).write_bytes(data)
    assert run("import", str(folder / "only")).out == "1 imported, 0 refused\n"
    assert elsewhere.count("/simple/acme-2/") == 1
    assert elsewhere.count("/simple/acme/") == 0


def test_without_another_index_taking_over_is_nothing(run: Run, index: Repository, folder: Path) -> None:
    assert run("import", "--takeover", str(folder)).out == "2 imported, 0 refused\n"
    assert [event.did for event in index.project("acme-lib").value.history] == ["publish"]
