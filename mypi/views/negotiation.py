"""Which form of a Simple API page a client gets: the table A2 of content negotiation."""

from __future__ import annotations

import re

from webob.acceptparse import create_accept_header

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
TEXT = "text/html"
FORMS = (TEXT, HTML, JSON)

_LATEST = re.compile(r"(application/vnd\.pypi\.simple\.)latest(\+(?:json|html))", re.IGNORECASE)
_PARAMETER = re.compile(r";\s*(?!q\s*=)[^;,=\s]+\s*=\s*(?:\"[^\"]*\"|[^;,\s]*)", re.IGNORECASE)


def negotiate(accept: str | None, wanted: str | None = None) -> str | None:
    """Return the content type to answer with, None if nothing matches (406, A2.10).

    ``wanted`` is the ``format`` of the query, which wins over the header (A2.14). Of equally welcome types those win
    that are asked for by name, JSON first; text/html serves everybody else (A2.1, A2.13).

    >>> negotiate("application/vnd.pypi.simple.v1+json, */*;q=0.1")
    'application/vnd.pypi.simple.v1+json'
    >>> negotiate("text/html")
    'text/html'
    """
    if wanted is not None:
        found = _plain(wanted).lower()
        return found if found in FORMS else None
    # WebOb matches neither "latest" nor media ranges with parameters (A2.16).
    header = _PARAMETER.sub("", _plain(accept)) if accept else None
    named = [form for form in (JSON, HTML) if header and form in header.lower()]
    offers = named + [form for form in FORMS if form not in named]
    accepted = create_accept_header(header).acceptable_offers(offers)
    return accepted[0][0] if accepted else None


def _plain(text: str) -> str:
    """Ask for version 1 where the latest is asked for: it is never answered as "latest" (A2.9)."""
    return _LATEST.sub(r"\1v1\2", text)
