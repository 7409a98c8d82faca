"""An index that moves away: every change is refused with 503 and a sentence, reads go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from mypi.repository import Repository
from mypi.store import Store
from tests import builders, stores
from tests.functional.conftest import Index
from tests.repository.moves import SETTINGS

SENTENCE = "This index is moving to another place and takes no changes here; ask its operator for the new address"


@pytest.fixture
def moved(index: Index, tmp_path: Path) -> Index:
    """An index with a file, sealed under the server by another process."""
    index.publish(*builders.sdist())
    target = stores.make("memory", tmp_path / "target")
    list(index.repository.copy(Repository(target, target, SETTINGS), catch_up=True))
    return index


def test_each_refusal_is_one_line_of_the_log(moved: Index, caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    moved.publish(*builders.sdist("acme-lib", "2.0"), status=503)
    (record,) = [record for record in caplog.records if record.name == "mypi.views.errors"]
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert "mypi unseal" in record.getMessage()


@pytest.mark.parametrize("url", ["/", "/legacy/", "/simple/"])
@pytest.mark.parametrize("name", ["acme-lib", "brand-new"])
def test_uploads_are_refused_with_a_sentence(moved: Index, url: str, name: str) -> None:
    answer = moved.publish(*builders.sdist(name, "2.0"), url=url, status=503)
    assert answer.status == f"503 {SENTENCE}"
    assert SENTENCE in answer.text
    assert answer.headers["Retry-After"]
    assert "unseal" not in answer.text


def test_registering_is_refused_too(moved: Index) -> None:
    form = {":action": "submit", "metadata_version": "2.1", "name": "acme-lib", "version": "2.0"}
    assert moved.post("/", form, status=503).status == f"503 {SENTENCE}"


def test_what_is_published_already_is_still_answered_well(moved: Index) -> None:
    moved.publish(*builders.sdist())


def test_reads_go_on(moved: Index, store: Store) -> None:
    name, data = builders.sdist()
    assert moved.get(moved.url("acme-lib", name)).body == data
    assert "acme-lib" in moved.get("/simple/")
    moved.get("/simple/brand-new/", status=404)
    moved.publish(*builders.sdist("brand-new", "2.0"), status=503)
    moved.get("/simple/brand-new/", status=404)


def test_unsealed_it_takes_uploads_again_at_once(moved: Index, store: Store) -> None:
    Repository(store, store, SETTINGS).unseal()
    moved.publish(*builders.sdist("acme-lib", "2.0"))
