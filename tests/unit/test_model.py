"""A project as a value: what each change does, what it refuses, and that it may be applied twice."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mypi.model import Closed, Event, File, Missing, Names, Project, Taken, parts, sparse

NOW = Event(at="2026-01-02T03:04:05.000000Z", did="", by="alice", origin="127.0.0.1")
LATER = replace(NOW, at="2026-03-01T00:00:00.000000Z")


def made(filename: str = "acme_lib-1.0-py3-none-any.whl", version: str = "1.0", **fields) -> File:
    known = {"token": "0" * 16, "size": 3, "sha256": "a" * 64, "uploaded": NOW.at, "metadata": "b" * 64}
    return File(filename=filename, version=version, **{**known, **fields})


def project(*files: File) -> Project:
    made_so_far = Project("acme-lib", "Acme.Lib")
    for file in files:
        made_so_far = made_so_far.publish(file, NOW)
    return made_so_far


def test_a_project_exists_once_something_was_published():
    assert not Project("acme-lib", "Acme.Lib").exists
    assert project(made()).exists


def test_publish_records_the_change_beside_the_file():
    published = project(made())
    assert published.files["acme_lib-1.0-py3-none-any.whl"] == made()
    assert published.history == (
        Event(NOW.at, "publish", "alice", "127.0.0.1", file="acme_lib-1.0-py3-none-any.whl", version="1.0"),
    )


def test_publishing_the_same_entry_twice_changes_nothing():
    published = project(made())
    assert published.publish(made(), NOW) is published


def test_the_same_bytes_from_somebody_else_change_nothing():
    published = project(made())
    assert published.publish(made(token="1" * 16), NOW) is published


def test_B1_15_the_same_bytes_are_recognised():
    assert project(made()).admit("acme_lib-1.0-py3-none-any.whl", "a" * 64) == made()


def test_a_free_name_is_admitted():
    assert project(made()).admit("acme_lib-1.1-py3-none-any.whl", "a" * 64) is None


def test_B1_16_other_bytes_under_a_taken_name_are_refused():
    with pytest.raises(Taken, match=r"^File already exists: .* has other contents; publish a new version$"):
        project(made()).admit("acme_lib-1.0-py3-none-any.whl", "c" * 64)


def test_a_name_that_differs_only_in_case_is_taken():
    with pytest.raises(Taken, match=r"File already exists: .* differs from .* only in case"):
        project(made()).admit("Acme_lib-1.0-py3-none-any.whl", "a" * 64)


def test_C15_a_removed_file_says_restore():
    removed = project(made()).remove([made().filename], NOW)
    with pytest.raises(Taken, match="was removed; restore it"):
        removed.admit(made().filename, "a" * 64)
    with pytest.raises(Taken, match="its name stays taken"):
        removed.admit(made().filename, "c" * 64)


def test_C15_a_purged_name_is_never_free_again():
    purged = project(made()).remove([made().filename], NOW).sweep(LATER.at, LATER)
    assert purged.files[made().filename].purged
    assert purged.tokens() == frozenset()
    with pytest.raises(Taken, match="removed for good"):
        purged.admit(made().filename, "a" * 64)
    with pytest.raises(Missing, match="was purged"):
        purged.restore([made().filename], LATER)


def test_a_sweep_spares_what_was_removed_lately():
    removed = project(made()).remove([made().filename], LATER)
    swept = removed.sweep(NOW.at, LATER)
    assert swept.sweeps == removed.sweeps + 1
    assert swept.tokens() == {"0" * 16}
    assert swept.history == removed.history


@pytest.mark.parametrize("status", ["archived", "quarantined"])
def test_A7_archived_A7_quarantined_take_no_uploads(status):
    closed = project(made()).set_status(status, "moved", NOW)
    with pytest.raises(Closed, match=f"acme-lib is {status}"):
        closed.admit("acme_lib-1.1-py3-none-any.whl", "a" * 64)
    with pytest.raises(Closed, match=f"acme-lib is {status}"):
        closed.register("2.0", "", NOW)


def test_A7_quarantined_offers_nothing():
    closed = project(made()).set_status("quarantined", "", NOW)
    assert closed.live == ()
    with pytest.raises(Missing):
        closed.live_file(made().filename)


def test_setting_the_same_status_twice_changes_nothing():
    archived = project(made()).set_status("archived", "old", NOW)
    assert archived.set_status("archived", "old", LATER) is archived
    assert archived.history[-1] == replace(NOW, did="status archived", reason="old")


def test_A7_yank_and_unyank_are_recorded_per_file():
    first, second = made(), made("acme_lib-1.0.tar.gz", token="1" * 16)
    yanked = project(first, second).yank([first.filename, second.filename], "broken", NOW)
    assert {f.yanked for f in yanked.files.values()} == {"broken"}
    assert [e.did for e in yanked.history] == ["publish", "publish", "yank", "yank"]
    assert yanked.yank([first.filename], "broken", LATER) is yanked
    assert yanked.unyank([first.filename], LATER).files[first.filename].yanked is None


def test_removing_twice_keeps_the_first_time():
    removed = project(made()).remove([made().filename], NOW)
    assert removed.remove([made().filename], LATER) is removed
    assert removed.live == ()
    assert removed.restore([made().filename], LATER).live == (made(),)


@pytest.mark.parametrize("change", ["unyank", "remove", "restore"])
def test_a_change_to_an_unknown_file_is_refused_whole(change):
    before = project(made())
    with pytest.raises(Missing, match=r"acme-lib has no file other\.whl"):
        getattr(before, change)([made().filename, "other.whl"], NOW)


def test_register_notes_a_release_without_files():
    registered = Project("acme-lib", "Acme.Lib").register("2.0", "A library", NOW)
    assert registered.versions == ("2.0",)
    assert registered.register("2.0", "A library", LATER) is registered
    assert registered.register("2.0", "Another", LATER).releases == {"2.0": "Another"}


def test_versions_and_files_come_in_the_order_of_versions():
    files = [made(f"acme_lib-{v}.tar.gz", v, token=f"{n:016x}") for n, v in enumerate(["1.10", "1.9", "1.9rc1"])]
    assert [f.version for f in project(*files).live] == ["1.9rc1", "1.9", "1.10"]
    assert project(*files).versions == ("1.9rc1", "1.9", "1.10")


def test_live_file_wants_the_exact_name():
    published = project(made())
    assert published.live_file(made().filename) == made()
    assert published.find(made().filename.upper()) == made()
    with pytest.raises(Missing):
        published.live_file(made().filename.upper())


def test_A6_1_only_wheels_advertise_core_metadata():
    assert made().core_metadata == "b" * 64
    assert made("acme_lib-1.0.tar.gz").core_metadata is None


def test_a_document_survives_being_written_and_read():
    whole = (
        project(
            made(),
            made("acme_lib-2.tar.gz", "2", token="2" * 16, yanked="", requires_python=">=3.9", signature="c" * 64),
            made("acme_lib-4.tar.gz", "4", token="4" * 16, provenance="d" * 64),
        )
        .register("3", "näxt", NOW)
        .remove([made().filename], NOW)
        .set_status("deprecated", "use another", NOW)
        .sweep(LATER.at, LATER)
        .revised("r1")
    )
    assert Project.load(whole.dump()) == whole
    assert json.loads(whole.dump())["revision"] == "r1"


def test_a_change_turns_only_what_is_new_into_text(monkeypatch):
    before = project(*(made(f"acme_lib-{n}-py3-none-any.whl", str(n)) for n in range(5)))
    before.dump()
    written = []
    monkeypatch.setattr(parts, "text", lambda value, *without: written.append(value) or sparse.text(value, *without))
    file = made("acme_lib-9-py3-none-any.whl", "9")
    after = before.publish(file, Event("2026-01-01T00:00:00Z", ""))
    assert Project.load(after.dump()) == after
    assert written == [file, after.history[-1]]


def test_what_has_its_default_is_not_written():
    assert set(json.loads(project(made()).dump())) == {"name", "display", "files", "releases", "history"}


def test_names_keep_the_first_display_name():
    names = Names().add("acme-lib", "Acme.Lib")
    assert names.add("acme-lib", "acme_lib") is names
    assert Names.load(names.revised("r1").dump()) == Names({"acme-lib": "Acme.Lib"}, "r1")


def test_a_name_is_taken_over_once_and_the_log_says_why():
    taken = Project("acme-lib", "Acme.Lib").take_over("squatted", NOW)
    assert taken.exists
    assert taken.taken_over
    assert (taken.files, taken.versions) == ({}, ())
    assert taken.history == (Event(NOW.at, "takeover", "alice", "127.0.0.1", reason="squatted"),)
    assert taken.take_over("again", LATER) is taken
    later = taken.publish(made(), LATER)
    assert later.take_over("again", LATER) is later
    assert Project.load(later.dump()) == later


def test_a_project_that_began_otherwise_is_not_taken_over():
    with pytest.raises(Taken, match=r"^acme-lib is a project of this index already; nothing was changed$"):
        replace(project(made()), display="acme-lib").take_over("", NOW)
    assert not project(made()).taken_over
    assert not Project("acme-lib", "acme-lib").taken_over
