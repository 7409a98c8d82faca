"""The first try of an edit builds on the copy that is kept: one request where there is nobody else, and never a lie."""

from __future__ import annotations

import pytest

from mypi.backends.memory import MemoryStore
from mypi.repository import Repository
from mypi.testing import RecordingStore
from tests.repository.shorthand import ALICE, publish, settings
from tests.unit.test_documents import KEY, Words, over, put, refuse, written


@pytest.fixture
def store() -> RecordingStore:
    return RecordingStore(MemoryStore())


def others(store: RecordingStore, word: str) -> None:
    """Somebody else edits the same document."""
    over(store.store).edit(KEY, put(word))


def test_an_edit_of_what_is_kept_costs_one_swap(store: RecordingStore) -> None:
    documents = over(store)
    documents.edit(KEY, put("one"))
    store.log.clear()
    documents.edit(KEY, put("two"))
    assert store.log == [("swap", KEY)]
    assert written(store.store) == ("one", "two")


def test_a_copy_that_is_old_is_a_conflict_and_the_newest_is_edited(store: RecordingStore) -> None:
    documents = over(store)
    documents.edit(KEY, put("one"))
    others(store, "theirs")
    store.log.clear()
    assert documents.edit(KEY, put("two")).words == ("one", "theirs", "two")
    assert store.log == [("swap", KEY), ("open", KEY), ("swap", KEY)]


def test_only_the_newest_may_refuse(store: RecordingStore) -> None:
    documents = over(store)
    documents.edit(KEY, put("one"))
    others(store, "theirs")

    def needs_theirs(before: Words) -> Words:
        return put("two")(before) if "theirs" in before.words else refuse(before)

    assert documents.edit(KEY, needs_theirs).words == ("one", "theirs", "two")
    with pytest.raises(ValueError, match="no"):
        documents.edit(KEY, refuse)


def test_only_the_newest_may_have_nothing_left_to_do(store: RecordingStore) -> None:
    documents = over(store)
    documents.edit(KEY, put("one"))
    over(store.store).edit(KEY, lambda before: Words())
    assert documents.edit(KEY, put("one")).words == ("one",)
    assert written(store.store) == ("one",)


def test_publishing_costs_four_requests_and_a_projects_first_two_more() -> None:
    store = RecordingStore(MemoryStore())
    repository = Repository(store, store, settings())
    store.log.clear()
    publish(repository, version="1.0")
    assert len(store.log) == 6
    for version in ("2.0", "3.0"):
        store.log.clear()
        publish(repository, version=version)
        assert [operation for operation, _ in store.log] == ["open", "add", "add", "swap"]
    fresh = Repository(store, store, settings())
    store.log.clear()
    publish(fresh, version="4.0")
    assert len(store.log) == 4
    store.log.clear()
    repository.yank("acme-lib", ["acme_lib-1.0-py3-none-any.whl"], "", ALICE)
    assert len(store.log) == 3  # one try with what it knew before the fourth file
