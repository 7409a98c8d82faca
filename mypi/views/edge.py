"""What holds for every request and every answer: a readable URL, no foreign forms, safe headers, a line in the log."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPBadRequest, HTTPClientError, HTTPForbidden
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import EXCVIEW, INGRESS

from .. import logs
from ..security import COOKIE
from ..settings import Settings
from .counting import counting

access = logging.getLogger("mypi.access")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # With no-referrer a browser sends "Origin: null" with our own forms, which tells them from no other site's.
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}

REQUEST = "mypi.request"
"""The key of a request's environ under which mypi's own server gives the id that the trusted proxy sent."""

_DEFAULTS = tuple((name.lower(), (name, value)) for name, value in HEADERS.items())
_PORT = re.compile(r":[0-9]*\Z")
_LOOPBACK = re.compile(r"127\.|::1\Z")

Handler = Callable[[Request], Response]


class Misdirected(HTTPClientError):  # type: ignore[misc] # Pyramid has no types
    """The request is for another server (RFC 9110 15.5.20)."""

    code = 421
    title = "Misdirected Request"


def answers(handler: Handler, registry: Any) -> Handler:
    """Tween: give every answer its safe headers, its id, and its line in the access log, and count it."""
    rights = registry["mypi.settings"].rights
    private = rights.uneven or "everyone" not in rights.index["read"]
    count = counting(registry["mypi.metrics"])

    def handle(request: Request) -> Response:
        began = time.perf_counter()
        # Of a client's own word the server has made nothing but what the trusted proxy gave.
        drawn = logs.begin(request.environ.get(REQUEST))
        response = handler(request)
        present = {name.lower(): value for name, value in response.headerlist}
        response.headerlist.extend(pair for name, pair in _DEFAULTS if name not in present)
        response.headerlist.append(("X-Request-ID", drawn))
        if private:
            response.cache_control.private = True
            response.vary = (*(response.vary or ()), "Authorization", "Cookie")
        if request.environ["wsgi.url_scheme"] == "https":
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        seconds = time.perf_counter() - began
        count(request, response, present.get("content-length"), seconds)
        if access.isEnabledFor(logging.INFO):
            _log(request, response, seconds)
        return response

    return handle


def _log(request: Request, response: Response, seconds: float) -> None:
    """Write the line of a request; passwords and queries are never in it (threat 33)."""
    told = {
        "client": request.remote_addr,  # not X-Forwarded-For, which anybody can send; the server knows whom to trust
        "user": request.environ.get("mypi.user"),
        "method": request.method,
        "path": ascii(request.environ.get("PATH_INFO", ""))[1:-1],
        "status": response.status_int,
        "bytes": response.content_length,
        "seconds": round(seconds, 6),
    }
    client, user, method, path, status, *_ = told.values()
    access.info(
        "%s %s %s %s %s %.0f ms",
        *(client or "-", user or "-", method, path, status, seconds * 1000),
        extra={logs.FIELDS: told},
    )


def requests(handler: Handler, registry: Any) -> Handler:
    """Tween: refuse what no honest client sends, before anything reads it."""
    settings: Settings = registry["mypi.settings"]
    hosts = frozenset(host.lower() for host in settings.allowed_hosts)

    def handle(request: Request) -> Response:
        # Pyramid would begin its traversal there, for anybody who sends the header (threat 14).
        request.environ.pop("HTTP_X_VHM_ROOT", None)
        _check_url(request)
        # A load balancer asks for the health of an address, not of a name; Prometheus for its numbers.
        asked = hosts and request.environ["PATH_INFO"] not in ("/+health", "/+ready", "/+metrics")
        if asked and _PORT.sub("", request.host).lower() not in hosts:
            raise Misdirected("This index does not answer to that host name; its operator sets mypi.allowed_hosts")
        if settings.https_only:
            _check_transport(request)
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            _check_origin(request)
        return handler(request)

    return handle


def _check_url(request: Request) -> None:
    """Refuse a path or query that is not UTF-8, holds control characters, or is read in two ways (threats 2, 5)."""
    path, query = request.environ.setdefault("PATH_INFO", ""), request.environ.get("QUERY_STRING", "")
    raw = request.environ.get("REQUEST_URI", "").partition("?")[0]
    if {".", ".."}.intersection(path.split("/")) or "%2f" in raw.lower():
        raise HTTPBadRequest("The URL goes up or down by dots, or hides a slash; write the plain path")
    if not (_is_plain(path) and _is_plain(query)):
        raise HTTPBadRequest("The URL is not UTF-8 text, or holds control characters")
    if not query:
        return
    try:
        request.GET  # noqa: B018 - parsed here, so that no view meets a query that cannot be
    except UnicodeDecodeError as exc:
        raise HTTPBadRequest("The query of the URL is not UTF-8 text") from exc


def _is_plain(part: str) -> bool:
    if part.isascii():
        return part.isprintable()
    try:
        text = part.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return False
    return not any(c < " " or c == "\x7f" for c in text)


def _check_origin(request: Request) -> None:
    """Refuse changes that another site's page sends with a reader's credentials (threat 11); tools send neither."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is None and origin is not None and origin.partition("://")[2] != request.host:
        site = "cross-site"
    if site not in (None, "same-origin", "none"):
        raise HTTPForbidden("Another site's page may change nothing here")


def _check_transport(request: Request) -> None:
    """Refuse credentials that anybody on the way could read (threat 40)."""
    if request.scheme == "https" or _LOOPBACK.match(request.remote_addr or ""):
        return
    if request.headers.get("Authorization") or COOKIE in request.cookies:
        raise HTTPForbidden("User names and passwords are taken over https only; change them, they were readable")
    if next(filter(None, request.path_info.split("/")), "") == "+login":
        raise HTTPForbidden("People log in over https only; open this page by its https address")


def includeme(config: Configurator) -> None:
    config.add_tween(f"{__name__}.answers", under=INGRESS)
    config.add_tween(f"{__name__}.requests", under=EXCVIEW)
