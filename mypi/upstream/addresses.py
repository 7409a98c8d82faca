"""Where the name of a host leads: looked up within a time limit, and into a private network only if that is allowed.

A connection is made to an address that was judged here, so that no second answer of the DNS can lead elsewhere (threat
38).
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from typing import Any

from .errors import Garbage

Address = tuple[int, Any]
"""The family of an address, and what a socket of that family connects to."""

_GLOBAL = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Addresses:
    """Looks hosts up. Those in a private network are refused unless ``private``. Methods may be called in any thread.

    ``resolve`` is as ``socket.getaddrinfo``.
    """

    def __init__(self, *, private: bool, resolve: Callable[..., Sequence[Any]] = socket.getaddrinfo) -> None:
        self._private = private
        self._resolve = resolve
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, int], Future[list[Address]]] = {}

    def find(self, host: str, port: int, seconds: float, *, trusted: bool = False) -> list[Address]:
        """Return the addresses of a host that may be connected to, of a ``trusted`` one all.

        Raises Garbage if there are only others; OSError if there are none, or within so many seconds.
        """
        try:
            found = self._look_up(host, port).result(seconds)
        except Late as exc:
            raise TimeoutError(f"the name {host} was not looked up in time") from exc
        allowed = [(family, where) for family, where in found if trusted or self._private or is_public(where[0])]
        if found and not allowed:
            raise Garbage(
                f"{host} is in a private network ({', '.join(dict.fromkeys(where[0] for _, where in found))}); its "
                "operator may set mypi.upstream.private_addresses = true"
            )
        return allowed

    def _look_up(self, host: str, port: int) -> Future[list[Address]]:
        """Ask in a thread of its own, for the system's resolver knows no time limit; once for all who wait."""
        with self._lock:
            running = self._asked.get((host, port))
            if running is None:
                running = self._asked[host, port] = Future()
                threading.Thread(target=self._ask, args=(host, port, running), daemon=True).start()
        return running

    def _ask(self, host: str, port: int, answer: Future[list[Address]]) -> None:
        found: list[Address] = []
        failed: BaseException | None = None
        try:
            found = [(info[0], info[4]) for info in self._resolve(host, port, type=socket.SOCK_STREAM)]
        except UnicodeError:
            failed = OSError(f"{host} is no name of a host")
        except BaseException as exc:
            failed = exc
        with self._lock:
            del self._asked[host, port]  # first, so that who comes after the answer asks anew
        if failed:
            answer.set_exception(failed)
        else:
            answer.set_result(found)


def is_public(address: str) -> bool:
    """Tell whether an address is one of the open internet, also in each form that carries an IPv4 address within.

    >>> is_public("169.254.169.254"), is_public("::ffff:127.0.0.1"), is_public("64:ff9b::a00:1")
    (False, False, False)
    >>> is_public("151.101.0.223"), is_public("64:ff9b::9765:df")
    (True, True)
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is None:
            return found in _GLOBAL and found.is_global
        found = inner
    return found.is_global and not found.is_multicast and not found.is_reserved
