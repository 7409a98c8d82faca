"""What the tests of upstream files share: what the upstream has, where we have it, and what is kept of it."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import time
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


def until(test: Callable[[], object], seconds: float = 10) -> None:
    """Wait until something holds: a fetch goes on after its last reader has all bytes."""
    end = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < end
        time.sleep(0.01)


def fetched(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """What a client over the network gets; raises IncompleteRead where that is not whole."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
