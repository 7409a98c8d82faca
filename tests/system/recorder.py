"""A listener between client and server that hands on each request and notes what was asked, and what was answered.

It can also do what a bad line does: cut an answer in the middle, lose one, change a byte of a file on its way.
"""

from __future__ import annotations

import contextlib
import http.client
import re
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

    def __init__(self, target: str, *, cut: str = "", hide: str = "", damage: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cut = cut
        self.hide = hide
        self.damage = damage
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
        if self.server.hide and self.server.hide in self.path:
            self.send_error(404)
            return
        connection = http.client.HTTPConnection(self.server.target, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", self.path, headers=self._headers())
            response = connection.getresponse()
            body = response.read()
        self.server.exchanges.append(Exchange(self.path, self.headers, response.status))
        if self.server.cut and self.path.endswith(self.server.cut):
            self.server.cut = ""
            body = body[: len(body) // 2]
            self.close_connection = True
        self._answer(response, body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.damage:
            # Well inside of the file: after its part's head, before anything that would make the form another one.
            place = re.search(rb'name="?content"?[^\n]*\n(?:[^\r\n]+\r?\n)*\r?\n', body)
            assert place, body[:1000]
            at = place.end() + 40
            body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        connection = http.client.HTTPConnection(self.server.target, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", self.path, body, self._headers())
            response = connection.getresponse()
            answer = response.read()
        self.server.exchanges.append(Exchange(self.path, self.headers, response.status))
        self._answer(response, answer)

    def _headers(self) -> dict[str, str]:
        """Return the client's headers, for the server's host."""
        kept = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        return kept | {"Host": self.server.target}

    def _answer(self, response: http.client.HTTPResponse, body: bytes) -> None:
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@contextlib.contextmanager
def recording(target: str, *, cut: str = "", hide: str = "", damage: bool = False) -> Iterator[Recorder]:
    """Listen until the block ends.

    `cut`: the first answer for a path that ends so breaks off half-way. `hide`: what has this in its path is not found.
    `damage`: a bit of each upload is turned.
    """
    with Recorder(target, cut=cut, hide=hide, damage=damage) as recorder:
        thread = threading.Thread(target=recorder.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield recorder
        finally:
            recorder.shutdown()
            thread.join()
