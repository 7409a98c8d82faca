"""Moving an index to another pair of stores: a copy that can be killed, repeated, and closed by a seal.

Per project: read the source's document, copy the files that it names, swap the document in at the target, in this
order, so that no page of the target ever names bytes that are not there. The document keeps its revision, and is
replaced at the target only while it is one that nobody has edited there, so that newer work is never undone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..model import Accounts, Project
from ..store import Store, StoreError
from . import keys
from .carrying import Carrier, Progress
from .pool import in_threads
from .raws import Raw, Raws
from .reading import Damaged
from .replacing import Listing, Outcome, Replacement, Settlement, State, names_in, project_in
from .sealing import seal

_ROUNDS = 5
"""How often a project is begun anew because the source changed under the copy, as a sweep does."""


class SameStore(StoreError):
    """Source and target of a copy are one store."""


class Stores(NamedTuple):
    """The two roles of an index and the id that they share."""

    files: Store
    catalogue: Store
    id: str


class _Listed(NamedTuple):
    """The names that the target lists, and their seal."""

    names: Mapping[str, str]
    sealed: str


class Move:
    """One run of a copy. With ``sealed_at``, an RFC 3339 time, each document of the source is sealed as it is read."""

    def __init__(
        self,
        source: Stores,
        target: Stores,
        index: str,
        *,
        sealed_at: str | None = None,
        jobs: int = 8,
        progress: Progress | None = None,
    ) -> None:
        if source.id == target.id:
            raise SameStore(keys.STORE, "source and target are one store, or one is a plain copy of the other")
        self._from = source
        self._source = Raws(source.catalogue, "at the source")
        self._target = Raws(target.catalogue, "at the target")
        self._index = index
        self._sealed_at = sealed_at
        self._jobs = jobs
        self._progress = progress or Progress()
        self._carrier = Carrier(source.files, target.files, self._progress)
        self._lock = threading.Lock()
        self._announced: dict[str, Mapping[str, str]] = {}
        """The names of the source, by index."""
        self._listed: dict[str, _Listed] = {}
        """Those of the target."""

    def run(self) -> Iterator[Outcome]:
        """Copy everything; yield what became of each document. Raises StoreError; what was copied so far stays.

        Names come first, for neither the page nor the sweep of the target knows a project that is not listed; and, when
        nothing is sealed, once more at the end, for the sake of projects that were announced meanwhile.
        """
        found = self._survey()
        indexes = sorted({index for key in found if (index := keys.index_named_by(key))} | {self._index})
        yield from map(self._copy_names, indexes)
        if self._sealed_at:
            # From here on no project can appear; one that is listed only may be about to get its document. So may the
            # accounts.
            found.add(keys.ACCOUNTS)
            found |= {entry.key for entry in self._from.catalogue.list(keys.INDEXES)}
            found |= {keys.project(index, name) for index, names in self._announced.items() for name in names}
        found -= {keys.index(index) for index in indexes}
        yield from in_threads(self._copy, sorted(found), self._jobs, stop=self._carrier.stop)
        if not self._sealed_at:
            yield from map(self._copy_names, indexes)

    def _survey(self) -> set[str]:
        """List the documents of the source, and measure its files if somebody wants to know."""
        found, size = set(), 0
        for entry in self._from.catalogue.list():
            if keys.is_document(entry.key):
                found.add(entry.key)
            elif entry.key.startswith(keys.FILES):
                size += entry.size
        if self._progress.measured:
            if self._from.files is not self._from.catalogue:
                size = sum(entry.size for entry in self._from.files.list(keys.FILES))
            self._progress.total(size)
        return found

    def _read(self, key: str) -> Raw | None:
        """Return a document of the source, sealed if it shall be."""
        if self._sealed_at:
            return seal(self._source, key, self._sealed_at)
        return self._source.read(key)[0]

    def _copy_names(self, index: str) -> Outcome:
        """Copy the names of an index; what the target lists besides stays listed."""
        key = keys.index(index)
        try:
            source = self._read(key)
            names = self._announced[index] = self._source.parse(key, lambda: names_in(source))
            return Outcome(key, self._list(index, source, names))
        except Damaged as exc:
            return Outcome(key, "damaged", problems=(str(exc),))

    def _list(self, index: str, source: Raw | None, wanted: Mapping[str, str]) -> State:
        """See that the target lists what is wanted. Raises Damaged."""
        key, change = keys.index(index), Listing(source, wanted)
        listed = self._target.rewrite(key, lambda before: self._target.parse(key, lambda: change(before)))
        self._listed[index] = _Listed(names_in(listed), listed.sealed if listed else "")
        return change.state

    def _announce(self, index: str, project: Project) -> str:
        """See that the target lists a project before it has any bytes of it, so that no sweep there takes them.

        Return the seal of the target's names.
        """
        with self._lock:
            if not self._lists(index, project.name):
                self._copy_names(index)
            if not self._lists(index, project.name):
                self._list(index, None, {project.name: project.display})
            return self._listed[index].sealed

    def _lists(self, index: str, name: str) -> bool:
        return index in self._listed and name in self._listed[index].names

    def _copy(self, key: str) -> Outcome:
        try:
            return self._copy_whole(key)
        except Damaged as exc:
            return Outcome(key, "damaged", problems=(str(exc),))

    def _copy_whole(self, key: str) -> Outcome:
        for _ in range(_ROUNDS):
            source = self._read(key)
            outcome = self._carry(key, source) if source else Outcome(key, "there")
            # A file that is not there may have been purged by a sweep, which the document says.
            if outcome.state != "damaged" or self._source.read(key)[0] == source:
                break
        return outcome

    def _settle(self, source: Raw) -> Outcome:
        """Copy the accounts without their secrets. Raises Damaged."""
        key = keys.ACCOUNTS
        change = Settlement(self._source.parse(key, lambda: Accounts.load(source.dump())))
        self._target.rewrite(key, lambda before: self._target.parse(key, lambda: change(before)))
        return change.outcome(key)

    def _carry(self, key: str, source: Raw) -> Outcome:
        if key == keys.ACCOUNTS:
            return self._settle(source)
        place = keys.project_of(key)
        if place is None:
            plain = Replacement(source, "")
            self._target.rewrite(key, plain)
            return plain.outcome(key)
        index, name = place
        project = self._source.parse(key, lambda: project_in(source, name))
        sealed = self._announce(index, project)
        change = Replacement(source, sealed, lambda: self._carrier.carry(index, project))
        self._target.rewrite(key, change)
        if change.state in ("there", "left"):
            self._progress.spared(sum(file.size for file in project.files.values() if not file.purged))
        return change.outcome(key, name)
