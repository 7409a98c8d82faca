"""The log and the trash (issue 5, points 6 and 7)."""

from __future__ import annotations

import pytest

from mypi.model import Actor
from tests.builders import wheel
from tests.functional.people import ALICE, BOB, Browser, populate
from tests.functional.support import one_store

NAME = wheel()[0]


store = one_store
"""What a page does, the others do with every store; one is enough here."""


@pytest.fixture
def index(make_index):
    made = make_index(manage="group:admins owners", **{"read.secret-*": "group:admins"})
    populate(made.repository)
    made.extra_environ = {"REMOTE_ADDR": "198.51.100.7"}
    for name in ("acme-lib", "secret-lib"):
        made.publish(*wheel(name))
    made.extra_environ = {}
    made.repository.yank("acme-lib", [NAME], "broken", Actor("bob", "command", via="token ci"))
    return made


def test_everyone_reads_what_was_done_in_projects_that_they_may_see(index):
    page = Browser(index).get("/+log").text
    for words in ("acme-lib", "publish", "yank", "bob", "with the token ci", "broken", "anonymous"):
        assert words in page
    for secret in ("secret-lib", "user add", "198.51.100.7"):
        assert secret not in page
    assert "secret-lib" not in Browser(index, BOB).get("/+log").text


def test_who_manages_the_index_reads_of_accounts_too(index):
    page = Browser(index, ALICE).get("/+log").text
    for words in (
        "secret-lib",
        "user add",
        "<strong>bob</strong>",
        "from 198.51.100.7",
        "accounts",
        "group add admins",
    ):
        assert words in page


@pytest.mark.parametrize(
    ("query", "there", "absent"),
    [
        ("project=Acme_Lib", "broken", "accounts</td>"),
        ("user=bob", "broken", "secret-lib"),
        ("did=publish", "anonymous", "broken"),
        ("did=group+add", "group add admins", "broken"),
        ("since=2000-01-01&until=2999-01-01", "broken", "Nothing was done"),
        ("until=2000-01-01", "Nothing was done", "broken"),
        ("since=2999-01-01", "Nothing was done", "broken"),
        ("project=nothing", "Nothing was done", "broken"),
    ],
)
def test_the_log_is_filtered(index, query, there, absent):
    page = Browser(index, ALICE).get(f"/+log?{query}").text
    assert there in page
    assert absent not in page


@pytest.mark.parametrize("query", ["since=yesterday", "until=2026-1-1", "project=a/b", "project=%3Cb%3E"])
def test_filters_that_cannot_be_read_come_back(index, query):
    answer = Browser(index).get(f"/+log?{query}", 400)
    assert 'class="error"' in answer.text
    assert "<b>" not in answer.text


@pytest.mark.parametrize("page", ["", "x", "0", "-1", "9999999999999", "2", "%C2%B2"])
def test_the_log_is_shown_in_parts(index, page):
    for _ in range(60):
        index.repository.unyank("acme-lib", [NAME], Actor(None, None))
        index.repository.yank("acme-lib", [NAME], "", Actor(None, None))
    shown = Browser(index).get(f"/+log?did=yank&page={page}").text
    assert shown.count("<tr>") in {1 + 61}
    shown = Browser(index).get(f"/+log?page={page}").text
    assert "did=yank" not in shown
    assert shown.count("<tr>") == 1 + (22 if page in ("2", "9999999999999") else 100) or page == "9999999999999"


def test_the_trash_names_what_can_be_restored_and_who_may(index):
    assert "The trash is empty" in Browser(index).get("/+trash").text
    for name in ("acme-lib", "secret-lib"):
        index.repository.remove(name, [wheel(name)[0]], Actor("alice", None))
    alice, bob = Browser(index, ALICE), Browser(index, BOB)
    page = bob.get("/+trash").text
    assert NAME in page
    assert "secret" not in page
    assert "Restore<span" not in page
    page = alice.get("/+trash").text
    assert "secret" in page
    assert "Restore<span" in page
    shown = alice.post(
        "/project/acme-lib/+manage", {"action": "restore", "file": NAME}, 200, token=alice.token("/+trash")
    )
    assert "They find these files again" in shown.text


def test_who_may_not_read_the_index_reads_no_log(make_index):
    made = make_index(read="users")
    for path in ("/+log", "/+trash"):
        Browser(made).get(path, 303)
        made.get(path, status=401)
