"""The overview: what spans all projects of an index, for pages that people read.

It is derived from the documents and kept in memory by each process; nothing that an installer asks goes through it.
"""

from __future__ import annotations

import heapq
import logging
import threading

from cachetools import LRUCache

from .. import metadata
from ..metadata import CoreMetadata, MetadataError
from ..model import File, Project
from ..model.releases import releases
from ..repository import Repository
from ..store import NotFound
from .keeper import Keeper
from .records import UPLOADS, Record, described, folded, later
from .values import Counts, Dependent, Logged, Release, Removed, Seen, Summary, Upload

__all__ = ["UPLOADS", "Counts", "Dependent", "Logged", "Overview", "Release", "Removed", "Seen", "Summary", "Upload"]

log = logging.getLogger(__name__)

LONGEST = 200
"""Characters of a search that are looked at."""

_WORDS = 8
_RELEASES = 4 * 2**20  # bytes of metadata that are kept, parsed


class Overview:
    """Answers over all projects of a repository. Methods may be called from any thread.

    What this process changed shows at once, what another changed after some seconds. ``seen`` tells of each canonical
    name whether it may be named to who asks.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._keeper = Keeper(repository)
        self._lock = threading.Lock()
        self._cores: LRUCache[str, tuple[int, CoreMetadata]] = LRUCache(_RELEASES, getsizeof=lambda pair: pair[0])

    @property
    def complete(self) -> bool:
        """Whether everything was read; False for a while after a start over many projects."""
        return self._keeper.complete

    def search(self, words: str, seen: Seen, limit: int = 50) -> tuple[list[Summary], int]:
        """Return the best of the projects that all words are found in, and how many there are in all.

        Case and separators make no difference. An exact name comes first, then names that begin so, names that have
        all words in them, and what has them elsewhere. Without a word these are all projects, by name.
        """
        wanted = folded(words[:LONGEST]).split()[:_WORDS]
        whole = "-".join(wanted)
        found = [
            (_rank(record.summary.name, wanted, whole), record.summary.name, record.summary)
            for record in self._keeper.records()
            if all(word in record.text for word in wanted) and seen(record.summary.name)
        ]
        return [each[2] for each in heapq.nsmallest(limit, found)], len(found)

    def recent(self, seen: Seen, limit: int = 20) -> list[Upload]:
        """Return what was uploaded last, the newest first; of one project no more than UPLOADS."""
        records = sorted(self._keeper.records(), key=_updated, reverse=True)
        found: list[Upload] = []
        projects = 0
        for record in records:
            if projects == limit or not record.uploads:
                break
            if seen(record.summary.name):
                projects += 1
                found += record.uploads
        return heapq.nlargest(limit, found, key=lambda upload: upload.at)

    def counts(self, seen: Seen) -> Counts:
        """Return how much there is."""
        records = [record for record in self._keeper.records() if seen(record.summary.name)]
        files = sum(record.summary.files for record in records)
        return Counts(len(records), files, sum(record.size for record in records))

    def dependents(self, project: str, seen: Seen) -> list[Dependent]:
        """Return the projects that require another, by its canonical name: each by its newest usable release.

        What only an older release requires, or one that is yanked or removed, is not told.
        """
        found = [
            Dependent(each.summary.name, each.summary.display, each.summary.version, need.text, need.extra)
            for each, need in self._keeper.users(project)
            if each.summary.version is not None and seen(each.summary.name)
        ]
        return sorted(found, key=lambda each: (each.project, each.extra or "", each.requirement))

    def has(self, project: str) -> bool:
        """Tell whether there is a project of this canonical name."""
        return self._keeper.has(project)

    def events(
        self,
        seen: Seen,
        *,
        project: str | None = None,
        user: str | None = None,
        did: str | None = None,
        accounts: bool = False,
        limit: int = 200,
    ) -> list[Logged]:
        """Return entries of the histories, the newest first: of one project, or the newest ones of all.

        ``user`` is who did it or whom it is about, ``did`` what was done or its first word. Of one project its whole
        history is looked through, and so is that of the accounts; of all projects together the newest that are kept
        in memory. ``accounts`` is for who manages the index.
        """
        told = self._logged(project) if project is not None else self._keeper.logged()
        found = [each for each in told if each.project is not None and seen(each.project)]
        if accounts and project is None:
            found += [Logged(None, event) for event in reversed(self._repository.members.get().history)]
        wanted = (each for each in found if _is(each, user, did))
        return heapq.nlargest(limit, wanted, key=lambda each: each.event.at)

    def removed(self, seen: Seen, trash_days: float) -> list[Removed]:
        """Return the files that can be restored, the last removed first."""
        found = [
            Removed(record.summary.name, record.summary.display, file, later(file.removed, trash_days))
            for record in self._keeper.records()
            if record.removed and seen(record.summary.name)
            for file in record.removed
            if file.removed
        ]
        return sorted(found, key=lambda each: (each.until, each.file.filename), reverse=True)

    def release(self, project: Project, version: str) -> Release | None:
        """Return what a release says of itself; None if nothing can be read of it. Raises Unavailable."""
        found = next((each for each in releases(project).values() if each.text == version), None)
        file = described(found) if found else None
        core = self._core(project, file) if file else None
        return Release(core, file) if core else None

    def _core(self, project: Project, file: File) -> CoreMetadata | None:
        """Read the metadata beside a file, which never changes."""
        key = f"{project.name}/{file.token}/{file.filename}"
        with self._lock:
            kept = self._cores.get(key)
        if kept:
            return kept[1]
        try:
            with self._repository.open_metadata(project, file) as reader:
                data = reader.read()
            core = metadata.read(data)
        except (NotFound, MetadataError) as exc:
            log.warning("%s has core metadata that is lost or damaged; run mypi verify: %s", file.filename, exc)
            return None
        with self._lock:
            self._cores[key] = (3 * len(data) + 2000, core)
        return core

    def _logged(self, project: str) -> tuple[Logged, ...]:
        try:
            found = self._repository.project(project).value
        except NotFound:
            return ()
        return tuple(Logged(project, event) for event in reversed(found.history))


def _rank(name: str, wanted: list[str], whole: str) -> int:
    if name == whole:
        return 0
    if name.startswith(whole):
        return 1
    return 2 if all(word in name for word in wanted) else 3


def _updated(record: Record) -> str:
    return record.summary.updated or ""


def _is(logged: Logged, user: str | None, did: str | None) -> bool:
    event = logged.event
    return (user is None or user in (event.by, event.subject)) and (
        did is None or event.did == did or event.did.startswith(f"{did} ")
    )
