"""Publishing: bytes first, then the one swap that makes them real.

A crash anywhere leaves rubbish that the sweep clears away, never a document that names missing bytes (invariants 1, 3).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import replace

from packaging.version import Version

from .. import attestations, names, rules
from ..archives import Limits
from ..artifacts import Artifact, inspect
from ..metadata import CoreMetadata
from ..model import Event, File, Project
from ..settings import Settings
from ..store import Source, Store, StoreError, Unavailable
from ..times import moment
from . import keys
from .catalogue import Catalogue
from .documents import refuse_if_sealed
from .mending import Mender
from .submissions import Refused, Submission

_ROUNDS = 5
"""How often an upload makes way for a sweep before it is told to come back."""


class _Swept(Exception):
    """A sweep went over the project since its bytes were added: they may be gone and must be added again."""


class Publisher:
    """Puts files and their metadata into a store, then into the catalogue."""

    def __init__(self, files: Store, catalogue: Catalogue, settings: Settings, mender: Mender) -> None:
        self._files = files
        self._catalogue = catalogue
        self._settings = settings
        self._mender = mender
        self._limits = Limits(unpacked=settings.unpacked_limit)
        self.check_new: Callable[[str, str], None] = lambda name, display: None

    def publish(
        self, submission: Submission, event: Event, owner: str | None = None, *, only_own: bool = False
    ) -> File:
        """Publish a file with all its metadata or not at all; return it, durable and listed.

        A project that begins with it has the ``owner``, and with ``only_own`` no other is added to. The same bytes
        under the same name are accepted again and change nothing (B1.15), unless the store has lost them: they are put
        back. Raises Taken, Closed, Refused,
        AttestationError, ArtifactError, InvalidName; Moved, Full, Sealed, Unavailable ("perhaps").
        """
        project = self._catalogue.present(submission.filename.project)
        published = project.admit(submission.filename.text, submission.sha256)
        if published:
            return self._put_back(submission, project, published, (event, owner, only_own))
        # Else the bytes would be taken in first, and stay in a store that no sweep may change.
        refuse_if_sealed(project.name, project)
        provenance = attestations.provenance(
            submission.attestations, submission.filename, submission.sha256, event.by, self._settings.attesters
        )
        artifact = self._inspect(submission, project)
        if artifact.filename.project != project.name:
            if submission.settled:
                named, archived = submission.filename, artifact.filename
                raise Refused(
                    f"{named.text} was sent as {named.project} {named.version}, and its archive is "
                    f"{archived.project} {archived.version}; send it as that"
                )
            # An imported file's name may be read in several ways; the archive has the last word on whose it is.
            return self.publish(replace(submission, filename=artifact.filename), event, owner, only_own=only_own)
        if not project.exists:
            self.check_new(project.name, artifact.core.name)
        beside = {".metadata": artifact.metadata, ".asc": submission.signature, ".provenance": provenance}
        given = {ending: data for ending, data in beside.items() if data is not None}
        return self._store(submission, artifact, given, project, (event, owner, only_own))

    def _put_back(
        self, submission: Submission, project: Project, file: File, by: tuple[Event, str | None, bool]
    ) -> File:
        """Heal a file that is marked as damaged; no rule is asked again, for these bytes were let in already."""
        event, owner, only_own = by
        if not file.damage:
            return file
        refuse_if_sealed(project.name, project)
        project.refuse_others(owner, only_own=only_own)
        sources = {"": (submission.content, submission.size)}
        if submission.signature is not None:
            sources[".asc"] = io.BytesIO(submission.signature), len(submission.signature)
        self._mender.put_back_upload(project, file, sources, event)
        return self._catalogue.present(project.name).files[file.filename]

    def _inspect(self, submission: Submission, project: Project) -> Artifact:
        artifact = inspect(submission.content, submission.filename, limits=self._limits, allow=submission.allow)
        refuse = self._settings.refuse
        # Of ten thousand files a tenth of a second, for nothing where no rule is switched on.
        broken = rules.violations(artifact, refuse, _release(project, artifact)) if refuse else []
        if broken:
            raise Refused(f"{artifact.filename.text}: " + "; ".join(broken))
        return artifact

    def _store(
        self,
        submission: Submission,
        artifact: Artifact,
        beside: Mapping[str, bytes],
        project: Project,
        by: tuple[Event, str | None, bool],
    ) -> File:
        """Add the bytes and publish them; ``project`` was read before, so its counter shows every sweep since.

        ``by`` is the event, the owner whom a new project gets, and whether no other project is added to.
        """
        event, _, _ = by
        for _ in range(_ROUNDS):
            file = _described(submission, artifact, beside, event)
            self._add(project.name, file, submission, beside)
            if not project.exists:
                self._catalogue.announce(project.name, artifact.core.name)
            change = _publishing(file, artifact.core.name, project.sweeps, by)
            try:
                edited = self._catalogue.edit(project.name, change, absent=not project.revision)
                return edited.files[file.filename]
            except _Swept:
                project = self._catalogue.present(project.name)
        raise Unavailable(project.name, "sweeps kept coming between; try again")

    def _add(self, project: str, file: File, submission: Submission, beside: Mapping[str, bytes]) -> None:
        """Add the bytes and what lies beside them; after an error nothing is left if the store still lets us."""
        key = keys.file(self._catalogue.index, project, file.token, file.filename)
        objects: dict[str, tuple[Source, int]] = {
            keys.beside(key, ending): (io.BytesIO(data), len(data)) for ending, data in beside.items()
        }
        objects[key] = submission.content, submission.size
        submission.content.seek(0)
        try:
            self._files.add_all(objects)
        except BaseException:
            # No swap has named these keys yet, so they can go at once; what cannot be deleted waits for the sweep.
            for name in objects:
                with contextlib.suppress(StoreError):
                    self._files.delete(name)
            raise

    def register(
        self, core: CoreMetadata, event: Event, owner: str | None = None, *, only_own: bool = False
    ) -> Project:
        """Note a release without files; it is never required before an upload. Raises Closed and as ``publish``."""
        project = self._catalogue.present(core.project)
        project.register(str(core.version), core.summary or "", event)
        if not project.exists:
            self.check_new(core.project, core.name)
            self._catalogue.announce(core.project, core.name)
        return self._catalogue.edit(
            core.project,
            lambda p: _named(p, core.name).register(
                str(core.version), core.summary or "", event, owner, only_own=only_own
            ),
        )

    def take_over(self, name: str, display: str, reason: str, event: Event) -> Project:
        """Begin a project without anything in it. Raises Taken if there is one, and as Documents.edit does."""
        self._catalogue.present(name).take_over(reason, event)
        self._catalogue.announce(name, display)
        return self._catalogue.edit(name, lambda p: _named(p, display).take_over(reason, event))


def _release(project: Project, artifact: Artifact) -> rules.Release:
    """Gather what some rules ask for: the files that the release has already."""
    files = [file for file in project.files.values() if Version(file.version) == artifact.filename.version]
    return rules.Release(tuple((names.filename(f.filename), moment(f.uploaded)) for f in files))


def _publishing(
    file: File, display: str, sweeps: int, by: tuple[Event, str | None, bool]
) -> Callable[[Project], Project]:
    event, owner, only_own = by

    def change(project: Project) -> Project:
        named = _named(project, display)
        after = named.publish(file, event, owner, only_own=only_own)
        if after is not named and project.sweeps != sweeps:
            raise _Swept
        return after

    return change


def _named(project: Project, display: str) -> Project:
    """Give a project that is new the name that its first file writes."""
    return project if project.exists else replace(project, display=display)


def _described(submission: Submission, artifact: Artifact, beside: Mapping[str, bytes], event: Event) -> File:
    digests = {ending: hashlib.sha256(data).hexdigest() for ending, data in beside.items()}
    return File(
        filename=submission.filename.text,
        version=str(artifact.core.version),
        token=keys.fresh_token(),
        size=submission.size,
        sha256=submission.sha256,
        uploaded=event.at,
        uploader=event.by,
        requires_python=artifact.core.requires_python,
        metadata=digests.get(".metadata"),
        signature=digests.get(".asc"),
        provenance=digests.get(".provenance"),
    )
