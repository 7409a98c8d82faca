"""Other indexes behind ours: each name belongs to exactly one side, and this is the only door to theirs (threat 28).

Ours is a name with a project document, and one that ``mypi.private`` matches: nothing about it is ever asked outside,
also when the store fails. Every other name is theirs.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ..model.remote import Kept, RemoteFile, Site
from ..repository import Repository
from ..settings import Settings
from ..store import NotFound, StoreError
from ..upstreams import Upstreams
from .client import Client, Way
from .errors import Away, Busy, Garbage, Unknown, UpstreamError
from .files import Bytes, Files
from .metadata import Metadata
from .names import Names, Theirs, Unasked
from .pages import Pages, Served
from .policy import Hidden, HiddenByPolicy
from .screen import Screen, readable
from .shelf import Shelf
from .space import Cleared, Space

__all__ = [
    "Away",
    "Busy",
    "Bytes",
    "Cleared",
    "Garbage",
    "Hidden",
    "HiddenByPolicy",
    "Screen",
    "Served",
    "Space",
    "Theirs",
    "Unasked",
    "Unknown",
    "Upstream",
    "UpstreamError",
]

LARGEST_FILE = 16 * 2**30
"""Bytes of the largest file that is passed on; PyPI has none of a quarter of it."""


class Upstream:
    """All upstream indexes of one deployment. Methods may be called from any thread.

    Every method that takes a name takes a canonical one, which ``theirs`` has called theirs. ``clock`` gives seconds
    since 1970.
    """

    def __init__(
        self,
        settings: Settings,
        given: Upstreams,
        repository: Repository,
        *,
        screen: Screen | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.screen = screen or Screen(settings.policy, clock=clock)
        self.names = Names(repository, settings.private)
        self.theirs = self.names.theirs
        self._repository = repository
        self._sites = {site.name: site for site in given.sites}
        self.mode = given.mode
        self.timeout = given.timeout
        self.client = Client(
            Way(
                timeout=given.timeout,
                hosts=given.hosts,
                private_addresses=given.private_addresses,
                insecure=given.insecure,
                ca=given.ca,
                credentials=given.credentials,
            )
        )
        outside = repository.outside
        self.pages = Pages(
            self.client, outside, given.sites, seconds=given.cache_seconds, timeout=given.timeout, clock=clock
        )
        self.space = Space(outside, given.limit, clock=clock)
        shelf = Shelf(outside, self.space, clock=clock)
        self.files = Files(self.client, shelf, repository.spool, limit=LARGEST_FILE, patience=given.timeout)
        self._metadata = Metadata(self.client, shelf, self.files, patience=given.timeout)

    @classmethod
    def of(cls, settings: Settings, repository: Repository, screen: Screen | None = None) -> Upstream | None:
        """Make it as the settings say, and have it closed with the repository; None if they name no index.

        From then on the repository begins no project whose name another index has.
        """
        if settings.upstream is None:
            return None
        found = cls(settings, settings.upstream, repository, screen=screen)
        repository.before_close(found.close)
        repository.before_begin(lambda name, display: found.check_new(name))
        return found

    def close(self) -> None:
        """End what is under way and close what is open."""
        self.pages.close()
        self.files.close()
        self.client.close()

    @property
    def sites(self) -> tuple[Site, ...]:
        """The indexes, in the order in which they are asked."""
        return tuple(self._sites.values())

    @property
    def redirects(self) -> bool:
        """Whether clients fetch files from the upstream, and not through us."""
        return self.mode == "redirect"

    def page(self, name: str) -> Served:
        """Return what the policy shows of a name of theirs; no index is asked about one that is denied whole.

        Raises HiddenByPolicy, Unknown, Away, Garbage, StoreError.
        """
        self.screen.check(name)
        return self._screened(self.pages.get(name))

    def kept(self, name: str) -> Served | None:
        """Return what the policy shows of the page that is kept of a name of theirs, without asking any index.

        None if none is kept, or if the name is denied whole. Raises StoreError.
        """
        served = None if self.screen.policy.whole(name) else self.pages.kept(name)
        return self._screened(served) if served else None

    def has(self, name: str) -> str | None:
        """Name the index that has a project of that name, None if none has. Raises Away, Garbage, StoreError.

        What the policy hides of it makes no difference: the name is theirs all the same.
        """
        try:
            return self.pages.get(name).cached.site
        except Unknown:
            return None

    def check_new(self, name: str) -> None:
        """Refuse to begin a project whose name another index has. Raises Theirs, Unasked, StoreError."""
        self.names.check_new(name, self.has)

    def find(self, name: str, token: str, filename: str) -> RemoteFile:
        """Return a file by what our address of it says. Raises NotFound, and as ``page``.

        Of a page that is older than it should be nobody may conclude that there is no such file.
        """
        self.screen.check(name)
        served = self.pages.get(name)
        file = served.page.file(filename)
        if file is None or file.token != token:
            if served.stale:
                site = served.cached.site
                raise Away(f"The last page that {site} sent of {name} has no such {filename}, and it sends none now")
            raise NotFound(filename)
        self.screen.check_file(name, file, self.licences(served).get(file.version, "") or self._licence(name, file))
        return file

    def open(
        self, name: str, file: RemoteFile, start: int = 0, stop: int | None = None, *, until: float | None = None
    ) -> Bytes:
        """Return the bytes of a file, of which the first come ``until`` a moment of ``time.monotonic``, or never.

        Raises Away, Garbage, Busy, StoreError; so does reading them.
        """
        cached = self.pages.get(name).cached
        return self.files.open(self._sites[cached.site], cached, file, start, stop, until=until)

    def location(self, name: str, file: RemoteFile) -> str:
        """Return where clients get a file themselves where they are to, with nobody's credentials in it.

        Raises Garbage for a place that mypi itself would not ask; and as ``page``.
        """
        return self.client.allowed(self._sites[self.pages.get(name).cached.site], file.url)

    def metadata(self, name: str, file: RemoteFile) -> bytes:
        """Return the core metadata of a file. Raises NotFound if it has none; Away, Garbage, StoreError."""
        cached = self.pages.get(name).cached
        return self._metadata.get(self._sites[cached.site], cached, file)

    def _screened(self, served: Served) -> Served:
        page, key = self.screen.page(served.page, served.tag, self.licences(served))
        return replace(served, page=page, tag=f"{served.tag} {key}") if key else served

    def licences(self, served: Served) -> dict[str, str]:
        """Return the licences of a page's versions, by SPDX, as far as metadata that is kept says them."""

        def fetch(file: RemoteFile) -> bytes | None:
            kept = served.cached.kept.get(f"{file.filename}.metadata")
            if kept is None or not (kept.digest == file.metadata or kept.source == file.digest):
                return None
            return readable(partial(self._read, kept))

        return self.screen.known((file.digest, file.version, partial(fetch, file)) for file in served.page.files)

    def _licence(self, name: str, file: RemoteFile) -> str:
        """Return the licence of a file that somebody wants, for which its metadata is fetched."""

        def fetch() -> bytes | None:
            try:
                return self.metadata(name, file)
            except (NotFound, Garbage):  # what cannot be read says no licence
                return None

        return self.screen.licence(file.digest, fetch) if self.screen.rules.licenses_denied else ""

    def _read(self, kept: Kept) -> bytes:
        with self._repository.outside.open(kept.key) as reader:
            data: bytes = reader.read()
        if hashlib.sha256(data).hexdigest() != kept.digest:
            raise StoreError(kept.key, "is not what was kept under it")
        return data
