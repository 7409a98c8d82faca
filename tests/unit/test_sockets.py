"""The loop of the server asks only those connections that something has happened to."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from waitress import wasyncore

from mypi.server.sockets import Sockets
from tests.system.test_server_hardening import GET, App, ask, running


class Ear(wasyncore.dispatcher):
    """A connection that counts how often it is asked what it wants."""

    def __init__(self, sock: socket.socket, sockets: Sockets) -> None:
        self.asked = 0
        self.speaks = False
        self.heard: list[bytes] = []
        self.hears: Callable[[], object] = lambda: None
        super().__init__(sock, map=sockets)

    def readable(self) -> bool:
        self.asked += 1
        return True

    def writable(self) -> bool:
        return self.speaks

    def handle_read(self) -> None:
        self.heard.append(self.recv(100))
        self.hears()

    def handle_write(self) -> None:
        self.send(b"said")
        self.speaks = False


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    made = Sockets()
    yield made
    made.close()


@pytest.fixture
def pairs(sockets: Sockets) -> Iterator[list[tuple[Ear, socket.socket]]]:
    """Three connections, and their other ends."""
    with ExitStack() as held:
        made = []
        for _ in range(3):
            near, far = socket.socketpair()
            made.append((Ear(held.enter_context(near), sockets), held.enter_context(far)))
        yield made


def test_who_is_idle_is_not_asked_again(sockets, pairs):
    (first, end), *others = pairs
    for number in range(5):
        sockets.wait(0)
        end.sendall(b"%d" % number)
    sockets.wait(0)
    assert first.heard == [b"0", b"1", b"2", b"3", b"4"]
    assert first.asked == 5
    assert [ear.asked for ear, _ in others] == [1, 1]


def test_who_has_something_to_say_is_let_speak_and_then_only_listens(sockets, pairs):
    (first, end), *_ = pairs
    first.speaks = True
    for _ in range(3):
        sockets.wait(0)
    assert end.recv(100) == b"said"
    end.sendall(b"answer")
    sockets.wait(0)
    assert first.heard == [b"answer"]


def test_a_wish_that_nobody_saw_is_seen_when_all_are_asked(sockets, pairs):
    (first, end), *_ = pairs
    sockets.wait(0)
    first.speaks = True
    end.setblocking(False)
    sockets.wait(0)
    with pytest.raises(BlockingIOError):
        end.recv(100)
    sockets.ask_all()
    sockets.wait(0)
    assert end.recv(100) == b"said"


def test_who_is_heeded_is_asked_once_more(sockets, pairs):
    (first, _), *_ = pairs
    sockets.wait(0)
    for _ in range(3):
        sockets.heed(first._fileno)
        sockets.wait(0)
        sockets.wait(0)
    assert first.asked == 4


def test_who_is_heeded_while_it_is_asked_is_asked_again(sockets, pairs):
    (first, end), *_ = pairs
    sockets.wait(0)

    class Late(Ear):
        """What a worker ends between two questions of the loop."""

        def readable(self) -> bool:
            if not self.speaks:
                self.speaks = True
                sockets.heed(self._fileno)
            return super().readable()

    first.__class__ = Late
    sockets.heed(first._fileno)
    sockets.wait(0)
    sockets.wait(0)
    assert end.recv(100) == b"said"


def test_who_is_heeded_and_gone_is_forgotten(sockets, pairs):
    (first, _), *_ = pairs
    number = first._fileno
    first.close()
    sockets.heed(number)
    sockets.wait(0)
    assert number not in sockets


def test_who_was_closed_by_what_another_heard_is_passed_over(sockets, pairs):
    (first, one), (second, two), _ = pairs
    first.hears, second.hears = second.close, first.close
    one.sendall(b"x")
    two.sendall(b"x")
    sockets.wait(0)
    assert len(first.heard) + len(second.heard) == 1
    assert len(sockets) == 2


def test_a_descriptor_that_is_closed_already_is_forgotten(sockets, pairs):
    (first, _), *_ = pairs
    sockets.wait(0)
    first.socket.close()
    first.del_channel()
    assert len(sockets) == 2
    sockets.wait(0)


def test_where_there_is_no_epoll_the_loop_of_waitress_serves(monkeypatch):
    monkeypatch.delattr(select, "epoll")
    with running(App()) as it:
        assert ask(it.port, GET).endswith(b"hello\n")


def test_select_serves_where_it_is_wished():
    with running(App(), asyncore_use_poll="false") as it:
        assert ask(it.port, GET).endswith(b"hello\n")
