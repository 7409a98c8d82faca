"""Which addresses are of the open internet, and how names are looked up (threat 38)."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from mypi.upstream.addresses import Addresses, is_public
from mypi.upstream.errors import Garbage

PUBLIC = ["151.101.0.223", "8.8.8.8", "2a04:4e42::223", "::ffff:151.101.0.223", "64:ff9b::151.101.0.223"]
INSIDE = [
    "0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1",
    "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8", "100::1", "2001::1", "2001:db8::1", "2002:a9fe:a9fe::",
    "2002:7f00:1::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "4000::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_open_internet_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_not_however_it_is_written(address):
    assert not is_public(address)


def answering(*addresses: str) -> Any:
    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [info for each in addresses for info in socket.getaddrinfo(each, port, type=socket.SOCK_STREAM)]

    return resolve


def test_of_mixed_answers_only_the_public_ones_are_connected_to():
    mixed = Addresses(private=False, resolve=answering("169.254.169.254", "151.101.0.223", "::1", "10.0.0.1"))
    assert mixed.find("index.test", 443, 5) == [(socket.AF_INET, ("151.101.0.223", 443))]


def test_a_private_network_is_asked_where_that_is_allowed():
    assert Addresses(private=True, resolve=answering("10.0.0.1")).find("index.test", 443, 5)
    inside = Addresses(private=False, resolve=answering("10.0.0.1"))
    assert inside.find("proxy.test", 3128, 5, trusted=True)
    with pytest.raises(Garbage, match=r"index\.test is in a private network \(10\.0\.0\.1\)"):
        inside.find("index.test", 443, 5)


def test_a_name_that_is_none_is_an_error_of_the_network():
    with pytest.raises(OSError, match="no name of a host"):
        Addresses(private=False).find("a" * 64 + ".test", 443, 5)


def test_many_who_wait_for_a_name_ask_once_and_the_next_asks_anew():
    asked, release = [], threading.Event()

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        assert release.wait(30)
        return answering("151.101.0.223")(host, port)

    addresses = Addresses(private=False, resolve=resolve)
    first, second = (addresses._look_up("a.test", 443) for _ in range(2))
    assert first is second
    with pytest.raises(TimeoutError):
        addresses.find("a.test", 443, 0.01)
    release.set()
    assert len(first.result(30)) == 1
    assert asked == ["a.test"]
    addresses.find("a.test", 443, 5)
    assert asked == ["a.test", "a.test"]
