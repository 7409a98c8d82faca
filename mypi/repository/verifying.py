"""Verifying: every byte is read and hashed again, every document parsed; damage is named, one line each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from ..model import Accounts, File, Project
from ..store import NotFound, Store, StoreError
from . import keys
from .catalogue import Catalogue
from .contents import contents
from .raws import Raws

_UNLISTED = "the project is not listed on the index page; mypi sweep will list it"
_NO_NAMES = "is missing, so that no project is listed; restore it from a backup, or run mypi sweep, which lists all"


@dataclass(frozen=True)
class Finding:
    """What was found about a file or a document; ``problem`` is None if it is as it should be."""

    subject: str
    size: int
    problem: str | None = None


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
            yield Finding(names, 0, exc.reason)
        for entry in self._catalogue.store.list(keys.projects(self._catalogue.index)):
            name = keys.project_named_by(self._catalogue.index, entry.key)
            try:
                project = self._catalogue.present(name)
            except StoreError as exc:
                yield Finding(entry.key, entry.size, exc.reason)
                continue
            # A project is listed before it exists, so the names are read after it.
            if not told and project.exists and name not in (listed := self._catalogue.displays()):
                told = not listed
                yield Finding(entry.key, entry.size, _UNLISTED) if listed else Finding(names, 0, _NO_NAMES)
            yield from self._verify_project(project)

    def _verify_accounts(self) -> Iterator[Finding]:
        documents = Raws(self._catalogue.store, "in this store")
        try:
            accounts, _ = documents.read(keys.ACCOUNTS)
            if accounts:
                documents.parse(keys.ACCOUNTS, lambda: Accounts.load(accounts.dump()))
        except StoreError as exc:
            yield Finding(keys.ACCOUNTS, 0, exc.reason)

    def _verify_project(self, project: Project) -> Iterator[Finding]:
        for file in project.files.values():
            if not file.purged:
                found = list(self._verify_file(project.name, file))
                if not any(each.problem for each in found) or not self._purged_since(project.name, file):
                    yield from found

    def _verify_file(self, project: str, file: File) -> Iterator[Finding]:
        for content in contents(self._catalogue.index, project, file):
            yield self._compare(*content)

    def _purged_since(self, project: str, file: File) -> bool:
        """Tell whether a sweep was quicker than we."""
        return self._catalogue.present(project).files[file.filename].purged

    def _compare(self, key: str, size: int | None, sha256: str) -> Finding:
        hashed, read = hashlib.sha256(), 0
        try:
            with self._files.open(key) as reader:
                if size is not None and reader.size != size:
                    return Finding(key, reader.size, f"has {reader.size} bytes instead of {size}")
                for chunk in reader:
                    hashed.update(chunk)
                    read += len(chunk)
        except NotFound:
            return Finding(key, 0, "is missing")
        except StoreError as exc:
            return Finding(key, read, f"cannot be read: {exc.reason}")
        if hashed.hexdigest() != sha256:
            return Finding(key, read, f"has the sha256 {hashed.hexdigest()} instead of {sha256}")
        return Finding(key, read)
