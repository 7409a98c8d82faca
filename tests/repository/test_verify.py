"""Verify: every damage is named, and nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest

from mypi.model import Names
from mypi.repository import Repository
from mypi.repository.identity import WrongStore
from mypi.store import Store, Unavailable
from mypi.testing.doubles import WrappedStore
from tests.repository.shorthand import (
    ALICE,
    YEAR,
    Clock,
    attested,
    entries,
    filename,
    problems,
    publish,
    settings,
    sweep,
)

Damage = Callable[[bytes], bytes]


def put(store: Store, key: str, data: bytes) -> None:
    """Put other bytes under a key, as a disk does that rots."""
    if key.startswith("files/"):
        store.delete(key)
        store.add(key, io.BytesIO(data), len(data))
    else:
        store.swap(key, data, store.read(key)[1])


@pytest.fixture
def filled(repository: Repository) -> Repository:
    """An index with two projects, three files, a removed and a purged one, each signed, one attested."""
    publish(repository, signature=b"signature of 1.0", attestations=attested())
    publish(repository, version="2.0", signature=b"signature of 2.0")
    publish(repository, "other", "1.0", content="o", signature=b"signature of other")
    repository.yank("acme-lib", [filename()], "why", ALICE)
    repository.remove("acme-lib", [filename(version="2.0")], ALICE)
    return repository


def test_a_whole_index_is_found_whole(store: Store, filled: Repository) -> None:
    found = list(filled.verify())
    assert not [finding for finding in found if finding.problem]
    assert sorted(finding.subject for finding in found) == [entry.key for entry in entries(store, "files/")]
    assert sum(finding.size for finding in found) == sum(entry.size for entry in entries(store, "files/"))


def test_an_empty_index_is_found_whole(repository: Repository) -> None:
    assert list(repository.verify()) == []


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a bit flipped": (lambda data: bytes([data[0] ^ 1]) + data[1:], "has the sha256"),
    "the last bit flipped": (lambda data: data[:-1] + bytes([data[-1] ^ 128]), "has the sha256"),
    "cut short": (lambda data: data[:-1], "has "),
    "empty": (lambda data: b"", "has "),
    "appended": (lambda data: data + b"\0", "has "),
}


@pytest.mark.parametrize("damage", sorted(DAMAGES))
def test_every_file_and_sidecar_that_is_damaged_is_named_and_nothing_else(
    store: Store, filled: Repository, damage: str
) -> None:
    change, problem = DAMAGES[damage]
    files = entries(store, "files/")
    assert len(files) == 10
    for entry in files:
        whole = store.read(entry.key)[0]
        put(store, entry.key, change(whole))
        (finding,) = problems(filled)
        assert finding.subject == entry.key
        assert finding.problem
        assert finding.problem.startswith(problem)
        put(store, entry.key, whole)
    assert not problems(filled)


def test_every_file_that_is_deleted_is_named(store: Store, filled: Repository) -> None:
    for entry in entries(store, "files/"):
        whole = store.read(entry.key)[0]
        store.delete(entry.key)
        assert [(finding.subject, finding.problem) for finding in problems(filled)] == [(entry.key, "is missing")]
        store.add(entry.key, io.BytesIO(whole), len(whole))
    assert not problems(filled)


def test_files_that_were_swapped_are_both_named(store: Store, filled: Repository) -> None:
    first, second = (entry.key for entry in entries(store, "files/main/acme-lib/") if entry.key.endswith(".whl"))
    ours, theirs = store.read(first)[0], store.read(second)[0]
    put(store, first, theirs)
    put(store, second, ours)
    assert sorted(finding.subject for finding in problems(filled)) == [first, second]


def test_all_damages_at_once_are_all_named(store: Store, filled: Repository) -> None:
    keys = [entry.key for entry in entries(store, "files/")]
    for key in keys:
        put(store, key, b"rot")
    assert sorted(finding.subject for finding in problems(filled)) == keys


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"5", b"\xff", b'{"name":"acme-lib"}'])
def test_a_damaged_document_is_named_and_the_others_are_verified(store: Store, filled: Repository, data: bytes) -> None:
    put(store, "indexes/main/acme-lib.json", data)
    put(store, next(e.key for e in entries(store, "files/main/other/")), b"rot")
    found = problems(filled)
    assert found[0].subject == "indexes/main/acme-lib.json"
    assert found[0].problem
    assert found[0].problem.startswith("the document is damaged; restore it from a backup")
    assert len(found) == 2


def test_every_flipped_bit_of_a_document_is_found(store: Store, filled: Repository, kind: str) -> None:
    key = "indexes/main/other.json"
    whole = store.read(key)[0]
    for position in range(0, len(whole), 7 if kind in ("memory", "filesystem") else 37):
        put(store, key, whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        assert [finding.subject for finding in problems(filled)] == [key]


def test_documents_that_were_swapped_are_both_named(store: Store, filled: Repository) -> None:
    keys = "indexes/main/acme-lib.json", "indexes/main/other.json"
    ours, theirs = (store.read(key)[0] for key in keys)
    put(store, keys[0], theirs)
    put(store, keys[1], ours)
    assert sorted(finding.subject for finding in problems(filled)) == sorted(keys)


def test_a_damaged_list_of_names_is_named_alone(store: Store, filled: Repository) -> None:
    put(store, "indexes/main.json", b"{")
    assert [finding.subject for finding in problems(filled)] == ["indexes/main.json"]


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"users":{}}', b'{"users":[],"tokens":{},"history":[]}'])
def test_damaged_accounts_are_named_and_the_rest_is_verified(store: Store, filled: Repository, data: bytes) -> None:
    filled.members.record(ALICE, lambda accounts, event: accounts.set_password("alice", "hash", event))
    assert not problems(filled)
    store.swap("accounts.json", data, store.read("accounts.json")[1])
    (found,) = problems(filled)
    assert found.subject == "accounts.json"
    assert found.problem
    assert found.problem.startswith("the document is damaged; restore it from a backup")


def test_a_list_of_names_that_is_gone_is_named_alone(store: Store, filled: Repository) -> None:
    # A document is never deleted through the store; a disk may lose it all the same.
    store._delete("indexes/main.json")
    (finding,) = problems(filled)
    assert (finding.subject, finding.problem) == (
        "indexes/main.json",
        "is missing, so that no project is listed; restore it from a backup, or run mypi sweep, which lists all",
    )


def test_a_project_that_is_not_listed_is_named(store: Store, filled: Repository) -> None:
    put(store, "indexes/main.json", Names({"other": "other"}, "by hand").dump())
    (finding,) = problems(filled)
    assert finding.subject == "indexes/main/acme-lib.json"
    assert finding.problem == "the project is not listed on the index page; mypi sweep will list it"
    sweep(filled, dry_run=True)
    assert problems(filled)
    sweep(filled)
    assert not problems(filled)


def test_rubbish_is_no_damage(store: Store, filled: Repository) -> None:
    for key in ("files/main/acme-lib/0123456789abcdef/a.whl", "files/main/nobody/0123456789abcdef/a.whl"):
        store.add(key, io.BytesIO(b"rubbish"), 7)
    store.swap("indexes/main/notes.txt", b"by hand", None)
    assert not problems(filled)


def test_a_file_that_has_no_metadata_beside_it_is_verified_alone(store: Store, repository: Repository) -> None:
    publish(repository)
    project = repository.project("acme-lib").value
    bare = {name: replace(file, metadata=None) for name, file in project.files.items()}
    put(store, "indexes/main/acme-lib.json", replace(project, files=bare, revision="by hand").dump())
    assert [finding.subject.rpartition("/")[2] for finding in repository.verify()] == [filename()]


def test_what_was_purged_is_not_missed(filled: Repository, clock: Clock) -> None:
    clock.ahead = YEAR
    assert sweep(filled)["acme-lib"].purged == (filename(version="2.0"),)
    assert not problems(filled)


def test_what_a_sweep_purges_meanwhile_is_no_damage(store: Store, filled: Repository, clock: Clock) -> None:
    reading = filled.verify()
    beside = Repository(store, store, settings(), clock=clock)
    clock.ahead = YEAR
    first = next(reading)
    assert sweep(beside)["acme-lib"].purged
    assert not [finding for finding in (first, *reading) if finding.problem]


def test_what_is_published_meanwhile_is_no_damage(store: Store, filled: Repository) -> None:
    reading = filled.verify()
    first = next(reading)
    for name in ("aaa", "zzz"):
        publish(Repository(store, store, settings()), name)
    assert not [finding for finding in (first, *reading) if finding.problem]


class BadSector(WrappedStore):
    """Cannot read what lies under one key."""

    bad = ""

    def _open(self, key: str, *given):  # type: ignore[no-untyped-def]
        if key == self.bad:
            raise Unavailable(key, "bad sector")
        return super()._open(key, *given)


def test_what_cannot_be_read_is_named_and_the_rest_is_verified(store: Store, filled: Repository) -> None:
    keys = [entry.key for entry in entries(store) if entry.key != "store.json"]
    for key in keys:
        rotten = BadSector(store)
        repository = Repository(rotten, rotten, settings())
        rotten.bad = key
        (finding,) = problems(repository)
        assert finding.subject == key
        assert finding.problem
        assert finding.problem == "could not be read now: bad sector"
        assert finding.kind == "unread"


def test_a_file_that_ends_early_while_it_is_read_is_named(filled: Repository, monkeypatch) -> None:
    opened = filled._files.open

    def short(key: str, *given: object, **more: object):  # type: ignore[no-untyped-def]
        reader = opened(key, *given, **more)  # type: ignore[arg-type]
        if key.endswith(".whl"):
            reader._stream.read(3)  # type: ignore[attr-defined]
        return reader

    monkeypatch.setattr(filled._files, "open", short)
    found = problems(filled)
    assert len(found) == 3
    assert all(finding.kind == "unread" for finding in found)
    assert all(finding.problem and "could not be read now: ended 3 bytes early" in finding.problem for finding in found)


def test_the_store_of_somebody_else_is_not_verified(store: Store, repository: Repository) -> None:
    put(store, "store.json", b'{"id":"other","format":1}')
    with pytest.raises(WrongStore):
        repository.verify()
