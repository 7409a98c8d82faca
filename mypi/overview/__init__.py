"""The overview: what spans all projects of an index, for pages that people read. Derived, disposable, in memory."""

from __future__ import annotations

from datetime import datetime, timedelta

from .. import metadata
from ..metadata import MetadataError
from ..model import File, Project
from ..model.releases import newest, releases
from ..repository import Repository
from ..store import StoreError
from .values import Counts, Dependent, Logged, Release, Removed, Seen, Summary, Upload

__all__ = ["Counts", "Dependent", "Logged", "Overview", "Release", "Removed", "Seen", "Summary", "Upload"]


class Overview:
    """Answers over all projects of a repository. Methods may be called from any thread."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    @property
    def complete(self) -> bool:
        """Whether everything was read; False for a while after a start over many projects."""
        return True

    def search(self, words: str, seen: Seen, limit: int = 50) -> tuple[list[Summary], int]:
        """Return the best of the projects that all words are found in, and how many there are in all."""
        wanted = words.casefold().split()
        found = [_summary(p) for p in self._projects(seen) if all(word in p.name for word in wanted)]
        return found[:limit], len(found)

    def recent(self, seen: Seen, limit: int = 20) -> list[Upload]:
        """Return what was uploaded last, the newest first."""
        files = [(file, p) for p in self._projects(seen) for file in p.live]
        files.sort(key=lambda pair: pair[0].uploaded, reverse=True)
        return [
            Upload(p.name, p.display, f.version, (f.filename,), f.uploaded, f.uploader, "") for f, p in files[:limit]
        ]

    def counts(self, seen: Seen) -> Counts:
        """Return how much there is."""
        projects = self._projects(seen)
        files = [file for p in projects for file in p.live]
        return Counts(len(projects), len(files), sum(file.size for file in files))

    def dependents(self, project: str, seen: Seen) -> list[Dependent]:
        """Return the projects whose newest release requires a project, by its canonical name."""
        return []

    def has(self, project: str) -> bool:
        """Tell whether there is a project of this canonical name."""
        held = self._repository.names()
        return held is not None and project in held.value.projects

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
        """Return entries of the histories, the newest first."""
        found = [Logged(p.name, e) for p in self._projects(seen) for e in p.history if project in (None, p.name)]
        if accounts and project is None:
            found += [Logged(None, event) for event in self._repository.members.get().history]
        found = [each for each in found if user in (None, each.event.by) and did in (None, each.event.did)]
        return sorted(found, key=lambda each: each.event.at, reverse=True)[:limit]

    def removed(self, seen: Seen, trash_days: float) -> list[Removed]:
        """Return the files that can be restored, the last removed first."""
        found = [
            Removed(p.name, p.display, file, _later(file.removed, trash_days))
            for p in self._projects(seen)
            for file in p.files.values()
            if file.removed and not file.purged
        ]
        return sorted(found, key=lambda each: each.file.removed or "", reverse=True)

    def release(self, project: Project, version: str) -> Release | None:
        """Return what a release says of itself, None if nothing can be read of it."""
        found = next((each for each in releases(project).values() if each.text == version), None)
        described: list[File] = [file for file in found.files if file.metadata] if found else []
        if not described:
            return None
        file = min(described, key=lambda file: (not file.is_wheel, file.uploaded, file.filename))
        try:
            with self._repository.open_metadata(project, file) as reader:
                return Release(metadata.read(reader.read()), file)
        except (StoreError, MetadataError):
            return None

    def _projects(self, seen: Seen) -> list[Project]:
        held = self._repository.names()
        names = sorted(held.value.projects) if held else []
        return [self._repository.project(name).value for name in names if seen(name)]


def _summary(project: Project) -> Summary:
    found = newest(project)
    version = found.text if found and found.usable else None
    updated = max((file.uploaded for file in project.live), default=None)
    return Summary(project.name, project.display, version, "", updated, project.status, len(project.live))


def _later(time: str, days: float) -> str:
    moment = datetime.fromisoformat(time.replace("Z", "+00:00")) + timedelta(days=days)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
