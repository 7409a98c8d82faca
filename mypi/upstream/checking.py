"""Whether what is configured is an index: asked when somebody wants to know, and never at the start of a server.

A server that asked at its start could not start while another index is away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from ..model.remote import Site
from .client import Answer, Client
from .errors import UpstreamError
from .faults import plain
from .parsing import ACCEPT

_JSON = re.compile(r"application/vnd\.pypi\.simple\.v1\+json\b", re.IGNORECASE)
_HTML = re.compile(r"(?:application/vnd\.pypi\.simple\.v1\+html|text/html)\b", re.IGNORECASE)
_SAID = re.compile(r"pypi:repository-version|<title>\s*simple[ -]?(?:index|list)", re.IGNORECASE)
_ANCHOR = re.compile(
    r"<a\s[^>]{0,300}href\s*=\s*[\"']?(?:[^\"'>]{0,300}/)?([A-Za-z0-9._-]{1,100})/?[\"'\s>]"
    r"[^<]{0,300}?([A-Za-z0-9._-]{1,100})\s*</a"
)
_READ = 64 * 1024


@dataclass(frozen=True)
class Finding:
    """What the address of an index answers, as a sentence; ``right`` is None if that tells nothing either way."""

    site: Site
    right: bool | None
    sentence: str


def check(client: Client, sites: tuple[Site, ...]) -> Iterator[Finding]:
    """Ask each index for the list of its projects, of which the beginning will do."""
    for site in sites:
        try:
            with client.get(site, site.url, {"Accept": ACCEPT, "Accept-Encoding": "identity"}) as answer:
                yield _finding(site, answer)
        except UpstreamError as exc:
            yield Finding(site, False, str(exc))


def _finding(site: Site, answer: Answer) -> Finding:
    if answer.status in (401, 403):
        return Finding(site, False, f"it lets mypi not in ({answer.status}); set MYPI_UPSTREAM_… credentials")
    if answer.status in (404, 405):
        return Finding(site, None, f"it answers {answer.status}: right only if it lists no projects, as some do not")
    if answer.status != 200:
        return Finding(site, False, f"it answers {answer.status}")
    kind = plain(answer.headers.get("Content-Type", "nothing that says what it is"))
    if _JSON.match(kind):
        return Finding(site, True, "it speaks the Simple API, in JSON, so that times and sizes are known")
    if not _HTML.match(kind) or not _is_list(_beginning(answer)):
        return Finding(site, False, f"it is no index: it answers {kind}, and not with a list of projects")
    return Finding(
        site, True, "it speaks the Simple API, in HTML alone: nobody knows when a file came, and what a cooldown hides"
    )


def _beginning(answer: Answer) -> str:
    data = b""
    while len(data) < _READ and (piece := answer.read1()):
        data += piece
    return data.decode(errors="replace")


def _is_list(page: str) -> bool:
    """Tell whether a page says that it is a list of projects, or has links such as one has.

    >>> _is_list('<a href="/simple/six/">Six</a>'), _is_list('<a href="/forgotten">Forgotten your password?</a>')
    (True, False)
    """
    if _SAID.search(page):
        return True
    links = _ANCHOR.findall(page)
    return any(canonicalize_name(address) == canonicalize_name(text) for address, text in links)
