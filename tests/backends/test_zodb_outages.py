"""ZEO and PostgreSQL go away while mypi serves: requests fail within seconds, and recover by themselves."""

from __future__ import annotations

import io
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest

from mypi.backends.zodb import ZodbStore, database
from mypi.store import Conflict, NotFound, Tag, Unavailable
from tests import services, stores
from tests.services import Postgres, Service, Zeo
from tests.waiting import until

DOCUMENT = "indexes/main/acme.json"
FILE = "files/main/acme/1/acme-1.0.tar.gz"
T = TypeVar("T")


class Served(NamedTuple):
    """A server of the test's own, and how to open a store on it."""

    server: Service
    opened: Callable[[], ZodbStore]


@pytest.fixture(params=["zeo", "postgresql"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / "cache"
    if request.param == "zeo":
        with services.running(Zeo, tmp_path / "server") as zeo:
            uri = stores.zeo_uri(zeo, folder).replace("wait_timeout=10", "wait_timeout=1")
            yield Served(zeo, lambda: ZodbStore(uri=uri))
    else:
        # Not below tmp_path: each start of pytest shuts pytest's own folder to others, and PostgreSQL is another user.
        folder_of_server = tempfile.TemporaryDirectory(prefix="mypi-services-")
        with folder_of_server as place, services.running(Postgres, Path(place) / "server") as postgres:
            yield Served(postgres, lambda: ZodbStore(uri=stores.postgres_uri(postgres, folder)))


def add(store: ZodbStore, key: str, data: bytes = b"bytes") -> None:
    store.add(key, io.BytesIO(data), len(data))


def recovered(call: Callable[[], T]) -> T:
    """Return what a call gives once the server is back, which may take ten seconds."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return call()
        except Unavailable:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_requests_fail_while_the_server_is_away_and_recover(served: Served) -> None:
    store = served.opened()
    store.check()
    tag = store.swap(DOCUMENT, b"1", None)
    add(store, FILE)
    served.server.kill()
    calls: list[Callable[[], object]] = [
        lambda: store.read(DOCUMENT),
        lambda: store.swap(DOCUMENT, b"2", tag),
        lambda: add(store, FILE + ".metadata"),
        lambda: store.delete(FILE),
        lambda: list(store.list()),
        lambda: store.maintain(time.time()),
        store.check,
    ]
    for call in calls:
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"does not answer .*; is its server up"):
            call()
        assert time.monotonic() - began < 30
    served.server.start()
    assert recovered(lambda: store.read(DOCUMENT)) == (b"1", tag)
    add(store, FILE + ".metadata")
    store.swap(DOCUMENT, b"2", tag)
    assert [entry.key for entry in store.list("files/")] == [FILE, FILE + ".metadata"]
    store.close()


def test_a_server_that_holds_the_connection_and_answers_nothing_is_no_hang(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LONGEST_WAIT", 1)
    store = served.opened()
    store.check()
    tag = store.swap(DOCUMENT, b"1", None)
    with served.server.frozen():
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(Unavailable, match=r"does not answer \((nothing within|.*timeout).*; is its server up"):
                store.read(DOCUMENT)
            assert time.monotonic() - began < 30
    assert recovered(lambda: store.read(DOCUMENT)) == (b"1", tag)
    store.close()


def test_a_server_that_is_away_at_the_start_is_told_soon(served: Served) -> None:
    served.server.stop()
    began = time.monotonic()
    with pytest.raises(
        Unavailable, match=r"the ZEO server does not answer; start it|Connection refused; is PostgreSQL"
    ):
        served.opened()
    assert time.monotonic() - began < 30


def test_store_closes_although_its_server_is_gone(served: Served) -> None:
    store = served.opened()
    store.check()
    served.server.kill()
    with pytest.raises(Unavailable):
        store.read(DOCUMENT)
    store.close()
    store.close()


class Writer(threading.Thread):
    """Adds a file and raises the number in a document of its own, until told to stop; keeps what was acknowledged."""

    def __init__(self, store: ZodbStore, name: str, done: threading.Event) -> None:
        super().__init__()
        self.store = store
        self.key = f"indexes/main/{name}.json"
        self.prefix = f"files/main/{name}/"
        self.done = done
        self.acknowledged = 0
        self.files: list[str] = []
        self.unavailable = 0
        self.slowest = 0.0
        self.trouble: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.done.is_set():
                began = time.monotonic()
                try:
                    self.step()
                except Unavailable:
                    self.unavailable += 1
                    time.sleep(0.05)
                self.slowest = max(self.slowest, time.monotonic() - began)
        except BaseException as exc:
            self.trouble = exc

    def step(self) -> None:
        tag: Tag | None
        try:
            data, tag = self.store.read(self.key)
        except NotFound:
            data, tag = b"0", None
        key = f"{self.prefix}{time.monotonic_ns()}"
        add(self.store, key)
        self.files.append(key)
        # Nobody else writes this document: a conflict would be the store's own doing.
        self.store.swap(self.key, b"%d" % (int(data) + 1), tag)
        self.acknowledged += 1


def test_nothing_acknowledged_is_lost_when_the_server_is_killed_under_load(served: Served) -> None:
    store = served.opened()
    store.check()
    done = threading.Event()
    writers = [Writer(store, f"writer{number}", done) for number in range(6)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(2):
            until(lambda: all(writer.acknowledged for writer in writers))
            served.server.kill()
            time.sleep(0.3)
            served.server.start()
            began = time.monotonic()
            before = [writer.acknowledged for writer in writers]
            until(lambda: all(w.acknowledged > b for w, b in zip(writers, before, strict=True)))  # noqa: B023
            assert time.monotonic() - began < 30
    finally:
        done.set()
        for writer in writers:
            writer.join(30)
    assert [writer.trouble for writer in writers] == [None] * len(writers)
    assert sum(writer.unavailable for writer in writers)
    assert max(writer.slowest for writer in writers) < 30
    for writer in writers:
        assert int(store.read(writer.key)[0]) >= writer.acknowledged
        listed = {entry.key for entry in store.list(writer.prefix)}
        assert set(writer.files) <= listed
        assert store.read(writer.files[0])[0] == b"bytes"
    store.close()


def test_a_read_right_after_a_commit_elsewhere_is_never_stale(served: Served) -> None:
    ours, theirs = served.opened(), served.opened()
    ours.check()
    tag = ours.swap(DOCUMENT, b"0", None)
    for number in range(1, 101):
        tag = ours.swap(DOCUMENT, b"%d" % number, tag)
        assert theirs.read(DOCUMENT) == (b"%d" % number, tag)
        with pytest.raises(Conflict):
            theirs.swap(DOCUMENT, b"mine", None)
    ours.close()
    theirs.close()
