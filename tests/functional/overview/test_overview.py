"""The overview: right after every change, on every store, whatever is damaged, and never in an installer's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mypi.model import Event
from mypi.overview import Counts, Dependent, Logged, Overview, keeper, records
from mypi.overview.history import Log
from mypi.repository import Repository
from mypi.store import NotFound, Store, Unavailable
from tests import builders, stores
from tests.functional.overviews import BOB, but_secret, everything, found, put
from tests.repository.shorthand import ALICE, Clock, publish, settings, submission, sweep


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """What depends on the store is tested on each in test_overview_stores."""
    made = stores.make("memory", tmp_path)
    yield made
    made.close()


def test_an_empty_index_is_complete_at_once(overview: Overview) -> None:
    assert not overview.complete
    assert overview.search("acme", everything) == ([], 0)
    assert overview.complete
    assert overview.counts(everything) == Counts(0, 0, 0)
    assert overview.recent(everything) == []
    assert overview.removed(everything, 30) == []
    assert overview.events(everything, accounts=True) == []


def test_a_project_is_summed_up(repository: Repository, overview: Overview) -> None:
    put(repository, "Acme.Lib", "1.0", summary="Does it")
    put(repository, "Acme.Lib", "1.1rc1", summary="Will do it")
    newest = put(repository, "Acme.Lib", "1.1", summary="Does it well")
    (summary,), total = overview.search("", everything)
    project = repository.project("acme-lib").value
    assert total == 1
    assert (summary.name, summary.display, summary.version) == ("acme-lib", "Acme.Lib", "1.1")
    assert (summary.summary, summary.files, summary.status) == ("Does it well", 3, "active")
    assert summary.updated == project.files[newest].uploaded
    assert overview.counts(everything) == Counts(1, 3, sum(file.size for file in project.live))


def test_a_page_asks_the_store_only_every_few_seconds(
    repository: Repository, overview: Overview, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(overview) == []
    monkeypatch.setattr(repository.catalogue, "entries", lambda: pytest.fail("the store was asked"))
    assert found(overview) == []


def test_a_search_makes_no_difference_of_case_and_separators(repository: Repository, overview: Overview) -> None:
    put(repository, "Acme_Lib", summary="Draws Größe charts", keywords="plot,graph")
    for words in ("ACME.LIB", "acme lib", "acme-l", "draws acme", "GRAPH", "grösse", "GRÖSSE charts", "acme_lib"):
        assert found(overview, words) == ["acme-lib"], words
    for words in ("acme lib paint", "zinc"):
        assert found(overview, words) == [], words


def test_a_search_has_exact_names_first_then_names_that_begin_so(repository: Repository, overview: Overview) -> None:
    put(repository, "zeta", summary="Uses acme")
    put(repository, "my-acme")
    put(repository, "acme-tools")
    put(repository, "acme")
    put(repository, "alpha", keywords="acme")
    assert found(overview, "acme") == ["acme", "acme-tools", "my-acme", "alpha", "zeta"]
    assert [each.name for each in overview.search("acme", everything, limit=2)[0]] == ["acme", "acme-tools"]
    assert overview.search("acme", everything, limit=2)[1] == 5


def test_a_search_is_bounded(repository: Repository, overview: Overview) -> None:
    put(repository)
    assert found(overview, "acme " * 10_000) == ["acme-lib"]
    assert found(overview, "lib " * 8 + "zinc") == ["acme-lib"]
    assert found(overview, "a" * 300) == []


def test_nothing_is_told_of_projects_that_must_not_be_named(repository: Repository, overview: Overview) -> None:
    put(repository, "acme")
    filename = put(repository, "secret-plan", summary="About acme", requires=["acme"])
    put(repository, "secret-plan", "2.0", requires=["acme"])
    repository.remove("secret-plan", [filename], ALICE)
    assert found(overview, "", but_secret) == ["acme"]
    assert overview.search("acme", but_secret)[1] == 1
    assert overview.counts(but_secret).projects == 1
    assert {each.project for each in overview.recent(but_secret)} == {"acme"}
    assert overview.dependents("acme", but_secret) == []
    assert overview.removed(but_secret, 30) == []
    assert {each.project for each in overview.events(but_secret)} == {"acme"}
    assert overview.events(but_secret, project="secret-plan") == []


def test_recent_uploads_are_releases_with_what_came_within_an_hour(
    repository: Repository, overview: Overview, clock: Clock
) -> None:
    wheel = put(repository, "acme", "1.0", summary="Does it")
    repository.publish(submission(*builders.sdist("acme", "1.0")), BOB)
    clock.ahead = 7200
    late = put(repository, "acme", "1.0", tag="cp311-cp311-linux_x86_64")
    put(repository, "zinc", "2.0")
    first, second, third = overview.recent(everything)
    assert (first.project, first.version) == ("zinc", "2.0")
    assert (second.files, second.summary) == ((late,), "Does it")
    assert (third.files, third.by) == ((wheel, "acme-1.0.tar.gz"), "bob")
    assert third.began < third.at < second.at < first.at
    assert overview.recent(everything, 1) == [first]


def test_of_one_project_only_its_newest_uploads_are_kept(
    repository: Repository, overview: Overview, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "UPLOADS", 2)
    for version in ("1", "2", "3"):
        put(repository, "acme", version)
    assert [each.version for each in overview.recent(everything)] == ["3", "2"]


def test_dependents_are_told_by_their_newest_usable_release(repository: Repository, overview: Overview) -> None:
    marked = 'Acme.Lib[fast]>=1; python_version >= "3.8"'
    put(repository, "zinc", "1.0", requires=["other"])
    put(repository, "zinc", "2.0", requires=[marked, 'acme_lib<3; extra == "old"', "zinc", "???"])
    put(repository, "alpha", requires=["acme-lib (>=1.0)"])
    put(repository, "old", "1.0", requires=["acme-lib"])
    put(repository, "old", "2.0")
    yanked = put(repository, "yanked", requires=["acme-lib"])
    repository.yank("yanked", [yanked], "", ALICE)
    assert overview.dependents("acme-lib", everything) == [
        Dependent("alpha", "alpha", "1.0", "acme-lib (>=1.0)", None),
        Dependent("zinc", "zinc", "2.0", marked, None),
        Dependent("zinc", "zinc", "2.0", 'acme_lib<3; extra == "old"', "old"),
    ]
    assert [each.project for each in overview.dependents("zinc", everything)] == ["zinc"]  # of itself: harmless
    assert overview.dependents("other", everything) == []
    put(repository, "zinc", "3.0")
    assert [each.project for each in overview.dependents("acme-lib", everything)] == ["alpha"]


def test_a_dependency_is_known_to_live_here(repository: Repository, overview: Overview) -> None:
    put(repository)
    assert overview.has("acme-lib")
    assert not overview.has("zinc")


def test_a_release_registered_without_files_is_told(repository: Repository, overview: Overview) -> None:
    from mypi.metadata import from_form

    form = {"metadata_version": ["2.1"], "name": ["acme-lib"], "version": ["1.0"], "summary": ["Planned"]}
    repository.register(from_form(form), ALICE)
    (summary,), _ = overview.search("planned", everything)
    assert (summary.version, summary.files, summary.updated) == (None, 0, None)
    assert overview.recent(everything) == []
    assert overview.release(repository.project("acme-lib").value, "1.0") is None


def test_removed_files_are_told_with_their_time(repository: Repository, overview: Overview, clock: Clock) -> None:
    first, second = put(repository, "acme", "1.0"), put(repository, "acme", "2.0")
    repository.remove("acme", [first], ALICE)
    clock.ahead = 60
    repository.remove("acme", [second], ALICE)
    newer, older = overview.removed(everything, 30)
    assert [newer.file.filename, older.file.filename] == [second, first]
    assert newer.file.removed is not None
    assert newer.until == records.later(newer.file.removed, 30)
    clock.ahead = 40 * 86400
    sweep(repository)
    assert overview.removed(everything, 30) == []


def test_events_are_told_newest_first_and_filtered(repository: Repository, overview: Overview) -> None:
    filename = put(repository, "acme")
    put(repository, "zinc")
    repository.yank("acme", [filename], "broken", BOB)
    repository.set_status("zinc", "archived", "", ALICE)
    repository.add_owner("zinc", "carol", BOB)
    repository.members.record(ALICE, lambda accounts, event: accounts.set_password("carol", "x", event))
    told = overview.events(everything)
    assert [each.event.did for each in told] == ["owner add", "status archived", "yank", "publish", "publish"]
    assert overview.events(everything, limit=2) == told[:2]
    assert [each.project for each in overview.events(everything, user="bob")] == ["zinc", "acme"]
    assert [each.event.did for each in overview.events(everything, user="carol")] == ["owner add"]
    assert [each.event.did for each in overview.events(everything, did="status")] == ["status archived"]
    assert [each.event.did for each in overview.events(everything, project="acme")] == ["yank", "publish"]
    assert overview.events(everything, project="absent") == []
    assert overview.events(everything, accounts=True)[0] == Logged(None, repository.members.get().history[0])
    assert overview.events(everything, project="acme", accounts=True, user="carol") == []


def test_a_release_tells_what_its_metadata_says(repository: Repository, overview: Overview) -> None:
    put(repository, summary="Does it", description="# Acme", requires=["zinc"])
    repository.publish(submission(*builders.sdist(summary="Not this")), ALICE)
    project = repository.project("acme-lib").value
    told = overview.release(project, "1.0")
    assert told is not None
    assert (told.core.summary, told.core.requires_dist) == ("Does it", ("zinc",))
    assert told.file is not None
    assert told.file.is_wheel
    assert overview.release(project, "2.0") is None
    again = overview.release(project, "1.0")
    assert again is not None
    assert again.core is told.core  # kept


def test_lost_metadata_leaves_a_project_without_it(
    store: Store, repository: Repository, overview: Overview, caplog: pytest.LogCaptureFixture
) -> None:
    put(repository, summary="Does it")
    put(repository, "zinc", summary="Does it")
    (key,) = [entry.key for entry in store.list("files/main/acme-lib/") if entry.key.endswith(".metadata")]
    store.delete(key)
    assert found(overview) == ["acme-lib", "zinc"]
    assert found(overview, "does it") == ["zinc"]
    assert overview.release(repository.project("acme-lib").value, "1.0") is None
    assert len([each for each in caplog.messages if "lost or damaged" in each]) == 2


@pytest.mark.usefixtures("soon")
def test_metadata_that_cannot_be_read_now_is_read_later(
    repository: Repository, overview: Overview, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*given: object) -> None:
        raise Unavailable("acme", "the disk is away")

    put(repository, summary="Does it")
    with monkeypatch.context() as patched:
        patched.setattr(repository, "open_metadata", unavailable)
        assert found(overview, "does it") == []
        assert found(overview) == ["acme-lib"]
    assert found(overview, "does it") == ["acme-lib"]


@pytest.mark.usefixtures("soon")
def test_a_document_with_nonsense_in_it_is_passed_over(
    repository: Repository, overview: Overview, caplog: pytest.LogCaptureFixture
) -> None:
    filename = put(repository, "acme")
    put(repository, "zinc")

    def spoil(project):
        return replace(project, files={filename: replace(project.files[filename], version="not a version")})

    repository.catalogue.edit("acme", spoil)
    assert found(overview) == ["zinc"]
    assert "goes without a project" in caplog.text


@pytest.mark.usefixtures("soon")
def test_a_document_that_cannot_be_read_now_keeps_what_is_known(
    repository: Repository, overview: Overview, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(repository)
    assert found(overview) == ["acme-lib"]
    passing = repository.catalogue.passing

    def unavailable(name: str) -> None:
        raise Unavailable(name, "the disk is away")

    monkeypatch.setattr(repository.catalogue, "passing", unavailable)
    put(repository, version="2.0")
    assert overview.search("", everything)[0][0].version == "1.0"
    assert "keeps an older version" in caplog.text
    monkeypatch.setattr(repository.catalogue, "passing", passing)
    assert overview.search("", everything)[0][0].version == "2.0"


@pytest.mark.usefixtures("soon")
def test_a_store_that_cannot_be_listed_leaves_what_is_known(
    repository: Repository, overview: Overview, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unavailable() -> None:
        raise Unavailable("indexes/main/", "the disk is away")

    put(repository)
    with monkeypatch.context() as patched:
        patched.setattr(repository.catalogue, "entries", unavailable)
        assert found(overview) == []
        assert not overview.complete
        assert "is not the newest" in caplog.text
    assert found(overview) == ["acme-lib"]
    assert overview.complete


@pytest.mark.usefixtures("soon")
def test_a_project_that_the_store_has_no_more_is_left_out(
    repository: Repository, overview: Overview, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(repository, "acme", requires=["zinc"])
    put(repository, "zinc")
    assert len(found(overview)) == 2
    entries = repository.catalogue.entries
    monkeypatch.setattr(repository.catalogue, "entries", lambda: (pair for pair in entries() if pair[0] != "acme"))
    assert found(overview) == ["zinc"]
    assert overview.dependents("zinc", everything) == []
    assert {each.project for each in overview.events(everything)} == {"zinc"}


def test_an_edit_that_fails_before_there_is_a_document_leaves_nothing(
    repository: Repository, overview: Overview
) -> None:
    assert found(overview) == []
    with pytest.raises(NotFound):
        repository.yank("acme", ["x"], "", ALICE)
    assert found(overview) == []


def test_a_document_that_only_a_sweep_wrote_is_no_project(repository: Repository, overview: Overview) -> None:
    repository.catalogue.edit("acme", lambda project: replace(project, sweeps=1))
    assert found(overview) == []
    assert not overview.has("acme")


def test_what_else_lies_beside_the_documents_is_no_project(store: Store, overview: Overview) -> None:
    store.swap("indexes/main/odd/note.json", b"{}", None)
    assert found(overview) == []


def test_many_edits_at_once_are_left_to_a_run(
    repository: Repository, overview: Overview, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_MANY", 2)
    assert found(overview) == []
    for name in ("a", "b", "c"):
        put(repository, name)
    assert found(overview) == ["a", "b", "c"]
    repository.yank("b", [builders.wheel("b")[0]], "", ALICE)
    assert [each.version for each in overview.search("", everything)[0]] == ["1.0", None, "1.0"]


def test_a_page_does_not_wait_for_a_slow_store(
    repository: Repository, overview: Overview, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(repository, "acme")
    put(repository, "zinc")
    monkeypatch.setattr(keeper, "PATIENCE", 0.1)
    go = threading.Event()
    passing = repository.catalogue.passing

    def slow(name: str):
        if name == "zinc":
            go.wait(60)
        return passing(name)

    monkeypatch.setattr(repository.catalogue, "passing", slow)
    begun = time.monotonic()
    assert found(overview) in ([], ["acme"])
    assert found(overview) == ["acme"]
    assert time.monotonic() - begun < 30
    assert not overview.complete
    go.set()
    for _ in range(500):
        if overview.complete:
            break
        time.sleep(0.01)
    assert found(overview) == ["acme", "zinc"]


def test_what_was_read_before_an_edit_does_not_replace_what_was_read_after(
    repository: Repository, overview: Overview, monkeypatch: pytest.MonkeyPatch
) -> None:
    filename = put(repository)
    monkeypatch.setattr(keeper, "PATIENCE", 0.0)
    go, reading = threading.Event(), threading.Event()
    passing = repository.catalogue.passing

    def late(name: str):
        read = passing(name)
        if not reading.is_set():
            reading.set()
            go.wait(60)
        return read

    monkeypatch.setattr(repository.catalogue, "passing", late)
    found(overview)
    assert reading.wait(10)
    repository.yank("acme-lib", [filename], "", ALICE)
    assert overview.search("", everything)[0][0].version is None
    go.set()
    for _ in range(500):
        if overview.complete:
            break
        time.sleep(0.01)
    assert overview.search("", everything)[0][0].version is None


@pytest.mark.parametrize("during", ["listing", "reading"])
def test_closing_ends_a_run_that_is_under_way(
    during: str, repository: Repository, overview: Overview, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        publish(repository, f"acme-{number}")
    monkeypatch.setattr(keeper, "PATIENCE", 0.0)
    under_way, go = threading.Event(), threading.Event()

    def wait() -> None:
        under_way.set()
        go.wait(60)

    if during == "listing":
        entries = repository.catalogue.entries
        monkeypatch.setattr(repository.catalogue, "entries", lambda: (wait() or pair for pair in entries()))
    else:
        passing = repository.catalogue.passing
        monkeypatch.setattr(repository.catalogue, "passing", lambda name: wait() or passing(name))
    found(overview)
    assert under_way.wait(10)
    closing = threading.Thread(target=repository._closing.close)
    closing.start()
    while not any(overview._keeper._run.stopped for _ in "x"):
        time.sleep(0.01)
    go.set()
    closing.join(10)
    assert not closing.is_alive()
    assert not [each.name for each in threading.enumerate() if each.name.startswith("mypi-overview")]
    assert not overview.complete
    monkeypatch.setattr(repository.catalogue, "entries", lambda: pytest.fail("the store was asked"))
    assert len(found(overview)) < 30


def test_installers_ask_nothing_of_it_invariant_5(index, make_index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.publish(*builders.wheel("acme"))
    monkeypatch.setattr(keeper.Keeper, "_running", lambda self: pytest.fail("the overview was asked"))
    assert index.json("acme")["files"]
    assert index.get("/simple/").status_code == 200
    assert index.get("/pypi/acme/json").status_code == 200
    index.get(index.url("acme", builders.wheel("acme")[0]))


def test_what_installers_ask_for_stays_in_memory(repository: Repository, overview: Overview) -> None:
    put(repository)
    kept = repository.catalogue._projects.kept("indexes/main/acme-lib.json")
    other = Repository(repository._files, repository._files, settings())
    assert found(Overview(other)) == ["acme-lib"]
    assert kept is not None
    assert other.catalogue._projects.kept("indexes/main/acme-lib.json") is None
    with other._closing:
        pass


def _event(at: str, did: str = "publish") -> Event:
    return Event(at, did)


def test_the_log_keeps_the_newest_of_all_projects() -> None:
    kept = Log(3)
    kept.update("acme", (_event("1"), _event("4")))
    kept.update("zinc", (_event("2"), _event("3")))
    assert [(each.project, each.event.at) for each in kept.newest()] == [("acme", "4"), ("zinc", "3"), ("zinc", "2")]
    kept.update("acme", (_event("1"), _event("4"), _event("5")))
    assert [each.event.at for each in kept.newest()] == ["5", "4", "3"]
    kept.update("empty", ())
    kept.forget("empty")
    kept.forget("acme")
    assert [each.event.at for each in kept.newest()] == ["3"]


def test_the_log_takes_another_history_when_a_backup_is_brought_back() -> None:
    kept = Log()
    kept.update("acme", (_event("1"), _event("2"), _event("3")))
    kept.update("acme", (_event("1"), _event("2")))
    assert [each.event.at for each in kept.newest()] == ["2", "1"]
    kept.update("acme", (_event("1"), _event("2", "yank"), _event("4")))
    assert [each.event.did for each in kept.newest()] == ["publish", "yank", "publish"]
