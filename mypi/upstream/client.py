"""The way out: requests to configured hosts only, over https, to addresses that were looked at (threats 28, 38).

No request of a client chooses a URL here: what is asked for is the configured index, and what its pages name.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from urllib3 import PoolManager
from urllib3.exceptions import ProtocolError
from urllib3.util import Timeout

from ..model.remote import Site
from . import wires
from .addresses import Addresses
from .errors import Away, Garbage
from .faults import faults, plain, shown

REDIRECTS = 5
PIECE = 64 * 1024

SLOWEST = 60.0
"""Seconds in which a file must bring another piece, or nobody waits for it any longer."""

_AGENT = "mypi"
_HOST = re.compile(r"[a-z0-9_.-]{1,253}\Z|[0-9a-f:.]{2,45}\Z")
_PORTS = {"https": 443, "http": 80}

Origin = tuple[str, str, int]
"""Scheme, host and port."""


@dataclass(frozen=True)
class Way:
    """How the outside may be reached.

    ``hosts`` are hosts that files may come from besides each site's own. ``timeout`` is in seconds: from a request to
    its whole page, or to the first bytes of a file. ``credentials`` maps the names of sites to what their header
    Authorization says.
    """

    timeout: float = 10
    hosts: frozenset[str] = frozenset()
    private_addresses: bool = False
    insecure: bool = False
    ca: str | None = None
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)


class Answer:
    """What came: ``url`` is where from, after all redirects, which links in it are relative to."""

    def __init__(self, raw: Any, url: str, clock: wires.Clock) -> None:
        self._raw = raw
        self._clock = clock
        self._came = PIECE
        self.url = url
        self.status: int = raw.status
        self.headers: Mapping[str, str] = raw.headers
        packed = "gzip" in raw.headers.get("Content-Encoding", "").lower()
        self.measured = packed or "Content-Length" in raw.headers or "Transfer-Encoding" in raw.headers
        """Whether it would be noticed that a body breaks off: by its length, its chunks, or the end of its packing."""

    def read1(self, size: int = PIECE) -> bytes:
        """Return what came of the body, packed or not, b"" at its end. It may take long, but not be too slow.

        Raises Away.
        """
        if self._came >= PIECE:
            self._came, self._clock.until = 0, time.monotonic() + SLOWEST
        piece = self._next(size)
        self._came += len(piece)
        return piece

    def whole(self, limit: int) -> bytes:
        """Return the body, unpacked, in what is left of the time. Raises Away; Garbage if it is more than ``limit``."""
        packing = self.headers.get("Content-Encoding", "identity").strip().lower()
        if packing not in ("identity", "gzip", "x-gzip", ""):
            raise Garbage(f"{shown(self.url)} is packed as {plain(packing)}, which mypi did not ask for")
        unpacker = zlib.decompressobj(31) if "gzip" in packing else None
        body = bytearray()
        while piece := self._next(PIECE):
            # No more than the limit is ever unpacked, however small it was packed.
            body += _unpacked(unpacker, piece, limit + 1 - len(body), self.url) if unpacker else piece
            if len(body) > limit:
                raise Garbage(f"{shown(self.url)} has more than {limit:,} bytes")
        if unpacker and not unpacker.eof and self._raw.tell():
            raise Garbage(f"{shown(self.url)} ends before its end")
        return bytes(body)

    def _next(self, size: int) -> bytes:
        with faults(self.url, self._clock):
            return self._raw.read1(size, decode_content=False) or b""


class Client:
    """Asks upstream indexes. Methods may be called from any thread. ``resolve`` is as ``socket.getaddrinfo``."""

    def __init__(self, way: Way, *, resolve: Callable[..., Sequence[Any]] = socket.getaddrinfo) -> None:
        self._way = way
        self._addresses = Addresses(private=way.private_addresses, resolve=resolve)
        self._tls = wires.tls(way.ca)
        self._lock = threading.Lock()
        self._managers: dict[str | None, PoolManager] = {}
        self._closed = False
        self._fetches: Counter[tuple[str, str]] = Counter()

    @property
    def fetches(self) -> dict[tuple[str, str], int]:
        """How many requests of each site ended how: ok, unchanged, absent, failed, away or garbage."""
        with self._lock:
            return dict(self._fetches)

    def close(self) -> None:
        """Close what is open; whoever asks after that is told that it is away."""
        with self._lock:
            self._closed = True
            for each in self._managers.values():
                each.clear()
            self._managers.clear()

    @contextlib.contextmanager
    def get(self, site: Site, url: str, headers: Mapping[str, str]) -> Iterator[Answer]:
        """Ask for a URL of a site, or one that its pages name; yield the answer, its body unread.

        Redirects are followed, each looked at anew. The body is read in the same thread. Raises Away, Garbage.
        """
        ended = "failed"
        try:
            with self._asked(site, url, headers) as answer:
                ended = _ended(answer.status)
                yield answer
        except (Away, Garbage) as exc:
            ended = "away" if isinstance(exc, Away) else "garbage"
            raise
        finally:
            with self._lock:
                self._fetches[site.name, ended] += 1

    @contextlib.contextmanager
    def _asked(self, site: Site, url: str, headers: Mapping[str, str]) -> Iterator[Answer]:
        clock = wires.Clock(time.monotonic() + self._way.timeout, self._way.timeout)
        with wires.timed(clock):
            for _ in range(REDIRECTS + 1):
                origin, url = self._check(site, url)
                raw = self._send(site, origin, url, headers, clock)
                try:
                    location = raw.headers.get("Location") if raw.status in (301, 302, 303, 307, 308) else None
                    if location is None:
                        yield Answer(raw, url, clock)
                        return
                    with faults(url, clock):
                        _drain(raw)
                finally:
                    # A body that was not read to its end would come with the next answer: then this ends the
                    # connection; else it has gone back to the others.
                    raw.close()
                    raw.release_conn()
                url = _joined(site, url, location)
        raise Garbage(f"{site.name} redirects more than {REDIRECTS} times, at last to {shown(url)}")

    def page(self, site: Site, url: str, headers: Mapping[str, str], limit: int) -> tuple[Answer, bytes]:
        """Ask for something small; return the answer and its whole body, unpacked. Raises Away, Garbage."""
        with self.get(site, url, {"Accept-Encoding": "gzip", **headers}) as answer:
            return answer, answer.whole(limit)

    def allowed(self, site: Site, url: str) -> str:
        """Return a URL of a site as it may be given to clients, if mypi would ask for it too. Raises Garbage."""
        allowed = self._check(site, url)[1]
        if not allowed.isascii() or not allowed.isprintable() or " " in allowed:
            raise Garbage(f"{site.name} leads to {shown(url)}, which is no address that can be asked for")
        return allowed

    def _send(self, site: Site, origin: Origin, url: str, headers: Mapping[str, str], clock: wires.Clock) -> Any:
        given = {"User-Agent": _AGENT, **headers, **self._authorization(site, origin)}
        # A connection that was kept open may be gone when it is used again. urllib3 could try again too, but writes the
        # whole URL into the log when it does, and for some answers it sleeps.
        with faults(url, clock):
            try:
                return self._urlopen(origin, url, given)
            except ProtocolError:
                return self._urlopen(origin, url, given)

    def _urlopen(self, origin: Origin, url: str, headers: Mapping[str, str]) -> Any:
        return self._manager(*origin).urlopen(
            "GET",
            url,
            headers=headers,
            redirect=False,
            retries=False,
            timeout=Timeout(connect=self._way.timeout, read=self._way.timeout),
            preload_content=False,
            decode_content=False,
        )

    def _check(self, site: Site, url: str) -> tuple[Origin, str]:
        """Return where a URL leads, which must be allowed, and the URL put together from what was checked.

        So nobody reads another host out of it. Raises Garbage.
        """
        origin, target = _parts(site, url)
        scheme, host, _ = origin
        own = urlsplit(site.url)
        if scheme != "https" and not (self._way.insecure and (scheme, own.scheme) == ("http", "http")):
            raise Garbage(f"{site.name} leads to {shown(url)}, which is not https")
        if host != own.hostname and host not in self._way.hosts:
            raise Garbage(
                f"{site.name} leads to {host}, which mypi does not ask; its operator may name it in mypi.upstream.hosts"
            )
        return origin, f"{_origin(*origin)}{target}"

    def _authorization(self, site: Site, origin: Origin) -> dict[str, str]:
        """Return the credentials of a site, for itself alone: no redirect and no file's host gets them."""
        said = self._way.credentials.get(site.name)
        return {"Authorization": said} if said and origin == _parts(site, site.url)[0] else {}

    def _manager(self, scheme: str, host: str, port: int) -> PoolManager:
        """Return what has the connections to a host: our own, or those of the proxy that the environment names."""
        proxies = getproxies()
        proxy = proxies.get(scheme) or proxies.get("all")
        if proxy and proxy_bypass(host if ":" in host else f"{host}:{port}"):
            proxy = None
        with self._lock:
            if self._closed:
                raise Away("mypi is being stopped")
            found = self._managers.get(proxy)
            if found is None:
                found = self._managers[proxy] = wires.manager(self._addresses, self._tls, proxy)
        return found


def _ended(status: int) -> str:
    """Name the outcome of a request that was answered.

    >>> _ended(206), _ended(304), _ended(404), _ended(500)
    ('ok', 'unchanged', 'absent', 'failed')
    """
    if status < 300:
        return "ok"
    return {304: "unchanged", 404: "absent", 410: "absent"}.get(status, "failed")


def _parts(site: Site, url: str) -> tuple[Origin, str]:
    """Take a URL apart, without its fragment. Raises Garbage.

    Whom it names before an ``@`` is left out, and told to nobody: credentials are the operator's word.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError as exc:
        raise Garbage(f"{site.name} leads to an address that cannot be read") from exc
    if scheme not in _PORTS or not _HOST.match(host):
        raise Garbage(f"{site.name} leads to {shown(url)}, which is no address that mypi asks")
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return (scheme, host, _PORTS[scheme] if port is None else port), target


def _origin(scheme: str, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" if port == _PORTS[scheme] else f"{scheme}://{shown}:{port}"


def _joined(site: Site, url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as exc:
        raise Garbage(f"{site.name} leads to an address that cannot be read") from exc


def _drain(raw: Any) -> None:
    """Read a body that nobody wants, if it is short, so that its connection serves again."""
    came = 0
    while came <= PIECE and (piece := raw.read1(PIECE, decode_content=False)):
        came += len(piece)


def _unpacked(unpacker: Any, piece: bytes, most: int, url: str) -> bytes:
    try:
        found: bytes = unpacker.decompress(piece, most)
    except zlib.error as exc:
        raise Garbage(f"{shown(url)} is packed wrongly") from exc
    return found
