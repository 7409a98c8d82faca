"""The way out: requests to configured hosts only, over https, to addresses that were looked at (threats 28, 38).

No request of a client chooses a URL here: what is asked for is the configured index, and what its pages name.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from cachetools import LRUCache
from urllib3.exceptions import HTTPError
from urllib3.util import Retry, Timeout, make_headers

from ..model.remote import Site
from .errors import Away, Garbage

REDIRECTS = 5
_AGENT = "mypi"
_PIECE = 64 * 1024
_POOLS = 64


@dataclass(frozen=True)
class Way:
    """How the outside may be reached.

    ``hosts`` are hosts that files may come from besides each site's own, ``timeout`` is in seconds: for a connection,
    for each wait, and for a whole page. ``credentials`` maps the names of sites to ``user:password``, or to ``token``
    without a colon for Bearer.
    """

    timeout: float = 10
    hosts: frozenset[str] = frozenset()
    private_addresses: bool = False
    insecure: bool = False
    ca: str | None = None
    credentials: Mapping[str, str] = field(default_factory=dict)


class Client:
    """Asks upstream indexes. Methods may be called from any thread."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._lock = threading.Lock()
        self._pools: LRUCache[tuple[str, str, int, str], Any] = LRUCache(_POOLS)

    def close(self) -> None:
        """Close what is open."""
        with self._lock:
            pools = list(self._pools.values())
            self._pools.clear()
        for pool in pools:
            pool.close()

    @contextlib.contextmanager
    def get(self, site: Site, url: str, headers: Mapping[str, str]) -> Iterator[Any]:
        """Ask for a URL of a site, or one that its pages name; yield the answer as urllib3 has it, its body unread.

        Redirects are followed, each looked at anew. Raises Away, Garbage.
        """
        for _ in range(REDIRECTS + 1):
            self._check(site, url)
            answer = self._send(site, url, headers)
            try:
                location = answer.headers.get("Location") if answer.status in (301, 302, 303, 307, 308) else None
                if location is None:
                    answer.url = url
                    with _faults(url):
                        yield answer
                    return
            finally:
                # A body that was not read to its end would come with the next answer.
                answer.close()
                answer.release_conn()
            url = urljoin(url, location)
        raise Garbage(f"{site.name} redirects more than {REDIRECTS} times, at last to {url}")

    def page(self, site: Site, url: str, headers: Mapping[str, str], limit: int) -> tuple[Any, bytes]:
        """Ask for something small; return the answer and its whole body, unpacked. Raises Away, Garbage."""
        until = time.monotonic() + self._way.timeout
        body = bytearray()
        with self.get(site, url, {"Accept-Encoding": "gzip", **headers}) as answer:
            for piece in answer.stream(_PIECE, decode_content=True):
                body += piece
                if len(body) > limit:
                    raise Garbage(f"{url} has more than {limit:,} bytes")
                if time.monotonic() > until:
                    raise Away(f"{url} did not come within {self._way.timeout:g} seconds")
        return answer, bytes(body)

    def _check(self, site: Site, url: str) -> None:
        parts = urlsplit(url)
        own = urlsplit(site.url).hostname
        if parts.scheme != "https" and not (self._way.insecure and parts.scheme == "http"):
            raise Garbage(f"{site.name} leads to {url}, which is not https")
        if parts.hostname != own and parts.hostname not in self._way.hosts:
            raise Garbage(
                f"{site.name} leads to {parts.hostname}, which mypi does not ask; its operator may name it in "
                "mypi.upstream.hosts"
            )

    def _send(self, site: Site, url: str, headers: Mapping[str, str]) -> Any:
        parts = urlsplit(url)
        host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
        given = {"User-Agent": _AGENT, **headers, **self._authorization(site, parts.hostname, port)}
        path = parts.path or "/"
        target = f"{path}?{parts.query}" if parts.query else path
        with _faults(url):
            pool, absolute = self._pool(parts.scheme, host, port)
            return pool.urlopen(
                "GET",
                url if absolute else target,
                headers={**given, "Host": parts.netloc.rpartition("@")[2]},
                redirect=False,
                retries=Retry(total=1, connect=1, read=0, redirect=False, status=0, other=0),
                timeout=Timeout(connect=min(5, self._way.timeout), read=self._way.timeout),
                preload_content=False,
                decode_content=False,
            )

    def _authorization(self, site: Site, host: str | None, port: int) -> dict[str, str]:
        """Return the credentials of a site, for itself alone: no redirect and no file's host gets them."""
        own = urlsplit(site.url)
        if (host, port) != (own.hostname, own.port or (443 if own.scheme == "https" else 80)):
            return {}
        secret = self._way.credentials.get(site.name)
        if secret is None:
            return {}
        return make_headers(basic_auth=secret) if ":" in secret else {"Authorization": f"Bearer {secret}"}

    def _pool(self, scheme: str, host: str, port: int) -> tuple[Any, bool]:
        """Return the connections to a host, and whether they want whole URLs, as those to a proxy do."""
        proxy = None if proxy_bypass(host) else getproxies().get(scheme)
        # What a proxy connects to is the proxy's affair; we look at no address then.
        address = proxy or self._address(host, port)
        key = (scheme, host, port, address)
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                pool = self._pools[key] = self._open(scheme, host, port, address, proxy)
        return pool, bool(proxy)

    def _open(self, scheme: str, host: str, port: int, address: str, proxy: str | None) -> Any:
        trust: dict[str, Any] = {"ca_certs": self._way.ca, "cert_reqs": "CERT_REQUIRED"} if self._way.ca else {}
        if proxy:
            return urllib3.ProxyManager(proxy, maxsize=8, **trust)
        if scheme == "http":
            return urllib3.HTTPConnectionPool(address, port, maxsize=8)
        return urllib3.HTTPSConnectionPool(
            address, port, maxsize=8, server_hostname=host, assert_hostname=host, **trust
        )

    def _address(self, host: str, port: int) -> str:
        """Return an address of a host to connect to, one that may be connected to. Raises Garbage, OSError."""
        found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        for address in found:
            if self._way.private_addresses or is_public(address):
                return address
        raise Garbage(
            f"{host} is {', '.join(dict.fromkeys(found))}, inside a private network; set "
            "mypi.upstream.private_addresses = true if it should be asked"
        )


def is_public(address: str) -> bool:
    """Tell whether an address is one of the open internet.

    >>> is_public("169.254.169.254"), is_public("::ffff:127.0.0.1"), is_public("151.101.0.223")
    (False, False, True)
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return (mapped or found).is_global and not found.is_multicast


@contextlib.contextmanager
def _faults(url: str) -> Iterator[None]:
    """Turn what goes wrong on the way into Away."""
    try:
        yield
    except (HTTPError, OSError) as exc:
        raise Away(f"{url} cannot be reached: {_why(exc)}") from exc


def _why(exc: BaseException) -> str:
    cause = getattr(exc, "reason", None) or exc
    return f"{type(cause).__name__}" if not isinstance(cause, OSError) else (cause.strerror or type(cause).__name__)
