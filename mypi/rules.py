"""The stricter rules of PyPI, each of which an operator may switch on by name (setting ``mypi.refuse``).

None of them protects an installer, so a private index does without them by default. Ids such as C20 are rows of the
list of what PyPI checks, in the order in which it does.
"""

import difflib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import getaddresses
from functools import cache, partial
from types import MappingProxyType

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import InvalidRequirement, Requirement

from mypi import options
from mypi.artifacts import Artifact
from mypi.names import Filename

ALL = "pypi"

_CLOSED_AFTER = timedelta(days=14)
_LONGEST_SUMMARY = 512
_LONGEST_LABEL = 32
_PLATFORM = re.compile(
    r"any|win32|win_amd64|win_arm64|win_ia64|(?:many|musl)linux\w+|"
    r"macosx_10_\w+|macosx_(?:1[1-5]|26)_0_\w+|(?:ios|android|pyemscripten)_\w+"
)
_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")
_SHOWN = 5


@dataclass(frozen=True)
class Release:
    """The files that are already in the release which an artifact is to join, and what time it is."""

    files: tuple[tuple[Filename, datetime], ...] = ()
    now: datetime = field(default_factory=partial(datetime.now, timezone.utc))


Check = Callable[[Artifact, Release], "str | None"]


@dataclass(frozen=True)
class Rule:
    """A rule: what it refuses, in one sentence, and the check, which gives what is wrong or None."""

    sentence: str
    check: Check


def violations(artifact: Artifact, names: Iterable[str], release: Release | None = None) -> list[str]:
    """Give what is wrong with `artifact` by the rules that have these names; ``pypi`` means all of them.

    Raises ValueError if there is no such rule.
    """
    known = Release() if release is None else release
    return [said for name in expand(names) if (said := RULES[name].check(artifact, known))]


def expand(names: Iterable[str]) -> tuple[str, ...]:
    """Give the rules that `names` mean, each once, in the order of the table. Raises ValueError.

    >>> expand(["zip-sdists", "local-versions"])
    ('local-versions', 'zip-sdists')
    """
    wanted = set(names)
    for name in sorted(wanted - RULES.keys() - {ALL}):
        near = difflib.get_close_matches(name, [*RULES, ALL], n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join([ALL, *RULES])}"
        raise ValueError(f"there is no rule {name!r}: {hint}")
    return tuple(name for name in RULES if name in wanted or ALL in wanted)


def _local_versions(artifact: Artifact, _: Release) -> str | None:
    if artifact.filename.version.local is None:
        return None
    return f"the version {artifact.filename.version} has a local part, which a public index does not take"


def _platforms(artifact: Artifact, _: Release) -> str | None:
    wrong = {tag.platform for tag in artifact.filename.tags if not _PLATFORM.fullmatch(tag.platform)}
    return f"the platform {_some(wrong)} is not one that PyPI takes: use auditwheel or delocate" if wrong else None


def _sdist_names(artifact: Artifact, _: Release) -> str | None:
    name = artifact.filename
    if name.kind != "sdist":
        return None
    plain = f"{name.project.replace('-', '_')}-{name.version}"
    return None if name.stem == plain else f"the sdist is not named as PEP 625 says: name it {plain}.tar.gz"


def _wheel_names(artifact: Artifact, _: Release) -> str | None:
    name = artifact.filename
    if name.kind != "wheel":
        return None
    plain = name.project.replace("-", "_")
    given = name.text.partition("-")[0]
    return None if given == plain else f"the wheel's name begins with {given}, it must begin with {plain}"


def _zip_sdists(artifact: Artifact, _: Release) -> str | None:
    return "an sdist must be a .tar.gz" if artifact.filename.text.endswith(".zip") else None


def _classifiers(artifact: Artifact, _: Release) -> str | None:
    known, deprecated = _trove()
    given = [name for name in artifact.core.classifiers if not name.startswith("Private ::")]
    old = [f"{name} (use {' or '.join(deprecated[name]) or 'none'})" for name in given if name in deprecated]
    wrong = [name for name in given if name not in known and name not in deprecated]
    if wrong:
        return f"unknown classifiers: {_some(wrong)}"
    return f"deprecated classifiers: {_some(old)}" if old else None


def _requirements(artifact: Artifact, _: Release) -> str | None:
    wrong = [text for text, requirement in _required(artifact) if requirement is None]
    return f"Requires-Dist is not valid in {_some(wrong)}" if wrong else None


def _direct_urls(artifact: Artifact, _: Release) -> str | None:
    wrong = [text for text, requirement in _required(artifact) if requirement and requirement.url]
    return f"Requires-Dist names an address instead of a version in {_some(wrong)}" if wrong else None


def _requires_python(artifact: Artifact, _: Release) -> str | None:
    return next((text for text in artifact.core.problems if text.startswith("Requires-Python ")), None)


def _metadata_problems(artifact: Artifact, _: Release) -> str | None:
    rest = [text for text in artifact.core.problems if not text.startswith("Requires-Python ")]
    return _some(rest) or None


def _licence_files(artifact: Artifact, _: Release) -> str | None:
    # Before 2.4 the field was an invention of setuptools, whose files lie elsewhere in a wheel (PEP 639).
    major, minor = map(int, artifact.core.metadata_version.split("."))
    missing = artifact.missing_licences if (major, minor) >= (2, 4) else ()
    return f"License-File names what is not in the archive: {_some(missing)}" if missing else None


def _licence_fields(artifact: Artifact, _: Release) -> str | None:
    expression = artifact.core.license_expression
    if not expression:
        return None
    if artifact.core.license:
        return "License and License-Expression exclude each other: remove License"
    try:
        canonicalize_license_expression(expression)
    except InvalidLicenseExpression as exc:
        return f"License-Expression is not one of SPDX ({exc}): write one such as MIT OR Apache-2.0"
    return None


def _summary(artifact: Artifact, _: Release) -> str | None:
    length = len(artifact.core.summary or "")
    if length <= _LONGEST_SUMMARY:
        return None
    return f"the summary has {length} characters, at most {_LONGEST_SUMMARY} are allowed"


def _labels(artifact: Artifact, _: Release) -> str | None:
    wrong = [label for label, _ in artifact.core.project_urls if len(label) > _LONGEST_LABEL]
    return f"a label of a Project-URL has more than {_LONGEST_LABEL} characters: {_some(wrong)}" if wrong else None


def _emails(artifact: Artifact, _: Release) -> str | None:
    given = [text for text in (artifact.core.author_email, artifact.core.maintainer_email) if text]
    wrong = [text for text in given if not all(_ADDRESS.fullmatch(mail) for _, mail in getaddresses([text]))]
    return f"not an e-mail address: {_some(wrong)}" if wrong else None


def _stdlib_names(artifact: Artifact, _: Release) -> str | None:
    taken = {name.lower().replace("_", "-") for name in sys.stdlib_module_names}
    name = artifact.filename.project
    return f"{name} is a module of Python's standard library" if name in taken else None


def _one_sdist(artifact: Artifact, release: Release) -> str | None:
    others = [name.text for name, _ in release.files if name.kind == "sdist" and name.text != artifact.filename.text]
    if artifact.filename.kind != "sdist" or not others:
        return None
    return f"the release has an sdist already, {_some(others)}"


def _closed_release(_: Artifact, release: Release) -> str | None:
    first = min((uploaded for _, uploaded in release.files), default=release.now)
    return "the release is older than 14 days, publish a new one" if release.now - first > _CLOSED_AFTER else None


def _some(things: Iterable[str]) -> str:
    """Name the first of many things; one upload's message stays readable."""
    every = sorted(things)
    return ", ".join(every[:_SHOWN]) + (f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else "")


def _required(artifact: Artifact) -> Iterator[tuple[str, Requirement | None]]:
    for text in artifact.core.requires_dist:
        try:
            yield text, Requirement(text)
        except InvalidRequirement:
            yield text, None


@cache
def _trove() -> tuple[frozenset[str], Mapping[str, list[str]]]:
    # Imported when first needed: most indexes never do, and it costs a start a thousand strings.
    import trove_classifiers

    return frozenset(trove_classifiers.classifiers), trove_classifiers.deprecated_classifiers


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "local-versions": Rule("Versions with a local part, such as 1.0+acme (C5).", _local_versions),
        "requirements": Rule("Requires-Dist that is not valid (C5).", _requirements),
        "direct-urls": Rule("Requires-Dist that names an address instead of a version (C5).", _direct_urls),
        "requires-python": Rule("Requires-Python that is not a valid specifier (C5).", _requires_python),
        "metadata-problems": Rule(
            "Any other field of the metadata that had to be passed over (C5).", _metadata_problems
        ),
        "unknown-classifiers": Rule("Classifiers unknown or deprecated, but for 'Private ::' (C5).", _classifiers),
        "long-summary": Rule(f"A summary of more than {_LONGEST_SUMMARY} characters (C5).", _summary),
        "long-labels": Rule(f"A Project-URL whose label has more than {_LONGEST_LABEL} characters (C5).", _labels),
        "emails": Rule("An e-mail field with something else in it (C5).", _emails),
        "licence-fields": Rule(
            "License beside License-Expression, or one that SPDX does not know (C5).", _licence_fields
        ),
        "stdlib-names": Rule("A project named like a module of Python's standard library (C7).", _stdlib_names),
        "closed-release": Rule("A file for a release that is older than 14 days (C16).", _closed_release),
        "one-sdist-per-release": Rule("A second sdist for one release (C17).", _one_sdist),
        "zip-sdists": Rule("An sdist that is a .zip (C20).", _zip_sdists),
        "legacy-sdist-names": Rule("An sdist that is not named as PEP 625 says (C20).", _sdist_names),
        "licence-files": Rule("A License-File that is not in the archive (C21).", _licence_files),
        "linux-tags": Rule("A wheel for a platform that PyPI does not take, such as linux_x86_64 (C22).", _platforms),
        "legacy-wheel-names": Rule("A wheel whose name is not the normalized one (C22).", _wheel_names),
    }
)


def rule_names(value: str) -> tuple[str, ...]:
    """Read names of rules, or ``pypi`` for all of them.

    >>> rule_names("linux-tags")
    ('linux-tags',)
    """
    return expand(options.words(value))
