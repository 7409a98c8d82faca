"""Trusted publishers, as the operator writes them: which builds may publish which projects without a password.

Each line has a pattern of projects, who vouches for the build, and what the build is known by. A build shows an
identity token of its issuer (OpenID Connect), whose claims are compared with the line.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .rights import pattern

GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.com"
ISSUERS = {"github": GITHUB, "gitlab": GITLAB}
"""The words for the issuers that everybody has."""

REGISTERED = frozenset(("iss", "aud", "exp", "iat", "nbf", "jti"))
"""Claims that are always looked at, and say nothing of who builds."""

_OWN = {
    "github": frozenset(("repository", "repository_owner", "job_workflow_ref", "environment")),
    "gitlab": frozenset(("project_path", "ci_config_ref_uri", "environment")),
    "": frozenset[str](),
}
"""Claims that a line names by their place."""

_REPOSITORY = {
    "github": re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+\Z"),
    "gitlab": re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)+\Z"),
}
_WORKFLOW = {
    "github": re.compile(r"[^/@\s]+\.ya?ml\Z"),
    "gitlab": re.compile(r"[^/@\s][^@\s]*\.ya?ml\Z"),
}
_CLAIM = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]*\Z")
_FORMS = "github OWNER/REPOSITORY WORKFLOW.yml, gitlab GROUP/PROJECT .gitlab-ci.yml or https://ISSUER CLAIM=VALUE"

_FOREIGN = {
    "github": ("event_name", ("pull_request", "pull_request_target")),
    "gitlab": ("pipeline_source", ("merge_request_event", "external_pull_request_event")),
    "": ("", ()),
}
"""What starts a build that may run what somebody only proposes, from a fork perhaps."""


@dataclass(frozen=True)
class Publisher:
    """One line. ``kind`` says how its claims are read: "github", "gitlab", or "" for those of any issuer."""

    pattern: str
    issuer: str
    kind: str = ""
    repository: str = ""
    workflow: str = ""
    environment: str = ""
    claims: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        given = (self.repository, self.workflow, self.environment, *(f"{name}={value}" for name, value in self.claims))
        return " ".join((self.pattern, self.issuer, *(word for word in given if word)))

    def refuses(self, claims: Mapping[str, Any]) -> str | None:
        """Say in what the claims of a verified token differ from the line, None if it is of this publisher."""
        event, foreign = _FOREIGN[self.kind]
        if _text(claims, event) in foreign:
            return event
        differing: str | None = None
        if self.kind == "github":
            differing = self._github(claims)
        elif self.kind == "gitlab":
            differing = self._gitlab(claims)
        return differing or next((name for name, value in self.claims if _text(claims, name) != value), None)

    def _github(self, claims: Mapping[str, Any]) -> str | None:
        """Compare what GitHub says. Names there are the same in any case, those of files are not.

        The workflow must stand in the repository itself, at the revision that is built: one that is called from another
        repository, or at another revision of it, would run what the operator never named.
        """
        repository, owner = _text(claims, "repository"), _text(claims, "repository_owner")
        if repository.casefold() != self.repository.casefold():
            return "repository"
        if owner.casefold() != self.repository.partition("/")[0].casefold():
            return "repository_owner"
        place, _, revision = _text(claims, "job_workflow_ref").partition("@")
        own, file = place[: len(repository)], place[len(repository) :]
        if own.casefold() != repository.casefold() or file != f"/.github/workflows/{self.workflow}":
            return "job_workflow_ref"
        if not revision or revision not in (_text(claims, "ref"), _text(claims, "sha")):
            return "job_workflow_ref"
        if self.environment and _text(claims, "environment").casefold() != self.environment.casefold():
            return "environment"
        return None

    def _gitlab(self, claims: Mapping[str, Any]) -> str | None:
        """Compare what a GitLab says."""
        project = _text(claims, "project_path")
        if project.casefold() != self.repository.casefold():
            return "project_path"
        place, _, revision = _text(claims, "ci_config_ref_uri").partition("@")
        if place != f"{urlsplit(self.issuer).netloc}/{project}//{self.workflow}":
            return "ci_config_ref_uri"
        if not revision or revision not in (_text(claims, "ref_path"), _text(claims, "sha")):
            return "ci_config_ref_uri"
        if self.environment and _text(claims, "environment") != self.environment:
            return "environment"
        return None

    def named(self, claims: Mapping[str, Any]) -> tuple[str, str]:
        """Return who publishes and what stood for them, for the history: one line, without blanks in the name.

        >>> publishers("acme-* github acme/lib release.yml")[0].named({"ref": "refs/tags/v1"})
        ('github:acme/lib', 'workflow release.yml@refs/tags/v1')
        """
        short = next((word for word, issuer in ISSUERS.items() if issuer == self.issuer), urlsplit(self.issuer).netloc)
        if not self.kind:
            return _plain(f"{short}:{_text(claims, 'sub')}"), "trusted publisher"
        what = "workflow" if self.kind == "github" else "pipeline"
        ref = _text(claims, "ref_path") or _text(claims, "ref")
        return _plain(f"{short}:{self.repository}"), f"{what} {_plain(f'{self.workflow}@{ref}')}"


def publishers(value: str) -> tuple[Publisher, ...]:
    """Read lines (or parts between semicolons) of a project pattern and who may publish what fits it.

    >>> [str(each) for each in publishers("acme-* gitlab acme/lib .gitlab-ci.yml; t https://id.example.com sub=ci")]
    ['acme-* https://gitlab.com acme/lib .gitlab-ci.yml', 't https://id.example.com sub=ci']
    """
    found: list[Publisher] = []
    for line in re.split(r"[;\n]", value):
        words = shlex.split(line)
        if words:
            publisher = _publisher(words)
            if publisher in found:
                raise ValueError(f"{' '.join(words)!r} stands there twice; take one of the two out")
            found.append(publisher)
    return tuple(found)


def _publisher(words: Sequence[str]) -> Publisher:
    if len(words) < 3:
        raise ValueError(f"{' '.join(words)!r} names no publisher; write a project or pattern and {_FORMS}")
    projects, where, *rest = words
    issuer = ISSUERS.get(where) or _issuer(where)
    places = [word for word in rest if "=" not in word]
    kind = _kind(issuer) if places else ""
    if not places and where in ISSUERS:
        raise ValueError(f"{' '.join(words)!r} names no repository; write a project or pattern and {_FORMS}")
    claims = _claims([word for word in rest if "=" in word], _OWN[kind])
    if not kind:
        return Publisher(pattern(projects), issuer, claims=claims)
    if len(places) not in (2, 3):
        count = f"{len(places)} name{'s' * (len(places) != 1)}"
        raise ValueError(
            f"{' '.join(words)!r} has {count}; write a repository, a file and, if you want to, an environment"
        )
    repository, workflow, *environment = places
    if not _REPOSITORY[kind].match(repository):
        raise ValueError(f"{repository} is no repository; write its path, such as acme/lib")
    if not _WORKFLOW[kind].match(workflow):
        example = "release.yml, which stands in .github/workflows" if kind == "github" else ".gitlab-ci.yml"
        raise ValueError(f"{workflow} is no file that says how to build; write its name, such as {example}")
    return Publisher(pattern(projects), issuer, kind, repository, workflow, "".join(environment), claims)


def _issuer(text: str) -> str:
    """Return the address of an issuer, as its tokens write it."""
    parts = urlsplit(text)
    if parts.scheme == "http":
        raise ValueError(f"{text} is asked over http, where anybody on the way could answer; issuers have https")
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"{text} is no issuer; write github, gitlab, or the address in the claim iss of its tokens")
    return text


def _kind(issuer: str) -> str:
    """Tell GitHub Enterprise, by its usual addresses, from a GitLab of one's own."""
    parts = urlsplit(issuer)
    return "github" if parts.netloc.startswith("token.actions.") or parts.path == "/_services/token" else "gitlab"


def _claims(words: Sequence[str], own: frozenset[str]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if not _CLAIM.match(name) or not value:
            raise ValueError(f"{word} is no claim; write NAME=VALUE")
        if name in REGISTERED:
            raise ValueError(f"{word} says nothing of who builds; name what only your build has, such as sub")
        if name in found or name in own:
            raise ValueError(f"{word} says a second time what {name} must be; write it once")
        if "*" in value:
            raise ValueError(f"{word} has a *, but claims are compared whole; write the whole value")
        found[name] = value
    return tuple(found.items())


def _text(claims: Mapping[str, Any], name: str) -> str:
    """Return a claim as it would be written in a line; "" for none and for what cannot be."""
    value = claims.get(name)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int)) else ""


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() and not c.isspace() else "?" for c in text)[:200]
