"""The sockets of the server, waited for at a cost that does not grow with those that are idle.

waitress' own loop asks each connection before each wait whether it wants to read or write. Beside ten thousand idle
ones that leaves a few rounds a second for those that work. Here a connection is asked again only when something has
happened to it, when it has something to write, and when a worker has it heeded.
"""

from __future__ import annotations

import select
from contextlib import suppress
from typing import Any

from waitress import wasyncore

_READ, _WRITE = select.POLLIN | select.POLLPRI, select.POLLOUT


class Sockets(dict[int, Any]):
    """The map of waitress' loop: by descriptor the connections, the listeners and the trigger of the workers.

    Where there is no epoll, ``wait`` is waitress' own loop.
    """

    def __init__(self, *, use_poll: bool = True) -> None:
        super().__init__()
        self._use_poll = use_poll
        self._epoll = select.epoll() if use_poll and hasattr(select, "epoll") else None
        self._wanted: dict[int, int] = {}
        self._lively: set[int] = set()

    def __setitem__(self, number: int, each: Any) -> None:
        super().__setitem__(number, each)
        self._lively.add(number)

    def __delitem__(self, number: int) -> None:
        super().__delitem__(number)
        self._lively.discard(number)
        self._want(number, 0)

    def heed(self, number: int) -> None:
        """Ask a connection again at the next wait; for a worker, which changed its wishes and wakes the loop next."""
        self._lively.add(number)

    def ask_all(self) -> None:
        """Ask every connection again, so that none waits for ever whose wish was overlooked."""
        self._lively.update(self)

    def wait(self, timeout: float) -> None:
        """Wait until something happens, at most so many seconds, and let it be handled."""
        if self._epoll is None:
            wasyncore.loop(timeout=timeout, use_poll=self._use_poll, map=self, count=1)
            return
        for number in list(self._lively):
            # Taken out before it is asked, so that who is heeded meanwhile stays in.
            self._lively.discard(number)
            each = self.get(number)
            if each is not None:
                self._ask(number, each)
        for number, flags in self._epoll.poll(timeout):
            each = self.get(number)
            if each is not None:  # else it was closed by what was handled just before
                self._lively.add(number)
                wasyncore.readwrite(each, flags)

    def close(self) -> None:
        """Forget all."""
        self.clear()
        if self._epoll is not None:
            self._epoll.close()

    def _ask(self, number: int, each: Any) -> None:
        writable = each.writable() and not each.accepting
        readable = each.readable()
        if writable:
            self._lively.add(number)
        self._want(number, (_READ if readable else 0) | (_WRITE if writable else 0))

    def _want(self, number: int, flags: int) -> None:
        before = self._wanted.pop(number, 0)
        if flags:
            self._wanted[number] = flags
        if self._epoll is None or flags == before:
            return
        with suppress(OSError):  # its descriptor may be closed by now
            if not flags:
                self._epoll.unregister(number)
            elif before:
                self._epoll.modify(number, flags)
            else:
                self._epoll.register(number, flags)
