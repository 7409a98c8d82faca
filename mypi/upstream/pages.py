"""Pages of upstream indexes, kept in the store: fresh for a while, revalidated, and stale rather than none."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, replace

from cachetools import LRUCache

from ..model.remote import Cached, RemotePage, Site
from ..repository import Outside
from ..store import StoreError
from .client import Answer, Client
from .errors import Away, Garbage, Unknown, UpstreamError
from .parsing import ACCEPT, FORM, is_cut, parse

log = logging.getLogger(__name__)

LARGEST = 100 * 1024 * 1024
"""Bytes of a page, unpacked; the largest of PyPI has about a third of it."""

PATIENCE = 2.0
"""Seconds that a client waits for news where an older page could be served."""

PAUSE = 10.0
"""Seconds for which an index that was slow or away keeps nobody waiting again who can have an older page."""

_UNKNOWN = 60.0
"""Seconds, at most, for which an index that did not know a name is not asked for it again: it may be published."""

_NAMES = 20_000
_S_MAXAGE = re.compile(r"(?:^|[\s,])s-maxage\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_NO_CACHE = re.compile(r"(?:^|[\s,])no-(?:cache|store)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Served:
    """A page to serve, where it is from, and whether it is older than it should be, for its index is slow or away.

    ``tag`` differs for pages that differ.
    """

    page: RemotePage
    cached: Cached
    stale: bool
    tag: str


class Pages:
    """The pages of all ``sites``, each asked at most once in ``seconds`` for a name.

    Whoever wants a page has an answer within ``timeout`` seconds. ``clock`` gives seconds since 1970. Methods may be
    called from any thread.
    """

    def __init__(
        self,
        client: Client,
        outside: Outside,
        sites: Sequence[Site],
        *,
        seconds: float,
        timeout: float = 10,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._outside = outside
        self._sites = tuple(sites)
        self._seconds = seconds
        self._timeout = timeout
        self._clock = clock
        self._lock = threading.Lock()
        self._fetches: dict[tuple[str, str], Future[Cached]] = {}
        self._unknown: LRUCache[tuple[str, str], Cached] = LRUCache(_NAMES)
        self._slow: dict[str, float] = {}
        self._away: dict[str, tuple[float, str]] = {}
        self._answered: dict[str, float] = {}
        self._workers = ThreadPoolExecutor(16, thread_name_prefix="mypi-upstream")

    def close(self) -> None:
        """Let what is under way come to its end, which its time limit brings."""
        self._workers.shutdown(cancel_futures=True)

    def get(self, name: str) -> Served:
        """Return the page of a canonical name: from the index that had it before, else from the first that has it.

        Whoever had a name keeps it, so that nobody takes it over who registers it at an index that is asked earlier.
        An index that is away hides those after it: they may hold another's project of that name. Raises Unknown, Away,
        Garbage, StoreError.
        """
        until = time.monotonic() + self._timeout
        known = [(site, self.known(site, name)) for site in self._sites]
        # Stable: of two that had it, and of all that did not, the first comes first.
        for site, kept in sorted(known, key=lambda each: not (each[1] and each[1].page)):
            found = self._at(site, name, kept, until)
            if found:
                return found
        raise Unknown(f"There is no project {name} here, nor at {', '.join(site.name for site in self._sites)}")

    def kept(self, name: str) -> Served | None:
        """Return the page that is kept of a name, however old it is; no index is asked. Raises StoreError."""
        for site in self._sites:
            known = self.known(site, name)
            found = _served(known, stale=not self._fresh(known)) if known else None
            if found:
                return found
        return None

    def known(self, site: Site, name: str) -> Cached | None:
        """Return what is known of a name at an index, without asking it. Raises StoreError."""
        held = self._outside.get(site.name, name)
        if held and held.value.page:
            return held.value
        with self._lock:
            return self._unknown.get((site.name, name))

    def _fresh(self, known: Cached) -> bool:
        # A clock that was set back must not keep a page for ever, nor must a setting that was longer.
        return known.fetched <= self._clock() < min(known.fresh_until, known.fetched + self._seconds)

    def _at(self, site: Site, name: str, known: Cached | None, until: float) -> Served | None:
        """Return the page at one index, before a moment of the monotonic clock; None if the index does not know it."""
        if known and self._fresh(known):
            return _served(known)
        older = _served(known, stale=True) if known else None
        try:
            self._check(site, older=older is not None)
            found = self._fetch(site, name).result(self._patience(site, until, older=older is not None))
        except Late:
            error: UpstreamError = Away(f"{site.name} did not answer in time when it was asked for {name}")
            if older:
                self._slow[site.name] = time.monotonic() + PAUSE
            else:
                self._pause(site, error, until - self._timeout)
        except UpstreamError as exc:
            error = exc
        else:
            return _served(found)
        if older is None:
            raise error
        log.warning("the page of %s that is served is an older one: %s", name, error)
        return older

    def _patience(self, site: Site, until: float, *, older: bool) -> float:
        """Return for how many seconds to wait; the fetch goes on without us."""
        now = time.monotonic()
        patience = 0.0 if now < self._slow.get(site.name, 0) else PATIENCE
        return max(0.0, min(until - now, patience) if older else until - now)

    def _check(self, site: Site, *, older: bool) -> None:
        """Raise Away if the index was away a moment ago and an older page will do, or somebody finds out just now.

        Who waits for an index holds up a thread, of which there are few for all that is ours.
        """
        until, why = self._away.get(site.name, (0.0, ""))
        if time.monotonic() < until and (older or self._busy(site)):
            raise Away(why)

    def _busy(self, site: Site) -> bool:
        with self._lock:
            return any(key[0] == site.name for key in self._fetches)

    def _pause(self, site: Site, error: UpstreamError, began: float) -> None:
        """Take an index for away, unless it answered somebody since: then one page is slow, or we are."""
        if self._answered.get(site.name, 0.0) < began:
            self._away[site.name] = time.monotonic() + PAUSE, str(error)

    def _fetch(self, site: Site, name: str) -> Future[Cached]:
        """Begin to ask an index, or join those who wait for it already."""
        with self._lock:
            running = self._fetches.get((site.name, name))
            if running is None:
                try:
                    running = self._fetches[site.name, name] = self._workers.submit(self._ask, site, name)
                except RuntimeError as exc:
                    raise Away("mypi is being stopped") from exc
        return running

    def _ask(self, site: Site, name: str) -> Cached:
        try:
            return self._asked(site, name)
        finally:
            with self._lock:
                self._fetches.pop((site.name, name), None)

    def _asked(self, site: Site, name: str) -> Cached:
        kept = self.known(site, name) or Cached(site.name, name)
        url = f"{site.url}{name}/"
        same_form = kept.said.startswith(f"{FORM} ")
        conditional = {"If-None-Match": kept.etag} if kept.etag and same_form else {}
        began = time.monotonic()
        try:
            answer, body = self._client.page(site, url, {"Accept": ACCEPT, **conditional}, LARGEST)
        except Away as exc:
            self._pause(site, exc, began)
            raise
        self._answered[site.name] = time.monotonic()
        self._away.pop(site.name, None)
        now = self._clock()
        fresh = replace(kept, fetched=now, fresh_until=now + self._lifetime(answer.headers))
        if answer.status == 200:
            return self._keep(_read(fresh, answer, body))
        if answer.status == 304 and conditional:
            return self._keep(fresh)
        if answer.status in (404, 410):
            return self._forget(fresh)
        if answer.status in (401, 403):
            raise Away(f"{site.name} lets mypi not in ({answer.status}); its operator sets MYPI_UPSTREAM_… credentials")
        if answer.status >= 500 or answer.status == 429:
            raise Away(f"{site.name} answers {answer.status} for {name}")
        raise Garbage(f"{site.name} answers {answer.status} for {name}")

    def _forget(self, fresh: Cached) -> Cached:
        """Note that an index does not know a name, in memory: names that nobody has must not fill the store."""
        until = min(fresh.fresh_until, fresh.fetched + _UNKNOWN)
        unknown = replace(fresh, page=None, etag="", said="", fresh_until=until)
        with self._lock:
            self._unknown[fresh.site, fresh.name] = unknown
        return self._keep(unknown) if fresh.page else unknown

    def _keep(self, fresh: Cached) -> Cached:
        """Write what was learned where every node finds it; a store that takes nothing now costs only that."""
        try:
            return self._outside.edit(
                fresh.site,
                fresh.name,
                lambda present: replace(
                    present,
                    page=fresh.page,
                    etag=fresh.etag,
                    said=fresh.said,
                    fetched=fresh.fetched,
                    fresh_until=fresh.fresh_until,
                ),
            )
        except StoreError as exc:
            log.warning("what %s says of %s cannot be kept: %s", fresh.site, fresh.name, exc)
            return fresh

    def _lifetime(self, headers: Mapping[str, str]) -> float:
        """Return for how many seconds a page is fresh: as its index says, and no longer than the operator."""
        control = headers.get("Cache-Control", "")
        if _NO_CACHE.search(control):
            return 0
        said = _S_MAXAGE.search(control) or _MAX_AGE.search(control)
        age = headers.get("Age", "")
        spent = int(age) if re.fullmatch("[0-9]{1,9}", age) else 0
        return min(self._seconds, max(0, int(said[1]) - spent)) if said else self._seconds


def _read(fresh: Cached, answer: Answer, body: bytes) -> Cached:
    """Put a page into what is known; the same one again is not read a second time. Raises Away, Garbage."""
    content_type = answer.headers.get("Content-Type", "")
    if is_cut(content_type, body, measured=answer.measured):
        raise Away(f"{fresh.site} broke off before the end of the page of {fresh.name}")
    said = f"{FORM} {hashlib.sha256(f'{content_type} {answer.url} '.encode() + body).hexdigest()}"
    page = fresh.page if fresh.page and fresh.said == said else parse(content_type, body, answer.url, fresh.name)
    return replace(fresh, page=page, etag=answer.headers.get("ETag", ""), said=said)


def _served(known: Cached, *, stale: bool = False) -> Served | None:
    return Served(known.page, known, stale, f"{known.site} {known.said}") if known.page else None
