"""Verifying: every byte is read and hashed again, every document parsed; damage is named, one line each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from ..model import File, Project
from ..store import NotFound, Store, StoreError, Truncated
from . import keys
from .catalogue import Catalogue
from .documents import Damaged


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

        Raises Unavailable: a store that cannot answer proves nothing.
        """
        listed: frozenset[str] = frozenset()
        try:
            listed = frozenset(self._catalogue.displays())
        except Damaged as exc:
            yield Finding(exc.key, 0, exc.reason)
        for entry in self._catalogue.store.list(keys.projects(self._catalogue.index)):
            name = keys.project_named_by(self._catalogue.index, entry.key)
            try:
                project = self._catalogue.present(name)
            except Damaged as exc:
                yield Finding(exc.key, entry.size, exc.reason)
                continue
            if project.exists and name not in listed:
                yield Finding(entry.key, entry.size, "the project is not listed on the index page")
            yield from self._verify_project(project)

    def _verify_project(self, project: Project) -> Iterator[Finding]:
        for file in project.files.values():
            if not file.purged:
                yield from self._verify_file(project.name, file)

    def _verify_file(self, project: str, file: File) -> Iterator[Finding]:
        key = keys.file(self._catalogue.index, project, file.token, file.filename)
        yield self._compare(key, file.size, file.sha256)
        if file.metadata is not None:
            yield self._compare(keys.metadata(key), None, file.metadata)
        if file.signed:
            yield self._compare(keys.signature(key), None, None)

    def _compare(self, key: str, size: int | None, sha256: str | None) -> Finding:
        hashed = hashlib.sha256()
        try:
            with self._files.open(key) as reader:
                found = reader.size
                if size is not None and found != size:
                    return Finding(key, found, f"has {found} bytes instead of {size}")
                for chunk in reader:
                    hashed.update(chunk)
        except NotFound:
            return Finding(key, 0, "is missing")
        except Truncated as exc:
            return Finding(key, found, exc.reason)
        except StoreError as exc:
            return Finding(key, 0, f"cannot be read: {exc.reason}")
        if sha256 is not None and hashed.hexdigest() != sha256:
            return Finding(key, found, f"has the sha256 {hashed.hexdigest()} instead of {sha256}")
        return Finding(key, found)
