"""Connections of urllib3 that go to addresses which were judged, and whose every wait counts against one deadline.

A time limit of urllib3 is one of each single wait: who sends a byte a second keeps it for ever.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError
from urllib3.util import parse_url

from ..upstreams import basic
from .addresses import Addresses

_KEPT_OPEN = 48
"""Connections to one host that are kept: as many as there are threads that fetch."""

_HOSTS = 32


@dataclass
class Clock:
    """The time that an exchange has left: ``until`` is by ``time.monotonic``, ``wait`` bounds each single wait."""

    until: float
    wait: float

    def left(self) -> float:
        """Return for how many seconds to wait now. Raises TimeoutError if there are none."""
        left = min(self.wait, self.until - time.monotonic())
        if left <= 0:
            raise TimeoutError("it is too slow")
        return left


_CLOCK: ContextVar[Clock | None] = ContextVar("clock", default=None)


@contextlib.contextmanager
def timed(clock: Clock) -> Iterator[None]:
    """Have all that this thread reads from the outside meanwhile count against a clock."""
    before = _CLOCK.get()
    _CLOCK.set(clock)
    try:
        yield
    finally:
        _CLOCK.set(before)


def _tick(sock: socket.socket) -> None:
    clock = _CLOCK.get()
    if clock:
        sock.settimeout(clock.left())


class _Socket(socket.socket):
    """A socket that looks at the clock before each wait."""

    def recv_into(self, *arguments: Any) -> int:
        _tick(self)
        return super().recv_into(*arguments)


class _TlsSocket(ssl.SSLSocket):
    """The same, encrypted. Its handshake has one time limit as a whole, by Python."""

    def recv_into(self, *arguments: Any) -> int:
        _tick(self)
        return super().recv_into(*arguments)

    def recv(self, *arguments: Any) -> bytes:
        """Read for a connection within this one, as through a proxy that is reached by TLS."""
        _tick(self)
        return super().recv(*arguments)


def connect(addresses: Addresses, host: str, port: int, *, trusted: bool) -> socket.socket:
    """Connect to the first address that takes it. Raises Garbage, OSError."""
    clock = _CLOCK.get() or Clock(time.monotonic() + 10, 10)
    found = addresses.find(host, port, clock.left(), trusted=trusted)
    failed: OSError = OSError("its name has no address")
    for tried, (family, where) in enumerate(found):
        sock = _Socket(family, socket.SOCK_STREAM)
        try:
            # One that swallows packets leaves time for the next.
            sock.settimeout(clock.left() / min(2, len(found) - tried))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(where)
        except OSError as exc:
            sock.close()
            failed = exc
        else:
            sock.settimeout(clock.left())
            return sock
    raise failed


def tls(ca: str | None) -> ssl.SSLContext:
    """Return how hosts prove who they are: by the authorities of a file, else by the system's or SSL_CERT_FILE."""
    context = ssl.create_default_context(cafile=ca)
    context.sslsocket_class = _TlsSocket
    return context


def manager(addresses: Addresses, context: ssl.SSLContext, proxy: str | None = None) -> PoolManager:
    """Return what keeps the connections to all hosts, perhaps through a proxy. Raises HTTPError if that is none."""
    shared: dict[str, Any] = {"num_pools": _HOSTS, "maxsize": _KEPT_OPEN, "ssl_context": context}
    made: PoolManager
    if proxy is None:
        made = PoolManager(**shared)
    else:
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        auth = parse_url(proxy).auth
        headers = {"Proxy-Authorization": basic(unquote(auth))} if auth else None
        made = ProxyManager(proxy, proxy_headers=headers, proxy_ssl_context=context, **shared)
    made.pool_classes_by_scheme = _pools(addresses)
    return made


def _pools(addresses: Addresses) -> dict[str, type[HTTPConnectionPool]]:
    """Return pools whose connections go where ``addresses`` lets them. What a proxy connects to is its own affair."""

    def opened(connection: HTTPConnection) -> socket.socket:
        try:
            return connect(addresses, connection.host, connection.port, trusted=connection.proxy is not None)
        except OSError as exc:
            raise NewConnectionError(connection, str(exc)) from exc

    # That method is what urllib3 itself replaces, for SOCKS. The name of the host stays that of the connection, so
    # that TLS asks for it and compares the certificate with it, whatever the address.
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return opened(self)

    class Tls(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return opened(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = Tls

    return {"http": PlainPool, "https": TlsPool}
