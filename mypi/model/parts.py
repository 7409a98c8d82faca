"""What a project consists of: files, the events of its history, and who made them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from .sparse import text

Status = Literal["active", "archived", "deprecated", "quarantined"]
STATUSES: tuple[Status, ...] = ("active", "archived", "deprecated", "quarantined")
"""The markers of PEP 792."""

SIDECARS = (".metadata", ".asc", ".provenance")
"""What may lie beside a file, by what its name adds: core metadata, OpenPGP signature, attestations (PEP 740)."""


@dataclass(frozen=True)
class Actor:
    """Who asks for a change: a user name or None for anonymous, and an address or "command".

    ``via`` says what stood for the user, such as "token ci"; None for a password. ``owns`` says that the user is one of
    this index, who owns the projects that they begin; ``only_own``, that they may publish to no others.
    """

    user: str | None
    origin: str | None
    via: str | None = None
    owns: bool = False
    only_own: bool = False


@dataclass(frozen=True)
class Event:
    """One entry of a document's history: the audit record, written in the same swap as the change.

    ``at`` is an RFC 3339 time in UTC, ``by`` a user name or None for anonymous, ``origin`` an address or "command";
    ``via`` see Actor. ``subject`` is the user whom it is about, where it is about one.
    """

    at: str
    did: str
    by: str | None = None
    origin: str | None = None
    file: str | None = None
    version: str | None = None
    reason: str | None = None
    via: str | None = None
    subject: str | None = None

    @cached_property
    def text(self) -> str:
        """Its JSON, made once: each change of a project writes all of its history."""
        return text(self)

    def about(self, **details: str | None) -> Event:
        """Return the event with its object filled in."""
        return replace(self, **details)  # type: ignore[arg-type] # only the optional strings are filled in


@dataclass(frozen=True)
class File:
    """A file of a project.

    ``version`` is normalised, ``sha256`` and ``metadata`` (the digest of the sidecar, if there is one) are lower-case
    hex, ``size`` is in bytes, ``uploaded`` an RFC 3339 time in UTC. ``yanked`` is the reason, "" without one, None if
    not yanked. ``signature`` and ``provenance`` are the digests of the OpenPGP signature and of the provenance object
    (PEP 740), if there are any. ``removed`` is when it was removed, None while it is live; a ``purged`` file's bytes
    are gone.

    ``damage`` says what was found wrong, by what the name of the object adds to the file's, "" for the file itself;
    ``moved`` is the token of the folder in which an object lies that was put back since, for files are written once.
    ``token`` stays the one of the address.
    """

    filename: str
    version: str
    token: str
    size: int
    sha256: str
    uploaded: str
    uploader: str | None = None
    requires_python: str | None = None
    metadata: str | None = None
    signature: str | None = None
    provenance: str | None = None
    yanked: str | None = None
    removed: str | None = None
    purged: bool = False
    damage: Mapping[str, str] | None = field(default=None, hash=False)
    moved: Mapping[str, str] | None = field(default=None, hash=False)

    @cached_property
    def text(self) -> str:
        """Its JSON, behind its name, made once: each change of a project writes all of its files."""
        return f"{json.dumps(self.filename, ensure_ascii=False)}:{text(self, 'filename')}"

    @property
    def live(self) -> bool:
        return self.removed is None

    def is_whole(self, ending: str = "") -> bool:
        """Tell whether nothing was found wrong with the file, or with what lies beside it."""
        return ending not in (self.damage or {})

    def place(self, ending: str = "") -> str:
        """Return the token of the folder in which the file lies, or what is beside it."""
        return (self.moved or {}).get(ending, self.token)

    @property
    def places(self) -> frozenset[str]:
        """The tokens of all folders in which something of it lies."""
        return frozenset(map(self.place, ("", *self.sidecars)))

    @property
    def signed(self) -> bool:
        return self.signature is not None and self.is_whole(".asc")

    @property
    def attested(self) -> bool:
        return self.provenance is not None and self.is_whole(".provenance")

    @property
    def described(self) -> bool:
        return self.metadata is not None and self.is_whole(".metadata")

    @property
    def sidecars(self) -> Mapping[str, str]:
        """The digest of each thing that lies beside the file, by what its name adds: those only that there are."""
        digests = zip(SIDECARS, (self.metadata, self.signature, self.provenance), strict=True)
        return {ending: digest for ending, digest in digests if digest is not None}

    @property
    def is_wheel(self) -> bool:
        return self.filename.endswith(".whl")

    @property
    def core_metadata(self) -> str | None:
        """The digest of the core metadata to advertise: wheels only, an sdist's may change when it is built (A6.1)."""
        return self.metadata if self.is_wheel and self.described else None
