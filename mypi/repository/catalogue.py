"""The catalogue of one index: the document of its names and one document per project."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ..model import Names, Project
from ..settings import Settings
from ..store import Entry, NotFound, Store
from . import keys
from .documents import Documents, Held


class Catalogue:
    """The documents of the index called ``index`` in ``store``."""

    def __init__(self, store: Store, index: str, settings: Settings) -> None:
        self.store = store
        self.index = index
        self._edited: list[Callable[[str], None]] = []
        self._names: Documents[Names] = Documents(
            store,
            lambda key, data: Names.load(data),
            lambda key: Names(),
            cache_size=settings.cache_size,
            cache_seconds=settings.cache_seconds,
        )
        self._projects: Documents[Project] = Documents(
            store,
            self._load_project,
            lambda key: Project(name := keys.project_named_by(index, key), name),
            cache_size=settings.cache_size,
            cache_seconds=settings.cache_seconds,
        )

    def counts(self) -> dict[str, int]:
        """Return how often a document was come by how; see COUNTED of ``reading``."""
        return {how: count + self._projects.counts[how] for how, count in self._names.counts.items()}

    def names(self) -> Held[Names] | None:
        """Return the names of the projects; None before the first publish."""
        try:
            return self._names.get(keys.index(self.index))
        except NotFound:
            return None

    def get(self, name: str) -> Held[Project]:
        """Return a project as it is now. Raises NotFound, also for one that only a sweep ever wrote."""
        try:
            held = self._projects.get(keys.project(self.index, name))
        except NotFound as exc:
            raise _no_project(name) from exc
        if not held.value.exists:
            raise _no_project(name)
        return held

    def present(self, name: str) -> Project:
        """Return a project as the store has it, whatever is cached, or the empty one that it would begin as."""
        try:
            return self._projects.newest(keys.project(self.index, name)).value
        except NotFound:
            return Project(name, name)

    def edit(self, name: str, change: Callable[[Project], Project], *, absent: bool = False) -> Project:
        """Make a change so, to a project that may be new; see Documents.edit."""
        try:
            return self._projects.edit(keys.project(self.index, name), change, absent=absent)
        finally:
            # Also after an error: a swap whose success was not told may have changed the document.
            for told in self._edited:
                told(name)

    def tell(self, edited: Callable[[str], None]) -> None:
        """Call ``edited`` with the name of each project after this process tried to edit it, be it well or not."""
        self._edited.append(edited)

    def passing(self, name: str) -> Project | None:
        """Return a project as the store has it, without keeping it; None for one that only a sweep ever wrote.

        Who reads all of them must not push what installers ask for out of memory. Raises as ``get``.
        """
        found = self._projects.passing(keys.project(self.index, name)).value
        return found if found.exists else None

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Yield the name of each project with the store's entry of its document. Raises Unavailable.

        Every edit that shows writes to the history, so that the size of the document tells two versions apart where the
        store's clock is too coarse to.
        """
        for entry in self.store.list(keys.projects(self.index)):
            place = keys.project_of(entry.key)
            if place:
                yield place[1], entry

    def edit_known(self, name: str, change: Callable[[Project], Project]) -> Project:
        """Make a change so. Raises NotFound for a project that does not exist, and as ``edit``."""

        def known(project: Project) -> Project:
            if not project.exists:
                raise _no_project(name)
            return change(project)

        return self.edit(name, known)

    def announce(self, name: str, display: str) -> None:
        """List a project's name, before its first document is written, so that no published project is unlisted.

        Names are never taken away, so any copy that has it is proof, and the store need not be asked.
        """
        kept = self._names.kept(keys.index(self.index))
        if kept is None or name not in kept.value.projects:
            self._names.edit(keys.index(self.index), lambda names: names.add(name, display))

    def displays(self) -> Mapping[str, str]:
        """Map the canonical name of each project to the name that people read, as the store has it."""
        try:
            return self._names.newest(keys.index(self.index)).value.projects
        except NotFound:
            return {}

    def _load_project(self, key: str, data: bytes) -> Project:
        project = Project.load(data)
        if project.name != keys.project_named_by(self.index, key):
            raise ValueError(f"the document is that of {project.name}")
        return project


def _no_project(name: str) -> NotFound:
    return NotFound(name, "no such project")
