"""What the tests of upstream files share: what the upstream has, where we have it, and what is kept of it."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import threading
from collections.abc import Callable, Iterator

from mypi.store import Store
from mypi.upstream import Space
from tests import upstreams
from tests.builders import wheel
from tests.functional.conftest import Index

NAME, CONTENT = wheel()
PROJECT = "acme-lib"
LARGE = "acme_lib-2.0.tar.gz"
BIG = os.urandom(3 * 1024 * 1024)


def token(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def address(filename: str = NAME, content: bytes = CONTENT) -> str:
    return f"/files/{PROJECT}/{token(content)}/{filename}"


@contextlib.contextmanager
def indexed(upstream: upstreams.Upstream, store: Store, **settings: str) -> Iterator[Index]:
    """Run an index before the upstream."""
    index = Index.over(store, **upstream.settings(**settings))
    try:
        yield index
    finally:
        index.repository.close()


def kept(index: Index) -> dict[str, int]:
    """What is kept, by file name, and how large."""
    return {item.filename: item.kept.size for item in Space(index.repository.outside, None).kept()}


def keys_of(index: Index) -> list[str]:
    """The keys of all bytes of other indexes in the store."""
    return [entry.key for entry in index.repository.outside.bytes()]


def fetched(port: int, path: str, begun: Callable[[], None] | None = None) -> tuple[int, dict[str, str], bytes]:
    """What a client over the network gets; raises IncompleteRead where that is not whole.

    ``begun`` is called when the answer has begun, before its body is read.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        if begun:
            begun()
        return answer.status, dict(answer.headers), answer.read()


class Halves:
    """A fault that sends half of a file, then a byte now and then, and the rest when the test says.

    It says how much there is if it is ``announced``.
    ``sent`` is how many bytes come before the connection ends, None for all.
    """

    def __init__(self, content: bytes, *, announced: bool = True, sent: int | None = None) -> None:
        self._content = content
        self._announced = announced
        self._sent = len(content) if sent is None else sent
        self._rest = threading.Event()

    def __call__(self, exchange: upstreams.Exchange) -> None:
        exchange.send_response(200)
        if self._announced:
            exchange.send_header("Content-Length", str(len(self._content)))
        else:
            exchange.send_header("Connection", "close")
        exchange.end_headers()
        at, upto = 0, len(self._content) // 2
        while at < upto:
            exchange.wfile.write(self._content[at:upto])
            at, upto = upto, self._sent if self._rest.wait(0.1) else min(upto + 1, self._sent)
        exchange.close_connection = True

    def rest(self) -> None:
        """Let the rest come."""
        self._rest.set()
