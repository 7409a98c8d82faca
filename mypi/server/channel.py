"""One connection: its deadlines, and an end that lets the client read the answer."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.utilities import InternalServerError

from mypi.server.parser import Parser

if TYPE_CHECKING:
    from mypi.server.options import Rules

log = logging.getLogger(__name__)

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
    current_outbuf_count: int
    sent_continue: bool

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:
        self._rules: Rules = adj.rules
        self._opened = time.monotonic()
        self._spoken = False
        self._refused = False
        self._lingering_since: float | None = None
        self._lingered = 0
        self._parked = self._sending = False
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
        """Answer the first request, in a worker thread.

        waitress sends the head and the body of an answer each by itself, and wakes the loop after it to have the
        connection watched again. Each of these lets another thread run, and waiting for one's turn again costs more
        than all the rest. Here an answer of usual size is sent at once, and the loop is woken only if it has to do
        something; see docs/decisions/server.rst.
        """
        request = self.requests[0]
        refusal = request.error
        self._refused = refusal is not None
        if self._refused:
            self._rules.refused(refusal.code)
        if self.server.stopping:
            # The client's next request is for another process; waitress reads here whether there may be one.
            request.headers["CONNECTION"] = "close"
        last = self._answer(request)
        with self.requests_lock:
            self._done(request, last)
        # Only now, as the client's next request may come before this thread has its turn again.
        self._flush()
        self.last_activity = 0.0
        if self._parked or self.writable() or not self.connected:
            self._map.heed(self._fileno)
            self.server.pull_trigger()

    def _answer(self, request: Parser) -> bool:
        """Put an answer into the buffers; return whether it is the connection's last."""
        task = (self.error_task_class if request.error else self.task_class)(self, request)
        try:
            if self.connected:
                task.service()
                return bool(task.close_on_finish)
        except ClientDisconnected:
            log.info("Client disconnected while serving %s", ascii(request.path))
        except Exception:
            log.exception("Exception while serving %s", ascii(request.path))
            if not task.wrote_header:
                self._apologise(request)
        return True

    def _apologise(self, request: Parser) -> None:
        """Answer 500 to what the application could not answer itself."""
        request.error = InternalServerError("The server encountered an unexpected internal server error")
        with suppress(ClientDisconnected):
            self.error_task_class(self, request).service()

    def _done(self, request: Parser, last: bool) -> None:
        """Go on to the next request, or to the end. Its caller holds the lock of the requests."""
        if last:
            self.close_when_flushed = True
            for each in self.requests:
                each.close()
            self.requests = []
            return
        # The next answer begins a buffer of its own; one for all would grow as long as the connection is open.
        if self.current_outbuf_count > 0:
            self.current_outbuf_count = self.adj.outbuf_high_watermark
        request.close()
        self.requests.pop(0)
        if self.connected and self.requests:
            self.server.add_task(self)
        elif self.connected and self.request is not None and self._awaits_continue(self.request):
            self.send_continue()

    def _awaits_continue(self, request: Parser) -> bool:
        """Say whether a client waits to be told to send its body; not told before, as answers keep their order."""
        return bool(request.expect_continue and request.headers_finished and not self.sent_continue)

    def writable(self) -> bool:
        """Say to the loop whether there is something to write, or to end.

        Not what a worker is sending just now: the loop could not send it, and would ask again and again, which takes
        the worker's turn.
        """
        return bool(self.will_close or self.close_when_flushed or (self.total_outbufs_len and not self._sending))

    def _flush_some(self, do_close: bool = True) -> bool:
        """Send what the socket takes. Its caller holds the lock of the buffers."""
        self._sending = True
        try:
            return bool(super()._flush_some(do_close=do_close))
        finally:
            self._sending = False
            if self.total_outbufs_len:
                self._map.heed(self._fileno)

    def _flush(self) -> None:
        if self.total_outbufs_len:
            with self.outbuf_lock:
                self._flush_exception(self._flush_some, do_close=False)

    def readable(self) -> bool:
        """Say to the loop whether to watch for bytes.

        Also while a worker has a request: most clients wait for its answer, and so nobody has to wake the loop to watch
        again. What comes earlier parks the connection, until its answers are sent.
        """
        if self.will_close or self.close_when_flushed:
            return False
        if self._parked and not self.requests and not self.total_outbufs_len:
            self._parked = False
        return not self._parked

    def _park(self) -> bool:
        """Let bytes wait for as long as answers are made or sent; return whether they have to."""
        # With the lock, a worker that is about to end sees that it has to wake the loop.
        with self.requests_lock:
            self._parked = bool(self.requests or self.total_outbufs_len)
            return self._parked

    def handle_read(self) -> None:
        """Read, or read and forget."""
        if self._lingering_since is None:
            if not self._park():
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
        self._flush_exception(self._flush_some_if_lockable)
        if self.close_when_flushed and not self.total_outbufs_len and self.connected:
            self.close_when_flushed = False
            if self._refused and not self.will_close:
                self._linger()
                return
            self.will_close = True
        if self.will_close:
            self.handle_close()

    def _linger(self) -> None:
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
