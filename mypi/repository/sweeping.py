"""The sweep: what no document names is deleted, what was removed long ago is purged.

Per project: list its bytes; swap the document with the sweep counter raised; delete only what was in that listing and
what the swapped document does not name. An upload that finds the counter changed adds its bytes again, so nothing that
was answered 200 is ever swept, whatever the clocks say.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..model import Event, Project
from ..store import Entry, NotFound, Store
from . import keys
from .catalogue import Catalogue


@dataclass(frozen=True)
class Sweep:
    """What a sweep did to one project, or would do: file names purged, keys deleted, and their bytes."""

    project: str
    purged: tuple[str, ...]
    deleted: tuple[str, ...]
    freed: int


class Sweeper:
    """Clears away rubbish of the index."""

    def __init__(self, files: Store, catalogue: Catalogue) -> None:
        self._files = files
        self._catalogue = catalogue

    def places(self) -> Iterator[str]:
        """Yield the name of every project that has bytes or a document, once each."""
        known = set(self._catalogue.displays())
        yield from sorted(known)
        for entry in self._files.list(keys.files(self._catalogue.index)):
            found = keys.place(entry.key)
            if found and found[0] not in known:
                known.add(found[0])
                yield found[0]

    def sweep(self, name: str, *, removed_before: str, older_than: float, event: Event, dry_run: bool) -> Sweep:
        """Sweep one project.

        Removals from before ``removed_before`` (RFC 3339) are purged; token folders are left alone until all their
        bytes are from before ``older_than`` (seconds since 1970), which is politeness to running uploads, not safety.
        Raises StoreError; nothing is deleted after one.
        """
        folders: dict[str, list[Entry]] = defaultdict(list)
        for entry in self._files.list(keys.files(self._catalogue.index, name)):
            if found := keys.place(entry.key):
                folders[found[1]].append(entry)
        before = self._catalogue.present(name)
        if not before.exists and name in self._catalogue.displays():
            # A first upload that was cut off right before its end, or a document that was lost: nobody can tell, and
            # what a restored document would name must not go. The next upload to the project ends the doubt.
            return Sweep(name, (), (), 0)
        if before.exists and not dry_run:
            # Where the document of the names was lost or is older than this one, its projects come back by themselves.
            self._catalogue.announce(name, before.display)
        after = before.sweep(removed_before, event)
        doomed = _doomed(folders, before, after, older_than)
        if not dry_run and (doomed or _purged(before, after)):
            # Opened by name, and swapped even if nothing is purged: the counter is what makes the deletion safe.
            after = self._catalogue.edit(name, lambda project: project.sweep(removed_before, event))
            doomed = _doomed(folders, before, after, older_than)
            for entry in doomed:
                with contextlib.suppress(NotFound):
                    self._files.delete(entry.key)
        keys_gone = tuple(entry.key for entry in doomed)
        return Sweep(name, _purged(before, after), keys_gone, sum(entry.size for entry in doomed))


def _doomed(folders: Mapping[str, list[Entry]], before: Project, after: Project, older_than: float) -> list[Entry]:
    """List what the swapped document does not name: at once if it was purged, else when it has some age."""
    known = {token for file in before.files.values() for token in file.places}
    return [
        entry
        for token, entries in sorted(folders.items())
        if token not in after.tokens() and (token in known or max(e.modified for e in entries) < older_than)
        for entry in entries
    ]


def _purged(before: Project, after: Project) -> tuple[str, ...]:
    already = {name for name, file in before.files.items() if file.purged}
    return tuple(name for name, file in after.files.items() if file.purged and name not in already)
