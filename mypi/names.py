"""The names of the field: projects, versions and the file names made of both.

Everything here is pure. Past this module a name is a :class:`~packaging.utils.NormalizedName` and a version a
:class:`~packaging.version.Version`, so nothing is checked twice.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import packaging.version
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, NormalizedName, canonicalize_name, parse_wheel_filename
from packaging.version import Version

Kind = Literal["wheel", "sdist"]

# The upload form's `filetype` (B1.4) of each kind, and the endings that a file of that kind may have.
FILETYPES: Mapping[str, Kind] = MappingProxyType({"bdist_wheel": "wheel", "sdist": "sdist"})
EXTENSIONS: Mapping[Kind, tuple[str, ...]] = MappingProxyType({"wheel": (".whl",), "sdist": (".tar.gz", ".zip")})

LONGEST_NAME = 100
LONGEST_VERSION = 100
LONGEST_FILENAME = 200

# `\Z`, not `$`: the latter also matches before a trailing newline. ASCII only, or `İ` would pass as an `i` (A1.6).
_PROJECT = re.compile(r"\A(?:[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9])\Z", re.IGNORECASE | re.ASCII)
_FILENAME = re.compile(rf"\A[A-Za-z0-9_.!+-]{{1,{LONGEST_FILENAME}}}\Z")

_MEND = "upload a wheel (.whl) or a source distribution (.tar.gz) instead"

# What other tools have made over the years, and what each of these is called.
_REFUSED: Mapping[str, str] = MappingProxyType(
    {
        ".egg": "an egg, which no current installer reads",
        ".exe": "a Windows installer (bdist_wininst), which no current installer reads",
        ".msi": "a Windows installer (bdist_msi), which no current installer reads",
        ".rpm": "a package of the operating system (bdist_rpm)",
        ".deb": "a package of the operating system",
        ".dmg": "a disk image (bdist_dmg)",
        ".tar.bz2": "a source archive that is not compressed with gzip",
        ".tbz": "a source archive that is not compressed with gzip",
        ".tar.xz": "a source archive that is not compressed with gzip",
        ".tar.zst": "a source archive that is not compressed with gzip",
        ".tar.z": "a source archive that is not compressed with gzip",
        ".tar": "a source archive that is not compressed with gzip",
        ".tgz": "a source archive whose name must end in .tar.gz",
    }
)
# A "dumb" binary distribution looks like an sdist, but for the platform at the end of its name.
_DUMB = re.compile(r"[.-](?:linux|win32|win-amd64|macosx|cygwin|freebsd|solaris|darwin)[A-Za-z0-9_.-]*\Z")


class InvalidName(ValueError):
    """A project's name or a file's name does not follow the rules; the message says which and what to do."""


class InvalidVersion(ValueError):
    """A version does not follow PEP 440; the message says which and what to do."""


def project(text: str) -> NormalizedName:
    """Give the canonical name of the project that `text` names (PEP 503, and the name rule of the core metadata).

    Raises InvalidName.

    >>> project("Acme.Lib")
    'acme-lib'
    """
    if len(text) > LONGEST_NAME:
        raise InvalidName(f"the project name {text[:20]!r}... is longer than {LONGEST_NAME} characters: shorten it")
    if _PROJECT.match(text) is None:
        raise InvalidName(
            f"{text!r} is not a project name: use ASCII letters, digits, '-', '_' and '.', "
            "with a letter or digit at both ends"
        )
    return canonicalize_name(text)


def version(text: str) -> Version:
    """Give the version that `text` spells (PEP 440). Raises InvalidVersion.

    >>> str(version("v1.0-beta2"))
    '1.0b2'
    """
    if len(text) > LONGEST_VERSION:
        raise InvalidVersion(f"the version {text[:20]!r}... is longer than {LONGEST_VERSION} characters: shorten it")
    try:
        return Version(text)
    except packaging.version.InvalidVersion as exc:
        raise InvalidVersion(f"{text!r} is not a version as PEP 440 writes it: use one such as 1.0 or 2.3rc1") from exc


@dataclass(frozen=True)
class Filename:
    """The name of a wheel or an sdist and what it says.

    An sdist's name may be read in several ways: ``foo-1.0-1.tar.gz`` is version 1 of ``foo-1-0`` or version 1.0-1
    of ``foo``. `project` and `version` hold the reading with the last dash; :func:`settle` gives the right one once
    the archive has said who it is.
    """

    text: str
    kind: Kind
    project: NormalizedName
    version: Version
    build: str = ""
    tags: frozenset[Tag] = frozenset()

    @property
    def stem(self) -> str:
        """Give the text without the ending: ``acme_lib-1.0`` of ``acme_lib-1.0.tar.gz``."""
        return _stem(self.text, self.kind)


def filename(text: str) -> Filename:
    """Read the name of a file to be published. Raises InvalidName.

    >>> filename("acme_lib-1.0-py3-none-any.whl").project
    'acme-lib'
    >>> filename("acme-lib-1.0.tar.gz").version
    <Version('1.0')>
    """
    if _FILENAME.match(text) is None:
        raise InvalidName(
            f"the file name {text[:LONGEST_FILENAME]!r} is not allowed: use at most {LONGEST_FILENAME} "
            "ASCII letters, digits and the characters _ . ! + -"
        )
    for ending, what in _REFUSED.items():
        if text.lower().endswith(ending):
            raise InvalidName(f"{text} is {what}: {_MEND}")
    for kind, endings in EXTENSIONS.items():
        if text.endswith(endings):
            return _wheel(text) if kind == "wheel" else _sdist(text)
    raise InvalidName(f"{text} ends in none of .whl, .tar.gz and .zip: {_MEND}")


def settle(name: Filename, project: NormalizedName, version: Version) -> Filename | None:
    """Give the reading of `name` that means `version` of `project`, or None if no reading does.

    >>> settle(filename("foo-1.0-1.tar.gz"), project("foo"), version("1.0.post1")).project
    'foo'
    """
    if (name.project, name.version) == (project, version):
        return name
    if name.kind == "sdist" and (project, version) in _readings(name.stem):
        return replace(name, project=project, version=version)
    return None


def matches(name: Filename, project: NormalizedName, version: Version) -> bool:
    """Tell whether `name` can be read as naming `version` of `project`."""
    return settle(name, project, version) is not None


def _stem(text: str, kind: Kind) -> str:
    return next(text.removesuffix(ending) for ending in EXTENSIONS[kind] if text.endswith(ending))


def _wheel(text: str) -> Filename:
    # Only the rules of `packaging` apply, without the leniency of older pips: pip since 25.3 and uv pass silently
    # over any other wheel, so it would be published and never found.
    parts = text.split("-")
    try:
        return Filename(
            text=text,
            kind="wheel",
            tags=parse_wheel_filename(text)[3],
            project=project(parts[0]),
            version=version(parts[1]),
            build=parts[2] if len(parts) == 6 else "",
        )
    except (InvalidWheelFilename, InvalidName, InvalidVersion) as exc:
        raise InvalidName(
            f"{text} is not named as a wheel must be ({exc}): name it "
            "project-version-python-abi-platform.whl, as every current build tool does"
        ) from exc


def _sdist(text: str) -> Filename:
    stem = _stem(text, "sdist")
    reading = next(_readings(stem), None)
    if reading is None:
        if _DUMB.search(stem):
            raise InvalidName(f"{text} is a 'dumb' binary archive (bdist_dumb), which no installer reads: {_MEND}")
        raise InvalidName(
            f"{text} is not named as a source distribution must be: name it project-version.tar.gz, "
            "with a version as PEP 440 writes it"
        )
    return Filename(text=text, kind="sdist", project=reading[0], version=reading[1])


def _readings(stem: str) -> Iterator[tuple[NormalizedName, Version]]:
    """Yield each way to split an sdist's stem into project and version, that of the last dash first."""
    dashes = [place for place, letter in enumerate(stem) if letter == "-"]
    for cut in reversed(dashes):
        try:
            reading = project(stem[:cut]), version(stem[cut + 1 :])
        except (InvalidName, InvalidVersion):
            continue
        yield reading
