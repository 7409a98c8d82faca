"""The parts of the server that need no socket: options, the reading of a request, log lines."""

from __future__ import annotations

import logging
import os
import random
import resource
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mypi import server
from mypi.options import SettingError
from mypi.server import listener, options
from mypi.server.listener import CannotListen, adjust, bind, exempt, room
from mypi.server.logs import Sparse, quieten
from mypi.server.parser import Parser, Refusal
from tests.tally import Tally

UPLOADS = SimpleNamespace(
    registry={
        "mypi.upload_limit": 1_000_000,
        "mypi.upload_paths": {"", "/simple", "/legacy"},
        "mypi.upload_protected": True,
    }
)


def parser(app: object = None, **given: str) -> Parser:
    rules, keywords = options.read({"port": "0"} | given)
    return Parser(adjust(rules.following(app), keywords))


def head(first: str = "GET / HTTP/1.1", *lines: str) -> bytes:
    return "\r\n".join([first, *(lines or ["Host: mypi.test"]), "", ""]).encode("latin-1")


def read(data: bytes, app: object = None, **given: str) -> Parser:
    request = parser(app, **given)
    request.received(data)
    return request


# Options


def test_defaults_listen_on_loopback_with_threads() -> None:
    rules, keywords = options.read({})

    assert (keywords["host"], keywords["port"], keywords["threads"]) == ("127.0.0.1", "6543", 8)
    assert rules.connection_limit >= 1000
    assert (rules.per_address, rules.header_timeout, rules.body_grace) == (64, 20, 30)
    assert (rules.body_rate, rules.body_limit) == (16 * 1024, 1024**3)
    assert keywords["ident"] == "mypi"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"thread": "3"}, "[server:main] thread is not a setting of mypi; did you mean [server:main] threads?"),
        ({"threads": "0"}, "[server:main] threads = 0: not above 0"),
        ({"header_timeout": "soon"}, "[server:main] header_timeout = soon: not a time"),
        ({"linger": "0"}, "[server:main] linger = 0: not a time"),
        ({"tmpdir": "/no/such/folder"}, "[server:main] tmpdir = /no/such/folder: not an existing folder"),
        ({"max_request_body_size": "big"}, "[server:main] max_request_body_size = big: not a size"),
        ({"listen": "127.0.0.1:1", "port": "2"}, "[server:main] host or port may not be set"),
        ({"listen": "nowhere.invalid:x"}, "[server:main] Invalid host/port"),
        ({"trusted_proxy_count": "2"}, "[server:main] trusted_proxy_count has no meaning"),
    ],
)
def test_wrong_option_ends_with_one_sentence(given: dict[str, str], says: str) -> None:
    with pytest.raises(SystemExit) as caught:
        server.factory({}, **given)

    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


def test_every_option_of_waitress_that_is_offered_exists() -> None:
    rules, keywords = options.read(
        {"unix_socket": "/tmp/s", "unix_socket_perms": "660", "server_name": "x", "url_prefix": "/p", "ident": ""}
    )

    adj = adjust(rules, keywords)

    assert (adj.unix_socket_perms, adj.server_name, adj.url_prefix, adj.ident) == (0o660, "x", "/p", None)


def test_trusted_proxy_has_safe_headers_by_default() -> None:
    _, keywords = options.read({"trusted_proxy": "192.0.2.1"})
    _, chosen = options.read({"trusted_proxy": "192.0.2.1", "trusted_proxy_headers": "forwarded"})

    assert keywords["trusted_proxy_headers"] == "x-forwarded-for x-forwarded-proto"
    assert chosen["trusted_proxy_headers"] == "forwarded"


def test_application_tells_its_limits(tmp_path: Path) -> None:
    app = SimpleNamespace(registry={**UPLOADS.registry, "mypi.spool_folder": str(tmp_path)})

    rules = options.read({})[0].following(app)

    assert rules.body_limit == 1_000_000 + options.FORM_SLACK
    assert rules.upload_protected
    assert rules.upload_paths == {"", "/simple", "/legacy"}
    assert rules.tmpdir == str(tmp_path)


def test_ini_comes_before_the_application(tmp_path: Path) -> None:
    app = SimpleNamespace(registry={"mypi.upload_limit": 5, "mypi.spool_folder": "/elsewhere"})

    rules = options.read({"max_request_body_size": "7", "tmpdir": str(tmp_path)})[0].following(app)

    assert (rules.body_limit, rules.tmpdir) == (7, str(tmp_path))


@pytest.mark.parametrize("app", [None, lambda environ, start: [], SimpleNamespace(registry=object())])
def test_any_other_application_is_served_alike(app: object) -> None:
    rules = options.read({})[0]

    assert rules.following(app) is rules


def test_silent_registry_changes_nothing() -> None:
    rules = options.read({})[0]

    assert rules.following(SimpleNamespace(registry={})) == rules


# What may be read in two ways


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (head("POST / HTTP/1.1", "Host: a", "Content-Length: 3", "Transfer-Encoding: chunked"), "exclude each other"),
        (head("POST / HTTP/1.1", "Host: a", "Content-Length: 3", "Content-Length: 3"), "Content-Length was sent more"),
        (head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "transfer-encoding: x"), "Transfer-Encoding"),
        (head("POST / HTTP/1.0", "Transfer-Encoding: chunked"), "HTTP/1.0 has no Transfer-Encoding"),
        (head("POST / HTTP/1.1", "Host: a", "Content-Length: " + "9" * 5000), "cannot be read"),
        (head("POST / HTTP/1.1", "Host: a", "Content-Length: +3"), "Content-Length is invalid"),
        (head("GET / HTTP/1.1", "Host: a", "Host: b"), "Host was sent more than once"),
        (head("GET / HTTP/1.1", "Accept: a"), "needs a Host"),
        (head("GET / HTTP/1.1", "Host:"), "not a host name"),
        (head("GET / HTTP/1.1", "Host: a/b"), "not a host name"),
        (head("GET / HTTP/1.1", "Host: a", "X: b", " c"), "obsolete folding"),
        (head("GET / HTTP/1.1", "Host: a", "X: b\x00"), "control character"),
        (head("GET /\x07 HTTP/1.1"), "control character"),
        (head("GET\t/ HTTP/1.1"), "control character"),
        (head("GET /a%00b HTTP/1.1"), "path has a control character"),
        (head("GET /a%0d%0aX:y HTTP/1.1"), "path has a control character"),
        (head("GET / HTTP/1.1", "Host: a", "X: b\nY: c"), "Bare CR or LF"),
        (head("GET / HTTP/1.1", "Host: a", "X : b"), "Invalid header"),
        (head("GET http://[ HTTP/1.1"), "cannot be read"),
        (head("GET / HTTP/2.0"), "Only HTTP/1.0 and HTTP/1.1"),
        (head("GET /"), "Only HTTP/1.0 and HTTP/1.1"),
        (head("get / HTTP/1.1"), "Malformed HTTP method"),
        (b"\r\n\r\n", "no request line"),
    ],
)
def test_ambiguous_request_is_refused(data: bytes, says: str) -> None:
    request = read(data)

    assert request.completed
    assert not request.empty
    assert request.error.code == 400
    assert says in request.error.sentence


def test_other_transfer_encodings_are_not_implemented() -> None:
    assert read(head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked")).error.code == 501


def test_long_header_is_refused() -> None:
    assert read(head("GET / HTTP/1.1", "Host: a", "X: " + "y" * 70_000)).error.code == 431


@pytest.mark.parametrize(
    "data",
    [
        head(),
        b"\r\n" + head(),
        head("GET / HTTP/1.0", "Accept: a"),
        head("GET http://a/b?c HTTP/1.1"),
        head("GET /%ff%e2%80%a5 HTTP/1.1", "Host: [::1]:6543", "X:\tb"),
    ],
)
def test_proper_request_is_taken(data: bytes) -> None:
    request = read(data)

    assert request.completed
    assert request.error is None


def test_header_may_come_byte_by_byte() -> None:
    request = parser()

    for at in range(len(head())):
        assert not request.completed
        request.received(head()[at : at + 1])

    assert request.completed
    assert request.received(b"x") == 0


def test_refusal_has_a_safe_status_line() -> None:
    status, headers, body = Refusal(400, "Bad: é\r\nX: y").to_response("mypi")

    assert status == "400 Bad Request. Bad: ???X: y"
    assert ("X-Content-Type-Options", "nosniff") in headers
    assert body == "Bad: é\r\nX: y\n".encode()


# What is answered before the body


def post(path: str = "/legacy/", length: int = 100_000, *lines: str) -> bytes:
    return head(f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {length}", *lines)


@pytest.mark.parametrize("path", ["/", "", "/simple/", "/simple", "//legacy//", "/legacy?:action=file_upload"])
def test_B1_19_C2_anonymous_upload_is_refused_where_uploads_are_protected(path: str) -> None:
    request = read(post(path or "http://a"), UPLOADS)

    assert request.error.code == 401
    assert ("WWW-Authenticate", 'Basic realm="pypi"') in request.error.to_response()[1]


@pytest.mark.parametrize(
    "data",
    [
        post("/legacy/", 64 * 1024),
        post("/legacy/", 100_000, "Authorization: Basic eA=="),
        post("/other/", 100_000),
        head("PUT /legacy/ HTTP/1.1", "Host: a", "Content-Length: 100000"),
    ],
)
def test_other_requests_reach_the_application(data: bytes) -> None:
    assert read(data, UPLOADS).error is None


def test_open_index_takes_anonymous_uploads() -> None:
    app = SimpleNamespace(registry={**UPLOADS.registry, "mypi.upload_protected": False})

    assert read(post(), app).error is None


def test_upload_under_a_prefix_is_recognised() -> None:
    assert read(post("/pypi/legacy/"), UPLOADS, url_prefix="/pypi").error.code == 401
    assert read(post("/pypi"), UPLOADS, url_prefix="/pypi").error.code == 401
    assert read(post("/pypilegacy/"), UPLOADS, url_prefix="/pypi").error is None


def test_B1_19_C12_body_over_the_limit_is_refused_by_its_length() -> None:
    request = read(post("/legacy/", 20_000_000, "Authorization: x", "Expect: 100-continue"), UPLOADS)

    assert request.error.code == 413
    assert "file is too large" in request.error.sentence
    assert not request.expect_continue


def test_large_body_elsewhere_is_refused() -> None:
    request = read(post("/project/x", 3_000_000), UPLOADS, other_body_size="2 MiB")

    assert (request.error.code, "address of the index" in request.error.sentence) == (413, True)


def test_chunked_body_is_counted_as_it_comes() -> None:
    request = parser(UPLOADS, small_body="100")
    request.received(head("POST /legacy/ HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"))
    assert not request.completed

    request.received(b"80\r\n" + b"x" * 128 + b"\r\n")

    assert request.error.code == 401


def test_B1_17_B1_18_chunked_body_over_the_limit_is_refused() -> None:
    request = parser(max_request_body_size="100")
    request.received(head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"))

    request.received(b"80\r\n" + b"x" * 128 + b"\r\n")

    assert request.error.code == 413


@pytest.mark.parametrize("data", [b"1;" + b"x" * 2000, b"0\r\nX: " + b"y" * 9000])
def test_endless_chunk_framing_is_refused(data: bytes) -> None:
    request = parser()
    request.received(head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"))

    request.received(data)

    assert (request.error.code, "too long" in request.error.sentence) == (400, True)


def test_bad_chunk_is_refused() -> None:
    request = parser()
    request.received(head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"))

    request.received(b"zz\r\n")

    assert request.error.code == 400


def test_B1_18_chunked_body_is_taken() -> None:
    request = parser()
    request.received(head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"))

    request.received(b"3\r\nabc\r\n0\r\n\r\n")

    assert request.completed
    assert request.get_body_stream().read() == b"abc"
    request.close()


def test_expectation_without_a_body_is_not_waited_for() -> None:
    request = read(head("GET / HTTP/1.1", "Host: a", "Expect: 100-continue"))

    assert request.completed
    assert not request.expect_continue


def test_full_disk_is_answered_507(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def append(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            raise OSError(28, "No space left on device")

    request = read(post())
    request.body_rcv.buf = Full()

    assert request.received(b"x" * 1000) == 1000
    assert request.completed
    assert request.error.code == 507
    assert "No space left on device" in request.error.sentence
    request.close()


def test_mutated_requests_are_read_or_refused(tally: Tally) -> None:
    heads = [
        b"POST /legacy/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
        b"POST /legacy/?a=b HTTP/1.1\r\nHost: a:1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
        b"GET http://a:80/%e2%80%a5/ HTTP/1.0\r\nConnection: keep-alive\r\nAccept: */*\r\n\r\n",
    ]
    words = [b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\0", b"\xff", b"[", b"//", b"%00", b"Host: b\r\n", b"9" * 40]
    chance = random.Random(20261123)

    for round_ in range(5000 if os.environ.get("MYPI_TORTURE") else 500):
        data = bytearray(heads[round_ % 3])
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(4)] = chance.choice([b"", bytes([chance.randrange(256)]), *words])
        request = parser(UPLOADS)
        rest, step = bytes(data), chance.choice([1, 7, 4096])
        while rest and not request.completed:
            rest = rest[request.received(rest[:step]) :]
        assert request.error is None or 400 <= request.error.code < 500 or request.error.code == 501
        request.close()
        tally.add("requests mutated")


# Listening


def test_addresses_of_this_machine_and_the_proxy_are_exempt() -> None:
    assert exempt("::1", None)
    assert exempt("localhost", None)
    assert exempt("192.0.2.1", "*")
    assert exempt("192.0.2.1", "192.0.2.1")
    assert not exempt("192.0.2.1", "192.0.2.2")
    assert not exempt("fe80::1%eth0", None)


def test_busy_port_ends_with_one_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(SystemExit, match=rf"^Cannot listen on 127\.0\.0\.1 port {port}: Address already in use\."):
            server.factory({}, listen=f"127.0.0.1:0 127.0.0.1:{port}")


def test_address_of_another_machine_is_refused() -> None:
    with pytest.raises(CannotListen, match=r"Cannot listen on 192\.0\.2\.1"):
        bind(adjust(*options.read({"host": "192.0.2.1", "port": "0"})))


def test_unix_socket_in_use_is_not_taken_away(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    adj = adjust(*options.read({"unix_socket": path, "unix_socket_perms": "600"}))
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()

        with pytest.raises(CannotListen, match="Address already in use"):
            bind(adj)

    ((_, sock),) = bind(adj)  # the leftover of a server that is gone
    assert Path(path).stat().st_mode & 0o777 == 0o600
    sock.close()


@pytest.mark.parametrize(
    ("limits", "wanted", "got", "raised"),
    [((10_000, 10_000), 100, 100, None), ((256, 10_000), 100, 100, (364, 10_000)), ((64, 214), 100, 50, (214, 214))],
)
def test_connections_fit_the_limit_of_files(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], wanted: int, got: int, raised: tuple[int, int] | None
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(listener.resource, "getrlimit", lambda what: limits)
    monkeypatch.setattr(listener.resource, "setrlimit", lambda what, pair: calls.append((what, pair)))

    assert room(wanted) == got
    assert calls == ([] if raised is None else [(resource.RLIMIT_NOFILE, raised)])


# Log lines


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("mypi.server.queue", logging.WARNING, __file__, 1, message, args, None)


def test_one_line_a_minute_says_how_many_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("mypi.server.logs.time.monotonic", lambda: now[0])
    sparse = Sparse()

    passed = [sparse.filter(record("Task queue depth is %d", depth)) for depth in range(1, 100)]
    now[0] += 60
    later = record("Task queue depth is %d", 7)

    assert passed == [True] + [False] * 98
    assert sparse.filter(later)
    assert later.getMessage() == "Task queue depth is 7 (and 98 more such lines before)"


def test_logger_is_quietened_once() -> None:
    quieten("mypi.tests.sparse")
    quieten("mypi.tests.sparse")

    assert len(logging.getLogger("mypi.tests.sparse").filters) == 1


def test_options_error_of_a_service_is_an_exception() -> None:
    with pytest.raises(SettingError, match="nothing"):
        server.service(None, nothing="1")
