"""What an upstream index says, as values: normalised to our own rules, whatever form it came in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .sparse import sparse


@dataclass(frozen=True)
class Site:
    """An upstream index: the name that the ``.ini`` gives it, and the address of its Simple API, with its slash."""

    name: str
    url: str


@dataclass(frozen=True)
class RemoteFile:
    """A file that an upstream page lists.

    ``url`` is absolute, without a fragment. ``digest`` is lower-case hex of ``algorithm``, which is sha256 unless the
    upstream gives only a stronger one. ``size`` is in bytes and ``uploaded`` an RFC 3339 time in UTC, each None if the
    upstream does not say. ``yanked`` is the reason, "" without one, None if not yanked. ``metadata`` is the SHA-256 of
    the core metadata, "" if there is some of an unknown digest, None if the upstream serves none. ``provenance`` is an
    absolute address.
    """

    filename: str
    version: str
    url: str
    digest: str
    algorithm: str = "sha256"
    size: int | None = None
    uploaded: str | None = None
    requires_python: str | None = None
    yanked: str | None = None
    metadata: str | None = None
    provenance: str | None = None
    signed: bool = False

    @property
    def token(self) -> str:
        """The part of our URL of the file that stands for its bytes."""
        return self.digest[:16]

    @property
    def is_wheel(self) -> bool:
        return self.filename.endswith(".whl")


@dataclass(frozen=True)
class RemotePage:
    """A project of an upstream: ``name`` is canonical, ``files`` are by version and name, as ours are."""

    name: str
    files: tuple[RemoteFile, ...] = ()
    versions: tuple[str, ...] = ()
    status: str = "active"
    status_reason: str = ""

    def file(self, filename: str) -> RemoteFile | None:
        """Return the file of a name."""
        return next((file for file in self.files if file.filename == filename), None)


@dataclass(frozen=True)
class Kept:
    """The bytes of an upstream's file in our store: where, how many, whose digest, and the day of their last use.

    ``source`` is the digest of the wheel that metadata was read from, "" for what an upstream served as it is.
    """

    key: str
    size: int
    digest: str
    used: str
    source: str = ""


@dataclass(frozen=True)
class Cached:
    """What is known of a name at one upstream: a document of the store, shared by all nodes.

    ``page`` is None if the upstream does not know the name. ``etag`` is the upstream's, "" without one; ``said`` stands
    for what it said, and for how that was read. ``fetched`` and ``fresh_until`` are seconds since 1970. ``kept`` is
    keyed by file name; that of its metadata ends in ``.metadata``.
    For ``sealed`` and ``copied`` see Project.
    """

    site: str
    name: str
    page: RemotePage | None = None
    etag: str = ""
    said: str = ""
    fetched: float = 0
    fresh_until: float = 0
    kept: Mapping[str, Kept] = field(default_factory=dict)
    revision: str = ""
    sealed: str = ""
    copied: str = ""

    def revised(self, revision: str) -> Cached:
        return replace(self, revision=revision)

    def dump(self) -> bytes:
        """Return the document's bytes: JSON, without what has its default."""
        document = sparse(self, "page", "kept")
        if self.page:
            document["page"] = {**sparse(self.page), "files": [sparse(file) for file in self.page.files]}
        document["kept"] = {name: sparse(kept) for name, kept in self.kept.items()}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes) -> Cached:
        """Read a document back. Raises ValueError, KeyError or TypeError if it is damaged."""
        document: dict[str, Any] = json.loads(data)
        page = document.pop("page", None)
        if page is not None:
            files = tuple(RemoteFile(**fields) for fields in page.pop("files"))
            page = RemotePage(files=files, versions=tuple(page.pop("versions", ())), **page)
        kept = {name: Kept(**fields) for name, fields in document.pop("kept").items()}
        return cls(page=page, kept=kept, **document)
