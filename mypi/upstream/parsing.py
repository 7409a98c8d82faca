"""Pages of the Simple API as others write them, in JSON or HTML, read into values that keep our rules (A4, A5)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

from packaging.utils import canonicalize_name
from packaging.version import Version

from .. import names
from ..model.remote import RemoteFile, RemotePage
from .errors import Garbage
from .faults import plain, shown

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"

FORM = 1
"""Raise it when the same page is read into other values: what was kept of it is then asked for anew."""

_JSON = re.compile(r"application/vnd\.pypi\.simple\.v1\+json\b", re.IGNORECASE)
_HTML = re.compile(r"(?:application/vnd\.pypi\.simple\.v1\+html|text/html)\b", re.IGNORECASE)
_HEX = {
    "sha256": re.compile(r"[0-9a-f]{64}\Z"),
    "sha384": re.compile(r"[0-9a-f]{96}\Z"),
    "sha512": re.compile(r"[0-9a-f]{128}\Z"),
}
_STATUSES = ("active", "archived", "deprecated", "quarantined")

# Before PEP 625 an sdist could be any archive; installers still take them, and some old releases are nothing else.
_SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tbz", ".tar.xz", ".txz", ".tar")

_FILENAME = re.compile(r"[A-Za-z0-9_.!+-]{1,200}\Z")
_PLAIN_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+/[!$-~]*\Z")  # printable, and no " or # in it
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:\d\d)?\Z", re.ASCII)

Found = tuple[Version, RemoteFile]


def parse(content_type: str, body: bytes, url: str, name: str) -> RemotePage:
    """Read the page of a project, by the canonical ``name`` that was asked for, from the ``url`` that answered.

    What no client could use is left out: files whose names say no version of the project, or without a hash that can
    be verified. Raises Garbage if it is no page of the Simple API, or if nothing is left for want of hashes.
    """
    try:
        if _JSON.match(content_type):
            return _from_json(json.loads(body), url, name)
        if _HTML.match(content_type):
            return _from_html(body.decode(), url, name)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, AssertionError) as exc:  # the last: HTML's
        raise Garbage(f"{shown(url)} is no page of the Simple API: it cannot be read") from exc
    raise Garbage(f"{shown(url)} is no page of the Simple API: its type is {plain(content_type[:100]) or 'not given'}")


def is_cut(content_type: str, body: bytes, *, measured: bool) -> bool:
    """Tell whether a page breaks off: within a tag; or before its end, where no length was sent to compare with.

    JSON that breaks off cannot be read. HTML can, and files would be missing. An index that never closes what it opens
    must send lengths, as nearly all do.

    >>> is_cut("text/html", b"<html><a href='x'>", measured=False), is_cut("text/html", b"<a href='x'>", measured=False)
    (True, False)
    """
    if not _HTML.match(content_type):
        return False
    text = body.lower()
    return text.rfind(b"<") > text.rfind(b">") or (not measured and b"<html" in text and b"</html" not in text)


def _from_json(page: Mapping[str, Any], url: str, name: str) -> RemotePage:
    version = str(page["meta"]["api-version"])
    if version.partition(".")[0] != "1":
        raise Garbage(f"{shown(url)} speaks version {plain(version[:20])} of the Simple API; mypi knows 1")
    if canonicalize_name(page.get("name", name)) != name:
        raise Garbage(f"{shown(url)} is the page of {plain(str(page['name'])[:100])}, not of {name}")
    status = page.get("project-status") or {}
    files = _Files(name)
    for entry in page["files"]:
        files.add(
            entry["filename"],
            url,
            entry["url"],
            entry.get("hashes") or {},
            size=entry.get("size"),
            uploaded=entry.get("upload-time"),
            requires_python=entry.get("requires-python"),
            yanked=_json_yanked(entry.get("yanked")),
            metadata=_json_metadata(entry),
            provenance=entry.get("provenance"),
        )
    return files.page(url, page.get("versions") or (), status.get("status"), status.get("reason"))


def _json_yanked(said: Any) -> str | None:
    return "" if said is True else said or None


def _json_metadata(entry: Mapping[str, Any]) -> str | None:
    for key in ("core-metadata", "data-dist-info-metadata", "dist-info-metadata"):
        if key in entry:
            said = entry[key]
            return str(said.get("sha256", "")).lower() if isinstance(said, Mapping) else "" if said is True else None
    return None


class _Links(HTMLParser):
    """Gathers the anchors and the meta tags of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.anchors: list[dict[str, str]] = []
        self.metas: dict[str, str] = {}
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("a", "meta", "base"):
            return
        given = {key: value if value is not None else "" for key, value in attrs}
        if tag == "a" and "href" in given:
            self.anchors.append(given)
        elif tag == "meta" and given.get("name", "").startswith("pypi:"):
            self.metas[given["name"]] = given.get("content", "")
        elif tag == "base" and not self.base:
            self.base = given.get("href", "")


def _from_html(text: str, url: str, name: str) -> RemotePage:
    links = _Links()
    links.feed(text)
    links.close()
    base = urljoin(url, links.base)
    version = links.metas.get("pypi:repository-version", "1.0")
    if version.partition(".")[0] != "1":
        raise Garbage(f"{shown(url)} speaks version {plain(version[:20])} of the Simple API; mypi knows 1")
    files = _Files(name)
    for anchor in links.anchors:
        address, _, fragment = anchor["href"].strip().partition("#")
        algorithm, _, digest = fragment.partition("=")
        said = anchor.get("data-core-metadata", anchor.get("data-dist-info-metadata"))
        files.add(
            unquote(address.partition("?")[0].rpartition("/")[2]),
            base,
            address,
            {algorithm: digest.partition("&")[0]},
            requires_python=anchor.get("data-requires-python"),
            yanked=anchor.get("data-yanked"),
            metadata=None if said is None or said == "false" else said.lower().removeprefix("sha256="),
            provenance=anchor.get("data-provenance"),
        )
    # A page of logging in, or of anything else, has links too, and none to a file.
    is_ours = "pypi:repository-version" in links.metas or "<title>links for" in text.lower()
    if not files.named and not is_ours:
        raise Garbage(f"{shown(url)} is no page of the Simple API: none of its links is a file")
    return files.page(url, (), links.metas.get("pypi:project-status"), links.metas.get("pypi:project-status-reason"))


class _Files:
    """Puts the files of a page together; ``named`` is how many have the name of a file of the project."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._found: dict[str, Found] = {}
        self.named = 0

    def add(self, filename: str, base: str, address: str, hashes: Mapping[str, Any], **said: Any) -> None:
        """Take a file by what its page says of it, unless it can be of no use."""
        version = _version(filename, self._project)
        if version is None:
            return
        self.named += 1
        url = _address(base, address)
        algorithm, digest = _digest(hashes)
        if url is None or not digest:
            return
        size, yanked, metadata = said.get("size"), said["yanked"], said["metadata"]
        file = RemoteFile(
            filename=filename,
            version=str(version),
            url=url,
            digest=digest,
            algorithm=algorithm,
            size=size if type(size) is int and 0 <= size < 2**53 else None,
            uploaded=_time(said.get("uploaded")),
            requires_python=_line(said["requires_python"]) or None if said["requires_python"] else None,
            yanked=None if yanked is None else _line(yanked),
            metadata=_metadata(filename, metadata),
            provenance=_https(said["provenance"]),
        )
        self._found[filename] = version, file

    def page(self, url: str, versions: Iterable[Any], status: Any, reason: Any) -> RemotePage:
        """Return the page. Raises Garbage if there are files and none of use, which no empty page must hide."""
        if self.named and not self._found:
            lack = "none with a sha256, sha384 or sha512 and an http(s) address"
            raise Garbage(f"{shown(url)} has {self.named} files, {lack}")
        ordered = sorted(self._found.values(), key=lambda found: (found[0], found[1].filename))
        known = {file.version: version for version, file in ordered}
        for said in versions:
            try:
                version = names.version(str(said))
            except names.InvalidVersion:
                continue
            known.setdefault(str(version), version)
        return RemotePage(
            name=self._project,
            files=tuple(file for _, file in ordered),
            versions=tuple(sorted(known, key=lambda text: (known[text], text))),
            status=status if status in _STATUSES else "active",
            status_reason=_line(reason or ""),
        )


def _version(filename: str, project: str) -> Version | None:
    """Return the version of the project of which a file is, None if its name does not say that it is one.

    Of the readings of an sdist's name the one that means the project is right: ``foo-1.0-1.tar.gz`` is 1.0-1 of foo.
    """
    if not _FILENAME.match(filename):
        return None
    try:
        if filename.endswith(".whl"):
            wheel = names.filename(filename)
            return wheel.version if wheel.project == project else None
        ending = next((each for each in _SDISTS if filename.endswith(each)), "")
        stem = filename.removesuffix(ending) if ending else ""
        for cut in (place for place, letter in enumerate(stem) if letter == "-"):
            if canonicalize_name(stem[:cut]) == project:
                return names.version(stem[cut + 1 :])
    except ValueError:
        pass
    return None


def _digest(hashes: Mapping[str, Any]) -> tuple[str, str]:
    """Return the algorithm and the lower-case digest by which a file can be verified, empty if there is none."""
    lowered = {str(key).lower(): str(value).lower() for key, value in hashes.items()}
    return next(((kind, lowered[kind]) for kind, form in _HEX.items() if form.match(lowered.get(kind, ""))), ("", ""))


def _address(base: str, said: str) -> str | None:
    """Return an absolute http(s) address that can be asked for as it is, None if there is none."""
    if _PLAIN_ADDRESS.match(said):
        return said
    try:
        address = urldefrag(urljoin(base, said)).url
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            return None
        parts.hostname.encode("ascii")
        # Space, control characters and what is not ASCII; a % is one of quoting already.
        return quote(address, safe="%/:=&?~+!$,;'@()*[]")
    except ValueError:
        return None


def _https(said: Any) -> str | None:
    address = _address("", said) if isinstance(said, str) else None
    return address if address and address.startswith("https:") else None


def _metadata(filename: str, said: str | None) -> str | None:
    """Return the digest of the metadata, "" for an unknown one; only a wheel's holds for what it installs (A6.1)."""
    if said is None or not filename.endswith(".whl"):
        return None
    return said if _HEX["sha256"].match(said) else ""


def _time(said: Any) -> str | None:
    """Return a time as the one form that every client reads (A5.5), None if it is none."""
    found = _TIME.match(said) if isinstance(said, str) else None
    if found is None:
        return None
    day, time, fraction, zone = found.groups()
    text = f"{day}T{time}.{fraction or '':0<6}"
    try:
        moment = datetime.fromisoformat(text + ("+00:00" if zone in (None, "Z") else zone))
        if zone not in (None, "Z"):
            text = moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        return None
    return f"{text}Z"


def _line(text: Any) -> str:
    """Return a text as one line that can be written as UTF-8."""
    return " ".join(str(text).split()).encode(errors="replace").decode()
