"""The feed of recent uploads, as Atom (RFC 4287)."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from ..overview import Upload
from ..resources import Root
from ..security import visible
from . import links, offered
from .rendered import respond

SHOWN = 50

_ATOM = "http://www.w3.org/2005/Atom"
_NEVER = "1970-01-01T00:00:00Z"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def feed(context: Root, request: Request) -> Response:
    """Tell what was uploaded last, of all that who asks may see."""
    address = links.address(request)
    uploads = offered.uploads(request, request.overview.recent(visible(request), SHOWN))
    key = ("feed", address, hashlib.sha256(repr(uploads).encode("utf-8", "replace")).hexdigest())
    content_type = "application/atom+xml; charset=UTF-8"
    response = respond(request, key, content_type, lambda: written(address, uploads), vary=("Authorization", "Cookie"))
    response.cache_control.private = True
    return response


def written(address: str, uploads: list[Upload]) -> bytes:
    """Write the feed of an index that has an address. What is in it never depends on when it was asked for."""
    host = _authority(address)
    found = ET.Element("feed", {"xmlns": _ATOM})
    _text(found, "id", f"tag:{host},2026:mypi")
    _text(found, "title", f"Uploads to {host}")
    _text(found, "updated", uploads[0].at if uploads else _NEVER)
    ET.SubElement(found, "link", {"rel": "self", "type": "application/atom+xml", "href": f"{address}/+feed"})
    ET.SubElement(found, "link", {"rel": "alternate", "type": "text/html", "href": f"{address}/"})
    _text(ET.SubElement(found, "author"), "name", host)
    for upload in uploads:
        _entry(ET.SubElement(found, "entry"), upload, address, host)
    written: bytes = ET.tostring(found, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _entry(entry: ET.Element, upload: Upload, address: str, host: str) -> None:
    """Write an upload. Its id stays when a further file of the release comes soon after, and ``updated`` says so."""
    release = quote(upload.version, safe="!+")
    began = re.sub(r"[^0-9]", "", upload.began)
    _text(entry, "id", f"tag:{host},{upload.began[:10]}:{upload.project}/{release}/{began}")
    _text(entry, "title", f"{upload.display} {upload.version}")
    _text(entry, "updated", upload.at)
    _text(entry, "published", upload.began)
    page = f"{address}/project/{quote(upload.project)}/{release}/"
    ET.SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": page})
    if upload.by is not None:
        _text(ET.SubElement(entry, "author"), "name", upload.by)
    if upload.summary:
        _text(entry, "summary", upload.summary)
    _text(entry, "content", "\n".join(upload.files))


def _text(parent: ET.Element, tag: str, text: str) -> None:
    """Write a text, without what no XML may have; the rest is escaped as it is written."""
    ET.SubElement(parent, tag).text = _NO_XML.sub("\ufffd", text)


def _authority(address: str) -> str:
    """Return the host of an address as a tag URI may have it (RFC 4151): no port, and no IPv6.

    >>> _authority("https://Packages.Example.com:8443/python")
    'packages.example.com'
    >>> _authority("http://[::1]:6543")
    'localhost'
    """
    host = urlsplit(address).hostname or "localhost"
    return host if re.fullmatch(r"[a-z0-9.-]+", host) else "localhost"


def includeme(config: Configurator) -> None:
    config.add_view(feed, context=Root, name="+feed", request_method="GET", permission="read")
