"""Loopback servers that stand before a real one and do harm when told: to connections, or to single HTTP requests.

``Forwarder`` knows bytes only, so that it stands before any server; ``HttpProxy`` also knows requests, and writes down
each. What a test tells them takes effect on what comes next.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakSet


class Forwarder:
    """Passes bytes on between its own port and that of a server."""

    latency = 0.0
    """Seconds that each answer, or piece of it, is held back: what a far server costs."""

    connections = 0
    """How many were taken so far."""

    def __init__(self, port: int, *, own: int = 0) -> None:
        self._upstream = ("127.0.0.1", port)
        self._sockets: set[socket.socket] = set()
        self._broken: WeakSet[socket.socket] = WeakSet()
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._closed = False
        self._listener = _listening(own)
        self.port: int = self._listener.getsockname()[1]
        self._accept(self._listener)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def refuse(self) -> None:
        """Be away: break every connection, and refuse new ones, until ``accept``."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in it
        self._listener.close()
        self.cut()

    def accept(self) -> None:
        """Be there again, on the same port."""
        self._listener = _listening(self.port)
        self._accept(self._listener)

    def cut(self) -> None:
        """Break every connection, as a reboot of a machine on the way does."""
        with self._lock:
            self._broken |= self._sockets
            for each in self._sockets:
                _end_by_reset(each)
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RD)  # wakes the thread that waits in it, which closes it

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """Let nothing through, and break nothing, as a lost route does."""
        self._flowing.clear()
        try:
            yield
        finally:
            self._flowing.set()

    def close(self) -> None:
        self._closed = True
        self._flowing.set()
        self.refuse()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        threading.Thread(target=self._accepting, args=(listener,), daemon=True).start()

    def _accepting(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serving, args=(client,), daemon=True).start()

    def _serving(self, client: socket.socket) -> None:
        with self._held(client), contextlib.suppress(OSError):
            self.serve(client)

    @contextlib.contextmanager
    def _held(self, connection: socket.socket) -> Iterator[None]:
        """Keep a connection where ``cut`` finds it, and close it at the end."""
        with self._lock:
            self._sockets.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._sockets.discard(connection)
                connection.close()

    def serve(self, client: socket.socket) -> None:
        """Serve one connection to its end."""
        self._flow()
        upstream = socket.create_connection(self._upstream, 10)
        upstream.settimeout(None)
        with self._held(upstream):
            back = threading.Thread(target=self._pump, args=(upstream, client, True), daemon=True)
            back.start()
            self._pump(client, upstream, False)
            back.join()

    def _pump(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flow()
                if answers and self.latency:
                    time.sleep(self.latency)
                target.sendall(data)
        if source not in self._broken:
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_WR)

    def _flow(self) -> None:
        self._flowing.wait()
        if self._closed:
            raise ConnectionAbortedError


@dataclass
class Fault:
    """What is done to the next ``times`` requests with this method, and with ``path`` in their path or query.

    ``answer`` answers by a status and an error's code; ``reset`` breaks the connection; ``stall`` never answers;
    ``truncate`` sends only so many bytes of the answer's body, and ``hang`` falls silent after them; ``corrupt``
    changes a bit of the request's body. With ``after`` the server has done its work before.
    """

    do: Literal["answer", "reset", "stall", "truncate", "hang", "corrupt"]
    method: str = ""
    path: str = ""
    times: int = 1
    after: bool = False
    status: int = 500
    code: str = "InternalError"
    length: int = 0

    def fits(self, method: str, path: str) -> bool:
        return self.times > 0 and method.startswith(self.method) and self.path in path


class HttpProxy(Forwarder):
    """Passes HTTP requests on, one at a time on each connection; ``requests`` are those that came, as method and path.

    ``answers`` are the statuses of those that were passed on.
    """

    def __init__(self, port: int) -> None:
        self.requests: list[tuple[str, str]] = []
        self.answers: list[int] = []
        self._faults: list[Fault] = []
        super().__init__(port)

    def fail(self, do: Any, method: str = "", **given: Any) -> None:
        """Do harm to coming requests; see Fault."""
        self._faults.append(Fault(do, method, **given))

    @property
    def harmless(self) -> bool:
        """Tell whether every fault has had its effect."""
        return not any(fault.times for fault in self._faults)

    def note(self, method: str, path: str) -> Fault | None:
        """Write a request down, and return what is to be done to it."""
        with self._lock:
            self.requests.append((method, path))
            fault = next((each for each in self._faults if each.fits(method, path)), None)
            if fault:
                fault.times -= 1
            return fault

    def serve(self, client: socket.socket) -> None:
        upstream = http.client.HTTPConnection(*self._upstream, timeout=60)
        with contextlib.closing(upstream):
            _Handler(self, upstream, client)

    def stall(self, client: socket.socket) -> None:
        """Answer nothing until the client has gone."""
        client.settimeout(30)
        client.recv(1)


class _Handler(http.server.BaseHTTPRequestHandler):
    """Serves the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, proxy: HttpProxy, upstream: http.client.HTTPConnection, client: socket.socket) -> None:
        self.proxy, self.upstream = proxy, upstream
        super().__init__(client, client.getpeername(), proxy)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        fault = self.proxy.note(self.command, self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.proxy._flow()
        if fault and fault.do == "corrupt":
            body = bytes([body[0] ^ 1]) + body[1:]
        if fault and not fault.after and self._harmed(fault):
            return
        status, headers, answer = self._forwarded(body)
        self.proxy.answers.append(status)
        time.sleep(self.proxy.latency)
        self.proxy._flow()
        if fault and fault.after and self._harmed(fault):
            return
        short = fault is not None and fault.do in ("truncate", "hang")
        self._answer(status, headers, answer[: fault.length] if fault and short else answer)
        if fault and fault.do == "hang":
            self.proxy.stall(self.connection)
        self.close_connection = fault is not None

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - names of the base class

    def _harmed(self, fault: Fault) -> bool:
        """Do the harm that is done in place of an answer; say whether that was any."""
        if fault.do == "answer":
            said = f"<Error><Code>{fault.code}</Code><Message>told to</Message></Error>".encode()
            headers = [("Content-Length", str(len(said))), ("Content-Type", "application/xml")]
            self._answer(fault.status, headers, b"" if self.command == "HEAD" else said)
        elif fault.do == "reset":
            _end_by_reset(self.connection)
            self.close_connection = True
        elif fault.do == "stall":
            self.proxy.stall(self.connection)
            self.close_connection = True
        else:
            return False
        return True

    def _forwarded(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() != "expect":
                self.upstream.putheader(name, value)
        self.upstream.endheaders(body)
        with self.upstream.getresponse() as answer:
            data = answer.read()
            headers = [(k, v) for k, v in answer.getheaders() if k.lower() not in ("transfer-encoding", "connection")]
            if answer.getheader("Content-Length") is None and answer.status not in (204, 304):
                headers.append(("Content-Length", str(len(data))))
            return answer.status, headers, data

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing: what came is in ``requests``."""


def _end_by_reset(connection: socket.socket) -> None:
    """Let a connection end by a reset (RST) when it is closed, not by a farewell (FIN)."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener
