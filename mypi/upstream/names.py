"""Whose a name is: ours or theirs, never both (threat 28).

Nothing that is written here asks an upstream about a name of ours. What the store cannot say is never taken for a no.
"""

from __future__ import annotations

from collections.abc import Callable

from ..repository import Repository
from ..rights import matches
from ..store import NotFound
from .errors import Away, Garbage, UpstreamError


class Theirs(UpstreamError):
    """A project cannot begin here, for another index has one of its name (403)."""


class Unasked(UpstreamError):
    """A project cannot begin here now, for nobody can tell whether another index has one of its name (503)."""


class Names:
    """Tells whose canonical names are. ``private`` are patterns of names that are ours whatever happens."""

    def __init__(self, repository: Repository, private: tuple[str, ...]) -> None:
        self._repository = repository
        self._private = private

    def private(self, name: str) -> bool:
        """Tell whether a name is ours by ``mypi.private``, whether there is a project or not."""
        return matches(self._private, name)

    def theirs(self, name: str) -> bool:
        """Tell whether a name is theirs. Raises StoreError: of a store that fails nobody may conclude that."""
        if self.private(name):
            return False
        try:
            self._repository.project(name)
        except NotFound:
            # Listed without a document: its first upload is under way or failed, or the document was lost.
            listed = self._repository.names()
            return listed is None or name not in listed.value.projects
        return False

    def check_new(self, name: str, owner: Callable[[str], str | None]) -> None:
        """Refuse to begin a project whose name another index has; ``owner`` names that index, or None.

        Raises Theirs, Unasked, StoreError.
        """
        if not self.theirs(name):
            return
        try:
            found = owner(name)
        except (Away, Garbage) as exc:
            raise Unasked(
                f"Whether another index has a project {name} cannot be asked now, and a name is either ours or theirs; "
                f"try again later. An operator can make it ours unasked: mypi takeover {name}, or mypi.private"
            ) from exc
        if found:
            raise Theirs(
                f"{found} has a project {name}, and a name is either ours or theirs; choose another. An operator can "
                f"make it ours: mypi takeover {name}, or mypi.private"
            )
