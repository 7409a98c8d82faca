"""Mending: what is damaged is marked and withdrawn, what can be made again is made, what is right again is offered.

Nothing is deleted. Bytes that are put back lie under a fresh key, as all files do, and the wrong ones stay where they
are; once no document names their folder the sweep clears it away like any rubbish.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from .. import names
from ..archives import Limits
from ..artifacts import RELAXABLE, ArtifactError, inspect
from ..model import Event, File, Project
from ..settings import Settings
from ..store import NotFound, Store, StoreError, Unavailable, copy_exactly
from . import keys
from .catalogue import Catalogue
from .contents import key_of
from .listing import Listing
from .verifying import Finding, Pace, Place, Verifier

_ROUNDS = 5
"""How often bytes that are put back make way for a sweep."""

Source = tuple[IO[bytes], int]
"""Bytes that can be sought in, and how many there are."""


@dataclass(frozen=True)
class Repair:
    """What became of a finding: what was done, and what is left to a person; "" for nothing."""

    done: str = ""
    left: str = ""


class _Swept(Exception):
    """A sweep went over the project since the bytes were added: they must be added again."""


class Mender:
    """Marks and mends files of one index. ``ours`` raises WrongStore unless the stores are still those of the start.

    ``event`` of a method is the entry of the history to be, without what was done.
    """

    def __init__(
        self, files: Store, catalogue: Catalogue, verifier: Verifier, settings: Settings, ours: Callable[[], None]
    ) -> None:
        self._files = files
        self._catalogue = catalogue
        self._verifier = verifier
        self._limits = Limits(unpacked=settings.unpacked_limit)
        self.ours = ours
        self._listing = Listing(files, catalogue)

    def check(self, project: str, pace: Pace) -> Iterator[Finding]:
        """Read and hash the files of a project; see Verifier.check. Raises NotFound, Unavailable, Damaged."""
        found = self._catalogue.passing(project)
        return self._verifier.check(found, pace) if found else iter(())

    def withdraw(self, finding: Finding, event: Event) -> str:
        """Mark what was found wrong, if it is found so a second time; return why it was not marked, or "".

        A file that is marked is withdrawn from every page; of what lies beside one only the mention goes. Raises
        WrongStore; StoreError, after which it may be marked.
        """
        place = _place(finding)
        again = self._verifier.look(place)
        if again is None:
            return "was put back or purged meanwhile"
        if again.kind == "unread":
            return str(again.problem)
        if again.problem != finding.problem:
            # Bytes on a disk stay wrong in one way; a broken cable, memory or proxy is wrong in many.
            told = again.problem or "is as it should be"
            return (
                f"was read twice, and the second time it {told}; nothing was marked. Look at memory, disk and network"
            )
        self.ours()  # an index whose disk is gone lacks everything
        found = {place.ending: (place.token, str(finding.problem))}
        self._catalogue.edit_known(place.project, lambda project: project.mark(place.filename, found, event))
        return ""

    def proposal(self, finding: Finding) -> str:
        """Say what ``repair`` would do about a finding, "" if nothing."""
        place = finding.place
        if finding.names:
            return "list every project again on the index page"
        if place is None or finding.kind == "unread":
            return ""
        if finding.kind == "right again":
            return f"offer {place.name} again"
        if place.ending == ".metadata":
            return f"make {place.name} again of {place.filename}"
        withdrawn = f"offer {place.filename} without it" if place.ending else "withdraw it from the pages"
        return "" if finding.marked else f"mark {place.name} as damaged, and {withdrawn}"

    def repair(self, finding: Finding, event: Event) -> Repair:
        """Do what can be done about a finding; see ``withdraw`` for what is raised."""
        place = finding.place
        if finding.names:
            aside = self._listing.restore()
            return Repair("every project is listed again" + (f"; what was there is kept as {aside}" if aside else ""))
        if finding.kind == "unread":
            return Repair(left=f"{finding.subject} {finding.problem}; try again when the store is well")
        if place is None:
            return Repair(left=f"{finding.subject} {_DOCUMENT}")
        if finding.kind == "right again":
            return self._unmark(place, event)
        if place.ending == ".metadata" and self._rebuild(finding, event):
            return Repair(f"{place.name} was made again of {place.filename}")
        why = "" if finding.marked else self.withdraw(finding, event)
        done = "" if finding.marked else f"{place.name} is marked as damaged"
        return Repair(left=f"{place.name} {why}") if why else Repair(done, _to_restore(place, finding.subject))

    def put_back(
        self,
        project: str,
        file: File,
        sources: Mapping[str, Source],
        event: Event,
        change: Callable[[Project], Project] = lambda project: project,
    ) -> None:
        """Store what is damaged of a file again, by its ending, and take the marks off by one swap.

        The digests must have been compared. ``change`` is made before, to refuse or to mark. Raises Full, Unavailable.
        """
        for _ in range(_ROUNDS):
            sweeps = self._catalogue.present(project).sweeps
            places = {ending: keys.fresh_token() for ending in sources}
            for ending, (source, size) in sources.items():
                source.seek(0)
                key = keys.file(self._catalogue.index, project, places[ending], file.filename)
                self._files.add(keys.beside(key, ending), source, size)
            with contextlib.suppress(_Swept):
                self._catalogue.edit_known(project, _mending(file.filename, places, sweeps, event, change))
                return
        raise Unavailable(project, "sweeps kept coming between; try again")

    def put_back_upload(self, project: Project, file: File, sources: Mapping[str, Source], event: Event) -> None:
        """Put back what an upload of the same bytes brings: the file, its signature, and the metadata in it."""
        wanted = {}
        for ending, (source, size) in sources.items():
            if not file.is_whole(ending) and _digest(source) == (file.sidecars.get(ending) or file.sha256):
                wanted[ending] = source, size
        if not file.is_whole(".metadata") and (data := self._metadata(sources[""][0], file)):
            wanted[".metadata"] = io.BytesIO(data), len(data)
        if wanted:
            self.put_back(project.name, file, wanted, event)

    def take_from(self, other: Mender, source: Project, event: Event) -> list[str]:
        """Put back what is damaged here of a project and whole in another index; return the names of the objects."""
        done = []
        files, index = other._files, other._catalogue.index
        for file in self._catalogue.present(source.name).files.values():
            there = source.files.get(file.filename)
            if file.purged or not file.damage or there is None or there.sha256 != file.sha256:
                continue
            for ending in file.damage:
                wanted = file.sidecars.get(ending) or file.sha256
                with contextlib.ExitStack() as held, contextlib.suppress(NotFound):
                    reader = held.enter_context(files.open(key_of(index, source.name, there, ending)))
                    spool = held.enter_context(self._files.spool())
                    copy_exactly(reader.key, reader, spool, reader.size)
                    if _digest(spool) == wanted:
                        self.put_back(source.name, file, {ending: (spool, reader.size)}, event)
                        done.append(file.filename + ending)
        return done

    def _unmark(self, place: Place, event: Event) -> Repair:
        again = self._verifier.look(place)
        if again is None or again.kind != "right again":
            return Repair(left=f"{place.name} {again.problem if again else 'was put back or purged meanwhile'}")
        places = {place.ending: place.token}
        self._catalogue.edit_known(place.project, lambda project: project.mend(place.filename, places, event))
        return Repair(f"{place.name} is offered again")

    def _rebuild(self, finding: Finding, event: Event) -> bool:
        """Make core metadata again of the file that it was read from; False if that cannot be done."""
        place = _place(finding)
        file = self._catalogue.present(place.project).files[place.filename]
        with contextlib.ExitStack() as held:
            spool = held.enter_context(self._files.spool())
            try:
                reader = held.enter_context(self._files.open(key_of(self._catalogue.index, place.project, file)))
                copy_exactly(reader.key, reader, spool, reader.size)
            except Unavailable:
                raise
            except StoreError:
                return False
            data = self._metadata(spool, file) if _digest(spool) == file.sha256 else None
        if data is None:
            return False
        found = {place.ending: (place.token, str(finding.problem))}
        sources = {place.ending: (io.BytesIO(data), len(data))}
        self.put_back(place.project, file, sources, event, lambda project: project.mark(place.filename, found, event))
        return True

    def _metadata(self, content: IO[bytes], file: File) -> bytes | None:
        """Return the metadata in a file, if it is that which was there; whatever was once let in is read."""
        content.seek(0)
        try:
            data = inspect(
                content, names.filename(file.filename), limits=self._limits, allow=frozenset(RELAXABLE)
            ).metadata
        except (ArtifactError, names.InvalidName, names.InvalidVersion):
            return None
        return data if data is not None and hashlib.sha256(data).hexdigest() == file.metadata else None


_DOCUMENT = "is the truth about what it names, and nothing can stand for it: put it back from a backup"


def _to_restore(place: Place, key: str) -> str:
    """Say what must be restored, from where, and how."""
    size = "" if place.size is None else f", {place.size:,} bytes"
    how = "`mypi import FILE`, an upload of the same file" if not place.ending else "`mypi import FILE` with it beside"
    return (
        f"{place.name} of {place.project} (sha256 {place.sha256}{size}) must come from a backup or from who built it: "
        f"{how}, or `mypi restore BACKUP`; the wrong bytes, if any, are left as {key}"
    )


def _place(finding: Finding) -> Place:
    if finding.place is None:
        raise ValueError(f"{finding.subject} is no object of a file")
    return finding.place


def _digest(source: IO[bytes]) -> str:
    source.seek(0)
    hashed = hashlib.sha256()
    while chunk := source.read(256 * 1024):
        hashed.update(chunk)
    return hashed.hexdigest()


def _mending(
    filename: str, places: Mapping[str, str], sweeps: int, event: Event, change: Callable[[Project], Project]
) -> Callable[[Project], Project]:
    def mend(project: Project) -> Project:
        after = change(project).mend(filename, places, event)
        if after is not project and project.sweeps != sweeps:
            raise _Swept
        return after

    return mend
