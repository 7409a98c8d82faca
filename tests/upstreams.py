"""A scripted upstream on loopback: a real HTTPS server with a Simple index, its files, and every fault when told.

::

    with upstreams.running(folder) as upstream:
        upstream.add("six", "six-1.0-py3-none-any.whl", content)
        index = make_index(**upstream.settings())          # mypi.upstream and what it needs on loopback
        upstream.faults["/simple/six/"] = upstreams.status(500)
        ...
        assert upstream.count("/simple/six/") == 1

A fault stays until it is taken out of ``faults``; under ``"*"`` it holds for every path. ``down`` and ``up`` refuse
connections and take them again on the same port.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import html
import json
import re
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from tests.issuers import Authority

JSON, HTML = "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html"
UPLOADED = "2020-01-02T03:04:05.678901Z"


@dataclass
class File:
    """A file of the upstream. ``said`` are keys of its JSON that replace the true ones; None leaves one out."""

    filename: str
    content: bytes
    metadata: bytes | None = None
    requires_python: str | None = None
    yanked: str | bool = False
    uploaded: str | None = UPLOADED
    said: dict[str, Any] = field(default_factory=dict)


@dataclass
class Project:
    """A project of the upstream: its files by name, and its status marker."""

    files: dict[str, File] = field(default_factory=dict)
    status: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Request:
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    """By lower-case names."""


class Upstream:
    """A running upstream. What a test changes takes effect on the next request."""

    def __init__(self, authority: Authority, *, tls: bool = True, host: str = "127.0.0.1") -> None:
        self.authority = authority
        self.ca = str(authority.ca)
        self.host = host
        self.projects: dict[str, Project] = {}
        self.faults: dict[str, Fault] = {}
        self.form: str | None = None
        """JSON or HTML, None: as the client wishes."""
        self.cache_control: str | None = "max-age=600, public"
        self.etags = True
        self.ranges = True
        self.credentials: str | None = None
        """``user:password``, or a token without a colon; without them the answer is 401."""
        self.files_at: str | None = None
        """Where the pages say that files are, such as "https://localhost:PORT/files/"; None: beside them."""
        self.requests: list[Request] = []
        self.connections = 0
        self.names: list[str | None] = []
        """The host that each connection asked for in its TLS handshake (SNI)."""
        self.ending = threading.Event()
        self._context = authority.context() if tls else None
        if self._context:
            self._context.sni_callback = lambda _, name, __: self.names.append(name)  # type: ignore[assignment]
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.port = 0
        self.up()
        self.origin = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self.url = f"{self.origin}/simple/"

    # What a test says.

    def add(self, project: str, filename: str, content: bytes, **said: Any) -> File:
        """Add a file to a project, or replace it; further arguments are those of File."""
        file = File(filename, content, **said)
        self.projects.setdefault(project, Project()).files[filename] = file
        return file

    def settings(self, name: str = "pypi", **more: str) -> dict[str, str]:
        """Return the settings, without ``mypi.``, of an index that has this upstream."""
        return {
            "upstream": f"{name} {self.url}",
            "upstream.ca": self.ca,
            "upstream.private_addresses": "true",
            "upstream.insecure": str(self.url.startswith("http:")).lower(),
            **more,
        }

    def count(self, path: str) -> int:
        """Return how often a path was asked for."""
        return len(self.asked(path))

    def asked(self, path: str) -> list[Request]:
        """Return the requests for a path."""
        with self._lock:
            return [request for request in self.requests if request.path == path]

    def down(self) -> None:
        """Be away: refuse connections, and end those that are open."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.cut()

    def up(self) -> None:
        """Be there, on the same port as before."""
        self._server = _Server(self, self.port)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """End every connection that is open."""
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    # What it answers.

    def page(self, name: str, accept: str) -> tuple[str, bytes]:
        """Return a project's page in the form that is wanted."""
        project = self.projects[name]
        form = self.form or (JSON if "+json" in accept else HTML)
        return (form, self._json(name, project) if form == JSON else self._html(name, project))

    def _json(self, name: str, project: Project) -> bytes:
        page: dict[str, Any] = {
            "meta": {"api-version": "1.1"},
            "name": name,
            "versions": sorted(
                {file.filename.split("-")[1].removesuffix(".tar.gz") for file in project.files.values()}
            ),
            "files": [self.described(file) for file in project.files.values()],
        }
        if project.status:
            page["project-status"] = {"status": project.status, "reason": project.reason}
        return json.dumps(page).encode()

    def described(self, file: File) -> dict[str, Any]:
        """Return what the JSON page says of a file."""
        said: dict[str, Any] = {
            "filename": file.filename,
            "url": f"{self.files_at or '../../files/'}{quote(file.filename)}",
            "hashes": {"sha256": hashlib.sha256(file.content).hexdigest()},
            "size": len(file.content),
            "upload-time": file.uploaded,
            "requires-python": file.requires_python,
            "yanked": file.yanked,
            "core-metadata": file.metadata is not None and {"sha256": hashlib.sha256(file.metadata).hexdigest()},
            **file.said,
        }
        return {key: value for key, value in said.items() if value is not None}

    def _html(self, name: str, project: Project) -> bytes:
        head = f'<meta name="pypi:repository-version" content="1.1"><title>Links for {name}</title>'
        lines = [f"<!DOCTYPE html><html><head>{head}</head><body>"]
        for file in project.files.values():
            said = self.described(file)
            attributes = {}
            if "requires-python" in said:
                attributes["data-requires-python"] = said["requires-python"]
            if said["yanked"] is not False:
                attributes["data-yanked"] = "" if said["yanked"] is True else said["yanked"]
            if isinstance(said["core-metadata"], dict):
                attributes["data-core-metadata"] = "sha256=" + said["core-metadata"]["sha256"]
            (kind, digest), *_ = said["hashes"].items()
            written = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
            lines.append(f'<a href="{html.escape(said["url"])}#{kind}={digest}"{written}>{file.filename}</a><br>')
        return "\n".join([*lines, "</body></html>"]).encode()

    def file(self, filename: str) -> bytes | None:
        """Return the bytes of a file, or of what stands beside it."""
        for project in self.projects.values():
            for file in project.files.values():
                if filename == file.filename:
                    return file.content
                if filename == f"{file.filename}.metadata" and file.metadata is not None:
                    return file.metadata
        return None

    def note(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            self._sockets.add(connection)

    def ended(self, connection: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(connection)


def _let_in(credentials: str, given: str) -> bool:
    wanted = f"Basic {b64encode(credentials.encode()).decode()}" if ":" in credentials else f"Bearer {credentials}"
    return given == wanted


class _Server(ThreadingHTTPServer):
    """Takes connections; one that is not TLS, or breaks, is nobody's affair."""

    request_queue_size = 128

    def __init__(self, upstream: Upstream, port: int) -> None:
        self.upstream = upstream
        super().__init__(("127.0.0.1", port), Exchange)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.upstream._context:
            # The handshake is made by the connection's own thread, at its first read.
            connection = self.upstream._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self.upstream.opened(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self.upstream.ended(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class Exchange(BaseHTTPRequestHandler):
    """One connection. A fault gets it, and may answer, or let the ``usual`` answer go out."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        upstream, self.asked_path = self.server.upstream, unquote(urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        upstream.note(Request(self.command, self.asked_path, headers))
        fault = upstream.faults.get(self.asked_path) or upstream.faults.get("*")
        with contextlib.suppress(OSError, ssl.SSLError):  # who asked may have given up
            (fault or Exchange.usual)(self)

    def do_HEAD(self) -> None:
        self.do_GET()

    def usual(self) -> None:
        """Answer as an honest index does."""
        upstream = self.server.upstream
        if upstream.credentials and not _let_in(upstream.credentials, self.headers.get("Authorization", "")):
            return self.answer(401, {"WWW-Authenticate": 'Basic realm="x"'}, b"who?")
        found = re.fullmatch(r"/simple/([^/]+)/", self.asked_path)
        if found and found[1] in upstream.projects:
            return self._page(*upstream.page(found[1], self.headers.get("Accept", "")))
        content = (
            upstream.file(self.asked_path.removeprefix("/files/")) if self.asked_path.startswith("/files/") else None
        )
        if content is None:
            return self.answer(404, {"Content-Type": "text/plain"}, b"there is none")
        return self._file(content)

    def _page(self, form: str, body: bytes) -> None:
        upstream = self.server.upstream
        headers = {"Content-Type": form}
        if upstream.cache_control:
            headers["Cache-Control"] = upstream.cache_control
        if upstream.etags:
            headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            if self.headers.get("If-None-Match") == headers["ETag"]:
                return self.answer(304, headers, None)
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"], body = "gzip", gzip.compress(body, 1)
        return self.answer(200, headers, body)

    def _file(self, content: bytes) -> None:
        headers = {"Content-Type": "application/octet-stream", "ETag": f'"{hashlib.sha256(content).hexdigest()[:16]}"'}
        if self.server.upstream.ranges:
            headers["Accept-Ranges"] = "bytes"
            found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
            if found and (found[1] or found[2]):
                first = int(found[1]) if found[1] else max(0, len(content) - int(found[2]))
                last = min(int(found[2]), len(content) - 1) if found[1] and found[2] else len(content) - 1
                if first > last:
                    return self.answer(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
                headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
                return self.answer(206, headers, content[first : last + 1])
        return self.answer(200, headers, content)

    def answer(self, status: int, headers: dict[str, str], body: bytes | None, *, length: int | None = None) -> None:
        """Send an answer whole; a ``length`` other than the body's is a lie."""
        self.head(status, headers, len(body or b"") if length is None else length, bodiless=body is None)
        if body and self.command != "HEAD":
            self.wfile.write(body)

    def head(self, status: int, headers: dict[str, str], length: int, *, bodiless: bool = False) -> None:
        """Send the beginning of an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if not bodiless:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def wait(self, seconds: float) -> bool:
        """Wait, but not after the end of the test; return whether it ended."""
        return self.server.upstream.ending.wait(seconds)

    def log_message(self, format: str, *args: Any) -> None:
        pass


Fault = Callable[[Exchange], None]


def status(code: int, body: bytes = b"sorry", **headers: str) -> Fault:
    """Answer with a status."""
    return lambda exchange: exchange.answer(code, {"Content-Type": "text/plain", **headers}, body)


def page(body: bytes, content_type: str = JSON, **headers: str) -> Fault:
    """Answer 200 with a page of the test's choice: garbage, or the page of a login."""
    return lambda exchange: exchange.answer(200, {"Content-Type": content_type, **headers}, body)


LOGIN = page(b"<html><title>Log in</title><form><a href='/forgotten'>Forgotten?</a></form></html>", "text/html")


def redirect(location: str, code: int = 302) -> Fault:
    """Lead elsewhere."""
    return lambda exchange: exchange.answer(code, {"Location": location}, b"there")


def stall(exchange: Exchange) -> None:
    """Say nothing at all."""
    exchange.wait(60)
    exchange.close_connection = True


def stall_in_body(exchange: Exchange) -> None:
    """Begin an answer, and say no more after a few bytes."""
    exchange.head(200, {"Content-Type": JSON}, 100_000)
    exchange.wfile.write(b'{"meta":')
    stall(exchange)


def half(exchange: Exchange) -> None:
    """Break off in the middle of a file."""
    content = exchange.server.upstream.file(exchange.asked_path.removeprefix("/files/")) or b"half of it"
    exchange.head(200, {"Content-Type": "application/octet-stream"}, len(content))
    exchange.wfile.write(content[: len(content) // 2])
    exchange.close_connection = True


def reset(exchange: Exchange) -> None:
    """End the connection without an answer."""
    exchange.close_connection = True


def wrong_bytes(exchange: Exchange) -> None:
    """Send a file of the right size whose bytes are others."""
    content = exchange.server.upstream.file(exchange.asked_path.removeprefix("/files/")) or b""
    exchange.answer(200, {"Content-Type": "application/octet-stream"}, bytes(byte ^ 1 for byte in content))


def huge(size: int, content_type: str = JSON) -> Fault:
    """Send very many bytes, as long as the client takes them."""

    def send(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Type": content_type}, size)
        for _ in range(size // 65536):
            exchange.wfile.write(b" " * 65536)
        exchange.wfile.write(b" " * (size % 65536))

    return send


def bomb(size: int, content_type: str = JSON) -> Fault:
    """Send few bytes that unpack to very many."""
    return page(gzip.compress(b" " * size), content_type, **{"Content-Encoding": "gzip"})


def drip(pause: float, *, headers: bool = False) -> Fault:
    """Send a byte from time to time: of the body, or already of the headers."""

    def send(exchange: Exchange) -> None:
        if headers:
            exchange.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        else:
            exchange.head(200, {"Content-Type": JSON}, 1_000_000)
        while not exchange.wait(pause):
            exchange.wfile.write(b" ")

    return send


def slow(seconds: float) -> Fault:
    """Answer as usual, but late."""

    def send(exchange: Exchange) -> None:
        exchange.wait(seconds)
        exchange.usual()

    return send


class Gate:
    """A fault that lets nobody through, until the test opens it: ``arrived`` counts who waits."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.arrived = 0
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        with self._lock:
            self.arrived += 1
        while not self._open.wait(0.02) and not exchange.server.upstream.ending.is_set():
            pass
        exchange.usual()

    def open(self) -> None:
        self._open.set()

    def wait_for(self, arrived: int = 1, seconds: float = 30) -> None:
        """Wait until so many are there."""
        until = time.monotonic() + seconds
        while self.arrived < arrived:
            assert time.monotonic() < until, f"{self.arrived} came, not {arrived}"
            time.sleep(0.005)


@contextlib.contextmanager
def running(
    folder: Path, *, tls: bool = True, host: str = "127.0.0.1", authority: Authority | None = None
) -> Iterator[Upstream]:
    """Run an upstream whose certificates are kept in a folder, until the block ends.

    ``host`` is how its address names it: 127.0.0.1 or localhost, or a name of the ``authority`` that is given.
    """
    upstream = Upstream(authority or Authority(folder), tls=tls, host=host)
    try:
        yield upstream
    finally:
        upstream.ending.set()
        upstream.down()
