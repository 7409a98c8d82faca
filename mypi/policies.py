"""The settings of the policy: what of other indexes, and perhaps of ours, is hidden though it is there.

They stand under ``mypi.policy.``; :mod:`mypi.upstream.policy` judges by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from . import options
from .options import Option, SettingError
from .rights import pattern

PREFIX = "mypi.policy."

_CLAUSE = r"(?:===|[<>=!~]=|[<>])\s*[A-Za-z0-9.*+!_-]+"
_TERM = re.compile(rf"([A-Za-z0-9_.*?-]+)(?:\s*({_CLAUSE}(?:\s*,\s*{_CLAUSE})*))?(?=[\s,]|\Z)")
_BETWEEN = re.compile(r"[\s,]*")
_LICENCE = re.compile(r"[A-Za-z0-9.*?-]+\+?\Z")
_OLDEST = 3650
_WRITE = "write names, patterns and versions, such as evil acme-* requests<2"


@dataclass(frozen=True)
class Term:
    """Some projects, by a pattern of canonical names, and of these all versions or those of a specifier.

    >>> [term] = terms("Requests >= 2, < 3")
    >>> str(term), term.covers("requests", Version("2.1")), term.covers("requests", Version("3.0"))
    ('requests<3,>=2', True, False)
    """

    pattern: str
    versions: SpecifierSet | None = None

    def __str__(self) -> str:
        return f"{self.pattern}{self.versions or ''}"

    @property
    def rank(self) -> tuple[bool, int, int]:
        """How closely it says what it is about: a name before a pattern, a long pattern before a short one; then one
        version before a range, and a range before all.
        """
        whole = "*" not in self.pattern and "?" not in self.pattern
        pinned = len(self.versions or ()) == 1 and re.fullmatch(r"={2,3}[^*]+", str(self.versions))
        return whole, len(re.sub(r"[*?]", "", self.pattern)), 0 if self.versions is None else 2 if pinned else 1

    def names(self, project: str) -> bool:
        """Tell whether a canonical name is one of those."""
        return fnmatchcase(project, self.pattern)

    def covers(self, project: str, version: Version) -> bool:
        """Tell whether a version of a project is one of those; pre-releases are, as any other."""
        return self.names(project) and (self.versions is None or self.versions.contains(version, prereleases=True))


def terms(value: str) -> tuple[Term, ...]:
    """Read names, patterns and requirements, as many as there are: ``evil acme-* requests<2``.

    >>> [str(term) for term in terms("evil, Acme_* requests>=2,<3 flask ==2.0")]
    ['evil', 'acme-*', 'requests<3,>=2', 'flask==2.0']
    """
    return tuple(_terms(value))


def _terms(value: str) -> Iterator[Term]:
    place = _end(_BETWEEN.match(value))
    while place < len(value):
        found = _TERM.match(value, place)
        if found is None:
            wrong = re.split(r"[\s,]", value[place:], maxsplit=1)[0]
            raise ValueError(f"{wrong} is no name with or without versions; {_WRITE}")
        try:
            yield Term(pattern(found[1]), SpecifierSet(found[2]) if found[2] else None)
        except InvalidSpecifier as exc:
            raise ValueError(f"{found[0]} has versions that cannot be read; {_WRITE}") from exc
        place = _end(_BETWEEN.match(value, found.end()))


def _end(found: re.Match[str] | None) -> int:
    assert found  # it matches nothing too
    return found.end()


def licences(value: str) -> tuple[str, ...]:
    """Read licences by their SPDX identifiers, or patterns of these: ``AGPL-3.0-only GPL-*``.

    >>> licences("agpl-3.0-only GPL-*")
    ('AGPL-3.0-only', 'GPL-*')
    """
    return tuple(_licence(word) for word in options.words(value))


def _licence(word: str) -> str:
    known = f"{word} is no SPDX identifier; write such as AGPL-3.0-only, or a pattern such as AGPL-*"
    if not _LICENCE.match(word):
        raise ValueError(known)
    if "*" in word or "?" in word:
        return word
    try:
        return str(canonicalize_license_expression(word))
    except InvalidLicenseExpression as exc:
        raise ValueError(known) from exc


def keep_or_hide(value: str) -> str:
    """Read whether something stays on the pages: ``keep`` or ``hide``.

    >>> keep_or_hide("hide")
    'hide'
    """
    return options.one_of(value, "keep", "hide")


TABLE: tuple[Option, ...] = (
    Option("min_age_days", options.number, "0", "Days for which a file must have been public before it is shown."),
    Option("deny", terms, "", "What is never shown: names, patterns and versions, such as evil acme-* requests<2."),
    Option(
        "allow",
        terms,
        "",
        "What is shown all the same. A name or pattern takes a less exact denial back, no more; with versions, such as "
        "requests==2.32.5, it is shown whatever any rule says.",
    ),
    Option("yanked", keep_or_hide, "keep", "Whether yanked files are shown, with their mark."),
    Option("prereleases", keep_or_hide, "keep", "Whether pre-releases are shown."),
    Option(
        "licenses_denied",
        licences,
        "",
        "Licences whose files are hidden, by SPDX identifiers or patterns of these, such as AGPL-*; as far as metadata "
        "that was fetched says them.",
    ),
    Option("ours", options.boolean, "false", "Whether all of this holds for our own projects too."),
)


@dataclass(frozen=True)
class Policies:
    """The settings of the policy, converted and checked."""

    min_age_days: int = 0
    deny: tuple[Term, ...] = ()
    allow: tuple[Term, ...] = ()
    yanked: str = "keep"
    prereleases: str = "keep"
    licenses_denied: tuple[str, ...] = ()
    ours: bool = False

    @property
    def hides(self) -> bool:
        """Whether there is any rule at all."""
        kept = self.yanked == self.prereleases == "keep"
        return bool(self.min_age_days or self.deny or self.licenses_denied) or not kept

    def check(self) -> None:
        """Refuse rules that contradict each other, or of which one does nothing. Raises SettingError."""
        if self.min_age_days > _OLDEST:
            raise SettingError(f"{PREFIX}min_age_days = {self.min_age_days} hides everything there is; write such as 7")
        for term in self.allow:
            if term in self.deny:
                raise SettingError(f"{PREFIX}deny and {PREFIX}allow both name {term}; take it out of one of them")
            if term.versions is None and not any(self._takes_back(term, denied) for denied in self.deny):
                raise SettingError(
                    f"{PREFIX}allow = {term} does nothing: a name or pattern takes back what {PREFIX}deny denies by a "
                    f"less exact one, and there is none. Write {term}>=0 to show all its versions whatever the other "
                    f"rules say; or {PREFIX}deny = * to show nothing but what is allowed"
                )
        everything = next((term for term in self.deny if not term.pattern.strip("*") and term.versions is None), None)
        if everything and not self.allow:
            raise SettingError(
                f"{PREFIX}deny = {everything} hides everything there is; name in {PREFIX}allow what is to be shown"
            )
        if self.ours and not self.hides:
            raise SettingError(f"{PREFIX}ours = true, but no rule hides anything; set one, or take it out")

    @staticmethod
    def _takes_back(allowed: Term, denied: Term) -> bool:
        return allowed.rank > denied.rank and _meet(allowed.pattern, denied.pattern)


def _meet(one: str, other: str) -> bool:
    """Tell whether some name matches both patterns.

    >>> _meet("acme-*", "*-lib"), _meet("acme-*", "evil*")
    (True, False)
    """
    if not one or not other:
        return not (one or other).strip("*")
    if "*" in (one[0], other[0]):
        star, rest = (one, other) if one[0] == "*" else (other, one)
        return _meet(star[1:], rest) or _meet(star, rest[1:])
    return (one[0] == other[0] or "?" in (one[0], other[0])) and _meet(one[1:], other[1:])


def read(given: Mapping[str, str], environ: Mapping[str, str]) -> Policies:
    """Read the settings of the policy. Raises SettingError."""
    found = Policies(**options.read(TABLE, PREFIX, given, environ))
    found.check()
    return found
