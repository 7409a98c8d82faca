"""The accounts of a store: every node sees the same, no change is lost, and noting a use fails nobody's request."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from mypi import metadata
from mypi.model import Accounts, Actor, Missing, Token
from mypi.repository import Damaged, Repository
from mypi.store import NotFound, Store, Unavailable
from mypi.testing.doubles import FaultyStore, Point, RecordingStore
from tests import builders
from tests.repository.shorthand import ALICE, Clock, package, publish, settings, submission

TOKEN = Token("AAAAAAAAAAAA", "alice", "ci", "0" * 64, "2026-01-01T00:00:00.000000Z", ("read", "upload"))


def node(store: Store) -> Repository:
    return Repository(store, store, settings(), clock=Clock())


def add_user(repository: Repository, name: str) -> Accounts:
    return repository.members.record(ALICE, lambda accounts, event: accounts.set_password(name, f"of {name}", event))


def swaps(store: RecordingStore) -> int:
    return sum(operation == "swap" and key == "accounts.json" for operation, key in store.log)


def test_before_anybody_is_added_there_are_none_and_nothing_is_written(store: Store) -> None:
    assert node(store).members.get() == Accounts()
    with pytest.raises(NotFound):
        store.read("accounts.json")


def test_a_change_is_seen_by_every_node_with_who_made_it_in_the_same_document(store: Store) -> None:
    one, other = node(store), node(store)
    made = one.members.record(
        Actor("root", "10.0.0.1", "token ci"), lambda a, event: a.set_password("alice", "hash", event)
    )
    assert replace(other.members.get(), revision="") == made
    (event,) = other.members.get().history
    assert (event.did, event.by, event.origin, event.via, event.subject) == (
        *("user add", "root", "10.0.0.1", "token ci", "alice"),
    )
    assert event.at == made.users["alice"].created


def test_work_at_one_moment_looks_once_and_what_follows_looks_anew(store: Store) -> None:
    recording = RecordingStore(store)
    one, other = node(recording).members, node(store)
    add_user(other, "alice")

    def work() -> list[Accounts]:
        first = one.get()
        add_user(other, "bob")
        return [first, one.at_one_moment(one.get), one.get()]

    del recording.log[:]
    assert [set(accounts.users) for accounts in one.at_one_moment(work)] == [{"alice"}] * 3
    assert recording.log == [("open", "accounts.json")]
    assert set(one.get().users) == {"alice", "bob"}


def test_a_change_that_is_so_already_writes_nothing(store: Store) -> None:
    recording = RecordingStore(store)
    repository = node(recording)
    add_user(repository, "alice")
    before = swaps(recording)
    assert add_user(repository, "alice") == repository.members.get()
    assert swaps(recording) == before


def test_a_change_that_refuses_leaves_the_accounts_as_they_were(store: Store) -> None:
    repository = node(store)
    add_user(repository, "alice")
    before = store.read("accounts.json")
    with pytest.raises(Missing, match="there is no token x"):
        repository.members.record(ALICE, lambda accounts, event: accounts.revoke("x", event))
    assert store.read("accounts.json") == before


def test_two_writers_at_once_lose_nothing(store: Store) -> None:
    nodes = [node(store), node(store)]
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for count in range(5):
                name = f"u{number}{count}"
                add_user(nodes[number], name)
                nodes[number].members.record(ALICE, lambda a, e, name=name: a.join("team", [name], e))
        except BaseException as exc:
            failures.append(exc)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    accounts = node(store).members.get()
    everybody = {f"u{number}{count}" for number in range(2) for count in range(5)}
    assert set(accounts.users) == set(accounts.groups["team"]) == everybody
    assert len(accounts.history) == 20


def test_a_swap_that_told_its_success_as_a_failure_is_recognised(store: Store) -> None:
    faulty = FaultyStore(store)
    repository = node(faulty)
    add_user(repository, "alice")
    faulty.fail(Point("after", faulty.calls["swap"] + 1, "swap"), Unavailable("accounts.json", "injected"))
    add_user(repository, "bob")
    assert [event.subject for event in node(store).members.get().history] == ["alice", "bob"]


# Using tokens


def use(repository: Repository, hour: str) -> str | None:
    repository.members.used(TOKEN.id, hour)
    return repository.members.get().tokens[TOKEN.id].used


def test_a_use_is_noted_once_an_hour_and_never_goes_back(store: Store) -> None:
    recording = RecordingStore(store)
    repository = node(recording)
    repository.members.record(ALICE, lambda accounts, event: accounts.add_token(TOKEN, event))
    before = swaps(recording)
    for _ in range(10):
        assert use(repository, "2026-01-01T05:00:00Z") == "2026-01-01T05:00:00Z"
    assert swaps(recording) == before + 1
    # Another node, whose clock is an hour behind, or which was not asked before.
    for hour in ("2026-01-01T05:00:00Z", "2026-01-01T04:00:00Z"):
        assert use(node(recording), hour) == "2026-01-01T05:00:00Z"
    assert swaps(recording) == before + 1
    assert use(repository, "2026-01-01T06:00:00Z") == "2026-01-01T06:00:00Z"
    assert swaps(recording) == before + 2
    # It is no change to anybody's rights.
    assert [event.did for event in repository.members.get().history] == ["token add ci"]


def test_many_requests_at_once_note_a_use_once(store: Store) -> None:
    recording = RecordingStore(store)
    repository = node(recording)
    repository.members.record(ALICE, lambda accounts, event: accounts.add_token(TOKEN, event))
    before = swaps(recording)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: repository.members.used(TOKEN.id, "2026-01-01T05:00:00Z"), range(50)))
    assert swaps(recording) == before + 1


def test_a_use_that_cannot_be_noted_is_silent_and_not_tried_again_within_the_hour(store: Store) -> None:
    faulty = FaultyStore(store)
    repository = node(faulty)
    repository.members.record(ALICE, lambda accounts, event: accounts.add_token(TOKEN, event))
    made = faulty.calls["swap"]
    faulty.fail(Point("before", made + 1, "swap"), Unavailable("accounts.json", "away"))
    for _ in range(2):
        repository.members.used(TOKEN.id, "2026-01-01T05:00:00Z")
    assert faulty.calls["swap"] == made + 1
    assert use(node(store), "2026-01-01T04:00:00Z") == "2026-01-01T04:00:00Z"
    assert use(repository, "2026-01-01T06:00:00Z") == "2026-01-01T06:00:00Z"


def test_a_use_of_a_token_that_is_gone_writes_nothing(store: Store) -> None:
    recording = RecordingStore(store)
    repository = node(recording)
    repository.members.used("nobody", "2026-01-01T05:00:00Z")
    assert not swaps(recording)


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b'{"users":{},"tokens":{},"history":[],"later":1}', b'{"users":{"a":{}}}']
)
def test_damaged_accounts_let_nobody_in_and_are_named(store: Store, data: bytes) -> None:
    repository = node(store)
    store.swap("accounts.json", data, None)
    with pytest.raises(Damaged, match=r"accounts\.json"):
        repository.members.get()
    with pytest.raises(Damaged, match=r"accounts\.json"):
        add_user(repository, "alice")
    assert store.read("accounts.json")[0] == data
    # A use fails nobody's request for it either.
    repository.members.used(TOKEN.id, "2026-01-01T05:00:00Z")


# Owners


def test_owners_are_in_the_project_document_with_who_made_them(store: Store) -> None:
    repository = node(store)
    publish(repository)
    assert repository.project("acme-lib").value.owners == ()
    for _ in range(2):
        assert repository.add_owner("acme-lib", "bob", ALICE).owners == ("bob",)
    assert node(store).add_owner("acme-lib", "carol", ALICE).owners == ("bob", "carol")
    for _ in range(2):
        assert repository.remove_owner("acme-lib", "bob", ALICE).owners == ("carol",)
    history = json.loads(store.read("indexes/main/acme-lib.json")[0])["history"]
    assert [(event["did"], event.get("subject"), event["by"]) for event in history[1:]] == [
        ("owner add", "bob", "alice"),
        ("owner add", "carol", "alice"),
        ("owner remove", "bob", "alice"),
    ]
    assert node(store).project("acme-lib").value.owners == ("carol",)


def test_a_project_that_does_not_exist_has_no_owners(store: Store) -> None:
    repository = node(store)
    for change in (repository.add_owner, repository.remove_owner):
        with pytest.raises(NotFound):
            change("nothing", "bob", ALICE)


def test_who_begins_a_project_as_a_user_owns_it_and_nobody_who_goes_on(store: Store) -> None:
    repository = node(store)
    owning = replace(ALICE, owns=True)
    repository.publish(submission(*package()), owning)
    repository.publish(submission(*package(version="2.0")), replace(owning, user="bob"))
    assert repository.project("acme-lib").value.owners == ("alice",)
    repository.register(metadata.read(builders.metadata("other", "1.0")), owning)
    assert repository.project("other").value.owners == ("alice",)


def test_who_is_out_is_out_on_every_node_at_once_however_long_pages_are_kept(store: Store) -> None:
    one, other = (Repository(store, store, settings(cache_seconds="100"), clock=Clock()) for _ in range(2))
    one.members.record(ALICE, lambda accounts, event: accounts.add_token(TOKEN, event))
    assert other.members.get().tokens
    one.members.record(ALICE, lambda accounts, event: accounts.revoke(TOKEN.id, event))
    assert not other.members.get().tokens
