"""Logging in and out, and what a session does and does not (threats 10, 11, 13, 31, 32, 33)."""

from __future__ import annotations

import logging
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mypi.accounts import AccountError
from mypi.repository import Moved
from mypi.views.people.login import way
from tests.builders import wheel
from tests.functional.people import ALICE, BOB, COMMAND, Browser, populate
from tests.functional.support import basic, one_store

ENDED = "session has ended"


store = one_store
"""What a page does, the others do with every store; one is enough here."""


@pytest.fixture
def index(make_index):
    made = make_index(read="users", upload="users", manage="group:admins owners")
    populate(made.repository)
    return made


def test_a_person_without_a_session_is_led_to_the_form_and_back(index):
    browser = Browser(index)
    answer = browser.get("/project/acme-lib/?x=1", status=303)
    assert answer.headers["Location"] == "../../+login?next=project%2Facme-lib%2F%3Fx%3D1"
    form = browser.get("/+login?next=project%2Facme-lib%2F%3Fx%3D1").forms
    assert 'value="project/acme-lib/?x=1"' in browser.get("/+login?next=project%2Facme-lib%2F%3Fx%3D1").text
    assert form
    back = browser.post("/+login", {"user": "bob", "password": BOB[1], "next": "project/acme-lib/?x=1"})
    assert back.headers["Location"] == "./project/acme-lib/?x=1"
    browser.get("/")


def test_a_tool_still_gets_the_challenge(index):
    index.get("/", status=401)
    assert Browser(index).get("/", status=401, Authorization="Basic YTpi").headers["WWW-Authenticate"]
    index.get("/", headers=basic(*BOB))


@pytest.mark.parametrize("who", [("alice", "wrong password"), ("nobody", ALICE[1])])
def test_threat_31_a_wrong_password_gives_the_form_back_without_a_challenge(index, who):
    answer = Browser(index).login(*who, status=403)
    assert "The user name or password is wrong." in answer.text
    assert f'value="{who[0]}"' in answer.text
    assert who[1] not in answer.text
    assert "WWW-Authenticate" not in answer.headers
    assert answer.headers["Cache-Control"].startswith("no-store")


def test_what_is_missing_is_said_at_its_field(index):
    answer = Browser(index).login(" ", "", status=400)
    assert "Type your user name." in answer.text
    assert "Type your password." in answer.text
    assert "is for tools" in Browser(index).login("alice", "mypi-x", status=400).text


def test_threat_32_guessing_is_slow_in_the_form_too(index):
    browser = Browser(index)
    for _ in range(10):
        browser.login("alice", "guess", status=403)
    answer = browser.login(*ALICE, status=429)
    assert "Too many wrong passwords" in answer.text
    assert int(answer.headers["Retry-After"]) > 0


def test_a_session_ends_on_every_node(index, make_index):
    other = make_index(read="users", upload="users", manage="group:admins owners")
    browser, elsewhere = Browser(index, BOB), Browser(other)
    elsewhere.jar = dict(browser.jar)
    elsewhere.get("/")
    answer = browser.post("/+logout")
    assert answer.headers["Location"] == "./"
    assert "mypi-session=;" in answer.headers["Set-Cookie"]
    assert elsewhere.jar
    elsewhere.get("/", status=303)
    browser.post("/+logout")


def test_threat_10_a_login_ends_the_session_that_was_there(index):
    browser = Browser(index, BOB)
    before = dict(browser.jar)
    browser.login(*ALICE)
    assert "alice" in browser.get("/").text
    browser.jar = before
    browser.get("/", status=303)


def test_who_is_logged_in_is_led_on_by_the_form(index):
    assert Browser(index, BOB).get("/+login?next=%2F%2Fevil.example", status=303).headers["Location"] == "./"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/+login", {"GET", "HEAD", "POST"}),
        ("/+logout", {"POST"}),
        ("/+log", {"GET", "HEAD"}),
        ("/+upload", {"GET", "HEAD", "POST"}),
    ],
)
def test_405_names_the_methods(index, path, allow, method):
    assert set(Browser(index).send(method, path, 405).allow) == allow


def test_head_has_no_body(index):
    answer = Browser(index).send("HEAD", "/+login", 200)
    assert answer.body == b""
    Browser(index).get("/+logout", status=405)


def test_threat_11_a_session_is_nothing_to_apis_and_basic_nothing_to_forms(index):
    browser = Browser(index, BOB)
    cookie = {"Cookie": f"mypi-session={browser.jar['mypi-session']}"}
    index.extra_environ = {"HTTP_COOKIE": cookie["Cookie"]}
    index.publish(*wheel(), status=401)
    index.extra_environ = {}
    fields = {"action": "add", "name": "dave", "password": "long enough"}
    answer = Browser(index).post("/+users", fields, status=403, Authorization=basic(*ALICE)["Authorization"])
    assert "WWW-Authenticate" not in answer.headers
    assert ENDED in answer.text
    assert "dave" not in index.repository.members.get().users


def test_a_person_without_the_right_reads_who_they_are_and_what_is_missing(index):
    browser = Browser(index, BOB)
    answer = browser.get("/+users", status=403)
    assert "bob has no right to manage on this index" in answer.text
    assert "Account of" in answer.text
    assert "Log out" in answer.text


@pytest.mark.parametrize(
    ("environ", "name", "marks"),
    [
        ({}, "mypi-session", {"Path=/", "HttpOnly", "SameSite=Lax"}),
        ({"wsgi.url_scheme": "https"}, "__Host-mypi-session", {"Path=/", "HttpOnly", "SameSite=Lax", "secure"}),
        (
            {"wsgi.url_scheme": "https", "SCRIPT_NAME": "/pypi"},
            "__Secure-mypi-session",
            {"Path=/pypi", "HttpOnly", "SameSite=Lax", "secure"},
        ),
        ({"SCRIPT_NAME": "/p y"}, "mypi-session", {"Path=/p%20y", "HttpOnly", "SameSite=Lax"}),
    ],
)
def test_threat_10_cookies_are_as_narrow_as_the_address_lets_them_be(index, environ, name, marks):
    browser = Browser(index, None, **environ)
    first = browser.get("/+login").headers["Set-Cookie"]
    answer = browser.login(*BOB)
    session, csrf = answer.headers.getall("Set-Cookie")
    assert session.startswith(f"{name}=")
    assert marks <= set(session.split("; "))
    assert csrf.startswith(name.replace("session", "csrf") + "=;")
    assert marks <= set(first.split("; "))
    browser.get("/")
    browser.post("/+logout")
    browser.get("/", status=303)


def test_threat_10_a_neighbours_cookie_does_not_count_under_https(index):
    browser = Browser(index, BOB)
    secure = Browser(index, None, **{"wsgi.url_scheme": "https"})
    secure.jar = dict(browser.jar)
    secure.get("/", status=303)


@pytest.mark.parametrize("cookie", ["x", "", "a.b.c", "\xff", "W10.x.y"])
def test_threat_10_a_forged_session_is_nobody(index, cookie):
    browser = Browser(index)
    browser.jar = {"mypi-session": cookie}
    browser.get("/", status=303)


def test_a_user_who_is_removed_has_no_session(index):
    browser = Browser(index, BOB)
    index.repository.members.record(COMMAND, lambda held, event: held.remove_user("bob", event))
    browser.get("/", status=303)


def test_threat_33_no_secret_reaches_the_log_or_an_address(index, caplog):
    with caplog.at_level(logging.DEBUG):
        browser = Browser(index)
        browser.login("alice", "hunter2 hunter2", status=403)
        answer = browser.login(*ALICE)
        browser.get("/")
    assert "alice POST /+login 303" in caplog.text
    for secret in ("hunter2", ALICE[1], *browser.jar.values()):
        assert secret not in caplog.text
        assert secret not in answer.headers["Location"]


def test_threat_33_what_was_typed_as_a_user_name_reaches_no_log(index, caplog):
    with caplog.at_level(logging.DEBUG):
        Browser(index).login(ALICE[1], "alice", status=403)
    assert ALICE[1] not in caplog.text


def test_a_user_removed_between_two_looks_is_a_wrong_password(index, monkeypatch):
    monkeypatch.setattr(type(index.app.registry["mypi.policy"].users), "stamp", lambda self, user: None)
    Browser(index).login(*ALICE, status=403)


WANTED = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="/\\.:%@?#a+\t\r\n 059ev", max_size=30),
    st.sampled_from(
        ["//evil.example", "/\\evil.example", "\\/evil", "https:evil", "javascript:alert(1)", "/%09/evil", "%2f%2fevil"]
    ),
)


@given(WANTED)
def test_threat_13_the_way_back_never_leaves_the_index(wanted):
    found = way(wanted)
    assert found.startswith("./")
    assert found.isascii()
    assert not set(found) & set("\\\t\r\n #")
    for base in ("https://index.example/+login", "https://index.example/pypi/+login?next=x"):
        there = urlsplit(urljoin(base, found))
        assert (there.scheme, there.netloc) == ("https", "index.example")
        assert there.path.startswith(urlsplit(base).path.removesuffix("+login"))
        assert not there.path.startswith("//")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("", "./"),
        ("/", "./"),
        ("project/acme-lib/+manage", "./project/acme-lib/+manage"),
        ("/+search?q=a%20b&page=2", "./+search?q=a%20b&page=2"),
        ("+upload", "./+upload"),
        ("a:b/c", "./"),
        ("a/../../b", "./"),
        ("a/%2e%2e/b", "./"),
        ("a//b", "./"),
        ("a%5cb", "./"),
        ("a?b\\c", "./"),
        ("a#b", "./"),
        ("é/", "./%C3%A9/"),
    ],
)
def test_the_way_back_to_a_page(wanted, found):
    assert way(wanted) == found


def test_pages_for_everyone_go_on_while_the_source_that_knows_somebody_is_away(make_index, monkeypatch):
    made = make_index(manage="group:admins")
    populate(made.repository)
    browser = Browser(made, BOB)
    assert "Log out" in browser.get("/").text

    def away(user):
        raise AccountError("the directory is away")

    monkeypatch.setattr(made.app.registry["mypi.policy"].users, "stamp", away)
    assert "Log in" in browser.get("/").text
    browser.get("/+account", status=503)


@pytest.mark.parametrize("path", ["/+login", "//+login/", "/+login/x"])
def test_threat_40_nobody_types_a_password_over_plain_http_where_https_is_said(make_index, path):
    index = make_index(read="users", upload="users", https_only="true")
    populate(index.repository)
    far = Browser(index, REMOTE_ADDR="198.51.100.7")
    assert "log in over https only" in far.get(path, 403).text
    form = {"user": "bob", "password": BOB[1]}
    refused = far.post(path, form, 403, token="x.y")
    assert not far.jar
    assert "log in over https only" in refused.text
    far.environ["wsgi.url_scheme"] = "https"
    far.post("/+login", form)
    Browser(index, BOB, REMOTE_ADDR="127.0.0.1")


def test_a_password_that_is_changed_while_it_is_verified_opens_nothing(index, monkeypatch):
    policy = type(index.app.registry["mypi.policy"])
    check = policy.check

    def slow(self, user, password, request):
        right = check(self, user, password, request)
        index.repository.members.record(COMMAND, lambda held, event: held.set_password("bob", "other", event))
        return right

    monkeypatch.setattr(policy, "check", slow)
    Browser(index).login(*BOB, status=403)


def test_a_session_of_who_was_gone_when_it_was_opened_is_none(index):
    browser = Browser(index)
    browser.jar["mypi-session"] = index.app.registry["mypi.policy"].sessions.open("ghost", None)
    browser.get("/", 303)


def test_on_a_sealed_index_the_browser_forgets_the_session(index, monkeypatch):
    browser = Browser(index, ALICE)

    def sealed(session):
        raise Moved("accounts.json", "sealed")

    monkeypatch.setattr(index.app.registry["mypi.policy"].sessions, "end", sealed)
    browser.post("/+logout")
    browser.get("/+account", status=303)


def test_uploads_are_offered_to_whom_they_are_open_and_to_whoever_may_log_in(make_index):
    made = make_index(upload="user:alice", manage="group:admins")
    populate(made.repository)
    offered = [">Upload<" in Browser(made, who).get("/").text for who in (None, ALICE, BOB)]
    assert offered == [True, True, False]
