"""What pages show of metadata, sorted out: dependencies by extra, links that are safe, and classifiers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from markupsafe import Markup
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..metadata import CoreMetadata
from ..model import File

_EXTRA = re.compile(r"""\(?\bextra\s*==\s*["']([^"']+)["']\)?""")
_JOINED = re.compile(r"\A\s*and\s+|\s+and\s*\Z")

_WIDE = re.compile(r"<(pre|table)(?=[ >])")

_LONGEST_LICENSE = 80


@dataclass(frozen=True)
class Dependency:
    """A requirement in parts: the project's name as written, ``rest`` are extras, versions or an address.

    ``project`` is its canonical name where it lives here, so that it can be linked, else None; ``marker`` says when it
    is needed, "" for always.
    """

    name: str
    rest: str
    marker: str
    project: str | None


def dependencies(requires: Iterable[str], here: Callable[[str], bool]) -> list[tuple[str, list[Dependency]]]:
    """Group requirements by the extra that they are for, those first that are always needed (as extra "").

    >>> dependencies(["attrs>=20", "rich; extra == 'cli'"], lambda name: name == "rich")  # doctest: +ELLIPSIS
    [('', [Dependency(name='attrs', rest='>=20', ...)]), ('cli', [Dependency(name='rich', ... project='rich')])]
    """
    groups: dict[str, list[Dependency]] = {}
    for text in requires:
        extra, dependency = _dependency(text, here)
        groups.setdefault(extra, []).append(dependency)
    return sorted(groups.items())


def _dependency(text: str, here: Callable[[str], bool]) -> tuple[str, Dependency]:
    try:
        found = Requirement(text)
    except InvalidRequirement:  # metadata is read leniently: it is shown as it is
        return "", Dependency(text, "", "", None)
    name = canonicalize_name(found.name)
    extras = f"[{','.join(sorted(found.extras))}]" if found.extras else ""
    rest = f"{extras} @ {found.url}" if found.url else f"{extras}{found.specifier}"
    extra, marker = _split_marker(str(found.marker or ""))
    return extra, Dependency(found.name, rest, marker, name if here(name) else None)


def _split_marker(marker: str) -> tuple[str, str]:
    """Take the extra out of a marker, where that is all that the marker says of extras.

    >>> _split_marker('python_version < "3.11" and extra == "toml"')
    ('toml', 'python_version < "3.11"')
    """
    extras = _EXTRA.findall(marker)
    if len(extras) != 1 or re.search(r"\bor\b", marker):
        return "", marker
    before, _, after = _EXTRA.sub("\0", marker).partition("\0")
    parts = (_JOINED.sub("", part).strip() for part in (before, after))
    return canonicalize_name(extras[0]), " and ".join(part for part in parts if part)


def links(core: CoreMetadata) -> list[tuple[str, str]]:
    """Return the links of a release with their labels, each address once, and nothing that a browser would run."""
    given = [("Homepage", core.home_page), *core.project_urls, ("Download", core.download_url)]
    found: dict[str, str] = {}
    for label, url in given:
        if url and is_web(url):
            found.setdefault(url, label)
    return [(label, url) for url, label in found.items()]


def is_web(url: str) -> bool:
    """Tell whether an address leads to the web: ``javascript:`` and the like run in a reader's browser (threat 6).

    >>> is_web("https://example.com/"), is_web("javascript:alert(1)"), is_web("http://[")
    (True, False, False)
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def licenses(core: CoreMetadata) -> str | None:
    """Return the licence in a few words: its expression, a short text, or what the classifiers say."""
    if core.license_expression:
        return core.license_expression
    if core.license and "\n" not in core.license and len(core.license) <= _LONGEST_LICENSE:
        return core.license
    named = [each.rpartition(" :: ")[2] for each in core.classifiers if each.startswith("License :: ")]
    if named:
        return ", ".join(named)
    first = (core.license or "").partition("\n")[0]
    return f"{first[:_LONGEST_LICENSE]}…" if first else None


def classifiers(core: CoreMetadata) -> list[tuple[str, list[str]]]:
    """Group classifiers by what they are about, but for the licence, which is shown apart."""
    groups: dict[str, list[str]] = {}
    for each in core.classifiers:
        about, _, rest = each.partition(" :: ")
        if about != "License":
            groups.setdefault(about, []).append(rest.replace(" :: ", " \u203a ") or about)
    return list(groups.items())


def reachable(readme: Markup) -> Markup:
    """Let what a README has of wide things be scrolled by keyboard.

    The value has no quotes, so that nothing is broken by it where the same letters stand in an attribute.

    >>> reachable(Markup("<pre>x</pre>"))
    Markup('<pre tabindex=0>x</pre>')
    """
    return Markup(_WIDE.sub(r"<\1 tabindex=0", str(readme)))  # noqa: S704 - it was made safe when it was rendered


def is_detailed(core: CoreMetadata) -> bool:
    """Tell whether there is anything to say about a release beside its README."""
    people = (core.author, core.author_email, core.maintainer, core.maintainer_email)
    return any((*people, core.keywords, core.provides_extra, classifiers(core), links(core)))


def summary_of(files: Iterable[File]) -> tuple[str, str | None] | None:
    """Return when the first of some files came and from whom, None if there is none."""
    first = min(files, key=lambda file: file.uploaded, default=None)
    return (first.uploaded, first.uploader) if first else None
