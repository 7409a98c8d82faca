"""Users, groups and rights on the page of who manages the index (issue 5, points 1, 2 and 7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mypi import metadata
from mypi.model import Actor
from tests.functional.people import ALICE, BOB, CAROL, COMMAND, Browser, populate
from tests.functional.support import one_store

HOSTILE = "<b>\"'&"


store = one_store
"""What a page does, the others do with every store; one is enough here."""


@pytest.fixture
def index(make_index, htpasswd):
    made = make_index(
        upload="users",
        manage="group:admins owners",
        htpasswd=htpasswd,
        **{"upload.acme-*": "group:acme", "read.secret-*": "group:acme", "upload.secret-*": "user:bob"},
    )
    populate(made.repository)
    return made


@pytest.fixture
def alice(index):
    return Browser(index, ALICE)


def held(index):
    return index.repository.members.get()


def last(index):
    event = held(index).history[-1]
    return event.did, event.by, event.subject


def test_only_who_manages_the_index_sees_and_does_it(index):
    for browser, status in ((Browser(index), 303), (Browser(index, BOB), 403)):
        browser.get("/+users", status)
    token = Browser(index, BOB).token("/+account")
    Browser(index, BOB).post("/+users", {"action": "add", "name": "x", "password": "long enough"}, 403, token=token)
    assert "x" not in held(index).users


def test_a_user_is_added_and_logs_in(index, alice):
    answer = alice.post("/+users", {"action": "add", "name": "dave", "password": "long enough"})
    assert answer.headers["Location"] == "+users?user=dave&done=added"
    assert "The user was added." in alice.get("/+users?user=dave&done=added").text
    assert last(index) == ("user add", "alice", "dave")
    Browser(index, ("dave", "long enough"))


@pytest.mark.parametrize(
    ("name", "password", "status", "said"),
    [
        ("", "long enough", 400, "A name has letters"),
        ("a b", "long enough", 400, "A name has letters"),
        (HOSTILE, "long enough", 400, "A name has letters"),
        ("__token__", "long enough", 400, "A name has letters"),
        ("dave", "short", 400, "A password has 8"),
        ("bob", "long enough", 409, "There is a user bob already."),
        ("zoë", "long enough", 400, "A name has letters"),
    ],
)
def test_a_user_who_cannot_be_added(index, alice, name, password, status, said):
    before = held(index)
    answer = alice.post("/+users", {"action": "add", "name": name, "password": password}, status)
    assert said in answer.text
    assert HOSTILE not in answer.text
    assert f'value="{password}"' not in answer.text
    assert name == HOSTILE or f'value="{name}"' in answer.text
    assert held(index) is before or held(index) == before


def test_a_user_added_meanwhile_is_not_overwritten(index, alice, monkeypatch):
    users = type(index.app.registry["mypi.policy"].users)
    token = alice.token("/+users")
    stamp = users.stamp
    monkeypatch.setattr(users, "stamp", lambda self, name: None if name == "bob" else stamp(self, name))
    alice.post("/+users", {"action": "add", "name": "bob", "password": "long enough"}, 409, token=token)
    Browser(index).index.reset()
    assert last(index)[0] != "password"


def test_a_password_is_set_and_sessions_end(index, alice):
    bob = Browser(index, BOB)
    answer = alice.post("/+users", {"action": "password", "of": "bob", "password": "for a fresh start"})
    assert answer.headers["Location"] == "+users?user=bob&done=password"
    assert last(index) == ("password", "alice", "bob")
    bob.get("/+account", 303)
    Browser(index, ("bob", "for a fresh start"))
    assert "A password has" in alice.post("/+users", {"action": "password", "of": "bob", "password": "x"}, 400).text
    gone = {"action": "password", "of": "nobody", "password": "for a fresh start"}
    assert "no such user" in alice.post("/+users", gone, 409).text


def test_a_user_is_removed_with_everything(index, alice):
    bob = Browser(index, BOB)
    bob.post("/+account", [("action", "token"), ("name", "ci"), ("permission", "read"), ("expires", "")], 200)
    alice.post("/+users", {"action": "join", "of": "bob", "group": "acme"})
    page = alice.get("/+users?user=bob").text
    assert "1 token," in page
    assert "1 membership," in page
    assert "Say that bob" in alice.post("/+users", {"action": "remove", "of": "bob"}, 400).text
    answer = alice.post("/+users", {"action": "remove", "of": "bob", "sure": "yes"})
    assert answer.headers["Location"] == "+users?done=removed-user"
    assert "bob" not in held(index).users
    assert held(index).tokens == {}
    assert "acme" not in held(index).groups or "bob" not in held(index).groups["acme"]
    bob.get("/+account", 303)
    alice.get("/+users?user=bob", 404)


def test_who_is_removed_owns_nothing_that_waits_for_the_next_of_that_name(index, alice, store, caplog):
    core = metadata.from_form({"metadata_version": ("2.1",), "name": ("bobs",), "version": ("1.0",)})
    index.repository.register(core, Actor("bob", None, owns=True))
    index.repository.register(replace(core, project="lost", name="lost"), Actor("bob", None, owns=True))
    store.swap("indexes/main/lost.json", b"{", store.read("indexes/main/lost.json")[1])
    alice.post("/+users", {"action": "remove", "of": "bob"}, 400)
    assert index.repository.project("bobs").value.owners == ("bob",)
    alice.post("/+users", {"action": "remove", "of": "bob", "sure": "yes"})
    found = index.repository.project("bobs").value
    assert (found.owners, found.history[-1].did, found.history[-1].by) == ((), "owner remove", "alice")
    assert "bob is not taken out of its owners" in caplog.text


def test_nobody_removes_themself(index, alice):
    assert "Remove the user" not in alice.get("/+users?user=alice").text
    assert "This is you" in alice.post("/+users", {"action": "remove", "of": "alice", "sure": "yes"}, 400).text


def test_groups_gain_and_lose_members(index, alice):
    assert alice.post("/+users", {"action": "join", "member": "zed", "group": "group:acme"}).headers["Location"] == (
        "+users?done=joined"
    )
    assert held(index).groups["acme"] == ("zed",)
    assert last(index) == ("group add acme", "alice", "zed")
    page = alice.get("/+users").text
    assert "kept elsewhere" in page
    assert "kept here" in page
    assert "not kept here" in alice.get("/+users?user=zed").text
    alice.post("/+users", {"action": "join", "of": "carol", "group": "acme"})
    assert alice.post("/+users", {"action": "leave", "of": "zed", "group": "acme"}).headers["Location"] == (
        "+users?user=zed&done=left"
    )
    assert held(index).groups["acme"] == ("carol",)
    alice.post("/+users", {"action": "leave", "member": "carol", "group": "acme"})
    for form, said in (({"member": "a b", "group": "x"}, "A name"), ({"member": "bob", "group": "x y"}, "A name")):
        answer = alice.post("/+users", {"action": "join", **form}, 400)
        assert said in answer.text
        assert f'value="{form["member"]}"' in answer.text


def test_tokens_of_a_user_are_revoked(index, alice):
    Browser(index, CAROL).post(
        "/+account", [("action", "token"), ("name", "ci"), ("permission", "read"), ("expires", "7")], 200
    )
    (token,) = held(index).tokens_of("carol")
    assert "there is no token" in alice.post("/+users", {"action": "revoke", "of": "bob", "id": token.id}, 404).text
    assert token.id in alice.get("/+users?user=carol").text
    alice.post("/+users", {"action": "revoke", "of": "carol", "id": token.id})
    assert last(index) == ("token remove ci", "alice", "carol")


def test_the_rules_of_the_ini_are_shown(alice):
    page = alice.get("/+users").text
    for shown in ("acme-*", "secret-*", "group:acme", "group:admins, owners", "user:bob", "(as the index)"):
        assert shown in page
    assert alice.get("/+users?done=<b>").text.count("<b>") == 0


def test_an_index_without_anybody(make_index):
    made = make_index(manage="everyone")
    page = Browser(made).get("/+users").text
    assert "Nobody is kept here yet" in page
    assert "None yet." in page


def test_a_name_of_another_source_is_escaped(index, alice):
    index.repository.members.record(COMMAND, lambda held, event: held.join("acme", ["<script>a b"], event))
    page = alice.get("/+users").text
    assert "<script>a" not in page
    assert "+users?user=%3Cscript%3Ea%20b" in page
    assert "<script>a" not in alice.get("/+users?user=%3Cscript%3Ea%20b").text


def test_a_form_cannot_put_anything_but_a_name_into_a_group(index):
    for name in ("a\nb", "x" * 201):
        Browser(index, ALICE).post("/+users", {"action": "join", "of": name, "group": "build"}, 400)
    assert "build" not in index.repository.members.get().groups
