"""Which form of a Simple API page a client gets: the table A2 of content negotiation."""

from __future__ import annotations

import re
from functools import lru_cache

from webob.acceptparse import create_accept_encoding_header, create_accept_header

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
TEXT = "text/html"
FORMS = (TEXT, HTML, JSON)

_LATEST = re.compile(r"(application/vnd\.pypi\.simple\.)latest(\+(?:json|html))", re.IGNORECASE)
_REMEMBERED = 500  # characters: clients send a handful of short headers, and only hostile ones many long ones
_PARAMETER = re.compile(r";\s*(?!q\s*=)[^;,=\s]+\s*=\s*(?:\"[^\"]*\"|[^;,\s]*)", re.IGNORECASE)


def negotiate(accept: str | None, wanted: str | None = None) -> str | None:
    """Return the content type to answer with, None if nothing matches (406, A2.10).

    ``wanted`` is the ``format`` of the query, which wins over the header (A2.14); the plus in it may have been read as
    a space. An unreadable header counts as absent (A2.12). Of equally welcome types those win
    that are asked for by name, JSON first; text/html serves everybody else (A2.1, A2.13).

    >>> negotiate("application/vnd.pypi.simple.v1+json, */*;q=0.1")
    'application/vnd.pypi.simple.v1+json'
    >>> negotiate("text/html")
    'text/html'
    """
    if wanted is not None:
        found = _plain(wanted.replace(" ", "+")).lower()
        return found if found in FORMS else None
    return (_known_form if len(accept or "") <= _REMEMBERED else _accepted)(accept)


def takes_gzip(accept_encoding: str) -> bool:
    """Tell whether a client that sends this header takes an answer that is packed with gzip.

    >>> takes_gzip("gzip, deflate"), takes_gzip("gzip;q=0")
    (True, False)
    """
    if "gzip" not in accept_encoding:
        return False
    return (_known_packing if len(accept_encoding) <= _REMEMBERED else _packed)(accept_encoding)


def _accepted(accept: str | None) -> str | None:
    # WebOb matches neither "latest" nor media ranges with parameters (A2.16).
    header = create_accept_header(_PARAMETER.sub("", _plain(accept)) if accept else None)
    asked = {media.lower() for media, *_ in header.parsed or ()}
    named = [form for form in (JSON, HTML) if form in asked]
    accepted = header.acceptable_offers(named + [form for form in FORMS if form not in named])
    return accepted[0][0] if accepted else None


def _packed(accept_encoding: str) -> bool:
    return bool(create_accept_encoding_header(accept_encoding).acceptable_offers(["gzip"]))


# Most requests are of the same few clients; reading their headers is dearer than all else that a page costs.
_known_form = lru_cache(1024)(_accepted)
_known_packing = lru_cache(1024)(_packed)


def _plain(text: str) -> str:
    """Ask for version 1 where the latest is asked for: it is never answered as "latest" (A2.9)."""
    return _LATEST.sub(r"\1v1\2", text)
