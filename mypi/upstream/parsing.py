"""Pages of the Simple API as others write them, in JSON or HTML, read into values that keep our rules (A4, A5)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from .. import names
from ..model.remote import RemoteFile, RemotePage
from .errors import Garbage

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"

_JSON = re.compile(r"application/vnd\.pypi\.simple\.v1\+json\b", re.IGNORECASE)
_HTML = re.compile(r"(?:application/vnd\.pypi\.simple\.v1\+html|text/html)\b", re.IGNORECASE)
_HEX = {
    "sha256": re.compile(r"[0-9a-f]{64}\Z"),
    "sha384": re.compile(r"[0-9a-f]{96}\Z"),
    "sha512": re.compile(r"[0-9a-f]{128}\Z"),
}
_STATUSES = ("active", "archived", "deprecated", "quarantined")


def parse(content_type: str, body: bytes, url: str, name: str) -> RemotePage:
    """Read the page of a project, by the canonical ``name`` that was asked for, from the ``url`` that answered.

    What no client could use is left out: files whose names say no version, or without a hash that we can verify.
    Raises Garbage if it is no page of the Simple API.
    """
    try:
        if _JSON.match(content_type):
            return _from_json(json.loads(body), url, name)
        if _HTML.match(content_type):
            return _from_html(body.decode(), url, name)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as exc:
        raise Garbage(f"{url} is no page of the Simple API: it cannot be read") from exc
    raise Garbage(f"{url} is no page of the Simple API: its type is {content_type[:100] or 'not given'}")


def _from_json(page: Mapping[str, Any], url: str, name: str) -> RemotePage:
    version = str(page["meta"]["api-version"])
    if version.partition(".")[0] != "1":
        raise Garbage(f"{url} speaks version {version[:20]} of the Simple API; mypi knows 1")
    status = page.get("project-status") or {}
    files = [found for entry in page["files"] if (found := _json_file(entry, url))]
    return _page(name, files, page.get("versions") or (), status.get("status"), status.get("reason"))


def _json_file(entry: Mapping[str, Any], url: str) -> RemoteFile | None:
    yanked = entry.get("yanked") or None
    return _file(
        entry["filename"],
        urljoin(url, entry["url"]),
        entry.get("hashes") or {},
        size=entry.get("size"),
        uploaded=entry.get("upload-time"),
        requires_python=entry.get("requires-python"),
        yanked="" if yanked is True else yanked,
        metadata=_metadata(
            entry.get("core-metadata", entry.get("data-dist-info-metadata", entry.get("dist-info-metadata")))
        ),
        provenance=entry.get("provenance"),
        signed=entry.get("gpg-sig") is True,
    )


def _metadata(said: Any) -> str | None:
    if isinstance(said, Mapping):
        return str(said.get("sha256", "")).lower()
    return "" if said is True else None


class _Links(HTMLParser):
    """Gathers the anchors and the meta tags of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.anchors: list[dict[str, str]] = []
        self.metas: dict[str, str] = {}
        self.base: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value if value is not None else "" for key, value in attrs}
        if tag == "a" and "href" in given:
            self.anchors.append(given)
        elif tag == "meta" and given.get("name", "").startswith("pypi:"):
            self.metas[given["name"]] = given.get("content", "")
        elif tag == "base" and self.base is None:
            self.base = given.get("href")


def _from_html(text: str, url: str, name: str) -> RemotePage:
    links = _Links()
    links.feed(text)
    links.close()
    base = urljoin(url, links.base) if links.base else url
    files = [found for anchor in links.anchors if (found := _html_file(anchor, base))]
    if not files and links.anchors:
        # A page of logging in has links, and none to a file.
        raise Garbage(f"{url} is no page of the Simple API: none of its links is a file with a hash")
    if not files and "pypi:repository-version" not in links.metas and "<title>links for" not in text.lower():
        raise Garbage(f"{url} is no page of the Simple API: it has no links")
    return _page(name, files, (), links.metas.get("pypi:project-status"), links.metas.get("pypi:project-status-reason"))


def _html_file(anchor: Mapping[str, str], base: str) -> RemoteFile | None:
    address, fragment = urldefrag(urljoin(base, anchor["href"]))
    algorithm, _, digest = fragment.partition("=")
    said = anchor.get("data-core-metadata", anchor.get("data-dist-info-metadata"))
    metadata = None if said is None or said == "false" else said.removeprefix("sha256=").lower()
    return _file(
        unquote(urlsplit(address).path.rpartition("/")[2]),
        address,
        {algorithm: digest},
        requires_python=anchor.get("data-requires-python"),
        yanked=anchor.get("data-yanked"),
        metadata="" if metadata == "true" else metadata,
        provenance=anchor.get("data-provenance"),
        signed=anchor.get("data-gpg-sig") == "true",
    )


def _file(filename: Any, address: str, hashes: Mapping[str, Any], **said: Any) -> RemoteFile | None:
    """Put a file together from what a page says of it; None if it can be of no use."""
    try:
        parsed = names.filename(filename)
    except ValueError:
        return None
    address = urldefrag(address).url
    if urlsplit(address).scheme not in ("http", "https"):
        return None
    lowered = {str(key).lower(): str(value).lower() for key, value in hashes.items()}
    algorithm = next((kind for kind, form in _HEX.items() if form.match(lowered.get(kind, ""))), None)
    if algorithm is None:
        return None
    size, yanked, metadata, provenance = said.get("size"), said["yanked"], said["metadata"], said["provenance"]
    return RemoteFile(
        filename=parsed.text,
        version=str(parsed.version),
        url=address,
        digest=lowered[algorithm],
        algorithm=algorithm,
        size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
        uploaded=_time(said.get("uploaded")),
        requires_python=_specifier(said["requires_python"]),
        yanked=None if yanked is None else _line(yanked),
        metadata=metadata if metadata is None or _HEX["sha256"].match(metadata) else "",
        provenance=provenance if isinstance(provenance, str) and urlsplit(provenance).scheme == "https" else None,
        signed=bool(said["signed"]),
    )


def _time(said: Any) -> str | None:
    """Return a time as the one form that every client reads (A5.5), None if it is none."""
    if not isinstance(said, str):
        return None
    try:
        moment = datetime.fromisoformat(said.replace("Z", "+00:00"))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _specifier(said: Any) -> str | None:
    """Return a requires-python that installers can read; one that they cannot would hide the file or break the page."""
    if not isinstance(said, str) or not said.strip():
        return None
    try:
        SpecifierSet(said)
    except InvalidSpecifier:
        return None
    return _line(said)


def _line(text: Any) -> str:
    return " ".join(str(text).split())


def _page(name: str, files: Iterable[RemoteFile], versions: Iterable[Any], status: Any, reason: Any) -> RemotePage:
    unique = {file.filename: file for file in files}
    ordered = tuple(sorted(unique.values(), key=lambda file: (Version(file.version), file.filename)))
    known = {file.version for file in ordered}
    for said in versions:
        try:
            known.add(str(names.version(str(said))))
        except names.InvalidVersion:
            continue
    return RemotePage(
        name=name,
        files=ordered,
        versions=tuple(sorted(known, key=lambda version: (Version(version), version))),
        status=status if status in _STATUSES else "active",
        status_reason=_line(reason or ""),
    )
