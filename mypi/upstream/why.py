"""Why something is not to be seen: whose a name is, which rule hides what of it, who set it, and when it lifts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from packaging.version import Version

from .. import names
from ..model import Project
from ..repository import Repository
from ..store import NotFound
from . import Upstream
from .errors import Unknown, UpstreamError
from .policy import Hidden, Item, Policy
from .screen import Screen, metadata_of


@dataclass(frozen=True)
class Finding:
    """What a rule hides of one version: the names of its files, none if it has no files."""

    version: str
    files: tuple[str, ...]
    hidden: Hidden


@dataclass(frozen=True)
class Answer:
    """What there is to say of a name, or of a version of it.

    ``whose`` is "ours", "theirs" or "nobody's", ``site`` the upstream that has it. ``findings`` are newest first.
    ``shown`` counts the files that are on offer.
    """

    name: str
    version: str | None
    whose: str
    site: str | None
    sentences: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    shown: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        found = [
            {
                "version": each.version,
                "files": list(each.files),
                "rule": each.hidden.rule,
                "setting": each.hidden.setting,
                "sentence": each.hidden.sentence,
                "lifts": each.hidden.lifts,
            }
            for each in self.findings
        ]
        said = {"name": self.name, "version": self.version, "whose": self.whose, "upstream": self.site}
        return {**said, "sentences": list(self.sentences), "hidden": found, "shown": self.shown}


def read(text: str) -> tuple[str, str | None]:
    """Read ``NAME`` or ``NAME==VERSION``. Raises InvalidName, InvalidVersion.

    >>> read("Acme.Lib==1.0.0")
    ('acme-lib', '1.0.0')
    """
    name, equal, version = text.partition("==")
    return names.project(name.strip()), str(names.version(version.strip())) if equal else None


class Why:
    """Answers for one index. ``private`` are the patterns of ``mypi.private``."""

    def __init__(
        self,
        repository: Repository,
        upstream: Upstream | None,
        screen: Screen,
        private: tuple[str, ...],
    ) -> None:
        self._repository = repository
        self._upstream = upstream
        self._screen = screen
        self._private = private

    def of(self, name: str, version: str | None = None) -> Answer:
        """Explain a canonical name, or a version of it. Raises StoreError.

        No upstream is asked about a name of ours; about another one only if nothing is kept of it.
        """
        try:
            return self._ours(self._repository.project(name).value, version)
        except NotFound:
            pass
        pattern = next((each for each in self._private if fnmatchcase(name, each)), None)
        if pattern:
            said = f"{name} is ours, by mypi.private = {pattern}, and no other index is asked about it"
            return Answer(name, version, "ours", None, (said, "Nothing of it was published here"))
        if self._upstream is None or not self._upstream.theirs(name):
            return Answer(name, version, "nobody's", None, (f"There is no project {name} here", _NO_UPSTREAM))
        return self._theirs(self._upstream, name, version)

    def _ours(self, project: Project, version: str | None) -> Answer:
        said = [f"{project.display} is ours: it was published here, and no other index is asked about it"]
        if project.status != "active":
            said.append(f"It is {project.status}{_reason(project.status_reason)}")
        if not self._screen.rules.ours:
            if self._screen.rules.hides:
                said.append("The rules of mypi.policy are not for our own projects (mypi.policy.ours = false)")
            return Answer(project.name, version, "ours", None, tuple(said), shown=len(_chosen(project.live, version)))
        fetch = partial(metadata_of, self._repository, project)
        known = self._screen.known((file.sha256, file.version, partial(fetch, file)) for file in project.live)
        return self._judged(project.name, version, "ours", None, said, project.live, project.versions, known)

    def _theirs(self, upstream: Upstream, name: str, version: str | None) -> Answer:
        denied = self._screen.policy.whole(name)
        if denied:
            refused = (f"{name} is not ours", f"{denied.sentence}; no other index is asked about it")
            return Answer(name, version, "theirs", None, refused, (Finding("", (), denied),))
        try:
            served = upstream.pages.kept(name) or upstream.pages.get(name)
        except Unknown as exc:
            return Answer(name, version, "nobody's", None, (str(exc),))
        except UpstreamError as exc:
            return Answer(name, version, "theirs", None, (f"{name} is not ours", str(exc)))
        site, page = served.cached.site, served.page
        said = [f"{name} is not ours: it comes from {site}, of mypi.upstream"]
        if page.status != "active":
            said.append(f"{site} says that it is {page.status}{_reason(page.status_reason)}")
        known = upstream.licences(served)
        return self._judged(name, version, "theirs", site, said, page.files, page.versions, known)

    def _judged(
        self,
        name: str,
        version: str | None,
        whose: str,
        site: str | None,
        said: list[str],
        files: Sequence[Item],
        versions: Sequence[str],
        known: dict[str, str],
    ) -> Answer:
        """Say what the rules hide of a page with these files and versions."""
        policy, chosen = self._screen.policy, _chosen(files, version)
        now = self._screen.clock()
        found: dict[tuple[str, str], list[tuple[Item, Hidden]]] = {}
        for file in chosen:
            hidden = policy.file(name, file, now, known.get(file.version, ""))
            if hidden:
                found.setdefault((file.version, hidden.rule), []).append((file, hidden))
        findings = [
            # All are hidden until the last of them is not.
            Finding(of, tuple(file.filename for file, _ in each), max((why for _, why in each), key=_lifts))
            for (of, _), each in found.items()
        ]
        having = {Version(file.version) for file in files}
        for text in versions:
            bare = Version(text) not in having and _is(text, version)
            hidden = policy.release(name, text) if bare else None
            if hidden:
                findings.append(Finding(text, (), hidden))
        findings.sort(key=lambda finding: Version(finding.version), reverse=True)
        if version and not any(_is(text, version) for text in versions):
            said.append(f"There is no {name} {version}{f' at {site}' if site else ' here'}")
        elif not findings:
            said.append(f"No rule hides {f'{name} {version}' if version else 'anything of it'}")
        said += _exempt(policy, name, version)
        shown = len(chosen) - sum(len(finding.files) for finding in findings)
        return Answer(name, version, whose, site, tuple(said), tuple(findings), shown)


_NO_UPSTREAM = "No other index has it for us"


def _exempt(policy: Policy, name: str, version: str | None) -> Iterable[str]:
    """Say what takes a version out of all rules, or versions of a name."""
    if version:
        term = policy.exempt(name, version)
        return [f"It is shown whatever the rules say, by mypi.policy.allow = {term}"] if term else []
    dated = [str(term) for term in policy.rules.allow if term.versions is not None and term.names(name)]
    return [f"Shown whatever the rules say, by mypi.policy.allow: {', '.join(dated)}"] if dated else []


def _chosen(files: Sequence[Item], version: str | None) -> list[Item]:
    return [file for file in files if _is(file.version, version)]


def _is(text: str, version: str | None) -> bool:
    return version is None or Version(text) == Version(version)


def _lifts(hidden: Hidden) -> str:
    return hidden.lifts or "never"


def _reason(text: str) -> str:
    return f": {text}" if text else ""
