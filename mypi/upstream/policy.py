"""The policy: what is hidden of a project, by which rule, and until when. Pure, and never an error for the rest.

The rules in the order in which they decide are in ``docs/decisions/policy.rst``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol, TypeVar

from packaging.version import Version

from ..model import Project
from ..model.remote import RemotePage
from ..policies import PREFIX, Policies, Term
from ..times import timestamp
from . import licences

_DAY = 86400
_END = datetime.max.replace(tzinfo=timezone.utc).timestamp() - 1
_NOTHING: Mapping[str, str] = MappingProxyType({})

_version = lru_cache(maxsize=10_000)(Version)


class Item(Protocol):
    """A file, ours or theirs: what the rules look at."""

    @property
    def filename(self) -> str:
        """Its name, whose version is ``version``."""

    @property
    def version(self) -> str:
        """Normalised."""

    @property
    def uploaded(self) -> str | None:
        """An RFC 3339 time in UTC, None if nobody says."""

    @property
    def yanked(self) -> str | None:
        """The reason, "" without one, None if it is not yanked."""


@dataclass(frozen=True)
class Hidden:
    """Why something is hidden: the rule, the setting as it could stand in the ``.ini``, and a sentence for people.

    ``lifts`` is when it will be shown without anybody's doing, as an RFC 3339 time in UTC; None for never.
    """

    rule: str
    setting: str
    sentence: str
    lifts: str | None = None


class HiddenByPolicy(Exception):
    """What was asked for is hidden (403: a client that takes 404 for an answer looks elsewhere for it)."""

    def __init__(self, project: str, hidden: Hidden) -> None:
        super().__init__(hidden.sentence)
        self.project = project
        self.hidden = hidden


@dataclass(frozen=True)
class Verdict:
    """What is hidden of one page: names of files, and versions. ``key`` differs for verdicts that differ.

    It holds ``until`` a time (seconds since 1970) when a file's time comes, None for ever.
    """

    files: frozenset[str] = frozenset()
    versions: frozenset[str] = frozenset()
    until: float | None = None

    @property
    def key(self) -> str:
        """What stands for it in an ETag, "" if nothing is hidden."""
        if not self.files and not self.versions:
            return ""
        drawn = "\n".join([*sorted(self.files), "", *sorted(self.versions)])
        return hashlib.sha256(drawn.encode()).hexdigest()[:16]


P = TypeVar("P", RemotePage, Project)


class Policy:
    """Judges by the settings. Projects are named canonically, ``now`` is in seconds since 1970.

    ``licences`` has the SPDX expressions that are known, by version: one of a release's files says it for all.
    """

    def __init__(self, rules: Policies) -> None:
        self.rules = rules

    def whole(self, project: str) -> Hidden | None:
        """Tell why a name is denied with all its versions, of which none can ever be shown; None if it is not."""
        denied = _closest(term for term in self.rules.deny if term.versions is None and term.names(project))
        if denied is None or any(term.rank > denied.rank and term.names(project) for term in self.rules.allow):
            return None
        return _denied(project, denied)

    def release(self, project: str, version: str) -> Hidden | None:
        """Tell why a version is hidden, whatever its files are."""
        hidden, exempt = self._by_terms(project, version)
        return hidden if hidden or exempt else self._by_kind(project, version)

    def file(self, project: str, file: Item, now: float, licence: str = "") -> Hidden | None:
        """Tell why a file is hidden."""
        hidden, exempt = self._by_terms(project, file.version)
        if hidden or exempt:
            return hidden
        return (
            self._by_kind(project, file.version)
            or self._by_yank(file)
            or self._by_licence(file, licence)
            or self._by_age(file, now)
        )

    def exempt(self, project: str, version: str) -> Term | None:
        """Return what shows a version whatever the other rules say, None if nothing does."""
        return self._by_terms(project, version)[1]

    def judge(
        self, page: RemotePage | Project, files: Iterable[Item], now: float, licences: Mapping[str, str] = _NOTHING
    ) -> Verdict:
        """Tell what is hidden of a page that has these files."""
        if not self.rules.hides:
            return Verdict()
        found = [(file, self.file(page.name, file, now, licences.get(file.version, ""))) for file in files]
        hidden = {file.filename: why for file, why in found if why}
        shown = {_version(file.version) for file, why in found if not why}
        emptied = {_version(file.version) for file, why in found if why} - shown
        lost = {
            text
            for text in page.versions
            if _version(text) in emptied or (_version(text) not in shown and self.release(page.name, text))
        }
        times = [_seconds(why.lifts) for why in hidden.values() if why.lifts]
        return Verdict(frozenset(hidden), frozenset(lost), min(times, default=None))

    def _by_terms(self, project: str, version: str) -> tuple[Hidden | None, Term | None]:
        """Return why a version is denied, or else what takes it out of every rule.

        The closest term decides; of equally close ones the denial.
        """
        if not self.rules.deny and not self.rules.allow:
            return None, None
        parsed = _version(version)
        denied = _closest(term for term in self.rules.deny if term.covers(project, parsed))
        allowed = _closest(term for term in self.rules.allow if term.covers(project, parsed))
        if denied and (allowed is None or allowed.rank <= denied.rank):
            return _denied(f"{project} {version}", denied), None
        # A closer term without versions must not lift the cooldown that a term with versions was to lift.
        dated = _closest(t for t in self.rules.allow if t.versions is not None and t.covers(project, parsed))
        return None, dated

    def _by_kind(self, project: str, version: str) -> Hidden | None:
        if self.rules.prereleases == "keep" or not _version(version).is_prerelease:
            return None
        setting = f"{PREFIX}prereleases = hide"
        return Hidden("prereleases", setting, f"{project} {version} is hidden: it is a pre-release, by {setting}")

    def _by_yank(self, file: Item) -> Hidden | None:
        if self.rules.yanked == "keep" or file.yanked is None:
            return None
        setting = f"{PREFIX}yanked = hide"
        reason = f" ({file.yanked[:80]})" if file.yanked else ""
        return Hidden("yanked", setting, f"{file.filename} is hidden: it is yanked{reason}, by {setting}")

    def _by_licence(self, file: Item, licence: str) -> Hidden | None:
        name = licences.denied(licence, self.rules.licenses_denied) if licence and self.rules.licenses_denied else None
        if name is None:
            return None
        setting = f"{PREFIX}licenses_denied = {' '.join(self.rules.licenses_denied)}"
        return Hidden("licenses_denied", setting, f"{file.filename} is hidden: its licence is {name}, by {setting}")

    def _by_age(self, file: Item, now: float) -> Hidden | None:
        days = self.rules.min_age_days
        if not days:
            return None
        setting = f"{PREFIX}min_age_days = {days}"
        if file.uploaded is None:
            # Whoever hides the time of an upload must not get round the cooldown by that.
            sentence = f"{file.filename} is hidden: its index does not say when it was uploaded, and {setting}"
            return Hidden("min_age_days", setting, sentence)
        end = _seconds(file.uploaded) + days * _DAY
        if now >= end:
            return None
        lifts = _time(end)
        shown = f"{lifts[:10]} {lifts[11:16]}"
        sentence = f"{file.filename} is hidden until {shown} UTC: it came on {file.uploaded[:10]}, and {setting}"
        return Hidden("min_age_days", setting, sentence, lifts)


def without(page: P, verdict: Verdict) -> P:
    """Return a page less what a verdict hides; the same object if that is nothing."""
    if not verdict.files and not verdict.versions:
        return page
    if isinstance(page, Project):
        files = {name: file for name, file in page.files.items() if name not in verdict.files}
        releases = {text: said for text, said in page.releases.items() if text not in verdict.versions}
        return replace(page, files=files, releases=releases)
    return replace(
        page,
        files=tuple(file for file in page.files if file.filename not in verdict.files),
        versions=tuple(text for text in page.versions if text not in verdict.versions),
    )


def _closest(terms: Iterable[Term]) -> Term | None:
    return max(terms, key=lambda term: term.rank, default=None)


def _denied(what: str, term: Term) -> Hidden:
    setting = f"{PREFIX}deny = {term}"
    return Hidden("deny", setting, f"{what} is hidden: it is denied by {setting}")


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


def _time(seconds: float) -> str:
    return timestamp(min(seconds, _END))
