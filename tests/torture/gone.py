"""Clients that go away in the middle, and what a server process holds open."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.system.processes import Package, Server


def descriptors(server: Server) -> int:
    """Return how many files and sockets the server holds open."""
    return sum(1 for _ in Path(f"/proc/{server.process.pid}/fd").iterdir())


def leave_upload(server: Server, package: Package, after: int, *, reset: bool) -> None:
    """Send the beginning of an upload, and go: with a farewell, or as one whose machine lost its power."""
    content_type, body = package.form()
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 60) as client, suppress(OSError):
        client.sendall(head.encode() + body[: after % len(body)])
        _go(client, reset)


def leave_download(server: Server, path: str, after: int, *, reset: bool) -> None:
    """Read the beginning of a download, and go."""
    with socket.create_connection(("127.0.0.1", server.port), 60) as client, suppress(OSError):
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        client.recv(after)
        _go(client, reset)


def _go(client: socket.socket, reset: bool) -> None:
    if reset:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def left_behind(var: Path) -> list[Path]:
    """Return what unfinished uploads have left in a store's folder."""
    return list((var / ".spool").iterdir())


def wait_for(so: Callable[[], bool], otherwise: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)
