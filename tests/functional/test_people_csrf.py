"""Forms prove where they come from, and are bounded before anything reads them (issue 5, point 8; threats 10, 11)."""

from __future__ import annotations

import re

import pytest

from mypi.store import Unavailable
from mypi.views.people.typed import MOST, Typed
from tests.builders import wheel
from tests.functional.people import ALICE, BOB, Browser, populate
from tests.functional.support import BROWSER, one_store

STALE = "This form is too old"
ADD = {"action": "add", "name": "dave", "password": "long enough"}


store = one_store
"""What a page does, the others do with every store; one is enough here."""


@pytest.fixture
def index(make_index):
    made = make_index(manage="group:admins owners")
    populate(made.repository)
    return made


@pytest.fixture
def everyones(make_index):
    """As development.ini has it: open to everyone, without any user."""
    return make_index(manage="everyone")


def users(index):
    return set(index.repository.members.get().users)


@pytest.mark.parametrize("token", [None, "x", "x.y", ".", "é.é", "0" * 16 + "." + "0" * 64, "a.b.c"])
def test_threat_10_without_the_token_nothing_is_done(index, token):
    browser = Browser(index, ALICE)
    assert STALE in browser.post("/+users", ADD, 403, token=token).text
    assert "dave" not in users(index)


@pytest.mark.parametrize("path", ["/+login", "/+logout", "/+account", "/+users", "/project/acme-lib/+manage"])
def test_threat_10_every_form_needs_it(index, path):
    index.publish(*wheel())
    browser = Browser(index, ALICE)
    before = browser.jar["mypi-session"]
    assert STALE in browser.post(path, {"action": "owner-add", "value": "bob"}, 403, token=None).text
    assert browser.jar["mypi-session"] == before
    browser.get("/+account")


def test_threat_10_another_browsers_token_is_none(index):
    alice, bob = Browser(index, ALICE), Browser(index, BOB)
    alice.post("/+users", ADD, 403, token=bob.token("/+account"))
    anonymous = Browser(index)
    alice.post("/+users", ADD, 403, token=anonymous.token())
    assert "dave" not in users(index)


def test_threat_10_a_token_of_before_the_login_is_none_after_it(index):
    browser = Browser(index)
    before = browser.token()
    browser.login(*ALICE)
    browser.post("/+users", ADD, 403, token=before)
    browser.post("/+users", ADD)


def test_threat_10_pages_show_other_tokens_each_time_and_never_the_secret(index):
    browser = Browser(index)
    one, other = browser.token(), browser.token()
    assert one != other
    assert browser.jar["mypi-csrf"] not in one + other
    browser.post("/+login", {"user": "bob", "password": BOB[1]}, token=one)


def test_a_token_may_come_in_the_header(index):
    browser = Browser(index, ALICE)
    token = browser.token("/+users")
    browser.post("/+users", ADD, token=None, **{"X-CSRF-Token": token})
    assert "dave" in users(index)


@pytest.mark.parametrize("path", ["/", "/project/acme-lib/", "/simple/", "/+log?x=1"])
def test_who_only_reads_gets_no_cookie(index, path):
    index.publish(*wheel(), status="*")
    answer = index.get(path, headers={"Accept": BROWSER}, status="*")
    assert ("Set-Cookie" in answer.headers) == path.startswith("/+log")


def test_a_cookie_that_is_there_is_kept(index):
    browser = Browser(index)
    browser.get("/+login")
    kept = dict(browser.jar)
    assert "Set-Cookie" not in browser.get("/+login").headers
    assert browser.jar == kept
    browser.jar["mypi-csrf"] = "tossed by a neighbour"
    assert "Set-Cookie" in browser.get("/+login").headers


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_threat_11_a_form_of_another_site_is_refused_even_with_a_token(index, headers):
    browser = Browser(index, ALICE)
    assert "Another site" in browser.post("/+users", ADD, 403, **headers).text
    assert "dave" not in users(index)


def test_threat_11_a_browser_sends_where_our_forms_come_from(index):
    assert index.get("/").headers["Referrer-Policy"] == "same-origin"
    Browser(index, ALICE).post("/+users", ADD, Origin="http://localhost:80")


def test_an_open_index_needs_no_login_and_yet_a_token(everyones):
    browser = Browser(everyones)
    browser.post("/+users", ADD, 403, token=None)
    assert users(everyones) == set()
    assert browser.post("/+users", ADD).headers["Location"] == "+users?user=dave&done=added"
    assert users(everyones) == {"dave"}
    (event,) = everyones.repository.members.get().history
    assert (event.did, event.by, event.subject) == ("user add", None, "dave")


BODIES = [
    (b"a=b", "text/plain", 400),
    (b"{}", "application/json", 400),
    (b"a=b", "", 400),
    (b"--x\r\n", "multipart/form-data; boundary=x", 400),
    (
        b'--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\nx\r\n--x--\r\n',
        "multipart/form-data; boundary=x",
        400,
    ),
    (b"\xff\x00=%zz&&;", "application/x-www-form-urlencoded", 403),
    (b"", "application/x-www-form-urlencoded", 403),
    (b"", "", 403),
    (b"csrf_token=a&csrf_token=b", "application/x-www-form-urlencoded", 400),
    (b"a" * (MOST + 1), "application/x-www-form-urlencoded", 413),
    (b"a" * (MOST + 1), "multipart/form-data; boundary=x", 413),
    (b"&a" * 20000, "application/x-www-form-urlencoded", 413),
]


@pytest.mark.parametrize("path", ["/+login", "/+users", "/+logout"])
def test_a_body_that_is_no_form_is_refused_and_never_a_500(everyones, path):
    for body, kind, status in BODIES:
        headers = {"Accept": BROWSER, "Content-Type": kind} if kind else {"Accept": BROWSER}
        everyones.request(path, method="POST", body=body, headers=headers, status=status)


def test_a_repeated_field_is_refused(index):
    browser = Browser(index, ALICE)
    token = browser.token("/+users")
    assert "more than once" in browser.post("/+users", [("action", "add"), ("action", "remove")], 400, token=token).text


@pytest.mark.parametrize("action", ["", "nothing", "__class__"])
@pytest.mark.parametrize("path", ["/+users", "/+account"])
def test_a_form_that_names_nothing_known_is_refused(index, path, action):
    assert "names nothing" in Browser(index, ALICE).post(path, {"action": action}, 400).text


def test_what_is_typed_is_one_line_of_what_can_be_shown():
    typed = Typed({"a": ("  two \r\n words\t",), "b": ("x" * 501,), "c": ("dark\u202eness",), "d": (" ",)})
    assert typed.line("a") == "two words"
    assert typed.errors == {}
    typed.line("b")
    typed.line("c")
    assert typed.line("d", required="Say it.") == ""
    assert set(typed.errors) == {"b", "c", "d"}
    assert typed.one("none") == ""
    assert typed.all("none") == ()


def test_the_store_may_be_away_while_an_error_is_told(index, monkeypatch):
    browser = Browser(index, BOB)

    def away():
        raise Unavailable("accounts", "away")

    monkeypatch.setattr(index.repository.members, "get", away)
    answer = browser.get("/+account", 503)
    assert "cannot be reached" in answer.text
    assert not re.search("Log out", answer.text)
