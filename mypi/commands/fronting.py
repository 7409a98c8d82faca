"""The text of an nginx configuration: what ``mypi nginx-config`` writes, from what stands behind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2

from ..server.options import Rules
from ..settings import Settings
from ..views.handing import PLACE
from ..views.negotiation import FORMS, HTML, JSON, negotiate
from .configuration import CommandError

MARK = "# Written by mypi nginx-config"
"""How a file begins that may be written again."""

TOLD = (
    *("ETag", "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Strict-Transport-Security"),
    *("Vary", "X-Request-ID"),
)
"""What mypi says of a file besides the headers that nginx takes over from a redirect by itself."""

FORWARDED = {
    "x-forwarded-for": "$remote_addr",
    "x-forwarded-proto": "$scheme",
    "x-forwarded-host": "$http_host",
    "x-forwarded-port": "$server_port",
    "x-forwarded-by": '""',
    "forwarded": '""',
}
"""What nginx says in each header that mypi may believe. Whatever a client sends in one of them must end here."""

NEEDED = ("x-forwarded-for", "x-forwarded-proto")

ACCEPTED = (
    "",
    "*/*",
    "text/html",
    JSON,
    HTML,
    f"{JSON}, {HTML}; q=0.1, text/html; q=0.01",  # pip
    f"{JSON}, {HTML};q=0.2, text/html;q=0.01",  # uv
)
"""How installers ask for pages. None of them names application/xhtml+xml, as browsers do."""

_LONG = 40
"""Characters of a word that nginx' map_hash_bucket_size need not be raised for, where it is as it comes (64)."""

_ANY = ("*", "", "0.0.0.0", "[::]")  # noqa: S104 - read, not listened to
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*\Z")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*\Z")
_NO_PATH = re.compile(r"[\"'$\\{};\x00-\x1f]")


@dataclass(frozen=True)
class Behind:
    """What stands behind: an ``.ini`` file, and its two sections as mypi and its server read them."""

    path: str
    settings: Settings
    rules: Rules
    keywords: Mapping[str, Any]

    @property
    def listens(self) -> tuple[str, str]:
        """Host and port, as nginx writes them, or the path of a socket and nothing."""
        if "unix_socket" in self.keywords:
            return f"unix:{Path(self.keywords['unix_socket']).absolute()}", ""
        first = str(self.keywords.get("listen", "")).split()
        if first:
            host, _, port = first[0].rpartition(":")
        else:
            host, port = self.keywords["host"], self.keywords["port"]
        return f"[{host}]" if ":" in host and not host.startswith("[") else host, port

    @property
    def local(self) -> str | None:
        """The folder from which nginx is to send files, or None."""
        return self.settings.storage.local if self.settings.accel else None

    @property
    def believed(self) -> set[str]:
        """The headers of the proxy that are believed."""
        return set(str(self.keywords.get("trusted_proxy_headers", "")).lower().split())

    @property
    def prefix(self) -> str:
        """The path under which it is seen. Raises CommandError."""
        found = f"/{str(self.keywords.get('url_prefix', '')).strip('/')}".rstrip("/")
        if not _PREFIX.match(found):
            raise CommandError(f"url_prefix = {found}: nginx would need it quoted; take letters, digits, dots, dashes")
        return found

    def name(self, given: str | None) -> str:
        """Return the name of the host. Raises CommandError."""
        allowed = self.settings.allowed_hosts
        name = given or next(filter(None, (urlsplit(self.settings.public_url or "").hostname, *allowed)), "")
        if not _NAME.match(name):
            raise CommandError(f"{name or 'nothing'} is no name of a host; give --server-name, as in pypi.example.com")
        if allowed and name.lower() not in map(str.lower, allowed):
            raise CommandError(f"mypi.allowed_hosts does not name {name}, so that mypi would answer 421; add it there")
        return name

    def lacking(self) -> list[str]:
        """Return the lines of ``[server:main]`` without which mypi takes nginx for who asks, or is asked past it."""
        found = []
        host, port = self.listens
        if port and host in _ANY:
            found.append(f"listen = 127.0.0.1:{port}")
        if not port and "unix_socket_perms" not in self.keywords:
            found.append("unix_socket_perms = 660")
        if not self.keywords.get("trusted_proxy"):
            found.append(f"trusted_proxy = {'127.0.0.1' if port else 'localhost'}")
        if not set(NEEDED) <= self.believed:
            found.append(f"trusted_proxy_headers = {' '.join(NEEDED)}")
        return found


@dataclass(frozen=True)
class Wishes:
    """What the command line says."""

    name: str | None = None
    certificate: str | None = None
    key: str | None = None
    fast: bool = False
    cache_folder: str = ""


def text(behind: Behind, wishes: Wishes) -> str:
    """Write the configuration. Raises CommandError."""
    name, prefix, (host, port) = behind.name(wishes.name), behind.prefix, behind.listens
    ident = "mypi_" + re.sub(r"[^a-z0-9]", "_", f"{name}{prefix}".lower())
    pattern = re.escape(prefix)
    sends = '""' if not behind.local else f"${ident}_sends" if wishes.fast else "X-Accel-Redirect"
    rules = behind.rules
    return _environment().render(
        mark=MARK,
        ini=behind.path,
        lines=behind.lacking(),
        id=ident,
        address=f"{'127.0.0.1' if host in _ANY else host}:{port}" if port else quoted(host),
        idle=max(1, behind.keywords["channel_timeout"] // 2),
        fast=wishes.fast,
        cache_folder=quoted(wishes.cache_folder),
        accepted=accepted(),
        name=name,
        prefix=prefix,
        prefix_pattern=pattern,
        place=f"~ ^{pattern}(/|$)" if prefix else "/",
        certificate=wishes.certificate and quoted(wishes.certificate),
        key=wishes.key and quoted(wishes.key),
        body=rules.body_limit,
        header_timeout=max(1, round(rules.header_timeout)),
        body_grace=max(1, round(rules.body_grace)),
        hand_on=_headers(behind, sends, ident if wishes.fast else None),
        hand_on_again=_headers(behind, '""', ident if wishes.fast else None),
        local=behind.local and quoted(f"{behind.local}/"),
        files=PLACE,
        told=TOLD,
    )


def _environment() -> jinja2.Template:
    environment = jinja2.Environment(  # noqa: S701 - no page is made
        loader=jinja2.PackageLoader("mypi"),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("nginx.jinja2")


def accepted() -> list[tuple[str, str]]:
    """Return each way to ask of an installer, as nginx matches it, and the form that it gets.

    A short one nginx finds by its hash; for a long one its table is too narrow, and it tries a pattern.
    """
    forms = dict(zip(FORMS, ("text", "html", "json"), strict=True))
    return [(_matched(accept), forms[str(negotiate(accept or None))]) for accept in ACCEPTED]


def _matched(accept: str) -> str:
    return accept if len(accept) < _LONG else "~^" + re.escape(accept).replace("\\ ", " ") + "$"


def _headers(behind: Behind, sends: str, fast: str | None) -> list[str]:
    """Return the lines that say which headers mypi gets."""
    told = {"Connection": '""', "Host": "$http_host"}
    told |= {name.title(): FORWARDED[name] for name in FORWARDED if name in {*NEEDED, *behind.believed}}
    told["X-Request-ID"] = "$request_id"
    told["X-Sendfile-Type"] = sends
    if fast:
        told["Accept-Encoding"] = f"${fast}_packing"
        told["X-Expires-Type"] = "X-Accel-Expires"
    lines = ["proxy_http_version 1.1;", *(f"proxy_set_header {name} {value};" for name, value in told.items())]
    if behind.rules.trusted_proxy_user_header:
        lines.append("# mypi believes this one. Where nginx logs people in, their name goes here.")
        lines.append(f'proxy_set_header {behind.rules.trusted_proxy_user_header} "";')
    return lines


def quoted(path: str) -> str:
    """Write a path as nginx reads it. Raises CommandError."""
    if _NO_PATH.search(path):
        raise CommandError(f"nginx would not read {path!r} as it is written; take a path without such characters")
    return f'"{path}"'
