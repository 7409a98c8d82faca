"""What is kept of other indexes, in each store: shared by nodes, and beside what is ours, never in it."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from mypi.model.remote import Cached, Kept, RemoteFile, RemotePage
from mypi.repository import Repository, keys
from mypi.store import NotFound, Store
from tests.repository.moves import MakeStore, copy, holds, opened
from tests.repository.shorthand import ALICE, filename, live, problems, publish, settings

FILE = RemoteFile("six-1.0.tar.gz", "1.0", "https://files.example/six-1.0.tar.gz", "0" * 64)
PAGE = RemotePage("six", (FILE,), ("1.0",))
CONTENT = b"theirs, and never ours"


def paged(known: Cached) -> Cached:
    return replace(known, page=PAGE, etag='"x"', fetched=5.0)


def with_kept(known: Cached, name: str) -> Cached:
    return replace(known, kept={**known.kept, name: Kept(name, 5, "0" * 64, "2026-01-01")})


def add(repository: Repository, site: str = "pypi", name: str = "six", content: bytes = CONTENT) -> str:
    return repository.outside.add(site, name, FILE, io.BytesIO(content), len(content))


def test_what_is_known_of_a_name_is_shared_by_nodes_until_it_is_forgotten(store: Store, repository: Repository) -> None:
    here, there = repository.outside, Repository(store, store, settings(cache_seconds="0")).outside
    assert (here.get("pypi", "six"), there.passing("pypi", "six"), list(there.names())) == (None, None, [])
    written = here.edit("pypi", "six", paged)
    here.edit("other", "six", lambda known: with_kept(known, "a"))
    held = there.get("pypi", "six")
    assert held and held.value == replace(written, revision=held.value.revision)
    assert (written.page, written.site, written.name) == (PAGE, "pypi", "six")
    assert there.passing("pypi", "six") == held.value
    assert sorted(there.names()) == [("other", "six"), ("pypi", "six")]
    for _ in range(2):
        there.forget("pypi", "six")
    assert there.get("pypi", "six") is None
    assert list(here.names()) == [("other", "six")]


def test_who_remembers_what_another_node_forgot_brings_none_of_it_back(store: Store) -> None:
    here, there = (Repository(store, store, settings(cache_seconds="3600")).outside for _ in range(2))
    here.edit("pypi", "six", paged)
    assert here.get("pypi", "six")
    there.forget("pypi", "six")
    here.edit("pypi", "six", lambda known: with_kept(known, "a"))
    found = there.passing("pypi", "six")
    assert found and (found.page, set(found.kept)) == (None, {"a"})


def test_changes_of_several_nodes_at_once_are_all_there(store: Store) -> None:
    nodes = [Repository(store, store, settings()).outside for _ in range(3)]
    with ThreadPoolExecutor(len(nodes)) as threads:
        each = [
            threads.submit(node.edit, "pypi", "six", lambda known, name=f"{at}-{of}": with_kept(known, name))
            for of, node in enumerate(nodes)
            for at in range(4)
        ]
        for done in each:
            done.result(60)
    found = nodes[0].passing("pypi", "six")
    assert found and set(found.kept) == {f"{at}-{of}" for of in range(3) for at in range(4)}


def test_a_document_that_is_damaged_counts_as_none_and_is_written_anew(store: Store, repository: Repository) -> None:
    repository.outside.edit("pypi", "six", paged)
    key = keys.outside("pypi", "six")
    store.swap(key, b"{", store.read(key)[1])
    outside = Repository(store, store, settings()).outside
    assert (outside.get("pypi", "six"), outside.passing("pypi", "six")) == (None, None)
    assert outside.edit("pypi", "six", lambda known: with_kept(known, "a")).page is None
    found = outside.passing("pypi", "six")
    assert found and set(found.kept) == {"a"}


def test_bytes_have_keys_of_their_own_and_are_listed_until_they_are_dropped(repository: Repository) -> None:
    outside, began = repository.outside, time.time()
    first, second, other = add(repository), add(repository), add(repository, "other", "acme-lib", b"")
    assert len({first, second, other}) == 3
    assert {entry.key: entry.size for entry in outside.bytes()} == {first: 22, second: 22, other: 0}
    # By this the sweep tells what is under way from what was left behind.
    assert all(began - 60 < entry.modified < time.time() + 60 for entry in outside.bytes())
    assert [outside.owner(key) for key in (first, other)] == [("pypi", "six"), ("other", "acme-lib")]
    with outside.open(first) as whole, outside.open(second, 8, 11) as part:
        assert (whole.read(), whole.size) == (CONTENT, len(CONTENT))
        assert part.read() == b"and"
    outside.drop(first)
    assert {entry.key for entry in outside.bytes()} == {second, other}
    for gone in (outside.open, outside.drop):
        with pytest.raises(NotFound):
            gone(first)


def test_it_lies_beside_what_is_ours_and_no_sweep_and_no_copy_takes_it_along(
    store: Store, repository: Repository, make: MakeStore
) -> None:
    publish(repository)
    repository.outside.edit("pypi", "six", paged)
    key = add(repository)
    swept = list(repository.sweep(ALICE, trash_days=0, grace=-100))
    assert [each for each in swept if each.deleted or each.purged] == []
    assert problems(repository) == []
    with repository.outside.open(key) as reader:
        assert reader.read() == CONTENT
    listed = repository.names()
    assert listed and list(listed.value.projects) == ["acme-lib"]
    target = make("memory")
    copy(repository, opened(target))
    assert live(opened(target)) == [filename()]
    assert not holds(target, "six-1.0")
    assert not [entry.key for entry in target.list() if entry.key.startswith("upstream")]
