"""The end of a server: what is in flight is finished within a limit, new work is refused, and readiness says so."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mypi import server
from mypi.application import application
from mypi.repository import Repository
from mypi.settings import Settings
from mypi.store import Source, Store
from mypi.testing.doubles import WrappedStore
from tests.system import processes
from tests.system.processes import Package, wheel
from tests.waiting import until

PACKAGE = wheel("acme-lib", "1.0", 100_000)


class Slow(WrappedStore):
    """Takes a file only when its gate is open, and says when it was asked to."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.gate, self.asked = threading.Event(), threading.Event()
        self.gate.set()

    def _add(self, key: str, source: Source, size: int) -> None:
        self.asked.set()
        assert self.gate.wait(30)
        super()._add(key, source, size)


@contextlib.contextmanager
def running(folder: Path, **options: str) -> Iterator[SimpleNamespace]:
    """Serve an index kept in a folder, in a thread, through mypi's own server."""
    settings = Settings.load(
        {"mypi.storage": "filesystem", "mypi.storage.path": str(folder), "mypi.upload": "everyone"}, {}
    )
    store = Slow(settings.storage.open())
    repository = Repository(store, store, settings)
    service = server.service(application(settings, repository), listen="127.0.0.1:0", **options)
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        yield SimpleNamespace(
            service=service,
            thread=thread,
            store=store,
            port=int(service.listeners[0].effective_port),
            listed=lambda: [file.filename for file in repository.project("acme-lib").value.live],
        )
    finally:
        store.gate.set()
        service.stop()
        service.stop()
        thread.join(30)
        assert not thread.is_alive()
        repository.close()


class Upload:
    """An upload of which only the first half was sent."""

    def __init__(self, port: int, package: Package = PACKAGE) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        kind, self._body = package.form()
        self._half = len(self._body) // 2
        head = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {len(self._body)}\r\n\r\n"
        self.socket.sendall(head.encode() + self._body[: self._half])

    def send_rest(self) -> None:
        self.socket.sendall(self._body[self._half :])

    def answer(self) -> http.client.HTTPResponse:
        found = http.client.HTTPResponse(self.socket)
        found.begin()
        found.read()
        return found

    def to_the_end(self) -> bytes:
        """Return what comes until the connection ends, which may be by a reset."""
        came = b""
        with contextlib.suppress(ConnectionError):
            while piece := self.socket.recv(65536):
                came += piece
        return came

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def begun(it: Any) -> Callable[[], bool]:
    """Say whether the server has begun to read a request's body."""
    return lambda: any(
        channel.request is not None and channel.request.body_bytes_received
        for channel in it.service.listeners[0].active_channels.values()
    )


def ask(port: int, path: str) -> http.client.HTTPResponse:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.body = answer.read()  # type: ignore[attr-defined]
        return answer


def test_an_upload_in_flight_is_finished_and_new_work_refused(tmp_path: Path) -> None:
    with running(tmp_path / "var") as it, Upload(it.port) as upload:
        until(begun(it))
        it.service.stop()
        until(lambda: not it.service.listeners[0].accepting)
        with pytest.raises(ConnectionError):
            ask(it.port, "/simple/")
        upload.send_rest()
        answer = upload.answer()
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        it.thread.join(30)
        assert it.listed() == [PACKAGE.filename]


def test_after_the_limit_an_unfinished_upload_is_dropped_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    with running(folder, graceful_timeout="0.2") as it, Upload(it.port) as upload:
        until(begun(it))
        it.service.stop()
        assert upload.to_the_end() == b""
        it.thread.join(30)
        assert not it.thread.is_alive()
        assert list((folder / ".spool").iterdir()) == []
        with pytest.raises(KeyError):
            it.listed()


def test_after_the_limit_nothing_is_promised_of_what_the_store_is_taking_in(tmp_path: Path) -> None:
    """The client gets no answer and sends again. In a process of its own the worker ends with it, as by a kill."""
    with running(tmp_path / "var", graceful_timeout="0.2") as it, Upload(it.port) as upload:
        it.store.gate.clear()
        upload.send_rest()
        assert it.store.asked.wait(30)
        it.service.stop()
        assert upload.to_the_end() == b""
        it.thread.join(30)
        with pytest.raises(KeyError):
            it.listed()


def test_while_it_drains_requests_are_taken_and_readiness_says_no(tmp_path: Path) -> None:
    with running(tmp_path / "var", drain="3600") as it, Upload(it.port) as upload:
        assert ask(it.port, "/+ready").status == 200
        until(begun(it))
        it.service.stop()
        ready = ask(it.port, "/+ready")
        assert (ready.status, ready.headers["Connection"]) == (503, "close")
        assert b"being stopped" in ready.body  # type: ignore[attr-defined]
        assert ask(it.port, "/simple/").status == 200
        upload.send_rest()
        assert upload.answer().status == 200
        assert it.thread.is_alive()
        it.service.stop()
        it.thread.join(30)
        assert not it.thread.is_alive()


def test_who_keeps_a_connection_open_is_told_to_come_back_elsewhere(tmp_path: Path) -> None:
    with running(tmp_path / "var", drain="3600") as it:
        kept = http.client.HTTPConnection("127.0.0.1", it.port, timeout=30)
        with contextlib.closing(kept):
            assert _asked_on(kept).will_close is False
            it.service.stop()
            assert _asked_on(kept).will_close is True


def _asked_on(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    connection.request("GET", "/simple/")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    return answer


def test_sigterm_ends_a_real_server_after_its_upload(tmp_path: Path) -> None:
    path = processes.ini(tmp_path, processes.free_port(), server="drain = 3600")
    with processes.pserve(path) as it, Upload(it.port) as upload:
        assert it.get("/+ready").status == 200
        it.process.send_signal(signal.SIGTERM)
        until(lambda: it.get("/+ready").status == 503)
        upload.send_rest()
        assert upload.answer().status == 200
        assert it.fetch("acme-lib", PACKAGE.filename) == PACKAGE.data
        assert it.stop() == 0, "the second signal does not wait"
        assert "Traceback" not in it.said
