"""Publishing: a file with all its metadata or nothing, once, for ever."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mypi import metadata
from mypi.artifacts import ArtifactError
from mypi.backends.filesystem import FilesystemStore
from mypi.model import Closed, Missing, Taken
from mypi.repository import Refused, Repository
from mypi.store import NotFound, Store, Truncated, Unavailable
from mypi.testing.doubles import RecordingStore
from tests import builders
from tests.attested import of as attestation_of
from tests.repository.shorthand import (
    ALICE,
    content,
    entries,
    filename,
    live,
    package,
    problems,
    publish,
    settings,
    submission,
)


def test_what_was_published_is_listed_whole_with_its_metadata(repository: Repository) -> None:
    name, data = builders.wheel("Acme.Lib", "1.0", requires_python=">=3.9")
    given = json.dumps([attestation_of(name, data)])
    file = repository.publish(submission(name, data, signature=b"signed", attestations=given), ALICE)
    project = repository.project("acme-lib").value
    assert project.live == (file,)
    assert project.display == "Acme.Lib"
    assert (file.filename, file.version, file.size) == (name, "1.0", len(data))
    assert file.sha256 == hashlib.sha256(data).hexdigest()
    assert (file.requires_python, file.uploader, file.signed) == (">=3.9", "alice", True)
    assert file.signature == hashlib.sha256(b"signed").hexdigest()
    assert content(repository, file) == data
    with repository.open_metadata(project, file) as reader:
        assert hashlib.sha256(reader.read()).hexdigest() == file.core_metadata
    with repository.open_sidecar(project, file, ".asc") as reader:
        assert reader.read() == b"signed"
    with repository.open_sidecar(project, file, ".provenance") as reader:
        provenance = reader.read()
    assert hashlib.sha256(provenance).hexdigest() == file.provenance
    assert json.loads(provenance)["attestation_bundles"][0]["attestations"] == json.loads(given)
    assert not problems(repository)


def test_the_history_says_who_published_what_from_where(repository: Repository) -> None:
    file = publish(repository)
    (event,) = repository.project("acme-lib").value.history
    assert (event.did, event.by, event.origin) == ("publish", "alice", "127.0.0.1")
    assert (event.file, event.version, event.at) == (file.filename, "1.0", file.uploaded)


def test_a_project_is_listed_with_the_name_that_its_first_file_writes(repository: Repository) -> None:
    assert repository.names() is None
    publish(repository, "Acme.Lib", "1.0")
    publish(repository, "acme_lib", "2.0")
    names = repository.names()
    assert names
    assert names.value.projects == {"acme-lib": "Acme.Lib"}
    assert repository.project("acme-lib").value.display == "Acme.Lib"


def test_the_next_read_anywhere_sees_it(store: Store, repository: Repository) -> None:
    other = Repository(store, store, settings())
    for version in ("1.0", "1.1"):
        publish(repository, version=version)
        assert live(other)[-1] == filename(version=version)
        assert live(repository) == live(other)


def test_B1_15_the_same_bytes_again_are_accepted_and_change_nothing(store: Store, repository: Repository) -> None:
    first = publish(repository)
    before = entries(store)
    assert publish(repository) == first
    assert entries(store) == before


def test_the_same_bytes_again_cost_one_read(store: Store) -> None:
    recording = RecordingStore(store)
    repository = Repository(recording, recording, settings())
    publish(repository)
    del recording.log[:]
    publish(repository)
    assert recording.log == [("open", "indexes/main/acme-lib.json")]


def test_a_publish_costs_few_calls(store: Store) -> None:
    recording = RecordingStore(store)
    repository = Repository(recording, recording, settings())
    publish(repository)
    del recording.log[:]
    publish(repository, version="2.0")
    counted = [operation for operation, _ in recording.log]
    assert (counted.count("add"), counted.count("swap")) == (2, 1)
    assert counted.index("swap") > max(place for place, each in enumerate(counted) if each == "add")


def test_a_publish_on_a_disk_syncs_each_file_and_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FilesystemStore(str(tmp_path))
    store.check()
    repository = Repository(store, store, settings())
    publish(repository)
    synced: list[str] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    file = publish(repository, version="2.0")
    folder = f"{tmp_path}/files/main/acme-lib"
    assert [path for path in synced if ".spool" not in path] == [
        f"{folder}/{file.token}", folder, f"{tmp_path}/indexes/main"
    ]  # fmt: skip
    assert len(synced) == 6  # besides the file, its metadata and the document


def test_B1_16_other_bytes_under_the_name_are_refused(store: Store, repository: Repository) -> None:
    first = publish(repository)
    before = entries(store)
    with pytest.raises(Taken, match="File already exists"):
        publish(repository, content="other")
    assert entries(store) == before
    assert content(repository, first) == package()[1]


def test_removed_bytes_are_refused_and_told_to_be_restored(repository: Repository) -> None:
    file = publish(repository)
    repository.remove("acme-lib", [file.filename], ALICE)
    with pytest.raises(Taken, match="was removed; restore it instead of uploading it again"):
        publish(repository)


def test_a_cache_that_trusts_itself_does_not_decide_on_an_upload(store: Store) -> None:
    cached = Repository(store, store, settings(cache_seconds="1000"))
    file = publish(cached)
    other = Repository(store, store, settings())
    other.remove("acme-lib", [file.filename], ALICE)
    assert live(cached) == [file.filename]
    with pytest.raises(Taken, match="was removed"):
        publish(cached)


def test_an_archived_project_takes_nothing(store: Store, repository: Repository) -> None:
    publish(repository)
    repository.set_status("acme-lib", "archived", "done", ALICE)
    before = entries(store)
    with pytest.raises(Closed, match="archived"):
        publish(repository, version="2.0")
    with pytest.raises(Closed, match="archived"):
        repository.register(metadata.read(builders.metadata("acme-lib", "3.0")), ALICE)
    assert entries(store) == before


@pytest.mark.parametrize("data", [b"", b"PK", b"no archive" * 100])
def test_a_refused_file_creates_nothing(store: Store, repository: Repository, data: bytes) -> None:
    with pytest.raises(ArtifactError):
        repository.publish(submission("acme_lib-1.0-py3-none-any.whl", data), ALICE)
    assert [entry.key for entry in entries(store)] == ["store.json"]
    with pytest.raises(NotFound):
        repository.project("acme-lib")


def test_a_rule_of_the_settings_refuses_with_the_name_of_the_file(store: Store) -> None:
    strict = Repository(store, store, settings(refuse="pypi"))
    with pytest.raises(Refused, match=r"^acme_lib-1\.0\+local-py3-none-any\.whl: "):
        publish(strict, version="1.0+local")
    publish(strict, version="1.0")
    with pytest.raises(Refused):
        strict.publish(submission(*builders.wheel("acme-lib", "1.0", tag="py3-none-linux_x86_64")), ALICE)
    assert live(strict) == [filename()]


def test_a_source_that_is_shorter_than_announced_leaves_nothing(store: Store, repository: Repository) -> None:
    name, data = package()
    lying = submission(name, data)
    short = type(lying)(lying.filename, lying.content, lying.size + 1, lying.sha256, signature=b"x")
    with pytest.raises(Truncated):
        repository.publish(short, ALICE)
    assert [entry.key for entry in entries(store)] == ["store.json"]


def test_a_file_name_with_two_readings_goes_where_its_archive_belongs(repository: Repository) -> None:
    name, data = builders.sdist("foo", "1.0-1", filename="foo-1.0-1.tar.gz")
    file = repository.publish(submission(name, data), ALICE)
    assert repository.project("foo").value.live == (file,)
    assert file.version == "1.0.post1"
    with pytest.raises(NotFound):
        repository.project("foo-1-0")
    assert repository.publish(submission(name, data), ALICE) == file
    assert len(repository.project("foo").value.history) == 1


class SweptStore(RecordingStore):
    """Lets a sweep go over everything after each file that is added, ``times`` times."""

    times = 0
    sweep: Callable[[], object]

    def _add(self, key: str, source: object, size: int) -> None:
        super()._add(key, source, size)  # type: ignore[arg-type]
        if key.endswith(".whl") and self.times:
            self.times -= 1
            self.sweep()


def swept(store: Store, times: int) -> tuple[SweptStore, Repository]:
    hooked = SweptStore(store)
    hooked.times = times
    clock = Repository(store, store, settings(), clock=lambda: 2e9 * 2)
    hooked.sweep = lambda: list(clock.sweep(ALICE, trash_days=0))
    return hooked, Repository(hooked, hooked, settings())


def test_an_upload_that_was_swept_away_adds_its_bytes_again(store: Store) -> None:
    publish(Repository(store, store, settings()), version="0.9")
    hooked, repository = swept(store, 4)
    file = publish(repository)
    assert content(repository, file) == package()[1]
    assert sum(1 for operation, key in hooked.log if operation == "add" and key.endswith(".whl")) == 5
    assert not problems(repository)


def test_sweeps_without_end_are_told_as_unavailable(store: Store) -> None:
    publish(Repository(store, store, settings()), version="0.9")
    _, repository = swept(store, 5)
    with pytest.raises(Unavailable, match="sweeps kept coming between; try again"):
        publish(repository)
    publish(repository)
    assert not problems(repository)


def test_a_project_that_only_a_sweep_wrote_is_not_there(store: Store) -> None:
    repository = Repository(store, store, settings(), clock=lambda: 2e9 * 2)
    store.add(f"files/main/acme-lib/0123456789abcdef/{filename()}", io.BytesIO(b"rubbish"), 7)
    assert [swept.project for swept in repository.sweep(ALICE, trash_days=0) if swept.deleted] == ["acme-lib"]
    assert store.read("indexes/main/acme-lib.json")
    with pytest.raises(NotFound, match="acme-lib: no such project"):
        repository.project("acme-lib")
    with pytest.raises(NotFound):
        repository.yank("acme-lib", [filename()], "", ALICE)
    publish(repository, "Acme.Lib")
    assert repository.project("acme-lib").value.display == "Acme.Lib"


def test_register_notes_a_release_without_files(repository: Repository) -> None:
    core = metadata.read(builders.metadata("Acme.Lib", "2.0", summary="A library"))
    repository.register(core, ALICE)
    repository.register(core, ALICE)
    project = repository.project("acme-lib").value
    assert (project.display, project.releases, project.live) == ("Acme.Lib", {"2.0": "A library"}, ())
    assert [event.did for event in project.history] == ["register"]
    names = repository.names()
    assert names
    assert names.value.projects == {"acme-lib": "Acme.Lib"}


def test_changes_are_recorded_and_seen(repository: Repository) -> None:
    file = publish(repository)
    names = [file.filename]
    repository.yank("acme-lib", names, "broken", ALICE)
    assert repository.project("acme-lib").value.live[0].yanked == "broken"
    repository.unyank("acme-lib", names, ALICE)
    repository.remove("acme-lib", names, ALICE)
    assert live(repository) == []
    repository.restore("acme-lib", names, ALICE)
    repository.set_status("acme-lib", "deprecated", "old", ALICE)
    project = repository.project("acme-lib").value
    assert [event.did for event in project.history] == [
        *("publish", "yank", "unyank", "remove", "restore", "status deprecated")
    ]
    assert project.live == (file,)


@pytest.mark.parametrize("change", ["unyank", "remove", "restore"])
def test_a_change_may_be_given_an_iterator_and_is_still_made_after_a_conflict(
    repository: Repository, store: Store, change: str
) -> None:
    file = publish(repository)
    repository.yank("acme-lib", iter([file.filename]), "", ALICE)
    if change == "restore":
        repository.remove("acme-lib", iter([file.filename]), ALICE)
    stale = RecordingStore(store)
    ours = Repository(stale, stale, settings())
    original = stale._swap
    beaten = []

    def swap(key, data, expect):  # type: ignore[no-untyped-def]
        if not beaten:
            beaten.append(publish(repository, version="9.0"))
        return original(key, data, expect)

    stale._swap = swap  # type: ignore[method-assign]
    getattr(ours, change)("acme-lib", iter([file.filename]), ALICE)
    project = repository.project("acme-lib").value
    assert project.history[-1].did == change
    assert beaten[0] in project.live


def test_a_change_to_what_is_not_there_is_refused(repository: Repository) -> None:
    with pytest.raises(NotFound, match="acme-lib: no such project"):
        repository.remove("acme-lib", ["a.whl"], ALICE)
    publish(repository)
    with pytest.raises(Missing):
        repository.remove("acme-lib", ["a.whl"], ALICE)


def test_a_file_of_another_size_than_published_is_not_opened(store: Store, repository: Repository) -> None:
    file = publish(repository)
    key = f"files/main/acme-lib/{file.token}/{file.filename}"
    store.delete(key)
    store.add(key, io.BytesIO(b"short"), 5)
    with pytest.raises(Truncated, match=r"has 5 bytes instead of .*; run mypi verify"):
        repository.open_file(repository.project("acme-lib").value, file)


def test_a_range_of_a_file_can_be_read(repository: Repository) -> None:
    file = publish(repository)
    with repository.open_file(repository.project("acme-lib").value, file, 2, 6) as reader:
        assert reader.read() == package()[1][2:6]


def test_the_spool_is_that_of_the_store(store: Store, repository: Repository) -> None:
    assert repository.spool_folder == store.spool_folder
    with repository.spool() as spool:
        name, data = package()
        spool.write(data)
        sent = submission(name, data)
        file = repository.publish(type(sent)(sent.filename, spool, len(data), sent.sha256), ALICE)
    assert content(repository, file) == data


def test_a_race_of_two_names_that_differ_in_case_has_one_winner(repository: Repository) -> None:
    publish(repository)
    name, data = package()
    with pytest.raises(Taken, match="only in case"):
        repository.publish(submission(name.replace("acme", "Acme"), data), ALICE)
