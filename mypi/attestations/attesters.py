"""Who may sign attestations, as the operator writes it: lines of projects and Trusted Publishers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

KINDS = {
    "github": ("GitHub", ("repository", "workflow")),
    "gitlab": ("GitLab", ("repository", "workflow_filepath")),
    "google": ("Google", ("email",)),
}
"""The word in the setting; the publisher's kind in provenance objects, and the names of what it is known by."""

_PATTERN = re.compile(r"[A-Za-z0-9._*?-]+")
_DASHES = re.compile(r"[-_.]+")


@dataclass(frozen=True)
class Attester:
    """A Trusted Publisher whose attestations are taken for projects whose canonical name fits ``pattern``."""

    pattern: str
    kind: str
    known_by: tuple[str, ...]

    def may_attest(self, project: str) -> bool:
        return fnmatchcase(project, self.pattern)

    @property
    def publisher(self) -> dict[str, str]:
        """The publisher as provenance objects name it.

        >>> Attester("acme-*", "google", ("builder@acme.example",)).publisher
        {'kind': 'Google', 'email': 'builder@acme.example'}
        """
        kind, keys = KINDS[self.kind]
        return {"kind": kind, **dict(zip(keys, self.known_by, strict=True))}

    def __str__(self) -> str:
        return " ".join((self.kind, *self.known_by))


def attesters(value: str) -> tuple[Attester, ...]:
    """Read lines (or parts between semicolons) of a project pattern and ``github REPOSITORY WORKFLOW`` or the like.

    >>> [str(each) for each in attesters("acme-* github acme/lib release.yml; * google builder@acme.example")]
    ['github acme/lib release.yml', 'google builder@acme.example']
    """
    return tuple(_attester(line.split()) for line in re.split(r"[;\n]", value) if line.strip())


def _attester(words: list[str]) -> Attester:
    pattern, kind, *known_by = words if len(words) > 1 else (*words, "")
    forms = ", ".join(" ".join((word, *map(str.upper, keys))) for word, (_, keys) in KINDS.items())
    if not _PATTERN.fullmatch(pattern):
        raise ValueError(f"{pattern} is no project and no pattern; write names such as acme-lib or acme-*")
    if kind not in KINDS or len(known_by) != len(KINDS[kind][1]):
        raise ValueError(f"{' '.join(words)!r} names no attester; write a project or pattern and one of {forms}")
    return Attester(_DASHES.sub("-", pattern).lower(), kind, tuple(known_by))
