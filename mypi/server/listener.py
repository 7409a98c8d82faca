"""The listening sockets and the loop that serves them until it is told to stop."""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import resource
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer, UnixWSGIServer
from waitress.utilities import cleanup_unix_socket

from mypi.options import SettingError
from mypi.server.channel import Channel
from mypi.server.options import Rules
from mypi.server.peers import judging, knowing
from mypi.server.sockets import Sockets
from mypi.server.workers import Workers

log = logging.getLogger(__name__)
crowd = logging.getLogger("mypi.server.crowd")  # made sparse, because an attacker writes it

# Descriptors besides those of connections: store, logs, listeners; and what one connection may hold: its socket, its
# body, the file that it sends.
_SPARE, _EACH = 64, 3

_TOGETHER = 16 * 1024
"""Bytes of an answer that are gathered before any is sent."""

_AT_ONCE = 64
"""Connections that are accepted in one round of the loop."""


class CannotListen(OSError):
    """An address that cannot be listened on; the message is one sentence."""


def exempt(address: str, trusted: str | None) -> bool:
    """Say whether an address may hold any number of connections.

    The trusted proxy speaks for everybody; what comes from this machine is a proxy that nobody named, or its owner.

    >>> exempt("127.0.0.1", None), exempt("192.0.2.1", None), exempt("192.0.2.1", "192.0.2.1")
    (True, False, True)
    """
    if trusted in ("*", address):
        return True
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return True  # a Unix socket


class _Guarded:
    """What both kinds of listener add to waitress': the channel, the limits, the deadlines."""

    channel_class = Channel
    exempt: Callable[[str, str | None], bool] = staticmethod(exempt)
    adj: Any
    stopping = False
    active_channels: dict[int, Channel]

    def readable(self) -> bool:
        """Accept always: what is too much is answered, instead of left waiting in the backlog."""
        return True

    def add(self, channel: Channel) -> None:
        """Look at a connection that was just accepted."""
        rules: Rules = self.adj.rules
        address = channel.addr[0]
        if len(self.active_channels) > rules.connection_limit:
            crowd.warning("Turned %s away: connection_limit is %d", address, rules.connection_limit)
            channel.turn_away()
        elif not self.exempt(address, self.adj.trusted_proxy):
            held = sum(other.addr[0] == address for other in self.active_channels.values())
            if held > rules.per_address:
                crowd.warning("Turned %s away: per_address is %d", address, rules.per_address)
                channel.turn_away()

    def handle_accept(self) -> None:
        """Accept who waits; not without end, for the others wait too."""
        for _ in range(_AT_ONCE):
            before = len(self.active_channels)
            super().handle_accept()  # type: ignore[misc]  # of waitress' listener, which stands behind in the order
            if len(self.active_channels) == before:
                return
            self.add(next(reversed(self.active_channels.values())))

    def tend(self, now: float, *, stopping: bool) -> int:
        """Close what is overdue, and when stopping what is idle; return the number of busy connections."""
        busy = 0
        for channel in list(self.active_channels.values()):
            if channel.overdue(now) or (stopping and not channel.busy()):
                channel.handle_close()
            else:
                busy += channel.busy()
        return busy


class TcpListener(_Guarded, TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    """A listener on a host and a port."""


class UnixListener(_Guarded, UnixWSGIServer):  # type: ignore[misc]
    """A listener on a path."""


def bind(adj: Any) -> list[tuple[Any, socket.socket]]:
    """Take the addresses, without listening yet; raise `CannotListen` where one is taken or not ours."""
    infos = [(socket.AF_UNIX, socket.SOCK_STREAM, 0, adj.unix_socket)] if adj.unix_socket else adj.listen
    bound: list[tuple[Any, socket.socket]] = []
    for info in infos:
        family, kind, _, address = info
        sock = socket.socket(family, kind)
        bound.append((info, sock))
        try:
            if family == socket.AF_UNIX:
                _bind_path(sock, address, adj.unix_socket_perms)
                continue
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)
        except OSError as exc:
            for _, each in bound:
                each.close()
            where = address if family == socket.AF_UNIX else f"{address[0]} port {address[1]}"
            raise CannotListen(
                f"Cannot listen on {where}: {exc.strerror}. Another server may be running there; stop it, or choose "
                "another place in [server:main]"
            ) from exc
    return bound


def _bind_path(sock: socket.socket, path: str, mode: int) -> None:
    """Bind a Unix socket; one that nobody answers at is the rest of a server that was killed."""
    with suppress(FileNotFoundError, ConnectionRefusedError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(path)
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    cleanup_unix_socket(path)
    sock.bind(path)
    Path(path).chmod(mode)


def adjust(rules: Rules, keywords: dict[str, Any]) -> Any:
    """Return waitress' adjustments with mypi's rules on them."""
    try:
        adj = Adjustments(**keywords)
    except ValueError as exc:
        raise SettingError(f"[server:main] {exc}") from exc
    adj.rules = rules
    # mypi's own limits apply; waitress' must never come first.
    adj.connection_limit = 1 << 30
    # Below it an answer waits for its end, so that its head and its body go out together.
    adj.send_bytes = _TOGETHER
    adj.max_request_body_size = 1 << 62
    return adj


def room(wanted: int) -> int:
    """Return how many connections the process may hold, after raising its limit of descriptors where that is allowed.

    Without a descriptor for the next connection waitress would turn in a circle, logging each round.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = wanted * _EACH + _SPARE
    if soft < need:
        soft = min(need, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < need:
        wanted = max(1, (soft - _SPARE) // _EACH)
        log.warning("Only %d connections at once: the limit of open files is %d (ulimit -n)", wanted, soft)
    return wanted


class Service:
    """Listeners, worker threads and the loop between them; ``told`` is called when it is to stop."""

    def __init__(
        self, app: Any, adj: Any, bound: list[tuple[Any, socket.socket]], told: Callable[[], None] = lambda: None
    ) -> None:
        self._adj = adj
        self._map = Sockets(use_poll=adj.asyncore_use_poll)
        self._stop_by: float | None = None
        self._drain_until = 0.0
        self._told = told
        self._ended = False
        self._workers = Workers(adj.threads)
        common = {"map": self._map, "dispatcher": self._workers, "adj": adj}
        self.listeners: list[Any] = [
            (UnixListener if info[0] == socket.AF_UNIX else TcpListener)(
                knowing(app), _sock=sock, sockinfo=info, bind_socket=False, **common
            )
            for info, sock in bound
        ]
        for each in self.listeners:
            # Around waitress' own wrapper, which puts the client's address in the place of the proxy's.
            each.application = judging(each.application, adj.trusted_proxy, adj.rules.user_header)

    @property
    def addresses(self) -> list[str]:
        """Where it listens, as a person would type it."""
        pairs = [(each.effective_host, each.effective_port) for each in self.listeners]
        return [
            f"unix:{port}" if host == "unix" else f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            for host, port in pairs
        ]

    def run(self) -> None:
        """Serve until `stop`."""
        rules: Rules = self._adj.rules
        next_look = 0.0
        while True:
            self._map.wait(rules.tick)
            now, stop_by = time.monotonic(), self._stop_by
            if now < next_look and stop_by is None:
                continue
            next_look = now + rules.tick
            self._map.ask_all()
            ending = stop_by is not None and now >= self._drain_until
            if ending:
                self._stop_listening()
            busy = sum(each.tend(now, stopping=ending) for each in self.listeners)
            if stop_by is not None and ending and (not busy or now > stop_by):
                break
        if busy:
            log.warning("Stopped with %d connection(s) unfinished after graceful_timeout", busy)
        self._end()

    def stop(self) -> None:
        """Let the loop end when what is in flight is done; at once when called again. Safe in a signal handler."""
        now, again, rules = time.monotonic(), self._stop_by is not None, self._adj.rules
        self._told()
        for each in self.listeners:
            each.stopping = True
        self._drain_until = now if again else now + rules.drain
        self._stop_by = now if again else self._drain_until + rules.graceful_timeout
        if not self._ended:
            # Afterwards the trigger's descriptor may be somebody else's file.
            self.listeners[0].pull_trigger()

    def _stop_listening(self) -> None:
        for each in self.listeners:
            # Not its own close(), which ends the trigger that connections in flight still use.
            if each.accepting:
                each.accepting = False
                wasyncore.dispatcher.close(each)

    def _end(self) -> None:
        self._ended = True
        self._workers.shutdown(timeout=1)
        for listener in self.listeners:
            for channel in list(listener.active_channels.values()):
                channel.handle_close()
        for each in list(self._map.values()):
            with suppress(OSError):
                each.close()
        self._map.close()
