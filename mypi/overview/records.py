"""What is kept of each project: drawn from its document and from the metadata of its newest release, and small."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from packaging.utils import canonicalize_name

from ..metadata import CoreMetadata
from ..model import File, Project
from ..model.releases import Release, newest
from ..times import moment, timestamp
from .values import Summary, Upload

UPLOADS = 10
"""Uploads that are kept of each project."""

_BURST = timedelta(hours=1)
_SUMMARY = 500
_KEYWORDS = 1000
_REQUIRED = 1000

_NAME = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")
_EXTRA = re.compile(r";.*\bextra\s*==\s*['\"]([^'\"]{1,200})['\"]")
_SEPARATORS = re.compile(r"[-_.]+")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A line of Requires-Dist: the canonical name of what is required, the whole text, and the extra it is for."""

    name: str
    text: str
    extra: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is kept of the metadata beside the file that has ``token``; None where no file has any."""

    token: str | None
    summary: str = ""
    keywords: str = ""
    requires: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """All that is kept of a project. ``text`` is what a search looks through, ``size`` that of its live files."""

    summary: Summary
    facts: Facts
    text: str
    size: int
    uploads: tuple[Upload, ...]
    removed: tuple[File, ...]


def draw(project: Project, facts: Facts) -> Record:
    """Draw what is kept of a project. Raises ValueError if its document has a time or a version that is none."""
    release = newest(project)
    version = release.text if release and release.usable else None
    uploads = _uploads(project, facts.summary)
    summary = Summary(
        name=project.name,
        display=project.display,
        version=version,
        summary=facts.summary,
        updated=uploads[0].at if uploads else None,
        status=project.status,
        files=len(project.live),
    )
    return Record(
        summary=summary,
        facts=facts,
        text=folded(f"{project.name} {project.display} {facts.summary} {facts.keywords}"),
        size=sum(file.size for file in project.live),
        uploads=uploads,
        removed=tuple(file for file in project.files.values() if file.removed and not file.purged),
    )


def described(release: Release) -> File | None:
    """Return the file whose metadata stands for a release: a wheel before an sdist, whose dependencies may be dynamic.

    None if no file has any.
    """
    files = [file for file in release.files if file.described]
    return min(files, key=lambda file: (not file.is_wheel, file.uploaded, file.filename), default=None)


def facts(core: CoreMetadata, token: str) -> Facts:
    """Keep of metadata what is searched and listed."""
    requires = (_requirement(text) for text in core.requires_dist[:_REQUIRED])
    return Facts(
        token=token,
        summary=(core.summary or "")[:_SUMMARY],
        keywords=" ".join(core.keywords)[:_KEYWORDS],
        requires=tuple(each for each in requires if each),
    )


def folded(text: str) -> str:
    """Write a text so that case and the separators of names make no difference.

    >>> folded("Acme_Lib") == folded("acme.lib")
    True
    """
    return _SEPARATORS.sub("-", text.casefold())


def later(time: str, days: float) -> str:
    """Return the time so many days after another, both RFC 3339.

    >>> later("2024-01-01T00:00:00.000000Z", 30)
    '2024-01-31T00:00:00.000000Z'
    """
    return timestamp(moment(time) + timedelta(days=days))


def _requirement(text: str) -> Requirement | None:
    """Read a requirement as far as its name goes: PEP 508 begins each with it, and so did all that came before."""
    name = _NAME.match(text)
    if name is None:
        return None
    extra = _EXTRA.search(text)
    return Requirement(sys.intern(canonicalize_name(name[1])), text, extra[1] if extra else None)


def _uploads(project: Project, summary: str) -> tuple[Upload, ...]:
    """Put the files of one release that came within an hour of each other together, the newest first."""
    found: list[Upload] = []
    for burst in _bursts(sorted(project.live, key=lambda file: file.uploaded, reverse=True)):
        last = burst[0]
        found.append(
            Upload(
                project=project.name,
                display=project.display,
                version=last.version,
                files=tuple(sorted(file.filename for file in burst)),
                at=last.uploaded,
                by=last.uploader,
                summary=summary,
                began=burst[-1].uploaded,
            )
        )
        if len(found) == UPLOADS:
            break
    return tuple(found)


def _bursts(files: Iterable[File]) -> Iterable[list[File]]:
    """Yield bursts of files that come newest first, each by the time of its newest."""
    open_: dict[str, list[File]] = {}
    done: list[list[File]] = []
    for file in files:
        burst = open_.get(file.version)
        if burst and moment(burst[-1].uploaded) - moment(file.uploaded) <= _BURST:
            burst.append(file)
        else:
            open_[file.version] = [file]
            done.append(open_[file.version])
    return done
