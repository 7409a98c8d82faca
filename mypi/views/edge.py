"""What holds for every request and every answer: a readable URL, no foreign forms, safe headers, a line in the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPBadRequest, HTTPForbidden
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import EXCVIEW, INGRESS

access = logging.getLogger("mypi.access")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
}

Handler = Callable[[Request], Response]


def answers(handler: Handler, registry: Any) -> Handler:
    """Tween: give every answer its safe headers and its line in the access log."""
    private = "everyone" not in registry["mypi.settings"].read

    def handle(request: Request) -> Response:
        began = time.perf_counter()
        response = handler(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if private:
            response.cache_control.private = True
            response.vary = (*(response.vary or ()), "Authorization")
        access.info(
            "%s %s %s %s %s %.0f ms",
            request.client_addr or "-",
            request.environ.get("mypi.user") or "-",
            request.method,
            ascii(request.environ.get("PATH_INFO", ""))[1:-1],
            response.status_int,
            (time.perf_counter() - began) * 1000,
        )
        return response

    return handle


def requests(handler: Handler, registry: Any) -> Handler:
    """Tween: refuse what no honest client sends, before anything reads it."""

    def handle(request: Request) -> Response:
        _check_url(request)
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            _check_origin(request)
        return handler(request)

    return handle


def _check_url(request: Request) -> None:
    """Refuse a path or query that is not UTF-8 or holds control characters (findings 4; threat 5)."""
    for part in ("PATH_INFO", "QUERY_STRING"):
        try:
            text = request.environ.get(part, "").encode("latin-1").decode("utf-8")
        except UnicodeError:
            text = "\0"
        if any(c < " " or c == "\x7f" for c in text):
            raise HTTPBadRequest("The URL is not UTF-8 text, or holds control characters")
    try:
        request.GET  # noqa: B018 - parsed here, so that no view meets a query that cannot be
    except UnicodeDecodeError as exc:
        raise HTTPBadRequest("The query of the URL is not UTF-8 text") from exc


def _check_origin(request: Request) -> None:
    """Refuse changes that another site's page sends with a reader's credentials (threat 11); tools send neither."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is None and origin is not None and urlsplit(origin).netloc != request.host:
        site = "cross-site"
    if site in ("cross-site", "same-site"):
        raise HTTPForbidden("Another site's page may change nothing here")


def includeme(config: Configurator) -> None:
    config.add_tween(f"{__name__}.answers", under=INGRESS)
    config.add_tween(f"{__name__}.requests", under=EXCVIEW)
