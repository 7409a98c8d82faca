"""What the running server asks of the system for a page and for an upload, counted by strace.

On a server in Python each call lets another thread run, and waiting for one's turn again costs more than the call. What
was taken away, and what it brought, stands in ``docs/decisions/performance.rst``.
"""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.performance.tracing import SystemCall, need_strace, traced
from tests.system import processes
from tests.system.processes import Server

CONNECTIONS, ROUNDS = 8, 25
REQUEST = b"GET /simple/acme-lib/ HTTP/1.1\r\nHost: localhost\r\nAccept: application/vnd.pypi.simple.v1+json\r\n%s\r\n"

SYNCS = 6
"""How often a publish of a small wheel may sync: the file, its metadata, the document, and the folders on the way.

An upper bound: lower it when fewer do.
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    need_strace()
    folder = tmp_path_factory.mktemp("traced")
    ini = processes.ini(folder, processes.free_port(), server="threads = 4", scrub__rate="0")
    with processes.pserve(ini) as server:
        assert server.upload(processes.wheel("acme-lib", "1.0")).status == 200
        yield server


@pytest.fixture
def connections(server: Server) -> Iterator[list[socket.socket]]:
    """Connections that are kept open, and were used."""
    with contextlib.ExitStack() as held:
        made = [
            held.enter_context(socket.create_connection(("127.0.0.1", server.port), 30)) for _ in range(CONNECTIONS)
        ]
        for each in made * 2:
            ask(each)
            answer(each)
        yield made


def ask(connection: socket.socket, etag: str = "") -> None:
    connection.sendall(REQUEST % (f"If-None-Match: {etag}\r\n".encode() if etag else b""))


def answer(connection: socket.socket) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the first line of an answer and its fields, after all of it has come."""
    got = connection.recv(65536)
    while b"\r\n\r\n" not in got:
        got += connection.recv(65536)
    head, _, body = got.partition(b"\r\n\r\n")
    first, *rest = head.split(b"\r\n")
    fields = {name.lower(): value for name, value in (line.split(b": ", 1) for line in rest)}
    left = 0 if b" 304 " in first else int(fields.get(b"content-length", 0)) - len(body)
    while left > 0:
        left -= len(connection.recv(left))
    return first, fields


def per_request(calls: list[SystemCall], requests: int) -> dict[str, float]:
    """Return how often each call was made for a request; a write into the pipe that wakes the loop is "wake"."""
    names = ("wake" if each.name == "write" and "<pipe:" in each.given else each.name for each in calls)
    return {name: count / requests for name, count in Counter(names).items()}


@pytest.mark.parametrize("known", [False, True], ids=["page", "304"])
def test_a_page_costs_one_recv_one_stat_one_send_and_one_wait(
    server: Server, connections: list[socket.socket], tmp_path: Path, known: bool
) -> None:
    ask(connections[0])
    _, fields = answer(connections[0])
    etag = fields[b"etag"].decode() if known else ""

    def one_after_the_other() -> None:
        for each in connections * ROUNDS:
            ask(each, etag)
            assert answer(each)[0].startswith(b"HTTP/1.1 304" if known else b"HTTP/1.1 200")

    calls = traced(server.process.pid, one_after_the_other, tmp_path / "calls")
    found = per_request(calls, CONNECTIONS * ROUNDS)
    assert all("acme-lib.json" in each.given for each in calls if each.name == "newfstatat")
    for name in ("recvfrom", "newfstatat", "sendto", "epoll_wait"):
        assert found.pop(name) <= 1.02, name
    assert sum(found.values()) <= 0.1, found


def test_pages_for_all_connections_at_once_wake_the_loop_for_nothing(
    server: Server, connections: list[socket.socket], tmp_path: Path
) -> None:
    def together() -> None:
        for _ in range(ROUNDS):
            for each in connections:
                ask(each)
            for each in connections:
                answer(each)

    found = per_request(traced(server.process.pid, together, tmp_path / "calls"), CONNECTIONS * ROUNDS)
    for name in ("recvfrom", "newfstatat", "sendto", "epoll_wait"):
        assert found.pop(name) <= 1.02, name
    found.pop("getpid", 0)  # of a line for the log, where more wait than there are threads
    assert found.pop("epoll_ctl", 0) <= 0.5
    assert sum(found.values()) <= 0.1, found


def test_a_publish_syncs_no_more_often_than_it_must(server: Server, tmp_path: Path) -> None:
    packages = [processes.wheel("acme-lib", f"2.{number}") for number in range(10)]

    def publish() -> None:
        for package in packages:
            assert server.upload(package).status == 200

    calls = traced(server.process.pid, publish, tmp_path / "calls")
    syncs = [each for each in calls if each.name in ("fsync", "fdatasync", "syncfs", "sync_file_range")]
    places = Counter(each.given for each in syncs)
    assert len(packages) * 3 <= len(syncs) <= len(packages) * SYNCS, places
    assert not [each for each in calls if each.name == "getdents64"]


def test_a_small_file_is_opened_once_and_sent_at_once(
    server: Server, connections: list[socket.socket], tmp_path: Path
) -> None:
    path = server.url("acme-lib", next(iter(server.files("acme-lib").values())))
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

    def fetch() -> None:
        for each in connections * ROUNDS:
            each.sendall(request)
            assert answer(each)[0].startswith(b"HTTP/1.1 200")

    calls = traced(server.process.pid, fetch, tmp_path / "calls")
    found = per_request(calls, CONNECTIONS * ROUNDS)
    assert found.pop("newfstatat") <= 4.02
    assert found.pop("read") <= 2.02
    for name in ("recvfrom", "openat", "close", "sendto", "epoll_wait"):
        assert found.pop(name) <= 1.02, name
    assert sum(found.values()) <= 0.2, found
