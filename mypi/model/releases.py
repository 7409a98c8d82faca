"""Releases: a project's files by version, and the one that stands for the project."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from packaging.version import Version

from .parts import File
from .project import Project


@dataclass(frozen=True)
class Release:
    """A version of a project. ``text`` is how it is spelled, ``files`` are those on offer."""

    version: Version
    text: str
    files: tuple[File, ...]

    @property
    def usable(self) -> bool:
        """An installer may take it: at least one file is not yanked."""
        return any(file.yanked is None for file in self.files)

    @property
    def yanked(self) -> bool:
        """It has files, and all are yanked: PyPI yanks releases, mypi files (A7)."""
        return bool(self.files) and not self.usable


def releases(project: Project) -> dict[Version, Release]:
    """Return every release, oldest first, those registered without files too.

    Versions that are equal are one release: ``1.0`` and ``1.0.0``, spelled as its first file has it.
    """
    files: dict[Version, list[File]] = {}
    texts: dict[Version, str] = {}
    parsed = cache(Version)  # once for each spelling: many files of one release are the rule
    for file in project.live:
        version = parsed(file.version)
        files.setdefault(version, []).append(file)
        texts.setdefault(version, file.version)
    for text in project.releases:
        texts.setdefault(parsed(text), text)
    return {version: Release(version, texts[version], tuple(files.get(version, ()))) for version in sorted(texts)}


def newest(project: Project) -> Release | None:
    """Return the release that stands for the project: the newest final one that is usable.

    Where there is none, a usable pre-release, then what is yanked, then what has no files.
    """
    found = releases(project).values()
    return max(found, key=lambda r: (r.usable, bool(r.files), not r.version.is_prerelease, r.version), default=None)
