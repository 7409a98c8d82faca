"""Verifying: every byte is read and hashed again, every document parsed; damage is named, one line each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ..model import Accounts, File, Project
from ..store import NotFound, Store, StoreError, Truncated, Unavailable
from . import keys
from .catalogue import Catalogue
from .contents import Content, contents
from .raws import Raws

_UNLISTED = "the project is not listed on the index page; mypi sweep will list it"
_NO_NAMES = "is missing, so that no project is listed; restore it from a backup, or run mypi sweep, which lists all"

Kind = Literal["well", "wrong", "unread", "right again"]
"""What was found: all is well, it is wrong, it could not be read now (which is no damage), or the mark can go."""

Pace = Callable[[int], None]
"""Is told how many bytes were read, and may wait; what it raises ends the reading."""


@dataclass(frozen=True)
class Place:
    """Where an object of a file is: the project, the file, what its name adds, the folder, and what it must be."""

    project: str
    filename: str
    ending: str
    token: str
    size: int | None
    sha256: str

    @property
    def name(self) -> str:
        return self.filename + self.ending


@dataclass(frozen=True)
class Finding:
    """What was found about a file or a document; ``problem`` is None if it is as it should be.

    ``place`` is None for a document; ``marked`` says that it was known to be damaged, ``names`` that the document of
    the names, which can be made again of all others, lacks what it must have.
    """

    subject: str
    size: int
    problem: str | None = None
    kind: Kind = "well"
    place: Place | None = None
    marked: bool = False
    names: bool = False


class Verifier:
    """Compares the store with what its documents say."""

    def __init__(self, files: Store, catalogue: Catalogue) -> None:
        self._files = files
        self._catalogue = catalogue

    def verify(self) -> Iterator[Finding]:
        """Yield a finding for every file and sidecar that should be there, and for every document that is damaged.

        What is published, removed or swept meanwhile is no damage. Raises Unavailable if the store cannot be listed.
        """
        yield from self._verify_accounts()
        names = keys.index(self._catalogue.index)
        told = False
        try:
            self._catalogue.displays()
        except StoreError as exc:
            told = True
            yield replace(_of_document(names, exc), names=not isinstance(exc, Unavailable))
        for entry in self._catalogue.store.list(keys.projects(self._catalogue.index)):
            name = keys.project_named_by(self._catalogue.index, entry.key)
            try:
                project = self._catalogue.present(name)
                listed = {} if told or not project.exists else self._catalogue.displays()
            except StoreError as exc:
                yield replace(_of_document(entry.key, exc), size=entry.size)
                continue
            # A project is listed before it exists, so the names are read after it.
            if not told and project.exists and name not in listed:
                told = not listed
                subject, problem = (entry.key, _UNLISTED) if listed else (names, _NO_NAMES)
                yield Finding(subject, entry.size if listed else 0, problem, "wrong", names=True)
            yield from self.check(project)

    def check(self, project: Project, pace: Pace = lambda size: None) -> Iterator[Finding]:
        """Yield a finding for every object of a project."""
        for file in project.files.values():
            if not file.purged:
                found = [self._compare(project.name, file, each, pace) for each in self._contents(project.name, file)]
                if not any(each.problem for each in found) or not self._gone_since(project.name, file):
                    yield from found

    def look(self, place: Place) -> Finding | None:
        """Look at an object anew; None if it lies elsewhere by now, or was purged. Raises Unavailable, Damaged."""
        file = self._catalogue.present(place.project).files.get(place.filename)
        if file is None or file.purged or file.place(place.ending) != place.token:
            return None
        content = next(each for each in self._contents(place.project, file) if each.ending == place.ending)
        return self._compare(place.project, file, content)

    def _contents(self, project: str, file: File) -> Iterator[Content]:
        return contents(self._catalogue.index, project, file)

    def _verify_accounts(self) -> Iterator[Finding]:
        documents = Raws(self._catalogue.store, "in this store")
        try:
            accounts, _ = documents.read(keys.ACCOUNTS)
            if accounts:
                documents.parse(keys.ACCOUNTS, lambda: Accounts.load(accounts.dump()))
        except StoreError as exc:
            yield _of_document(keys.ACCOUNTS, exc)

    def _gone_since(self, project: str, file: File) -> bool:
        """Tell whether a sweep was quicker than we, or somebody who put the file back."""
        try:
            now = self._catalogue.present(project).files[file.filename]
        except StoreError:
            return False
        return now.purged or now.places != file.places

    def _compare(self, project: str, file: File, content: Content, pace: Pace = lambda size: None) -> Finding:
        key, size, sha256, ending, marked = content
        place = Place(project, file.filename, ending, file.place(ending), size, sha256)
        read, problem, unread = self._read(content, pace)
        if problem is None and marked:
            again = "is right again, and still marked as damaged; mypi verify --repair takes the mark off"
            return Finding(key, read, again, "right again", place, marked)
        return Finding(key, read, problem, "unread" if unread else "wrong" if problem else "well", place, marked)

    def _read(self, content: Content, pace: Pace) -> tuple[int, str | None, bool]:
        """Read an object; return how much was read, what is wrong, and whether it only could not be read now.

        A stream that breaks off is no damage: bytes that lack show in the size, before the first is read.
        """
        try:
            reader = self._files.open(content.key)
        except StoreError as exc:
            if isinstance(exc, (NotFound, Truncated)):
                return 0, "is missing" if isinstance(exc, NotFound) else exc.reason, False
            return 0, _unread(exc), True
        hashed, read = hashlib.sha256(), 0
        with reader:
            if content.size not in (None, reader.size):
                return reader.size, f"has {reader.size} bytes instead of {content.size}", False
            try:
                for chunk in reader:
                    hashed.update(chunk)
                    read += len(chunk)
                    pace(len(chunk))
            except StoreError as exc:
                return read, _unread(exc), True
        if hashed.hexdigest() != content.sha256:
            return read, f"has the sha256 {hashed.hexdigest()} instead of {content.sha256}", False
        return read, None, False


def _of_document(key: str, exc: StoreError) -> Finding:
    """Tell a document that is damaged from one that cannot be read now."""
    if isinstance(exc, Unavailable):
        return Finding(key, 0, _unread(exc), "unread")
    return Finding(key, 0, exc.reason, "wrong")


def _unread(exc: StoreError) -> str:
    return f"could not be read now: {exc.reason}"
