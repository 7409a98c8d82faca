"""The proxies that do harm: a test that relies on one must know that it did."""

from __future__ import annotations

import contextlib
import http.client
import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.proxies import Forwarder, HttpProxy


class Echo(socketserver.StreamRequestHandler):
    """Sends back each line; as if it spoke HTTP to one that begins so."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            self.answer()

    def answer(self) -> None:
        while line := self.rfile.readline():
            if b"HTTP/1.1" in line:
                while self.rfile.readline().strip():
                    pass
                line = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
            self.wfile.write(line)


@pytest.fixture
def port() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def forwarder(port: int) -> Iterator[Forwarder]:
    with Forwarder(port) as forwarder:
        yield forwarder


@pytest.fixture
def proxy(port: int) -> Iterator[HttpProxy]:
    with HttpProxy(port) as proxy:
        yield proxy


def connected(forwarder: Forwarder) -> socket.socket:
    return socket.create_connection(("127.0.0.1", forwarder.port), 5)


def said(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line)
    return connection.recv(100)


def test_bytes_pass_both_ways(forwarder: Forwarder) -> None:
    with connected(forwarder) as connection:
        assert said(connection, b"hello\n") == b"hello\n"
        assert said(connection, b"again\n") == b"again\n"
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def test_answers_are_held_back_for_the_latency(forwarder: Forwarder) -> None:
    forwarder.latency = 0.1
    with connected(forwarder) as connection:
        began = time.monotonic()
        assert said(connection, b"hello\n") == b"hello\n"
        assert time.monotonic() - began >= 0.1


def test_nothing_passes_while_stalled_and_nothing_is_lost(forwarder: Forwarder) -> None:
    with connected(forwarder) as connection:
        with forwarder.stalled():
            connection.settimeout(0.1)
            with pytest.raises(TimeoutError):
                said(connection, b"hello\n")
        connection.settimeout(5)
        assert connection.recv(100) == b"hello\n"


def test_connections_are_broken_refused_and_taken_again(forwarder: Forwarder) -> None:
    with connected(forwarder) as connection:
        said(connection, b"hello\n")
        forwarder.refuse()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connected(forwarder)
    forwarder.accept()
    with connected(forwarder) as connection:
        assert said(connection, b"hello\n") == b"hello\n"
        forwarder.cut()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def get(proxy: HttpProxy, path: str = "/a") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
    try:
        connection.request("GET", path)
        with connection.getresponse() as answer:
            return answer.status, answer.read()
    finally:
        connection.close()


def test_requests_pass_and_are_written_down(proxy: HttpProxy) -> None:
    assert get(proxy) == (200, b"0123456789")
    assert (proxy.requests, proxy.answers) == ([("GET", "/a")], [200])
    assert proxy.harmless


def test_a_fault_hits_what_it_names_as_often_as_it_says(proxy: HttpProxy) -> None:
    proxy.fail("answer", "GET", path="/b", times=2, status=503)
    assert get(proxy, "/a")[0] == 200
    assert [get(proxy, "/b")[0] for _ in range(3)] == [503, 503, 200]
    assert proxy.answers == [200, 200]
    assert proxy.harmless


def test_a_fault_before_hides_the_request_and_one_after_the_answer(proxy: HttpProxy) -> None:
    for after in (False, True):
        proxy.fail("reset", after=after)
        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
            get(proxy)
        assert len(proxy.answers) == int(after)


def test_a_cut_off_answer_is_short(proxy: HttpProxy) -> None:
    proxy.fail("truncate", length=4)
    with pytest.raises(http.client.IncompleteRead, match="4 bytes read, 6 more expected"):
        get(proxy)
