"""A front that speaks TLS on loopback and hands on what it gets, for clients that speak nothing else."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from socketserver import BaseRequestHandler, ThreadingTCPServer


class _Front(ThreadingTCPServer):
    """Waits for all its connections when it ends."""

    daemon_threads = False
    block_on_close = True


@contextlib.contextmanager
def tls(context: ssl.SSLContext, port: int) -> Iterator[str]:
    """Stand before a port of loopback until the block ends; gives the https address."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                self.request.settimeout(60)
                with (
                    context.wrap_socket(self.request, server_side=True) as outer,
                    socket.create_connection(("127.0.0.1", port), timeout=60) as inner,
                ):
                    back = threading.Thread(target=_hand_on, args=(inner, outer))
                    back.start()
                    _hand_on(outer, inner)
                    back.join()

    with _Front(("127.0.0.1", 0), Handler) as front:
        thread = threading.Thread(target=front.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{front.server_address[1]}"
        finally:
            front.shutdown()
            thread.join()


def _hand_on(source: socket.socket, target: socket.socket) -> None:
    """Hand bytes on until one side ends."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
