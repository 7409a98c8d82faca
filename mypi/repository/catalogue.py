"""The catalogue of one index: the document of its names and one document per project."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..model import Names, Project
from ..settings import Settings
from ..store import NotFound, Store
from . import keys
from .documents import Documents, Held


class Catalogue:
    """The documents of the index called ``index`` in ``store``."""

    def __init__(self, store: Store, index: str, settings: Settings) -> None:
        self.store = store
        self.index = index
        self._names: Documents[Names] = Documents(
            store,
            Names.load,
            lambda key: Names(),
            cache_size=settings.cache_size,
            cache_seconds=settings.cache_seconds,
        )
        self._projects: Documents[Project] = Documents(
            store,
            Project.load,
            lambda key: Project(name := keys.project_named_by(index, key), name),
            cache_size=settings.cache_size,
            cache_seconds=settings.cache_seconds,
        )

    def names(self) -> Held[Names] | None:
        """Return the names of the projects; None before the first publish."""
        try:
            return self._names.get(keys.index(self.index))
        except NotFound:
            return None

    def get(self, name: str) -> Held[Project]:
        """Return a project as it is now. Raises NotFound, also for one that only a sweep ever wrote."""
        held = self._projects.get(keys.project(self.index, name))
        if not held.value.exists:
            raise NotFound(name, "no such project")
        return held

    def present(self, name: str) -> Project:
        """Return a project, or the empty one that it would begin as."""
        try:
            return self._projects.get(keys.project(self.index, name)).value
        except NotFound:
            return Project(name, name)

    def edit(self, name: str, change: Callable[[Project], Project]) -> Project:
        """Make a change so; see Documents.edit."""
        return self._projects.edit(keys.project(self.index, name), change)

    def announce(self, name: str, display: str) -> None:
        """List a project's name, before its first document is written, so that no published project is unlisted."""
        held = self.names()
        if held is None or name not in held.value.projects:
            self._names.edit(keys.index(self.index), lambda names: names.add(name, display))

    def displays(self) -> Mapping[str, str]:
        """Map the canonical name of each project to the name that people read."""
        held = self.names()
        return held.value.projects if held else {}
