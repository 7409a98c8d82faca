"""What the inspection of a wheel or an sdist finds out."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mypi.metadata import CoreMetadata
from mypi.names import Filename

# What an import may take although an upload may not: history that predates a rule and hurts no installer.
RELAXABLE: Mapping[str, str] = MappingProxyType(
    {
        "framing": "An archive may have data descriptors (zip), or end in bytes that are no archive (gzip).",
        "layout": "An sdist may have more than one top folder; the first that has a PKG-INFO counts.",
        "pkg-info": "An sdist may have no PKG-INFO that fits its file name, which then says what it is.",
        "record": "A wheel's RECORD may be missing or not fit its files.",
        "entry-points": "A wheel's entry_points.txt may be malformed, but no script's name may have a path in it.",
    }
)


class ArtifactError(ValueError):
    """A file is not the wheel or sdist that its name says; the message names the file, the fault and the remedy."""


@dataclass(frozen=True)
class Artifact:
    """An inspected wheel or sdist.

    `filename` is the reading of the file's name that the archive confirms. `metadata` is exactly METADATA or PKG-INFO
    as the archive has it (made up from the file name if there is none and the import allows that). `members` are the
    names of the files in the archive, `licences` is the folder that License-File is relative to, and `relaxed` names
    the checks that the file would have failed.
    """

    filename: Filename
    metadata: bytes
    core: CoreMetadata
    members: frozenset[str]
    licences: str
    relaxed: frozenset[str] = frozenset()

    @property
    def missing_licences(self) -> tuple[str, ...]:
        """Give each License-File that the archive does not have (PEP 639)."""
        return tuple(name for name in self.core.license_files if self.licences + name not in self.members)


class Leniency:
    """The checks that may be relaxed, and those of them that had to be."""

    def __init__(self, allow: frozenset[str]) -> None:
        unknown = allow - RELAXABLE.keys()
        if unknown:
            raise ValueError(f"{min(unknown)} is no check that can be relaxed: choose from {', '.join(RELAXABLE)}")
        self._allow = allow
        self._used: set[str] = set()

    @property
    def used(self) -> frozenset[str]:
        """Give the checks that failed and were let pass."""
        return frozenset(self._used)

    def allows(self, check: str) -> bool:
        """Tell whether `check` may fail."""
        return check in self._allow

    def failed(self, check: str, message: str) -> None:
        """Raise ArtifactError with `message` unless `check` may fail."""
        if check not in self._allow:
            raise ArtifactError(message)
        self._used.add(check)
