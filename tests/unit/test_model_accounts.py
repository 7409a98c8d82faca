"""The accounts as a value: what each change does, what it records, and that it may be applied twice; owners too."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mypi.model import Accounts, Event, File, Missing, Project, Token, User

NOW = Event(at="2026-01-02T03:04:05.000000Z", did="", by="root", origin="command")
LATER = replace(NOW, at="2026-03-01T00:00:00.000000Z", by="alice", origin="10.0.0.1", via="token laptop")


def token(id: str = "AAAAAAAAAAAA", user: str = "alice", **fields) -> Token:
    known = {"name": "ci", "digest": "0" * 64, "created": NOW.at, "permissions": ("read", "upload")}
    return Token(id=id, user=user, **{**known, **fields})


def filled() -> Accounts:
    """Two users, a member of another source, and a token of each of the two."""
    accounts = Accounts().set_password("alice", "hash a", NOW).set_password("bob", "hash b", NOW)
    accounts = accounts.join("admins", ["alice"], NOW).join("build", ["bob", "alice", "from-ldap"], NOW)
    return accounts.add_token(token(), NOW).add_token(token("BBBBBBBBBBBB", "bob"), NOW)


CHANGES = {
    "a new user": (lambda a, e: a.set_password("carol", "hash c", e), "user add", "carol"),
    "a new password": (lambda a, e: a.set_password("alice", "other", e), "password", "alice"),
    "a user goes": (lambda a, e: a.remove_user("alice", e), "user remove", "alice"),
    "a member comes": (lambda a, e: a.join("admins", ["bob"], e), "group add admins", "bob"),
    "a member goes": (lambda a, e: a.leave("build", ["bob"], e), "group remove build", "bob"),
    "a token comes": (lambda a, e: a.add_token(token("C" * 12, "bob"), e), "token add ci", "bob"),
    "a token goes": (lambda a, e: a.revoke("BBBBBBBBBBBB", e), "token remove ci", "bob"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_threat_46_every_change_is_recorded_with_who_what_and_about_whom(name):
    change, did, subject = CHANGES[name]
    (event,) = change(filled(), LATER).history[len(filled().history) :]
    assert (event.did, event.subject) == (did, subject)
    assert (event.at, event.by, event.origin, event.via) == (LATER.at, "alice", "10.0.0.1", "token laptop")


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_may_be_applied_twice(name):
    change, *_ = CHANGES[name]
    once = change(filled(), LATER)
    assert once != filled()
    assert change(once, replace(LATER, at="2026-04-01T00:00:00.000000Z")) is once


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_reads_back_as_it_was_written(name):
    change, *_ = CHANGES[name]
    after = change(filled(), LATER).signing("5ec7e7").end("s", "2026-01-03T00:00:00Z", NOW.at).revised("1")
    assert Accounts.load(after.dump()) == after
    assert (after.revision, after.key) == ("1", "5ec7e7")


# Users


def test_a_new_password_keeps_when_the_user_was_made():
    user = filled().set_password("alice", "other", LATER).users["alice"]
    assert user == User("alice", "other", NOW.at)


def test_a_user_goes_with_tokens_and_memberships_and_the_history_names_the_tokens():
    after = filled().remove_user("alice", LATER)
    assert set(after.users) == {"bob"}
    assert set(after.tokens) == {"BBBBBBBBBBBB"}
    assert after.groups == {"build": ("bob", "from-ldap")}
    assert after.history[-1].reason == "with the tokens AAAAAAAAAAAA"
    assert after.tokens_of("alice") == ()
    assert after.groups_of("alice") == frozenset()


def test_a_user_of_another_source_can_be_taken_out_too():
    after = filled().remove_user("from-ldap", LATER)
    assert after.groups["build"] == ("bob", "alice")
    assert (after.history[-1].subject, after.history[-1].reason) == ("from-ldap", None)


def test_taking_out_whom_nobody_knows_changes_nothing():
    accounts = filled()
    assert accounts.remove_user("nobody", LATER) is accounts


# Groups


def test_a_group_is_made_by_its_first_member_and_gone_with_its_last():
    accounts = filled().join("new", ["carol", "carol"], NOW)
    assert accounts.groups["new"] == ("carol",)
    assert accounts.groups_of("carol") == {"new"}
    assert filled().groups_of("alice") == {"admins", "build"}
    assert "new" not in accounts.leave("new", ["carol", "bob"], LATER).groups
    assert len(accounts.leave("new", ["carol", "bob"], LATER).history) == len(accounts.history) + 1


def test_leaving_a_group_that_there_is_not_changes_nothing():
    accounts = filled()
    assert accounts.leave("other", ["alice"], NOW) is accounts


# Tokens


def test_tokens_of_a_user_come_newest_first():
    accounts = filled().add_token(token("CCCCCCCCCCCC", created=LATER.at), LATER)
    assert [each.id for each in accounts.tokens_of("alice")] == ["CCCCCCCCCCCC", "AAAAAAAAAAAA"]


def test_the_history_keeps_what_a_token_could_do():
    limited = token("C" * 12, permissions=("upload",), projects=("acme-*", "lib"), expires="2027-01-01T00:00:00Z")
    after = filled().add_token(limited, LATER).revoke("C" * 12, LATER)
    assert [event.reason for event in after.history[-2:]] == [
        "CCCCCCCCCCCC, upload on acme-* lib, until 2027-01-01",
        "CCCCCCCCCCCC",
    ]
    assert filled().history[-2].reason == "AAAAAAAAAAAA, read upload on *, for ever"


def test_a_token_that_never_was_cannot_be_revoked():
    with pytest.raises(Missing, match="there is no token CCCCCCCCCCCC; it may have been revoked already"):
        filled().revoke("CCCCCCCCCCCC", NOW)


def test_anothers_token_is_as_one_that_never_was():
    with pytest.raises(Missing, match="there is no token BBBBBBBBBBBB"):
        filled().revoke("BBBBBBBBBBBB", NOW, user="alice")
    assert "BBBBBBBBBBBB" not in filled().revoke("BBBBBBBBBBBB", NOW, user="bob").tokens


def test_the_last_use_only_goes_forward_and_has_no_entry():
    accounts = filled()
    used = accounts.touch({"AAAAAAAAAAAA": "2026-01-01T05:00:00Z", "unknown": "2026-01-01T05:00:00Z"})
    assert used.tokens["AAAAAAAAAAAA"].used == "2026-01-01T05:00:00Z"
    assert used.tokens["BBBBBBBBBBBB"].used is None
    assert used.history == accounts.history
    for hour in ("2026-01-01T05:00:00Z", "2026-01-01T04:00:00Z"):
        assert used.touch({"AAAAAAAAAAAA": hour}) is used
    assert accounts.touch({}) is accounts


# Sessions and the key


def test_a_session_ends_once_and_is_forgotten_when_it_would_be_over():
    ended = Accounts().end("one", "2026-01-02T12:00:00Z", "2026-01-02T00:00:00Z")
    assert ended.end("one", "2027-01-01T00:00:00Z", "2026-01-02T01:00:00Z") is ended
    later = ended.end("two", "2026-01-03T12:00:00Z", "2026-01-03T00:00:00Z")
    assert later.ended == {"two": "2026-01-03T12:00:00Z"}
    both = ended.end("two", "2026-01-02T13:00:00Z", "2026-01-02T01:00:00Z")
    assert set(both.ended) == {"one", "two"}
    assert not both.history


def test_the_first_key_stays():
    signing = Accounts().signing("first")
    assert signing.key == "first"
    assert signing.signing("second") is signing


def test_promise_10_moved_the_key_and_its_sessions_stay_and_the_other_place_keeps_its_own():
    here = filled().signing("secret").end("s", "2026-01-03T00:00:00Z", NOW.at).revised("7")
    assert b"secret" not in here.moved(Accounts()).dump()
    assert here.moved(Accounts()).ended == {}
    there = replace(filled(), key="own", ended={"t": "x"}, sealed="2026", revision="8")
    there = there.touch({"AAAAAAAAAAAA": "2026-01-01T05:00:00Z"})
    moved = here.moved(there)
    assert (moved.key, moved.ended, moved.sealed) == ("own", {"t": "x"}, "2026")
    assert (moved.revision, moved.copied) == ("7", "7")
    assert moved.tokens["AAAAAAAAAAAA"].used == "2026-01-01T05:00:00Z"
    assert moved.history == here.history


def test_one_continues_another_when_all_that_was_done_there_was_done_here():
    before, after = filled(), filled().remove_user("bob", LATER)
    assert after.continues(before)
    assert after.continues(after)
    assert not before.continues(after)
    assert not before.remove_user("alice", LATER).continues(after)
    assert before.continues(Accounts(key="own", ended={"t": "x"}))
    # Whom somebody wrote by hand is in nobody's history.
    for by_hand in ({"users": before.users}, {"groups": before.groups}, {"tokens": before.tokens}):
        assert not before.continues(Accounts(**by_hand))


# The document


def test_the_document_leaves_out_what_has_its_default_and_takes_old_ones():
    document = json.loads(filled().dump())
    assert document["users"]["alice"] == {"password": "hash a", "created": NOW.at}
    assert document["tokens"]["AAAAAAAAAAAA"] == {
        "user": "alice",
        "name": "ci",
        "digest": "0" * 64,
        "created": NOW.at,
        "permissions": ["read", "upload"],
    }
    assert "key" not in document
    assert Accounts.load(b'{"users":{},"tokens":{},"history":[]}') == Accounts()


@pytest.mark.parametrize("data", [b"{", b"{}", b"[]", b'{"users":[],"tokens":{},"history":[]}'])
def test_a_damaged_document_is_an_error(data):
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        Accounts.load(data)


# Owners


def project() -> Project:
    file = File("acme_lib-1.0-py3-none-any.whl", "1.0", "0" * 16, 3, "a" * 64, NOW.at)
    return Project("acme-lib", "Acme.Lib").publish(file, NOW, "alice")


def test_whoever_begins_a_project_owns_it_and_nobody_else_by_going_on():
    begun = project()
    assert begun.owners == ("alice",)
    more = replace(begun.files["acme_lib-1.0-py3-none-any.whl"], filename="b-2.0.whl", version="2.0", token="1" * 16)
    assert begun.publish(more, LATER, "bob").owners == ("alice",)
    assert begun.register("3.0", "", LATER, "bob").owners == ("alice",)
    assert Project("a", "A").register("1.0", "", NOW, "carol").owners == ("carol",)
    assert Project("a", "A").register("1.0", "", NOW).owners == ()


def test_owners_come_and_go_once_each_with_a_record():
    both = project().add_owner("bob", LATER)
    assert both.owners == ("alice", "bob")
    assert both.add_owner("bob", NOW) is both
    one = both.remove_owner("alice", LATER)
    assert one.owners == ("bob",)
    assert one.remove_owner("alice", NOW) is one
    assert [(event.did, event.subject, event.via) for event in one.history[-2:]] == [
        ("owner add", "bob", "token laptop"),
        ("owner remove", "alice", "token laptop"),
    ]
    assert Project.load(one.dump()) == one
