"""Somebody's own account: tokens, shown once, and the password (issue 5, points 2 and 3)."""

from __future__ import annotations

import logging
import re
from dataclasses import replace

import pytest

from mypi.views.people.account import MOST_TOKENS
from tests.builders import wheel
from tests.functional.people import ALICE, BOB, COMMAND, Browser, populate
from tests.functional.support import BROWSER, basic, one_store

TOKEN = [("action", "token"), ("name", "ci"), ("permission", "upload"), ("expires", "90"), ("projects", "Acme_* other")]
HOSTILE = "<script>alert(1)</script>\"'&"


store = one_store
"""What a page does, the others do with every store; one is enough here."""


@pytest.fixture
def index(make_index, htpasswd):
    made = make_index(upload="users", manage="group:admins owners", htpasswd=htpasswd)
    populate(made.repository)
    return made


def token_in(answer):
    (found,) = set(re.findall(r"mypi-\w{12}-\w{43}-\w{6}", answer.text))
    return found


def change(name, value=None):
    """The form of a new token, with one field another."""
    others = [pair for pair in TOKEN if pair[0] != name]
    return others if value is None else [*others, (name, value)]


def test_nobody_has_no_account(index):
    assert Browser(index).get("/+account", 303).headers["Location"] == "./+login?next=%2Baccount"
    answer = Browser(index).post("/+account", TOKEN, 403)
    assert "log in and send the form again" in answer.text
    index.get("/+account", headers={"Accept": BROWSER, **basic(*BOB)}, status=303)


def test_a_token_is_shown_once_and_publishes(index, caplog):
    browser = Browser(index, BOB)
    with caplog.at_level(logging.DEBUG):
        answer = browser.post("/+account", TOKEN, 200)
    text = token_in(answer)
    assert "no-store" in answer.headers["Cache-Control"]
    assert "data-copy" in answer.text
    assert text not in caplog.text
    page = browser.get("/+account").text
    assert text not in page
    assert ">ci" in page
    index.extra_environ = {"HTTP_AUTHORIZATION": basic("__token__", text)["Authorization"]}
    index.publish(*wheel())
    index.publish(*wheel("beta"), status=403)
    index.extra_environ = {}
    assert index.repository.project("acme-lib").value.history[0].via == "token ci"
    (token,) = index.repository.members.get().tokens_of("bob")
    assert token.projects == ("acme-*", "other")
    assert token.permissions == ("upload",)
    assert text.split("-")[2] not in index.repository.members.get().dump().decode()
    event = index.repository.members.get().history[-1]
    assert (event.did, event.by, event.subject, event.via) == ("token add ci", "bob", "bob", None)
    assert "never" not in re.search(r'data-label="Last use">.*?</td>', browser.get("/+account").text)[0]


def test_a_token_without_limits(index):
    form = [("action", "token"), ("name", "all"), ("expires", "")] + [("permission", p) for p in ("manage", "read")]
    Browser(index, BOB).post("/+account", form, 200)
    (token,) = index.repository.members.get().tokens_of("bob")
    assert (token.projects, token.expires, token.permissions) == (("*",), None, ("read", "manage"))


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (change("name", " "), "Give it a name"),
        (change("name", "x" * 61), "at most 60"),
        (change("permission"), "at least one of the rights"),
        (change("permission", "everything"), "at least one of the rights"),
        (change("expires", "1000"), "Choose one of these."),
        (change("projects", "acme/* é"), "is no pattern"),
    ],
)
def test_a_token_that_cannot_be_made_comes_back_with_what_was_typed(index, form, said):
    answer = Browser(index, BOB).post("/+account", form, 400)
    assert said in answer.text
    assert "Nothing was changed" in answer.text
    name = dict(form).get("name", "")
    assert name.strip() == "" or f'value="{name}"' in answer.text
    assert index.repository.members.get().tokens == {}


def test_a_name_is_used_once_and_there_is_a_most(index):
    browser = Browser(index, BOB)
    browser.post("/+account", TOKEN, 200)
    assert "of this name already" in browser.post("/+account", TOKEN, 400).text
    (one,) = index.repository.members.get().tokens_of("bob")

    def many(held, event):
        for number in range(MOST_TOKENS):
            held = held.add_token(replace(one, id=f"{number:012}", name=f"n{number}"), event)
        return held

    index.repository.members.record(COMMAND, many)
    assert "which is the most" in browser.post("/+account", change("name", "one more"), 400).text


def test_a_token_is_revoked_by_its_user_alone(index):
    bob, alice = Browser(index, BOB), Browser(index, ALICE)
    text = token_in(bob.post("/+account", TOKEN, 200))
    (token,) = index.repository.members.get().tokens_of("bob")
    revoke = {"action": "revoke", "id": token.id}
    assert "there is no token" in alice.post("/+account", revoke, 404).text
    assert bob.post("/+account", revoke).headers["Location"] == "+account?done=revoked"
    assert "The token was revoked." in bob.get("/+account?done=revoked").text
    index.extra_environ = {"HTTP_AUTHORIZATION": basic("__token__", text)["Authorization"]}
    index.publish(*wheel(), status=401)
    index.extra_environ = {}


def test_a_token_whose_time_is_over_says_so(index):
    browser = Browser(index, BOB)
    browser.post("/+account", TOKEN, 200)

    def over(held, event):
        return replace(
            held, tokens={i: replace(t, expires="2020-01-01T00:00:00.000000Z") for i, t in held.tokens.items()}
        )

    index.repository.members.record(COMMAND, over)
    assert ">over<" in browser.get("/+account").text


def test_hostile_names_are_escaped(index):
    browser = Browser(index, BOB)
    answer = browser.post("/+account", change("name", HOSTILE), 200)
    assert "<script>alert" not in answer.text + browser.get("/+account").text
    assert "<script>alert" not in browser.post("/+account", change("projects", HOSTILE), 400).text


def password(old, new, again=None):
    return {"action": "password", "old": old, "new": new, "again": new if again is None else again}


def test_a_new_password_ends_other_sessions_and_not_this_one(index):
    here, there = Browser(index, BOB), Browser(index, BOB)
    answer = here.post("/+account", password(BOB[1], "a new password"))
    assert answer.headers["Location"] == "+account?done=password"
    assert "The password was changed" in here.get("/+account?done=password").text
    there.get("/+account", 303)
    Browser(index).login(*BOB, status=403)
    Browser(index, ("bob", "a new password"))
    event = index.repository.members.get().history[-1]
    assert (event.did, event.by, event.subject) == ("password", "bob", "bob")
    assert "a new password" not in index.repository.members.get().dump().decode()


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        (password("wrong", "a new password"), 403, "This is not your password."),
        (password(BOB[1], "short"), 400, "A password has 8"),
        (password(BOB[1], "a new password", "another password"), 400, "The two are not the same"),
    ],
)
def test_a_password_that_cannot_be_changed(index, form, status, said):
    answer = Browser(index, BOB).post("/+account", form, status)
    assert said in answer.text
    assert BOB[1] not in answer.text
    Browser(index, BOB)


def test_threat_32_the_old_password_is_not_guessed_there(index):
    browser = Browser(index, BOB)
    for _ in range(10):
        browser.post("/+account", password("guess", "a new password"), 403)
    assert "Too many" in browser.post("/+account", password(BOB[1], "a new password"), 429).text


def test_two_changes_of_a_password_at_once_are_one(index, monkeypatch):
    browser = Browser(index, BOB)
    token, members = browser.token("/+account"), index.repository.members
    policy = type(index.app.registry["mypi.policy"])
    check = policy.check

    def meanwhile(self, *args, **more):
        right = check(self, *args, **more)
        members.record(COMMAND, lambda held, event: held.set_password("bob", "another", event))
        return right

    monkeypatch.setattr(policy, "check", meanwhile)
    browser.post("/+account", password(BOB[1], "a new password"), 409, token=token)
    assert members.get().users["bob"].password == "another"


def test_a_user_of_another_source_changes_the_password_there(index):
    index.repository.members.record(COMMAND, lambda held, event: held.remove_user("bob", event))
    browser = Browser(index, ("bob", "builder"))
    page = browser.get("/+account").text
    assert "not kept by this index" in page
    assert "Present password" not in page
    browser.post("/+account", password("builder", "a new password"), 400)


def test_groups_are_shown(index):
    assert "Member of admins." in Browser(index, ALICE).get("/+account").text
    assert "Member of no group." in Browser(index, BOB).get("/+account").text


def test_whom_the_server_vouches_for_has_an_account_without_a_session(make_index):
    made = make_index(manage="group:admins", upload="users", remote_user="true")
    browser = Browser(made, None, REMOTE_USER="erin")
    page = browser.get("/+account").text
    assert "Account of" in page
    assert "Log out" not in page  # it would be undone at once
    browser.post("/+account", TOKEN, 200)
    browser.post("/+logout", token=browser.token("/+account"))
    browser.get("/+login", 303)
    browser.post("/+login", {"user": "x", "password": "long enough"}, 403, token=browser.token("/+account"))
    assert made.repository.members.get().tokens_of("erin")
