"""A listener between client and server that hands on each GET and notes what was asked, and what was answered."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Exchange:
    """A request that went by, and the status that it got."""

    path: str
    headers: Message
    status: int


class Recorder(ThreadingHTTPServer):
    """Hands requests on to a server; `exchanges` holds what went by, in order."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target).netloc
        self.exchanges: list[Exchange] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def statuses(self, path: str) -> set[int]:
        """Return with what a path was answered since the last call; old versions of pip ask twice in one run."""
        found = {each.status for each in self.exchanges if each.path == path}
        self.exchanges.clear()
        return found


class _Handler(BaseHTTPRequestHandler):
    server: Recorder

    def do_GET(self) -> None:
        connection = http.client.HTTPConnection(self.server.target, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", self.path, headers=dict(self.headers) | {"Host": self.server.target})
            response = connection.getresponse()
            body = response.read()
        self.server.exchanges.append(Exchange(self.path, self.headers, response.status))
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@contextlib.contextmanager
def recording(target: str) -> Iterator[Recorder]:
    """Listen until the block ends."""
    with Recorder(target) as recorder:
        thread = threading.Thread(target=recorder.serve_forever)
        thread.start()
        try:
            yield recorder
        finally:
            recorder.shutdown()
            thread.join()
