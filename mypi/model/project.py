"""A project as a value: its files, its status, its history, and every change to them as a pure function.

The project document is the only truth about a project; everything that is shown is derived from it. A change returns
a new Project, or the same object when what it wants is already so: each is safe to apply twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from packaging.version import Version

from .damage import marked, mended
from .errors import Closed, Missing, Taken, Withdrawn
from .parts import Event, File, Status
from .sparse import text

TAKEOVER = "takeover"
"""What the history of a project begins with whose name was made ours before anything was published."""


@dataclass(frozen=True)
class Project:
    """One project document. ``owners`` are names of users.

    ``files`` is keyed by file name, removed ones included; ``releases`` holds versions registered without files;
    ``sweeps`` counts the sweeps that went over the project's bytes. ``sealed`` is when the index was sealed for a move
    (RFC 3339), "" while the document takes edits; ``copied`` is the revision under which a copy wrote it here, "" if
    none did: as long as both are equal, nobody has edited it since.
    """

    name: str
    display: str
    revision: str = ""
    status: Status = "active"
    status_reason: str = ""
    sweeps: int = 0
    sealed: str = ""
    copied: str = ""
    owners: tuple[str, ...] = ()
    files: Mapping[str, File] = field(default_factory=dict)
    releases: Mapping[str, str] = field(default_factory=dict)
    history: tuple[Event, ...] = ()

    @property
    def exists(self) -> bool:
        """Something was ever published or registered. A sweep may write a document before that."""
        return bool(self.history)

    @property
    def taken_over(self) -> bool:
        """The name was made ours before anything was published under it."""
        return bool(self.history) and self.history[0].did == TAKEOVER

    @cached_property
    def live(self) -> tuple[File, ...]:
        """The files on offer, by version and name: none while the project is quarantined (A7), none that is damaged."""
        return tuple(file for file in self._ordered if file.is_whole())

    @cached_property
    def withdrawn(self) -> tuple[File, ...]:
        """The files that would be on offer if they had not been found damaged, by version and name."""
        return tuple(file for file in self._ordered if not file.is_whole())

    @property
    def _ordered(self) -> Iterable[File]:
        found = () if self.status == "quarantined" else self.files.values()
        # Sorted twice, for pairs are compared by == first, and that of versions is Python's.
        by_name = sorted((f for f in found if f.live), key=lambda f: f.filename)
        return sorted(by_name, key=lambda f: Version(f.version))

    @cached_property
    def versions(self) -> tuple[str, ...]:
        """Every version with a live file or registered without one, oldest first (A5.4)."""
        found = {f.version for f in self.live} | set(self.releases)
        # 1.0 and 1.0.0 are equal as versions, and their order must not change under an ETag.
        return tuple(sorted(sorted(found), key=Version))

    @cached_property
    def _folded(self) -> Mapping[str, File]:
        return {name.lower(): file for name, file in self.files.items()}

    def find(self, filename: str) -> File | None:
        """Return the file that has this name or one that differs only in case."""
        return self._folded.get(filename.lower())

    def live_file(self, filename: str) -> File:
        """Return a file that is on offer under exactly this name. Raises Missing, Withdrawn."""
        file = self.files.get(filename)
        if file is None or not file.live or self.status == "quarantined":
            raise Missing(f"{self.name} has no file {filename}")
        if not file.is_whole():
            raise Withdrawn(f"{filename} was found damaged in this index: restore it from a backup, or upload it again")
        return file

    def admit(self, filename: str, sha256: str) -> File | None:
        """Return the live file if these bytes are published already, None if the name is free.

        The file may be damaged; who has its bytes can put them back. Raises Closed (A7) and Taken (B1.15, B1.16).
        """
        self._refuse_if_closed()
        there = self.find(filename)
        if there is None:
            return None
        if there.filename == filename and there.sha256 == sha256 and there.live:
            return there
        raise Taken(_why_taken(there, filename, sha256))

    def publish(self, file: File, event: Event, owner: str | None = None, *, only_own: bool = False) -> Project:
        """Add a file; ``owner`` owns a project that begins with it, and must own another if ``only_own``.

        Raises Closed, Taken.
        """
        there = self.files.get(file.filename)
        if (there and there.token == file.token) or self.admit(file.filename, file.sha256):
            return self
        begun = self._begun(owner, only_own)
        return begun._with([file], event.about(did="publish", file=file.filename, version=file.version))

    def register(
        self, version: str, summary: str, event: Event, owner: str | None = None, *, only_own: bool = False
    ) -> Project:
        """Note a release that has no files (yet), with its summary; the owner as for ``publish``. Raises Closed."""
        if self.releases.get(version) == summary:
            return self
        self._refuse_if_closed()
        entry = event.about(did="register", version=version)
        begun = self._begun(owner, only_own)
        return replace(begun, releases={**self.releases, version: summary}, history=(*self.history, entry))

    def take_over(self, reason: str, event: Event) -> Project:
        """Begin the project without a file or a release: its name is ours from then on.

        One that began so already stays as it is. Raises Taken if it began otherwise.
        """
        if self.taken_over:
            return self
        if self.exists:
            raise Taken(f"{self.display} is a project of this index already; nothing was changed")
        return replace(self, history=(event.about(did=TAKEOVER, reason=reason or None),))

    def refuse_others(self, owner: str | None, *, only_own: bool) -> None:
        """Refuse who may publish to their own projects only. Raises Closed."""
        if only_own and self.exists and owner not in self.owners:
            raise Closed(f"{self.name} was begun by somebody else meanwhile; only its owners may publish to it")

    def _begun(self, owner: str | None, only_own: bool) -> Project:
        """Give a project that does not exist yet its owner.

        The right to begin one was asked for before the upload was read; somebody else may have begun it since.
        """
        self.refuse_others(owner, only_own=only_own)
        return replace(self, owners=(owner,)) if owner and not self.exists else self

    def yank(self, names: Iterable[str], reason: str, event: Event) -> Project:
        """Mark files as yanked, for a reason or "". Raises Missing."""
        return self._each(names, lambda f: replace(f, yanked=reason), event.about(did="yank", reason=reason or None))

    def unyank(self, names: Iterable[str], event: Event) -> Project:
        """Take the mark away. Raises Missing."""
        return self._each(names, lambda f: replace(f, yanked=None), event.about(did="unyank"))

    def remove(self, names: Iterable[str], event: Event) -> Project:
        """Withdraw files; their bytes stay until a sweep purges them. Raises Missing."""
        return self._each(names, lambda f: f if f.removed else replace(f, removed=event.at), event.about(did="remove"))

    def restore(self, names: Iterable[str], event: Event) -> Project:
        """Bring removed files back. Raises Missing if one was purged."""
        names = tuple(names)
        if purged := [name for name in names if name in self.files and self.files[name].purged]:
            raise Missing(f"{purged[0]} was purged on a sweep; its bytes are gone and its name stays taken")
        return self._each(names, lambda f: replace(f, removed=None), event.about(did="restore"))

    def mark(self, filename: str, found: Mapping[str, tuple[str, str]], event: Event) -> Project:
        """Mark a file as damaged, or what is beside it: the folder looked into, and what was wrong, by its ending.

        What was put back into another folder meanwhile, or purged, is left alone.
        """
        file = self.files[filename]
        after = marked(file, found)
        told = "; ".join(f"{filename}{ending} {problem}" for ending, (_, problem) in found.items())
        return self if after == file else self._with([after], _of(after, event, "damage", told))

    def mend(self, filename: str, places: Mapping[str, str], event: Event) -> Project:
        """Take the marks off what is right again, by its ending; each lies in the folder that has the token."""
        file = self.files[filename]
        after = mended(file, places)
        told = ", ".join(f"{filename}{ending}" for ending in places)
        return self if after == file else self._with([after], _of(after, event, "mend", f"{told} right again"))

    def set_status(self, status: Status, reason: str, event: Event) -> Project:
        """Set the project's status marker (PEP 792)."""
        if (self.status, self.status_reason) == (status, reason):
            return self
        entry = event.about(did=f"status {status}", reason=reason or None)
        return replace(self, status=status, status_reason=reason, history=(*self.history, entry))

    def add_owner(self, user: str, event: Event) -> Project:
        """Make a user an owner."""
        if user in self.owners:
            return self
        entry = event.about(did="owner add", subject=user)
        return replace(self, owners=(*self.owners, user), history=(*self.history, entry))

    def remove_owner(self, user: str, event: Event) -> Project:
        """Make a user no owner any more."""
        if user not in self.owners:
            return self
        entry = event.about(did="owner remove", subject=user)
        rest = tuple(owner for owner in self.owners if owner != user)
        return replace(self, owners=rest, history=(*self.history, entry))

    def sweep(self, expired: str, event: Event) -> Project:
        """Raise the sweep counter and purge what was removed before ``expired``; those names stay taken."""
        due = [f for f in self.files.values() if f.removed and not f.purged and f.removed < expired]
        project = replace(self, sweeps=self.sweeps + 1)
        return project._each([f.filename for f in due], lambda f: replace(f, purged=True), event.about(did="purge"))

    def tokens(self) -> frozenset[str]:
        """The tokens whose bytes must be kept: those of live and of restorable files."""
        return frozenset(token for f in self.files.values() if not f.purged for token in f.places)

    def _refuse_if_closed(self) -> None:
        if self.status in ("archived", "quarantined"):
            raise Closed(f"The project {self.name} is {self.status} and takes no uploads; its status must change first")

    def _each(self, names: Iterable[str], change: Callable[[File], File], event: Event) -> Project:
        names = tuple(names)
        if unknown := [name for name in names if name not in self.files]:
            raise Missing(f"{self.name} has no file {unknown[0]}")
        changed = [after for name in names if (after := change(self.files[name])) != self.files[name]]
        return self._with(changed, *(event.about(file=f.filename, version=f.version) for f in changed))

    def _with(self, files: Iterable[File], *events: Event) -> Project:
        if not events:
            return self
        merged = {**self.files, **{file.filename: file for file in files}}
        return replace(self, files=merged, history=self.history + events)

    def revised(self, revision: str) -> Project:
        """Return the project under a fresh revision: no two versions of a document have equal bytes."""
        return replace(self, revision=revision)

    def dump(self) -> bytes:
        """Return the document's bytes: JSON, without what has its default.

        The texts of files and events are put together, as most are known from the version before: with ten thousand
        files that takes 10 ms instead of 200.
        """
        files = ",".join(file.text for file in self.files.values())
        history = ",".join(event.text for event in self.history)
        head = text(self, "files", "history")[:-1]
        return f'{head},"files":{{{files}}},"history":[{history}]}}'.encode()

    @classmethod
    def load(cls, data: bytes) -> Project:
        """Read a document back. Raises ValueError, KeyError or TypeError if it is damaged."""
        document: dict[str, Any] = json.loads(data)
        files = {name: File(filename=name, **fields) for name, fields in document.pop("files").items()}
        history = tuple(Event(**fields) for fields in document.pop("history"))
        owners = tuple(document.pop("owners", ()))
        return cls(files=files, history=history, owners=owners, **document)


def _of(file: File, event: Event, did: str, reason: str) -> Event:
    return event.about(did=did, file=file.filename, version=file.version, reason=reason)


def _why_taken(there: File, filename: str, sha256: str) -> str:
    if there.filename != filename:
        return f"File already exists: {there.filename} differs from {filename} only in case"
    if there.purged:
        return f"File already exists: {filename} was removed for good; publish a new version"
    if there.live:
        return f"File already exists: {filename} has other contents; publish a new version"
    if there.sha256 == sha256:
        return f"File already exists: {filename} was removed; restore it instead of uploading it again"
    return f"File already exists: {filename} was removed and its name stays taken; publish a new version"
