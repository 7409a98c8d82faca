"""REMOTE_USER: a server in front says who asks, through mypi's own server, a middleware or mod_wsgi."""

from __future__ import annotations

import http.client
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyramid.request import Request

from mypi import server
from mypi.options import SettingError
from mypi.server import options
from mypi.store import Store
from tests import stores
from tests.builders import wheel
from tests.functional.support import basic, served

PROXY = {"trusted_proxy": "127.0.0.1", "trusted_proxy_user_header": "x-remote-user"}
NAME, CONTENT = wheel()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Who asks is not the store's business: one kind will do."""
    made = stores.make("memory", tmp_path)
    yield made
    made.close()


@pytest.fixture
def index(make_index: Callable[..., Any]) -> Any:
    """An index that users may read and alice may publish to; the server says who asks."""
    return make_index(read="users", upload="user:alice", remote_user="true")


def ask(port: int, *headers: tuple[str, str], method: str = "GET", body: bytes = b"") -> int:
    """Send a request with these headers, in this order and spelling, and return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest(method, "/simple/" if method == "GET" else "/")
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            connection.putheader(name, value)
        connection.endheaders(body)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("name", ["alice", "alice@example.com", "a.b_c-d+e"])
def test_the_server_says_who_asks(index: Any, name: str) -> None:
    index.get("/simple/", extra_environ={"REMOTE_USER": name})
    index.get("/simple/", status=401)


def test_the_name_goes_into_the_history_and_has_its_rights(index: Any) -> None:
    index.extra_environ = {"REMOTE_USER": "bob"}
    index.publish(NAME, CONTENT, status=403)
    index.extra_environ = {"REMOTE_USER": "alice"}
    index.publish(NAME, CONTENT)
    assert index.repository.project("acme-lib").value.history[0].by == "alice"


@pytest.mark.parametrize("name", ["DOM\\alice", "a b", "ali\xc3\xa9", "\xff", "x" * 101, "alice, bob", "__token__"])
def test_a_name_that_cannot_be_is_nobody(index: Any, name: str, caplog: pytest.LogCaptureFixture) -> None:
    index.get("/simple/", extra_environ={"REMOTE_USER": name}, status=401)
    assert "REMOTE_USER is taken for nobody" in caplog.text


def test_what_the_server_verified_is_not_verified_again(index: Any) -> None:
    # nginx' auth_basic hands the password on, which is none of ours.
    index.get("/simple/", headers=basic("alice", "of-nginx"), extra_environ={"REMOTE_USER": "alice"})
    index.get("/simple/", headers=basic("alice", "of-nginx"), status=401)


def test_pages_for_people_know_whom_the_server_names(index: Any) -> None:
    policy = index.app.registry["mypi.policy"]
    seen = []
    for name in ("alice", "DOM\\alice"):
        request = Request.blank("/", environ={"REMOTE_USER": name})
        request.registry = index.app.registry
        request.repository = index.repository
        who = policy.of_session(request)
        seen.append(
            (who and who.user, who and who.session, policy.may(request, index.app.root_factory(request), "upload"))
        )
    assert seen == [("alice", None, True), (None, None, False)]


def test_a_wrong_token_is_wrong_whoever_sends_it(index: Any) -> None:
    for headers in (basic("__token__", "mypi-x"), {"Authorization": "Bearer mypi-x"}):
        index.get("/simple/", headers=headers, extra_environ={"REMOTE_USER": "alice"}, status=401)


def test_nobody_is_believed_where_it_was_not_asked_for(make_index: Callable[..., Any]) -> None:
    index = make_index(read="users")
    index.get("/simple/", extra_environ={"REMOTE_USER": "alice"}, status=401)


# Through mypi's own server


def test_the_trusted_proxy_names_the_user(index: Any) -> None:
    with served(index.app, **PROXY) as port:
        assert ask(port, ("X-Remote-User", "alice")) == 200
        assert ask(port, ("x-remote-user", " alice ")) == 200
        assert ask(port, ("X-Remote-User", "alice"), ("X-Forwarded-For", "192.0.2.7")) == 200
        assert ask(port) == 401
        assert ask(port, ("X-Remote-User", "")) == 401


def test_a_name_that_was_sent_twice_is_nobody(index: Any) -> None:
    # A proxy that adds its header to the client's, in place of setting it.
    with served(index.app, **PROXY) as port:
        assert ask(port, ("X-Remote-User", "alice"), ("X-Remote-User", "bob")) == 401


@pytest.mark.parametrize(
    "name",
    ["X_Remote_User", "X-Remote_User", "X_REMOTE_USER", "Remote-User", "REMOTE_USER", "Mypi.Proxy"],
)
def test_no_other_spelling_is_taken_for_the_header(index: Any, name: str) -> None:
    with served(index.app, **PROXY) as port:
        assert ask(port, (name, "alice")) == 401


@pytest.mark.parametrize("given", [{}, {**PROXY, "trusted_proxy": "192.0.2.1"}], ids=["none", "another"])
def test_who_is_not_the_proxy_names_nobody(index: Any, given: dict[str, str]) -> None:
    with served(index.app, **given) as port:
        assert ask(port, ("X-Remote-User", "alice")) == 401
        # Whom the client says that it speaks for makes it no proxy.
        assert ask(port, ("X-Remote-User", "alice"), ("X-Forwarded-For", "192.0.2.1")) == 401


def test_the_header_reaches_no_application_as_a_header() -> None:
    seen: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    for given in (PROXY, {**PROXY, "trusted_proxy": "192.0.2.1"}):
        with served(application, **given) as port:
            assert ask(port, ("X-Remote-User", "alice")) == 200
    assert ["HTTP_X_REMOTE_USER" in environ for environ in seen] == [False, False]
    assert [environ.get("REMOTE_USER") for environ in seen] == ["alice", None]


def test_the_address_of_the_proxy_is_told_from_those_for_whom_it_speaks() -> None:
    seen: list[tuple[str, bool]] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append((environ["REMOTE_ADDR"], environ["mypi.proxy"]))
        start_response("200 OK", [("Content-Length", "0")])
        return []

    for given in ({}, {"trusted_proxy": "127.0.0.1"}, {"trusted_proxy": "192.0.2.1"}):
        with served(application, **given) as port:
            ask(port)
            ask(port, ("X-Forwarded-For", "192.0.2.7"))
    here, there = "127.0.0.1", "192.0.2.7"
    assert seen == [(here, False), (here, False), (here, True), (there, False), (here, False), (here, False)]


def test_threat_32_the_proxys_own_address_is_never_locked_out(make_index: Callable[..., Any], htpasswd: str) -> None:
    index = make_index(read="users", htpasswd=htpasswd)
    right = basic("alice", "wonder")["Authorization"]
    with served(index.app, trusted_proxy="127.0.0.1") as port:
        for number in range(12):
            wrong = basic(f"nobody{number}", "wrong-word")["Authorization"]
            assert ask(port, ("Authorization", wrong)) == 401
        assert ask(port, ("Authorization", right)) == 200
        for number in range(10):
            wrong = basic(f"nobody{number}", "wrong-word")["Authorization"]
            assert ask(port, ("Authorization", wrong), ("X-Forwarded-For", "192.0.2.7")) == 401
        assert ask(port, ("Authorization", right), ("X-Forwarded-For", "192.0.2.7")) == 429
        assert ask(port, ("Authorization", right), ("X-Forwarded-For", "192.0.2.8")) == 200


def test_a_large_upload_in_somebodys_name_reaches_the_application(index: Any) -> None:
    body = b"x" * 100_000
    form = ("Content-Type", "multipart/form-data; boundary=b")
    with served(index.app, **PROXY) as port:
        assert ask(port, form, method="POST", body=body) == 401
        assert ask(port, form, ("X-Remote-User", "alice"), method="POST", body=body) == 413, "the form is no form"


# What is said at the start


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"trusted_proxy_user_header": "x-user"}, "believed of the proxy alone, and trusted_proxy names none"),
        ({**PROXY, "trusted_proxy": "*"}, "believed of the proxy alone, and trusted_proxy is everybody"),
        ({**PROXY, "trusted_proxy_user_header": "x_user"}, "not the name of a header"),
        (
            {**PROXY, "trusted_proxy_user_header": "Authorization"},
            "that clients and proxies send for something",
        ),
        ({**PROXY, "trusted_proxy_user_header": "X-Forwarded-For"}, "a header that clients and proxies send"),
    ],
)
def test_a_header_that_cannot_be_believed_is_refused(given: dict[str, str], says: str) -> None:
    with pytest.raises(SettingError, match=says):
        options.read(given)


def test_everybody_at_a_unix_socket_is_the_proxy(tmp_path: Any) -> None:
    rules, _ = options.read({**PROXY, "trusted_proxy": "*", "unix_socket": str(tmp_path / "s")})
    assert rules.user_header == "X_REMOTE_USER"


@pytest.mark.parametrize(
    ("remote_user", "given", "says"),
    [
        ("true", {}, "nothing says who asks: set trusted_proxy_user_header"),
        ("false", PROXY, "its users get no further: set mypi.remote_user = true"),
        ("true", PROXY, None),
        ("false", {}, None),
    ],
)
def test_settings_that_do_not_fit_each_other_are_warned_of(
    make_index: Callable[..., Any],
    remote_user: str,
    given: dict[str, str],
    says: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "mypi.server")
    with served(make_index(remote_user=remote_user).app, **given):
        pass
    assert says in caplog.text if says else not caplog.text


def test_an_application_behind_a_middleware_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    server._warn_of_users(lambda environ, start: [], options.read(PROXY)[0])
    assert not caplog.text
