"""Sources of users: the first that knows a name decides, and the time that it takes tells nothing (threats 31, 34)."""

from __future__ import annotations

import pytest

from mypi.accounts import AccountError, Hasher, StoreUsers, Users, check_password, check_user
from mypi.accounts import sources as module
from mypi.model import Accounts, Event, User

EVENT = Event("2026-01-01T00:00:00Z", "")


class Listless:
    """A source of users that obeys the interface, and counts what it is asked."""

    def __init__(self, passwords: dict[str, str], groups: dict[str, frozenset[str]] | None = None) -> None:
        self.passwords = passwords
        self.verified: list[str | None] = []
        self._groups = groups or {}

    def verify(self, user, password):
        self.verified.append(user)
        return user is not None and self.passwords.get(user) == password

    def stamp(self, user):
        return self.passwords.get(user)

    def groups(self, user):
        return self._groups.get(user, frozenset())


class Telling(Listless):
    """A source that can list its users."""

    def names(self):
        return frozenset(self.passwords)


def users(*sources, accounts=None) -> Users:
    return Users(sources, lambda: accounts or Accounts())


@pytest.fixture(scope="module")
def hasher() -> Hasher:
    return Hasher()


def test_threat_34_passwords_are_hashed_with_argon2id_of_owasps_floor_or_more(hasher):
    stored = hasher.hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hasher.hash("correct horse") != stored


def test_the_right_password_is_right_and_no_other(hasher):
    stored = hasher.hash(" correct horse\n")
    assert hasher.verify(stored, "correct horse")
    for wrong in ("", "Correct horse", "correct horse\0", "x" * 2000):
        assert not hasher.verify(stored, wrong)


@pytest.mark.parametrize("stored", ["", "junk", "$argon2id$junk", "$2b$12$abc"])
def test_a_hash_that_is_none_lets_nobody_in(hasher, stored):
    assert not hasher.verify(stored, "correct horse")


def test_threat_31_an_unknown_user_costs_a_verification_too(hasher):
    asked = []
    real = hasher._argon2.verify

    class Argon2:
        def verify(self, stored, password):
            asked.append(stored)
            return real(stored, password)

    stored = hasher.hash("correct horse")
    hasher._argon2, before = Argon2(), hasher._argon2
    try:
        assert not hasher.verify(None, "correct horse")
        assert not hasher.verify(stored, "wrong horse")
    finally:
        hasher._argon2 = before
    assert len(asked) == 2
    assert asked[0].rpartition("$")[0].rpartition("$")[0] == asked[1].rpartition("$")[0].rpartition("$")[0]


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\n", "ä", "__token__", "x" * 101, "a/b"])
def test_a_name_that_cannot_be_is_refused(name):
    with pytest.raises(AccountError, match="is no name of a user or group"):
        check_user(name)


def test_a_name_that_can_be_is_taken():
    assert check_user("Alice.B_c@acme+ci-1") == "Alice.B_c@acme+ci-1"


@pytest.mark.parametrize("password", ["", "short", "1234567", "  1234567  ", "x" * 1001])
def test_a_password_that_cannot_be_is_refused(password):
    with pytest.raises(AccountError, match="8 to 1000 characters"):
        check_password(password)


def test_users_of_the_store_are_known_by_their_document(hasher):
    held = Accounts(users={"alice": User("alice", hasher.hash("correct horse"), "")})
    source = StoreUsers(lambda: held)
    assert source.verify("alice", "correct horse")
    assert not source.verify("alice", "wrong")
    assert not source.verify("bob", "correct horse")
    assert not source.verify(None, "correct horse")
    assert source.stamp("bob") is None
    assert source.stamp("alice") not in (None, held.users["alice"].password)
    assert source.groups("alice") == frozenset()
    assert source.names() == {"alice"}


def test_a_stamp_changes_with_the_password(hasher):
    held = Accounts().set_password("alice", hasher.hash("correct horse"), EVENT)
    before = StoreUsers(lambda: held).stamp("alice")
    after = held.set_password("alice", hasher.hash("correct horse"), EVENT)
    assert StoreUsers(lambda: after).stamp("alice") != before


def test_the_first_source_that_knows_a_name_decides_about_it():
    first, second = Listless({"alice": "one"}), Listless({"alice": "two", "bob": "three"})
    both = users(first, second)
    assert both.verify("alice", "one")
    assert not both.verify("alice", "two")
    assert both.verify("bob", "three")
    assert (both.stamp("alice"), both.stamp("bob"), both.stamp("carol")) == ("one", "three", None)


def test_threat_31_every_source_does_its_work_for_every_wrong_pair():
    first, second = Listless({"alice": "one"}), Listless({"bob": "two"})
    both = users(first, second)
    for user in ("alice", "bob", "carol"):
        assert not both.verify(user, "wrong")
    assert first.verified == ["alice", None, "carol"]
    assert second.verified == [None, "bob", "carol"]


class Away(Listless):
    """A source that cannot verify."""

    def verify(self, user, password):
        super().verify(user, password)
        raise AccountError("the directory is away")


def test_a_source_that_is_away_holds_up_its_own_users_only():
    away, here = Away({"alice": "one"}), Listless({"bob": "two"})
    both = users(away, here)
    assert both.verify("bob", "two")
    assert not both.verify("bob", "wrong")
    for user in ("alice", "carol"):
        with pytest.raises(AccountError, match="is away"):
            both.verify(user, "one")


def test_a_password_that_was_right_is_remembered_for_a_minute(monkeypatch):
    source = Listless({"alice": "one"})
    several = users(source)
    assert several.verify("alice", "one")
    assert several.verify("alice", "one")
    assert source.verified == ["alice"]
    assert not several.verify("alice", "two")
    assert several._right.ttl == module._REMEMBERED == 60
    assert all(b"one" not in key and b"alice" not in key for key in several._right)


def test_a_password_that_was_wrong_is_not_remembered():
    source = Listless({"alice": "one"})
    several = users(source)
    assert not several.verify("alice", "two")
    source.passwords["alice"] = "two"
    assert several.verify("alice", "two")


def test_a_changed_password_and_a_user_who_went_are_no_longer_remembered():
    source = Listless({"alice": "one"})
    several = users(source)
    assert several.verify("alice", "one")
    source.passwords["alice"] = "two"
    assert not several.verify("alice", "one")
    assert several.verify("alice", "two")
    source.passwords.clear()
    assert not several.verify("alice", "two")


def test_half_a_letter_is_no_password(hasher):
    source = Listless({"alice": "\ud800"})
    assert not users(source).verify("alice", "\ud800")
    assert source.verified == []


def test_groups_are_those_of_the_store_and_of_the_source_that_knows_the_user():
    held = Accounts(groups={"build": ("alice", "carol"), "acme": ("bob",)})
    first = Listless({"alice": "one"}, {"alice": frozenset({"staff"})})
    second = Listless({"alice": "two", "bob": "three"}, {"alice": frozenset({"wrong"})})
    both = users(first, second, accounts=held)
    assert both.groups("alice") == {"build", "staff"}
    assert both.groups("bob") == {"acme"}
    assert both.groups("carol") == {"build"}


def test_names_are_told_only_if_every_source_can_list_them():
    assert users(Telling({"alice": "x"}), Telling({"bob": "x"})).names() == {"alice", "bob"}
    assert users(Telling({"alice": "x"}), Listless({"bob": "x"})).names() is None
    assert users().names() == frozenset()
