"""Pages of upstream indexes, kept in the store: fresh for a while, revalidated, and stale rather than none."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, replace

from ..model.remote import Cached, RemotePage, Site
from ..repository import Outside
from ..store import StoreError
from .client import Client
from .errors import Away, Garbage, Unknown, UpstreamError
from .parsing import ACCEPT, parse

log = logging.getLogger(__name__)

LARGEST = 100 * 1024 * 1024
"""Bytes of a page, unpacked; the largest of PyPI has about a third of it."""

PATIENCE = 2.0
"""Seconds that a client waits for news where an older page could be served."""

PAUSE = 10.0
"""Seconds for which an index that was away is not asked again where an older page can be served."""

_MAX_AGE = re.compile(r"(?:^|[\s,])(?:s-maxage|max-age)\s*=\s*\"?(\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True)
class Served:
    """A page to serve, where it is from, and whether it is older than it should be, for its index is slow or away."""

    page: RemotePage
    cached: Cached
    stale: bool


class Pages:
    """The pages of all ``sites``, each asked at most once in ``seconds`` for a name.

    ``clock`` gives seconds since 1970. Methods may be called from any thread.
    """

    def __init__(
        self,
        client: Client,
        outside: Outside,
        sites: Sequence[Site],
        *,
        seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._outside = outside
        self._sites = tuple(sites)
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._fetches: dict[tuple[str, str], Future[Cached]] = {}
        self._away: dict[str, float] = {}
        self._workers = ThreadPoolExecutor(16, thread_name_prefix="mypi-upstream")

    def close(self) -> None:
        """Let what is under way come to its end, which its time limit brings."""
        self._workers.shutdown(cancel_futures=True)

    def get(self, name: str) -> Served:
        """Return the page of a canonical name from the first index that has it.

        An index that is away hides those after it: they may hold another's project of that name. Raises Unknown, Away,
        Garbage, StoreError.
        """
        for site in self._sites:
            found = self._at(site, name)
            if found:
                return found
        raise Unknown(f"{name} is on {' and '.join(site.name for site in self._sites)} neither")

    def known(self, site: Site, name: str) -> Cached | None:
        """Return what is kept of a name at an index, without asking it."""
        held = self._outside.get(site.name, name)
        return held.value if held else None

    def _at(self, site: Site, name: str) -> Served | None:
        """Return the page at one index, None if the index does not know the name."""
        kept = self.known(site, name)
        now = self._clock()
        # A clock that was set back must not keep a page for ever.
        if kept and kept.fetched <= now < kept.fresh_until:
            return Served(kept.page, kept, False) if kept.page else None
        older = kept if kept and kept.page else None
        if older and now < self._away.get(site.name, 0):
            return _stale(older)
        fetch = self._fetch(site, name)
        try:
            fresh = fetch.result(PATIENCE if older else None)
        except Late:
            fresh = None
        except UpstreamError as exc:
            if not older:
                raise
            log.warning("%s: an older page is served: %s", name, exc)
            fresh = None
        if fresh is None:
            return _stale(older) if older else None
        return Served(fresh.page, fresh, False) if fresh.page else None

    def _fetch(self, site: Site, name: str) -> Future[Cached]:
        """Begin to ask an index, or join those who wait for it already."""
        with self._lock:
            running = self._fetches.get((site.name, name))
            if running is None:
                running = self._fetches[site.name, name] = self._workers.submit(self._ask, site, name)
        return running

    def _ask(self, site: Site, name: str) -> Cached:
        try:
            fresh = self._asked(site, name)
        except Away:
            self._away[site.name] = self._clock() + PAUSE
            raise
        else:
            self._away.pop(site.name, None)
            return fresh
        finally:
            with self._lock:
                self._fetches.pop((site.name, name), None)

    def _asked(self, site: Site, name: str) -> Cached:
        kept = self.known(site, name) or Cached(site.name, name)
        url = f"{site.url}{name}/"
        conditional = {"If-None-Match": kept.etag} if kept.etag and kept.page else {}
        answer, body = self._client.page(site, url, {"Accept": ACCEPT, **conditional}, LARGEST)
        now = self._clock()
        until = now + self._lifetime(answer.headers.get("Cache-Control", ""))
        if answer.status == 200:
            page = parse(answer.headers.get("Content-Type", ""), body, answer.url, name)
            fresh = replace(kept, page=page, etag=answer.headers.get("ETag", ""), fetched=now, fresh_until=until)
        elif answer.status == 304 and conditional:
            fresh = replace(kept, fetched=now, fresh_until=until)
        elif answer.status in (404, 410):
            fresh = replace(kept, page=None, etag="", fetched=now, fresh_until=until)
        elif answer.status in (401, 403):
            raise Away(f"{site.name} lets mypi not in ({answer.status}); its operator sets MYPI_UPSTREAM_… credentials")
        elif answer.status >= 500 or answer.status == 429:
            raise Away(f"{site.name} answers {answer.status} for {name}")
        else:
            raise Garbage(f"{site.name} answers {answer.status} for {name}")
        return self._keep(fresh)

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
                    fetched=fresh.fetched,
                    fresh_until=fresh.fresh_until,
                ),
            )
        except StoreError as exc:
            log.warning("what %s says of %s cannot be kept: %s", fresh.site, fresh.name, exc)
            return fresh

    def _lifetime(self, control: str) -> float:
        """Return for how many seconds a page is fresh: as its index says, and no longer than the operator."""
        if "no-cache" in control or "no-store" in control:
            return 0
        said = _MAX_AGE.search(control)
        return min(self._seconds, float(said[1])) if said else self._seconds


def _stale(kept: Cached) -> Served | None:
    return Served(kept.page, kept, True) if kept.page else None
