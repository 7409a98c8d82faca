"""One connection: its deadlines, and an end that lets the client read the answer."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from waitress.channel import HTTPChannel

from mypi.server.parser import Parser

if TYPE_CHECKING:
    from mypi.server.options import Rules

LINGER_PIECE = 256 * 1024

CROWDED = (
    b"HTTP/1.1 503 Service Unavailable. Too many connections\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 43\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
    b"Too many connections; try again in a while\n"
)


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection, in waitress' life cycle: read in the main thread, answered in a worker."""

    parser_class = Parser
    request: Parser | None
    requests: list[Parser]
    close_when_flushed: bool
    will_close: bool
    connected: bool
    server: Any
    total_outbufs_len: int

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:
        self._rules: Rules = adj.rules
        self._opened = time.monotonic()
        self._spoken = False
        self._refused = False
        self._lingering_since: float | None = None
        self._lingered = 0
        super().__init__(server, sock, addr, adj, map=map)

    @property
    def last_activity(self) -> float:
        """When bytes last moved; monotonic, because the wall clock may be set by a year."""
        return self._moved

    @last_activity.setter
    def last_activity(self, _: float) -> None:
        self._moved = time.monotonic()

    def turn_away(self) -> None:
        """Answer that there is no room, and end."""
        with suppress(OSError):
            self.socket.send(CROWDED)
        self.handle_close()

    def received(self, data: bytes) -> bool:
        """Take bytes of one request or several."""
        self._spoken = True
        return bool(super().received(data))

    def service(self) -> None:
        """Answer the first request, in a worker thread."""
        refusal = self.requests[0].error
        self._refused = refusal is not None
        if self._refused:
            self._rules.refused(refusal.code)
        if self.server.stopping:
            # The client's next request is for another process; waitress reads here whether there may be one.
            self.requests[0].headers["CONNECTION"] = "close"
        super().service()

    def handle_read(self) -> None:
        """Read, or read and forget."""
        if self._lingering_since is None:
            super().handle_read()
            return
        try:
            data = self.recv(LINGER_PIECE)  # closes at the end of the stream
        except OSError:
            self.handle_close()
            return
        self.last_activity = 0.0
        self._lingered += len(data)
        if self._lingered > self._rules.linger_bytes:
            self.handle_close()

    def handle_write(self) -> None:
        """Send what is there; after a refusal stay to read.

        Closing a socket with unread bytes sends a reset, which takes the answer from a client that is still sending.
        """
        if not (self._refused and self.close_when_flushed) or self.will_close:
            super().handle_write()
            return
        self._flush_exception(self._flush_some)
        if self.total_outbufs_len or not self.connected:
            return
        self.close_when_flushed = False
        self._drop_request()
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.will_close = True
        self._lingering_since = time.monotonic()
        self.last_activity = 0.0

    def handle_close(self) -> None:
        """End, and free what an unfinished request holds."""
        self._drop_request()
        super().handle_close()

    def busy(self) -> bool:
        """Say whether somebody waits for something, so that a graceful stop waits too."""
        waiting = self.requests or self.request is not None or self.total_outbufs_len
        return bool(waiting) or self._lingering_since is not None

    def overdue(self, now: float) -> bool:
        """Say whether a deadline has passed. `now` is monotonic."""
        rules = self._rules
        timeout: float = self.adj.channel_timeout
        idle = now - self.last_activity
        if self._lingering_since is not None:
            return now - self._lingering_since > rules.linger or idle > rules.linger_idle
        if self.requests:
            if self.request is not None and self.request.head_done is not None:
                # Nothing is read while an earlier request is worked on: the body's clock starts afterwards.
                self.request.head_done = now
            return idle > timeout and self._stalled()
        request = self.request
        if request is None:
            return idle > (timeout if self._spoken else rules.header_timeout)
        if request.head_done is None:
            return now - request.born > rules.header_timeout
        elapsed = now - request.head_done
        if elapsed > rules.body_grace and request.body_bytes_received < elapsed * rules.body_rate:
            return True
        return idle > timeout

    def _stalled(self) -> bool:
        """Say whether a worker waits for a client that takes nothing."""
        # Who holds the lock is sending just now; a worker that waits for room has let go of it.
        if not self.outbuf_lock.acquire(blocking=False):
            return False
        try:
            return bool(self.total_outbufs_len)
        finally:
            self.outbuf_lock.release()

    def _drop_request(self) -> None:
        request, self.request = self.request, None
        if request is not None:
            request.close()
