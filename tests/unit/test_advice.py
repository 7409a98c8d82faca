"""Advice at start-up: rules that let nobody in, or name somebody whom nobody knows, are warned about and no more."""

from __future__ import annotations

import pytest

from mypi import main
from mypi.accounts import AccountError, Users, advice
from mypi.model import Accounts, User
from mypi.store import StoreError, Unavailable
from tests.accounts import load

ALICE = Accounts(users={"alice": User("alice", "", "")})
ACME = Accounts(users=ALICE.users, groups={"acme": ("alice",), "ghosts": ("zoe",)})


class Telling:
    """A source that lists its users."""

    def __init__(self, names):
        self._names = names

    def verify(self, user, password):
        return False

    def stamp(self, user):
        return None

    def groups(self, user):
        return frozenset()

    def names(self):
        return frozenset(self._names)


class Away(Telling):
    """A source that is away."""

    def names(self):
        raise AccountError("the file cannot be read")


class Silent:
    """A source that cannot list its users."""

    def verify(self, user, password):
        return False

    def stamp(self, user):
        return None

    def groups(self, user):
        return frozenset()


def said(accounts=ALICE, *, source=None, outside=False, **settings) -> list[str]:
    """Return what is said of rules, over a source of the accounts' users or one of the test's choice."""
    users = Users([source or Telling(accounts.users)], lambda: accounts)
    return advice.on(load(**settings).rights, users, lambda: accounts, outside=outside)


def test_the_default_rules_need_a_user_and_no_admins_yet():
    assert said() == []
    assert said(Accounts()) == [
        "mypi.upload = users lets nobody in: there is no user yet, make one with `mypi user add`"
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {"upload": "everyone"},
        {"upload": "nobody"},
        {"upload": "user:alice"},
        {"upload": "group:acme owners"},
        {"read": "users", "upload": "user:alice group:acme"},
        {"upload.acme-*": "group:acme"},
        {"upload.acme-*": "nobody"},
    ],
)
def test_rules_that_let_somebody_in_are_not_spoken_of(settings):
    assert said(ACME, **settings) == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"upload": "user:alicia"},
            "mypi.upload = user:alicia lets nobody in: user alicia, whom no source of users knows; make them with "
            "`mypi user add` or mend the name",
        ),
        (
            {"read": "group:acme group:nothing"},
            "mypi.read = group:acme group:nothing names group nothing, of which no user is a member; fill it with "
            "`mypi group add` or mend the name",
        ),
        (
            {"upload.acme-*": "group:ghosts"},
            "mypi.upload.acme-* = group:ghosts lets nobody in: group ghosts, of which no user is a member; fill it "
            "with `mypi group add` or mend the name",
        ),
        (
            {"manage": "group:admins"},
            "mypi.manage = group:admins lets nobody in: group admins, of which no user is a member; fill it with "
            "`mypi group add` or mend the name",
        ),
    ],
)
def test_who_is_nowhere_is_named_with_what_to_do(settings, sentence):
    assert said(ACME, **settings) == [sentence]


def test_owners_without_any_user_are_nobody():
    [sentence] = said(Accounts(), upload="owners")
    assert sentence.startswith("mypi.upload = owners lets nobody in: there is no user yet")


def test_each_rule_has_a_sentence_of_its_own():
    found = said(Accounts(), upload="users", **{"upload.acme-*": "user:bob group:x", "read.acme-*": "users"})
    assert [each.partition(" = ")[0] for each in found] == ["mypi.read.acme-*", "mypi.upload", "mypi.upload.acme-*"]


def test_where_users_cannot_be_listed_nothing_is_said():
    assert said(Accounts(), upload="user:x", source=Silent()) == []
    assert said(Accounts(), upload="user:x", outside=True) == []


def test_while_a_source_or_the_store_is_away_nothing_is_said():
    assert said(upload="user:x", source=Away(())) == []
    for error in (Unavailable("accounts", "is away"), StoreError("accounts", "is no JSON")):

        def accounts(error=error):
            raise error

        assert advice.on(load().rights, Users([Telling("a")], accounts), accounts, outside=False) == []


def test_the_start_says_it_in_the_log(caplog):
    main({}, **{"mypi.storage": "memory", "mypi.upload": "user:alicia"})
    assert "mypi.upload = user:alicia lets nobody in" in caplog.text
    assert [record.levelname for record in caplog.records if "alicia" in record.message] == ["WARNING"]
