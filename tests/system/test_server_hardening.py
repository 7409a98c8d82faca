"""The server on real sockets: what a hostile, slow or unlucky client can do to it, and to others."""

from __future__ import annotations

import contextlib
import http.client
import io
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mypi import server
from mypi.server import options
from mypi.server.channel import Channel
from mypi.server.listener import CannotListen, Service, adjust
from mypi.server.sockets import Sockets
from tests.waiting import until

MIB = 1024 * 1024


class App:
    """A WSGI application that keeps what it was asked, and may wait for `gate`."""

    def __init__(self, **registry: object) -> None:
        self.registry = {f"mypi.{name}": value for name, value in registry.items()}
        self.seen: list[tuple[str, str, int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.answer: Callable[[], Iterable[bytes]] = lambda: [b"hello\n"]

    def __call__(self, environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
        size = len(environ["wsgi.input"].read())
        self.seen.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], size))
        self.gate.wait(10)
        start("200 OK", [("Content-Type", "text/plain")])
        return self.answer()


UPLOADS = {"upload_limit": 4 * MIB, "upload_paths": {"", "/simple", "/legacy"}, "upload_protected": True}


@contextlib.contextmanager
def running(app: Any, **options: str) -> Iterator[SimpleNamespace]:
    """Serve in a thread, on a free port of loopback, with deadlines of a fraction of a second."""
    quick = {"graceful_timeout": "3", "linger_idle": "0.5"}
    if "unix_socket" not in options:
        quick["listen"] = "127.0.0.1:0"
    service = server.service(app, **(quick | options))
    thread = threading.Thread(target=service.run)
    thread.start()
    port = service.listeners[0].effective_port
    try:
        yield SimpleNamespace(service=service, port=int(port) if port.isdigit() else port, thread=thread)
    finally:
        app.gate.set()
        service.stop()
        thread.join(15)
        assert not thread.is_alive()


def rest(sock: socket.socket) -> bytes:
    """Read to the end of the stream; a reset counts as an end."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := sock.recv(65536):
            data += piece
    return data


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def ask(port: int, data: bytes) -> bytes:
    with connect(port) as sock:
        sock.sendall(data)
        return rest(sock)


GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


# Requests that can be read in two ways


def test_trailing_bytes_of_an_ambiguous_request_are_no_request() -> None:
    app = App()
    smuggled = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"

    with running(app) as it:
        answer = ask(it.port, smuggled + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")

    assert answer.startswith(b"HTTP/1.0 400 ")
    assert answer.count(b"HTTP/1.") == 1
    assert b"Connection: close" in answer
    assert app.seen == []


@pytest.mark.parametrize(
    "data",
    [
        b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    ],
)
def test_bad_request_is_answered_and_ended(data: bytes) -> None:
    app = App()

    with running(app) as it:
        answer = ask(it.port, data)
        assert ask(it.port, GET).endswith(b"hello\n")

    assert b" 400 Bad Request. " in answer.partition(b"\r\n")[0]
    assert [path for _, path, _ in app.seen] == ["/"]


def test_pipelined_requests_are_answered_in_order() -> None:
    app = App()

    with running(app) as it:
        answer = ask(it.port, b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" * 2 + GET)

    assert answer.count(b"200 OK") == 3
    assert [path for _, path, _ in app.seen] == ["/1", "/1", "/"]


@pytest.fixture
def untended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the loop look after no connection by itself: who is not woken waits for longer than a test may take."""
    monkeypatch.setattr(options.Rules, "tick", 600.0)


def test_what_comes_before_an_answer_waits_for_it_and_no_longer(untended: None) -> None:
    app = App()
    app.gate.clear()
    with running(app) as it, connect(it.port) as sock:
        sock.settimeout(30)
        for number in range(3):
            sock.sendall(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
            until(lambda: app.seen)
            time.sleep(0.01)  # so that the loop has seen it, too early to be read
        app.gate.set()
        sock.sendall(GET)
        assert rest(sock).count(b"200 OK") == 4

    assert [path for _, path, _ in app.seen] == ["/0", "/1", "/2", "/"]


def test_nobody_waits_for_a_loop_that_was_not_woken(untended: None) -> None:
    """Eight clients that ask again as soon as they are answered, with bodies and without, small and large."""
    app = App()
    sizes = (6, 20_000, 3 * MIB)
    turn = iter(range(10**9))
    app.answer = lambda: [b"x" * sizes[next(turn) % 3]]

    def work(number: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", it.port, timeout=30)
        with contextlib.closing(connection):
            got = 0
            for each in range(60):
                connection.request("POST", f"/{number}/{each}", b"y" * (each % 3 * 70_000))
                got += len(connection.getresponse().read()) in sizes
            return got

    with running(app, threads="4") as it, ThreadPoolExecutor(8) as workers:
        assert list(workers.map(work, range(8))) == [60] * 8


def test_a_body_that_waited_for_the_answer_before_it_is_invited(untended: None) -> None:
    app = App(**UPLOADS)
    app.gate.clear()
    head = b"POST /legacy/ HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nConnection: close\r\nContent-Length: 5\r\n"
    with running(app) as it, connect(it.port) as sock:
        sock.settimeout(30)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + head + b"Expect: 100-continue\r\n\r\n")
        until(lambda: app.seen)
        app.gate.set()
        answer = b""
        while b"100 Continue" not in answer:
            answer += sock.recv(1000)
        sock.sendall(b"hello")
        assert rest(sock).startswith(b"HTTP/1.1 200 OK")

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert app.seen == [("GET", "/", 0), ("POST", "/legacy/", 5)]


@pytest.mark.parametrize("status", ["304 Not Modified", "204 No Content"])
def test_an_answer_that_has_no_body_lets_the_connection_go_on(status: str) -> None:
    class Nothing(App):
        def __call__(self, environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
            super().__call__(environ, lambda *_: None)
            start(status, [("ETag", '"x"')])
            return []

    app = Nothing()
    with running(app) as it:
        answers = ask(it.port, b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" * 2 + GET)
        old = ask(it.port, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2)

    assert answers.count(f"HTTP/1.1 {status}".encode()) == 3
    assert answers.count(b"Connection: close") == 1  # the last, which asked for it
    assert b"Transfer-Encoding" not in answers
    assert old.count(f"HTTP/1.0 {status}".encode()) == 1
    assert [path for _, path, _ in app.seen] == ["/1", "/1", "/", "/"]


def test_an_answer_of_unknown_length_ends_the_connection_as_before() -> None:
    app = App()
    app.answer = lambda: iter([b"hello\n", b"world\n"])
    with running(app) as it:
        assert b"Connection: close" in ask(it.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")


# Applications that fail


def test_an_application_that_fails_is_500_that_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    app = App()

    def fail() -> Iterable[bytes]:
        raise RuntimeError("the secret is swordfish")

    app.answer = fail
    with running(app) as it:
        answer = ask(it.port, b"GET /a%20b HTTP/1.1\r\nHost: a\r\n\r\n")
        app.answer = lambda: [b"hello\n"]
        assert ask(it.port, GET).endswith(b"hello\n")

    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error")
    assert b"swordfish" not in answer
    assert "Exception while serving '/a b'" in caplog.text
    assert "the secret is swordfish" in caplog.text


def test_an_answer_that_fails_half_way_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    app = App()

    def fail() -> Iterable[bytes]:
        yield b"x" * 100_000
        raise RuntimeError("half-way")

    app.answer = fail
    with running(app) as it:
        answer = ask(it.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"500 Internal" not in answer
    assert "half-way" in caplog.text


# Answers ahead of the body


def test_B1_19_body_over_the_limit_gets_413_and_no_100() -> None:
    app = App(**UPLOADS)
    head = b"POST /legacy/ HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nContent-Length: 99000000\r\n"

    with running(app) as it:
        answer = ask(it.port, head + b"Expect: 100-continue\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413 Content Too Large. The file is too large")
    assert app.seen == []


def test_B1_18_expected_body_within_the_limit_is_invited() -> None:
    app = App(**UPLOADS)
    head = b"POST /legacy/ HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nConnection: close\r\nContent-Length: 100000\r\n"

    with running(app) as it, connect(it.port) as sock:
        sock.sendall(head + b"Expect: 100-continue\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"x" * 100_000)
        assert rest(sock).startswith(b"HTTP/1.1 200 OK")

    assert app.seen == [("POST", "/legacy/", 100_000)]


def test_urllib_can_read_the_answer_to_an_anonymous_upload() -> None:
    app = App(**(UPLOADS | {"upload_limit": 100 * MIB}))

    with running(app) as it:
        request = urllib.request.Request(f"http://127.0.0.1:{it.port}/legacy/", data=b"x" * 50 * MIB)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)
        with caught.value as error:
            assert error.code == 401
            assert error.headers["WWW-Authenticate"] == 'Basic realm="pypi"'
            assert error.headers["X-Content-Type-Options"] == "nosniff"
            assert error.read() == b"Uploading needs a user name and a password or token\n"

    assert app.seen == []


def test_http_client_can_read_413_of_a_large_upload() -> None:
    with running(App(**UPLOADS)) as it:
        client = http.client.HTTPConnection("127.0.0.1", it.port, timeout=30)
        client.request("POST", "/", io.BytesIO(b"x" * 50 * MIB), {"Content-Length": str(50 * MIB)})
        with client.getresponse() as answer:
            assert answer.status == 413
        client.close()


def test_chunked_upload_over_the_limit_can_read_413() -> None:
    with running(App(**UPLOADS)) as it:
        client = http.client.HTTPConnection("127.0.0.1", it.port, timeout=30)
        pieces = (b"x" * 65536 for _ in range(20 * 16))
        client.request("POST", "/", pieces, {"Authorization": "x"}, encode_chunked=True)
        with client.getresponse() as answer:
            assert answer.status == 413
        client.close()


def test_small_anonymous_upload_reaches_the_application() -> None:
    app = App(**UPLOADS)

    with running(app) as it:
        ask(it.port, b"POST /legacy/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")

    assert app.seen == [("POST", "/legacy/", 5)]


def test_refused_client_is_not_read_for_ever() -> None:
    with running(App(**UPLOADS), linger_bytes="1 MiB") as it, connect(it.port) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 990000000\r\n\r\n")
        with pytest.raises(ConnectionError):
            for _ in range(2000):
                sock.sendall(b"x" * 65536)


def test_refused_client_that_stays_silent_is_dropped() -> None:
    with running(App(), linger_idle="0.2") as it, connect(it.port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert rest(sock).startswith(b"HTTP/1.1 400 ")
        until(lambda: not it.service.listeners[0].active_channels)


def test_refused_client_that_resets_is_dropped() -> None:
    with running(App(), linger_idle="5") as it:
        sock = connect(it.port)
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        rest(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
        until(lambda: not it.service.listeners[0].active_channels)


# Slow clients


def test_slow_header_is_cut_off_in_total_time() -> None:
    with running(App(), header_timeout="0.4") as it, connect(it.port) as sock:
        start = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in (b"GET / HTTP/1.1\r\nX: " + b"y" * 500).decode():
                sock.sendall(byte.encode())
                time.sleep(0.02)
        assert rest(sock) == b""
        assert time.monotonic() - start < 30


def test_connection_that_says_nothing_is_cut_off() -> None:
    with running(App(), header_timeout="0.2") as it, connect(it.port) as sock:
        start = time.monotonic()
        assert rest(sock) == b""
        assert time.monotonic() - start < 30


def test_slow_body_is_cut_off_after_its_grace() -> None:
    app = App()

    with running(app, body_grace="0.3", body_rate="16 KiB") as it, connect(it.port) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 600_000)
        start = time.monotonic()
        sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            sock.recv(1)  # 600,000 bytes are far ahead of the rate
        sock.settimeout(10)
        sock.close()
        with connect(it.port) as slow:
            slow.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx")
            assert rest(slow) == b""
        assert time.monotonic() - start < 30

    assert app.seen == []


def test_idle_connection_is_closed_and_others_stay() -> None:
    with running(App(), channel_timeout="1") as it, connect(it.port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert rest(sock).count(b"200 OK") == 1
        client = http.client.HTTPConnection("127.0.0.1", it.port, timeout=10)
        client.request("GET", "/")
        client.getresponse().read()
        client.close()


def test_kept_connection_is_closed_when_idle() -> None:
    with running(App(), channel_timeout="1", header_timeout="0.2") as it, connect(it.port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        start = time.monotonic()
        assert rest(sock).endswith(b"hello\n")
        assert 0.9 < time.monotonic() - start < 30


def test_body_that_stops_is_closed_when_idle() -> None:
    with running(App(), channel_timeout="1") as it, connect(it.port) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx")
        start = time.monotonic()
        assert rest(sock) == b""
        assert time.monotonic() - start < 30


def test_reader_that_takes_nothing_does_not_keep_a_worker() -> None:
    app = App()
    ended = threading.Event()

    def endless() -> Iterator[bytes]:
        try:
            for _ in range(1000):
                yield b"x" * MIB
        finally:
            ended.set()

    app.answer = endless
    with running(app, channel_timeout="1", threads="1") as it, connect(it.port) as sock:
        sock.sendall(GET)
        assert ended.wait(10)


def test_body_of_a_waiting_request_has_time() -> None:
    app = App()
    app.gate.clear()

    with running(app, body_grace="0.2", channel_timeout="5") as it, connect(it.port) as sock:
        sock.sendall(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
        time.sleep(0.6)
        app.gate.set()
        sock.sendall(b"llo" + GET)
        assert rest(sock).count(b"200 OK") == 3

    assert [path for _, path, _ in app.seen] == ["/1", "/2", "/"]


def test_client_that_goes_away_leaves_no_descriptor() -> None:
    with running(App()) as it:
        ask(it.port, GET)
        before = len(open_files())
        for _ in range(50):
            with connect(it.port) as sock:
                sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 600_000)
        until(lambda: not it.service.listeners[0].active_channels)
        until(lambda: len(open_files()) <= before)


@pytest.fixture
def channel() -> Iterator[tuple[Channel, socket.socket]]:
    """Return one connection without a loop around it, and the client's end."""
    rules, keywords = options.read({"port": "0"})
    adj = adjust(rules, keywords)
    ours, theirs = socket.socketpair()
    owner = SimpleNamespace(
        adj=adj, stopping=False, active_channels={}, add_task=lambda task: None, pull_trigger=lambda: None
    )
    sockets = Sockets()
    it = Channel(owner, ours, ("192.0.2.1", 1), adj, map=sockets)
    with theirs:
        yield it, theirs
        if it.connected:
            it.handle_close()
        sockets.close()


def refuse(it: Channel) -> None:
    it.received(b"GET / HTTP/1.1\r\n\r\n")
    it.service()


def test_refused_client_whose_network_fails_is_dropped(channel: tuple[Channel, socket.socket]) -> None:
    it, _ = channel
    refuse(it)
    it.handle_write()
    assert it.busy()

    def recv(size: int) -> bytes:
        raise OSError(110, "Connection timed out")

    it.recv = recv
    it.handle_read()

    assert not it.connected


def test_refusal_is_sent_whole_before_the_end(channel: tuple[Channel, socket.socket]) -> None:
    it, theirs = channel
    send, it.send = it.send, lambda data, do_close=True: 0
    refuse(it)
    it.handle_write()
    assert not it.overdue(time.monotonic() + 1)

    it.send = send
    it.handle_write()

    assert theirs.recv(100).startswith(b"HTTP/1.1 400")


def test_request_of_a_client_that_is_gone_is_not_worked_on(channel: tuple[Channel, socket.socket]) -> None:
    it, _ = channel
    it.received(GET)
    it.connected = False

    it.service()

    assert it.requests == []
    it.connected = True


def test_file_is_sent_and_the_connection_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * MIB)

    class Files(App):
        def __call__(self, environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
            start("200 OK", [("Content-Length", str(MIB))])
            return environ["wsgi.file_wrapper"](path.open("rb"))

    with running(Files()) as it:
        answer = ask(it.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + GET)

    assert answer.count(b"x") == 2 * MIB
    assert answer.count(b"200 OK") == 2


def test_refused_client_that_is_gone_is_closed(channel: tuple[Channel, socket.socket]) -> None:
    it, _ = channel
    refuse(it)
    it.socket.shutdown(socket.SHUT_RDWR)
    it.socket.close()

    it.handle_write()
    it.handle_write()

    assert not it.connected


def test_channel_that_is_sending_is_not_stalled(channel: tuple[Channel, socket.socket]) -> None:
    it, _ = channel
    it.received(GET)
    late = time.monotonic() + 1000
    it.total_outbufs_len = 1
    assert it.overdue(late)

    held = threading.Thread(target=it.outbuf_lock.acquire)
    held.start()
    held.join()

    assert not it.overdue(late)
    it.outbuf_lock = threading.Condition()
    it.total_outbufs_len = 0


# Crowds


def test_too_many_connections_are_turned_away_at_once() -> None:
    with running(App(), connection_limit="5") as it, contextlib.ExitStack() as held:
        socks = [held.enter_context(connect(it.port)) for _ in range(5)]
        until(lambda: len(it.service.listeners[0].active_channels) == 5)

        start = time.monotonic()
        with connect(it.port) as late:
            assert rest(late).startswith(b"HTTP/1.1 503 Service Unavailable")
        assert time.monotonic() - start < 10

        socks[0].sendall(GET)
        assert rest(socks[0]).endswith(b"hello\n")


def test_one_address_cannot_take_every_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(App(), per_address="3") as it, contextlib.ExitStack() as held:
        it.service.listeners[0].exempt = lambda address, trusted: address == "127.0.0.1"
        for _ in range(3):
            held.enter_context(socket.create_connection(("127.0.0.1", it.port), source_address=("127.0.0.2", 0)))
        until(lambda: len(it.service.listeners[0].active_channels) == 3)

        with socket.create_connection(("127.0.0.1", it.port), source_address=("127.0.0.2", 0), timeout=10) as fourth:
            assert rest(fourth).startswith(b"HTTP/1.1 503")
        with socket.create_connection(("127.0.0.1", it.port), source_address=("127.0.0.3", 0), timeout=10) as other:
            other.sendall(GET)
            assert rest(other).endswith(b"hello\n")
        assert ask(it.port, GET).endswith(b"hello\n")


def test_connections_of_loopback_are_not_counted() -> None:
    with running(App(), per_address="2") as it, contextlib.ExitStack() as held:
        for _ in range(10):
            held.enter_context(connect(it.port))

        assert ask(it.port, GET).endswith(b"hello\n")


def test_half_open_connections_do_not_starve_others() -> None:
    with running(App()) as it, contextlib.ExitStack() as held:
        for _ in range(300):
            held.enter_context(connect(it.port)).sendall(b"GET / HT")

        start = time.monotonic()
        assert ask(it.port, GET).endswith(b"hello\n")
        assert time.monotonic() - start < 10


def test_queue_warnings_do_not_flood(caplog: pytest.LogCaptureFixture) -> None:
    app = App()
    app.gate.clear()

    with running(app, threads="1") as it, contextlib.ExitStack() as held, caplog.at_level(logging.WARNING):
        logging.getLogger("mypi.server.queue").filters[0]._next = 0.0
        for _ in range(20):
            held.enter_context(connect(it.port)).sendall(GET)
        until(lambda: len(it.service.listeners[0].active_channels) == 20)
        time.sleep(0.2)
        app.gate.set()

    assert sum("requests wait; threads = 1" in line.getMessage() for line in caplog.records) == 1


# Places


def test_large_bodies_wait_in_the_store_s_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)

    with running(App(spool_folder=str(tmp_path))) as it, connect(it.port) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + b"x" * 800_000)
        until(lambda: any(str(tmp_path) in place for place in open_files()))


def open_files() -> list[str]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(entry.readlink()))
    return found


def test_unix_socket_is_served(tmp_path: Path) -> None:
    path = str(tmp_path / "mypi.sock")

    with running(App(), unix_socket=path) as it:
        assert it.service.addresses == [f"unix:{path}"]
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            sock.sendall(GET)
            assert rest(sock).endswith(b"hello\n")


def test_ipv6_and_several_addresses_are_served() -> None:
    try:
        with running(App(), listen="[::1]:0 127.0.0.1:0") as it:
            six, four = (int(each.effective_port) for each in it.service.listeners)
            assert it.service.addresses == [f"http://[::1]:{six}", f"http://127.0.0.1:{four}"]
            with socket.create_connection(("::1", six), timeout=10) as sock:
                sock.sendall(GET)
                assert rest(sock).endswith(b"hello\n")
            assert ask(four, GET).endswith(b"hello\n")
    except CannotListen:
        pytest.skip("this machine has no IPv6")


# The end


def test_graceful_stop_finishes_what_is_in_flight() -> None:
    app = App()
    app.gate.clear()

    with running(app) as it, connect(it.port) as busy, connect(it.port) as idle:
        busy.sendall(GET)
        until(lambda: bool(app.seen))
        it.service.stop()
        assert rest(idle) == b""
        with pytest.raises(ConnectionError):
            connect(it.port)
        assert it.thread.is_alive()
        app.gate.set()
        assert rest(busy).endswith(b"hello\n")


def test_graceful_stop_has_an_end(caplog: pytest.LogCaptureFixture) -> None:
    app = App()
    app.gate.clear()

    with running(app, graceful_timeout="0.2") as it, connect(it.port) as busy:
        busy.sendall(GET)
        until(lambda: bool(app.seen))
        it.service.stop()
        assert rest(busy) == b""
        it.thread.join(10)

    assert "1 connection(s) unfinished" in caplog.text


def test_second_stop_does_not_wait() -> None:
    app = App()
    app.gate.clear()

    with running(app, graceful_timeout="60") as it, connect(it.port) as busy:
        busy.sendall(GET)
        until(lambda: bool(app.seen))
        it.service.stop()
        it.service.stop()
        assert rest(busy) == b""


@pytest.fixture
def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_serve_ends_with_zero_at_sigterm(free_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    answers = []

    def client() -> None:
        answers.append(urllib.request.urlopen(f"http://127.0.0.1:{free_port}/", timeout=10).read())
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Timer(0.2, client)
    thread.start()

    assert server.serve(App(), {}, port=str(free_port)) == 0

    thread.join()
    assert answers == [b"hello\n"]
    assert capsys.readouterr().out == f"Serving on http://127.0.0.1:{free_port}\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_serve_works_outside_the_main_thread(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    running_services: list[Service] = []
    plain = Service.run

    def run(service: Service) -> None:
        running_services.append(service)
        plain(service)

    monkeypatch.setattr(Service, "run", run)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(server.serve(App(), port=str(free_port))))
    thread.start()
    until(lambda: bool(running_services))
    running_services[0].stop()
    thread.join(10)

    assert codes == [0]


def test_busy_port_gives_one_sentence_and_an_exit_code(free_port: int) -> None:
    code = f"from mypi.server import serve; serve(None, {{}}, port='{free_port}')"
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()

        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith(f"Cannot listen on 127.0.0.1 port {free_port}: Address already in use.")
    assert done.stderr.count("\n") == 1
