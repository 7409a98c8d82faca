"""An outgoing proxy on loopback, such as companies have: it makes tunnels by CONNECT, and forwards plain requests.

It knows names by a table of its own, as a proxy does whose clients have no DNS of the outside.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import select
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class Tunnels:
    """A running proxy. ``asked`` are the request lines it had; with ``password`` it wants ``user:password``."""

    def __init__(self, names: Mapping[str, str], password: str | None) -> None:
        self.names = names
        self.password = password
        self.asked: list[str] = []
        self.url = ""
        self._away = False
        self._lines: set[socket.socket] = set()

    def lets_in(self, given: str) -> bool:
        wanted = base64.b64encode((self.password or "").encode()).decode()
        return self.password is None or given == f"Basic {wanted}"

    def cut(self) -> None:
        """Break every tunnel and let nobody through any more: what is behind the proxy is away."""
        self._away = True
        for each in list(self._lines):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def line(self, address: tuple[str, int]) -> Iterator[socket.socket]:
        """Connect to what is behind. Raises OSError."""
        if self._away:
            raise ConnectionRefusedError(address[0])
        with socket.create_connection(address) as far:
            self._lines.add(far)
            try:
                yield far
            finally:
                self._lines.discard(far)


@contextlib.contextmanager
def running(
    names: Mapping[str, str] | None = None, password: str | None = None, *, tls: ssl.SSLContext | None = None
) -> Iterator[Tunnels]:
    """Run a proxy until the block ends, perhaps one that is spoken to by TLS."""
    proxy = Tunnels(names or {}, password)

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            if not self._may():
                return
            host, _, port = self.path.rpartition(":")
            self.close_connection = True
            try:
                with proxy.line((proxy.names.get(host, host), int(port))) as far:
                    self.send_response(200)
                    self.end_headers()
                    _pass_on(self.connection, far)
            except OSError as exc:
                self.send_error(502, str(exc))

        def do_GET(self) -> None:
            if not self._may():
                return
            parts = urlsplit(self.path)
            far = http.client.HTTPConnection(proxy.names.get(str(parts.hostname), str(parts.hostname)), parts.port)
            far.request("GET", parts.path, headers={"Host": self.headers["Host"]})
            answer = far.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            far.close()

        def _may(self) -> bool:
            proxy.asked.append(f"{self.command} {self.path}")
            if proxy.lets_in(self.headers.get("Proxy-Authorization", "")):
                return True
            self.send_error(407)
            return False

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    proxy.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    ends = {one: other, other: one}
    while True:
        held = [each for each in ends if isinstance(each, ssl.SSLSocket) and each.pending()]
        ready = held or select.select([*ends], [], [], 10)[0]
        for each in ready:
            try:
                data = each.recv(65536)
                ends[each].sendall(data)
            except OSError:
                return
            if not data:
                return
        if not ready:
            return
