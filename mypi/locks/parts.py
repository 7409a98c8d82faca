"""What lock files name, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from packaging.utils import NormalizedName

from .. import names


class LockError(ValueError):
    """A lock file cannot be read; the message names it and says why."""


@dataclass(frozen=True)
class Pin:
    """A release that is wanted, by the canonical forms of name and version.

    ``files`` are file names with the hashes of each, where the lock names files; ``hashes`` are those that any of its
    files may have, where it names only these. Without either every file of the release is wanted. A hash is written as
    ``sha256:…``, in lower case.
    """

    name: NormalizedName
    version: str
    files: Mapping[str, frozenset[str]] = field(default_factory=dict)
    hashes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Wanted:
    """All that a lock file wants; ``passed`` is what comes from no index, ``wrong`` are sentences about the rest."""

    pins: tuple[Pin, ...] = ()
    passed: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    def __add__(self, other: Wanted) -> Wanted:
        return Wanted(self.pins + other.pins, self.passed + other.passed, self.wrong + other.wrong)


def pin(name: str, version: str, files: Mapping[str, Iterable[str]] | None = None, hashes: Iterable[str] = ()) -> Pin:
    """Put a pin together. Raises InvalidName, InvalidVersion.

    >>> pin("Acme.Lib", "1.0-b1", hashes=["SHA256:AB"])
    Pin(name='acme-lib', version='1.0b1', files={}, hashes=frozenset({'sha256:ab'}))
    """
    by_name = {filename: frozenset(map(str.lower, given)) for filename, given in (files or {}).items()}
    return Pin(names.project(name), str(names.version(version)), by_name, frozenset(map(str.lower, hashes)))
