"""The overview over each store: as new as it for this process at once, for others after seconds."""

from __future__ import annotations

import time

import pytest

from mypi.overview import Overview, keeper
from mypi.repository import Repository
from mypi.store import Store
from tests import builders
from tests.functional.overviews import BOB, everything, found, put
from tests.repository.shorthand import ALICE, settings


def test_what_this_process_changes_shows_at_once(repository: Repository, overview: Overview) -> None:
    assert found(overview) == []
    filename = put(repository, summary="One")
    assert overview.search("", everything)[0][0].version == "1.0"
    repository.yank("acme-lib", [filename], "", ALICE)
    assert overview.search("", everything)[0][0].version is None
    put(repository, version="2.0", summary="Two")
    assert overview.search("two", everything)[0][0].version == "2.0"
    repository.set_status("acme-lib", "quarantined", "", ALICE)
    (summary,), _ = overview.search("", everything)
    assert (summary.version, summary.files, summary.summary, summary.updated) == (None, 0, "", None)


def test_what_another_node_changes_shows_within_seconds(
    store: Store, repository: Repository, overview: Overview, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "INTERVAL", 0.1)
    monkeypatch.setattr(keeper, "_SHARE", 0)
    other = Repository(store, store, settings())
    put(repository)
    assert found(overview) == ["acme-lib"]
    filename = put(other, "zinc")
    other.yank("acme-lib", [builders.wheel()[0]], "", BOB)
    time.sleep(0.11)
    assert found(overview) == ["acme-lib", "zinc"]
    assert overview.search("acme", everything)[0][0].version is None
    other.remove("zinc", [filename], BOB)
    time.sleep(0.11)
    assert [each.file.filename for each in overview.removed(everything, 30)] == [filename]


@pytest.mark.usefixtures("soon")
def test_documents_that_did_not_change_are_not_read_again(
    repository: Repository, overview: Overview, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(repository, "acme")
    put(repository, "zinc")
    assert len(found(overview)) == 2
    read: list[str] = []
    passing = repository.catalogue.passing
    monkeypatch.setattr(repository.catalogue, "passing", lambda name: read.append(name) or passing(name))
    assert len(found(overview)) == 2
    assert read == []


@pytest.mark.usefixtures("soon")
def test_a_damaged_document_is_passed_over_and_logged(
    store: Store, repository: Repository, overview: Overview, caplog: pytest.LogCaptureFixture
) -> None:
    put(repository, "acme", requires=["zinc"])
    put(repository, "zinc")
    assert len(found(overview)) == 2
    data, tag = store.read("indexes/main/acme.json")
    store.swap("indexes/main/acme.json", b"{" + data, tag)
    assert found(overview) == ["zinc"]
    assert overview.dependents("zinc", everything) == []
    assert "goes without a project" in caplog.text
    caplog.clear()
    assert found(overview) == ["zinc"]
    assert caplog.text == ""  # it is not read again until it changes
