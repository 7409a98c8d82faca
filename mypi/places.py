"""What the places of the tree have in common: names, parents, and the rights on a project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from packaging.utils import NormalizedName
from pyramid.location import lineage

from . import names
from .repository import Repository
from .rights import OWNERS, PERMISSIONS, USERS
from .security import closed
from .store import NotFound


class Resource:
    """A place in the tree; unknown children are the 404."""

    def __init__(self, parent: Resource | None, name: str) -> None:
        self.__parent__ = parent
        self.__name__ = name

    @property
    def canonical(self) -> str:
        """The name as the one URL of this place has it."""
        return self.__name__

    def __getitem__(self, name: str) -> Resource:
        raise KeyError(name)


class ProjectResource(Resource):
    """A project by the name that the URL gives; ``project`` is the canonical one. KeyError if it is no name (A1.6)."""

    def __init__(self, parent: Resource, name: str) -> None:
        super().__init__(parent, name)
        try:
            self.project: NormalizedName = names.project(name)
        except names.InvalidName as exc:
            raise KeyError(name) from exc

    @property
    def canonical(self) -> str:
        return self.project

    def __acl__(self) -> Iterator[tuple[str, str, str]]:
        """Say who may do what here: the rules of the ``.ini``, with the owners whom the project's document names.

        One after the other, so that the document is read only for a right that owners have.
        """
        root: Any = list(lineage(self))[-1]
        for permission in PERMISSIONS:
            allowed = root.rights.on(permission, self.project)
            if OWNERS in allowed:
                others = tuple(who for who in allowed if who != OWNERS)
                allowed = others + _owners(root.repository, self.project, new=permission == "upload")
            yield from closed(permission, allowed)


def _owners(repository: Repository, project: str, *, new: bool) -> tuple[str, ...]:
    """Return the principals that ``owners`` stands for; where ``new``, users may begin a project that there is not."""
    try:
        found = repository.project(project).value
    except NotFound:
        return (USERS,) if new else ()
    return tuple(f"user:{name}" for name in found.owners)


class ReleaseResource(Resource):
    """A release of a project by any spelling of its version; KeyError if it is no version.

    ``text`` is how the one URL of the place spells the version.
    """

    def __init__(self, parent: ProjectResource, name: str) -> None:
        super().__init__(parent, name)
        self.project = parent.project
        try:
            self.version = names.version(name)
        except names.InvalidVersion as exc:
            raise KeyError(name) from exc
        self.text = str(self.version)

    @property
    def canonical(self) -> str:
        return self.text


class ReleaseFile(Resource):
    """A file of a release, by its name."""

    def __init__(self, parent: ReleaseResource, name: str) -> None:
        super().__init__(parent, name)
        self.release = parent
        self.project = parent.project
        self.version = parent.version
        self.filename = name
