"""Taking the ownerships of a user away, wherever they are, so that they do not wait for the next one of that name."""

from __future__ import annotations

from ..model import Event
from ..store import NotFound
from .catalogue import Catalogue
from .pool import in_threads
from .reading import Damaged

_AT_ONCE = 8
"""Documents read at a time: a store far away takes its time for each."""


def disown(catalogue: Catalogue, user: str, event: Event) -> tuple[list[str], list[Damaged]]:
    """Make a user an owner of nothing; return the projects that they owned, and what is wrong with others."""
    damaged: list[Damaged] = []

    def leave(name: str) -> str | None:
        try:
            found = catalogue.passing(name)
            if found is None or user not in found.owners:
                return None
            catalogue.edit_known(name, lambda project: project.remove_owner(user, event))
        except NotFound:
            return None  # announced, and not published yet
        except Damaged as exc:
            damaged.append(exc)
            return None
        return name

    left = in_threads(leave, sorted(catalogue.displays()), _AT_ONCE, name="mypi-disown")
    return sorted(name for name in left if name), damaged
