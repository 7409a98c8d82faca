"""What the overview tells: values that pages show, each drawn from project documents and metadata."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..metadata import CoreMetadata
from ..model import Event, File, Status

Seen = Callable[[str], bool]
"""Tells of a canonical name whether that project may be named to who asks; see ``mypi.security.visible``."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A project in a list. ``version`` is the newest usable one; ``updated`` is when its newest live file came."""

    name: str
    display: str
    version: str | None
    summary: str
    updated: str | None
    status: Status
    files: int


@dataclass(frozen=True, slots=True)
class Upload:
    """Files of one release that came shortly after each other.

    ``at`` and ``by`` are those of the last, ``began`` is when the first came.
    """

    project: str
    display: str
    version: str
    files: tuple[str, ...]
    at: str
    by: str | None
    summary: str
    began: str = ""


@dataclass(frozen=True)
class Counts:
    """How much there is to see; ``size`` in bytes."""

    projects: int
    files: int
    size: int


@dataclass(frozen=True)
class Dependent:
    """A project whose newest usable release requires another; ``requirement`` is as its metadata writes it.

    ``extra`` is the extra that it is for, None if it is always required.
    """

    project: str
    display: str
    version: str
    requirement: str
    extra: str | None


@dataclass(frozen=True)
class Logged:
    """An entry of a history; ``project`` is a canonical name, None for the accounts'."""

    project: str | None
    event: Event


@dataclass(frozen=True)
class Removed:
    """A removed file that can be restored, at least until ``until`` (RFC 3339)."""

    project: str
    display: str
    file: File
    until: str


@dataclass(frozen=True)
class Release:
    """What a release says of itself, in the metadata of ``file``; None if it was registered without files."""

    core: CoreMetadata
    file: File | None
