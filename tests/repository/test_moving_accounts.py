"""Copying the accounts: their history arrives, secrets of a place never leave it (promise 10), nothing is undone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mypi.accounts import Sessions, fresh
from mypi.model import Actor, Token
from mypi.repository import Moved, Outcome, Repository
from mypi.store import Store
from tests.repository.moves import KEY, MakeStore, copy, fill, holds, opened, populate, problems_of
from tests.repository.shorthand import ALICE

BOB = Actor("bob", "10.0.0.1", "token ci")


@pytest.fixture(params=["memory", "filesystem", "zodb"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def source(make: MakeStore, kind: str) -> Store:
    return make(kind)


@pytest.fixture
def target(make: MakeStore, kind: str) -> Store:
    return make(kind)


def state(outcomes: list[Outcome]) -> str:
    return next(outcome.state for outcome in outcomes if outcome.key == "accounts.json")


def document(store: Store) -> Any:
    return json.loads(store.read("accounts.json")[0])


def password(index: Repository, user: str, by: Actor = ALICE) -> None:
    hashed = f"$argon2id$of {user} {fresh().id}"
    index.members.record(by, lambda accounts, event: accounts.set_password(user, hashed, event))


def test_the_history_arrives_and_the_key_stays(source: Store, target: Store) -> None:
    index, other = fill(source), opened(target)
    password(index, "bob", BOB)
    assert state(copy(index, other)) == "copied"
    there = document(target)
    assert there["history"] == document(source)["history"]
    assert [(e["did"], e["by"], e["origin"], e.get("via")) for e in there["history"]][-1] == (
        *("user add", "bob", "10.0.0.1", "token ci"),
    )
    assert there["tokens"]["AAAAAAAAAAAA"]["used"] == "2026-01-01T05:00:00Z"
    assert holds(source, KEY)
    assert not holds(target, KEY)
    assert "session" in document(source)["ended"]
    assert "session" not in there["ended"]
    assert state(copy(index, other)) == "there"


def test_a_place_that_signs_and_notes_the_use_of_tokens_is_copied_to_again(source: Store, target: Store) -> None:
    index, other = fill(source), opened(target)
    copy(index, other)
    # People try the new place: somebody logs in and out, a token is used.
    sessions = Sessions(other.members)
    session = sessions.read(sessions.open("alice", "stamp"))
    assert session
    sessions.end(session)
    other.members.used("AAAAAAAAAAAA", "2026-01-01T07:00:00Z")
    own = document(target)
    assert own["key"] not in (KEY, "")
    assert state(copy(index, other)) == "there"
    assert document(target) == own
    password(index, "bob")
    assert state(copy(index, other)) == "copied"
    after = document(target)
    assert set(after["users"]) == {"alice", "bob"}
    # Its own key, ended sessions and the later use stay.
    assert (after["key"], after["ended"]) == (own["key"], own["ended"])
    assert after["tokens"]["AAAAAAAAAAAA"]["used"] == "2026-01-01T07:00:00Z"
    index.members.used("AAAAAAAAAAAA", "2026-01-01T09:00:00Z")
    copy(opened(source), opened(target), catch_up=True)
    after = document(target)
    assert after["tokens"]["AAAAAAAAAAAA"]["used"] == "2026-01-01T09:00:00Z"
    assert (after["key"], "sealed" in after) == (own["key"], False)


def test_what_was_done_to_accounts_at_the_target_is_never_undone(source: Store, target: Store) -> None:
    index, other = fill(source), opened(target)
    copy(index, other)
    password(other, "carol")
    password(index, "bob")
    for _ in range(2):
        outcomes = copy(index, other)
        assert state(outcomes) == "left"
        (problem,) = problems_of(outcomes)
        assert problem.startswith("accounts.json was changed at the target since it was copied")
    assert set(document(target)["users"]) == {"alice", "carol"}
    # Nor is what was done here, the other way.
    assert state(copy(other, index)) == "left"
    assert set(document(source)["users"]) == {"alice", "bob"}


def test_accounts_move_back_with_what_was_done_meanwhile(source: Store, target: Store) -> None:
    index, other = fill(source), opened(target)
    copy(index, other, catch_up=True)
    password(other, "carol")
    assert state(copy(other, opened(source))) == "copied"
    back = document(source)
    assert set(back["users"]) == {"alice", "carol"}
    assert back["key"] == KEY
    assert back["ended"] == {"session": "2026-01-02T00:00:00Z"}
    assert back["sealed"]


def test_an_old_backup_takes_nobody_back_and_nobody_away(make: MakeStore, kind: str) -> None:
    index, backup = fill(make(kind)), opened(make(kind))
    copy(index, backup)
    index.members.record(ALICE, lambda accounts, event: accounts.remove_user("alice", event))
    assert state(copy(backup, index)) == "left"
    assert not index.members.get().users
    assert not index.members.get().tokens


def test_a_place_where_only_somebody_logged_in_takes_the_accounts(source: Store, target: Store) -> None:
    index, other = fill(source), opened(target)
    own = Sessions(other.members).key()
    assert state(copy(index, other)) == "copied"
    assert document(target)["key"] == own
    assert set(document(target)["users"]) == {"alice"}


def test_users_whom_somebody_wrote_by_hand_are_left_alone(source: Store, target: Store) -> None:
    index, other = fill(source), opened(target)
    target.swap("accounts.json", b'{"users":{},"groups":{"admins":["eve"]},"tokens":{},"history":[]}', None)
    assert state(copy(index, other)) == "left"
    assert other.members.get().groups == {"admins": ("eve",)}


def test_sealed_an_index_without_accounts_gets_none(source: Store, target: Store) -> None:
    index, other = opened(source), opened(target)
    copy(index, other, catch_up=True)
    with pytest.raises(Moved, match="this index was sealed at"):
        password(index, "late")
    password(other, "late")
    index.unseal()
    password(index, "again")
    assert set(index.members.get().users) == {"again"}


@pytest.mark.parametrize("damage", [b"{", b'{"users":{},"tokens":[],"history":[]}', b'{"users":{}}', b'{"users":[]}'])
def test_damaged_accounts_are_told_and_the_rest_is_copied(make: MakeStore, damage: bytes) -> None:
    source, target = make("memory"), make("memory")
    fill(source)
    other = opened(target)
    source.swap("accounts.json", damage, source.read("accounts.json")[1])
    outcomes = copy(opened(source), other)
    assert state(outcomes) == "damaged"
    (problem,) = problems_of(outcomes)
    assert "accounts.json" in problem
    assert "(at the source)" in problem
    healthy, hurt = opened(make("memory")), make("memory")
    populate(healthy)
    opened(hurt)
    hurt.swap("accounts.json", damage, None)
    outcomes = copy(healthy, opened(hurt))
    assert state(outcomes) == "damaged"
    assert "(at the target)" in problems_of(outcomes)[0]


def test_accounts_without_a_revision_are_copied_once(make: MakeStore) -> None:
    source, target = make("memory"), make("memory")
    source.swap("store.json", b'{"id":"a","format":1}', None)
    source.swap("accounts.json", b'{"users":{},"groups":{"admins":["eve"]},"tokens":{},"history":[]}', None)
    assert [state(copy(opened(source), opened(target))) for _ in range(2)] == ["copied", "there"]


def test_a_token_that_only_one_place_knows_keeps_its_use(make: MakeStore) -> None:
    source, target = make("memory"), make("memory")
    index, other = fill(source), opened(target)
    copy(index, other)
    token = Token("BBBBBBBBBBBB", "alice", "b", "1" * 64, "2026-01-01T00:00:00.000000Z", ("read",))
    index.members.record(ALICE, lambda accounts, event: accounts.add_token(token, event))
    copy(index, other)
    assert "used" not in document(target)["tokens"]["BBBBBBBBBBBB"]
