"""The application's own addresses beside its pages: health, robots, style sheets and scripts."""

from __future__ import annotations

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response
from pyramid.static import static_view

from ..resources import Root

_static = static_view("mypi:static", use_subpath=True)


def health(context: Root, request: Request) -> Response:
    """Say that the process answers; who asks for JSON is told how its scrub stands, in counts."""
    best = request.accept.acceptable_offers(["text/plain", "application/json"])[:1]
    if [form for form, _ in best] == ["application/json"]:
        return Response(json_body={"status": "ok", "scrub": request.registry["mypi.scrub"].mapping()})
    return Response("ok\n", content_type="text/plain")


def robots(context: Root, request: Request) -> Response:
    """Keep private projects out of search engines."""
    return Response("User-agent: *\nDisallow: /\n", content_type="text/plain")


def static(context: Root, request: Request) -> Response:
    """Send a style sheet, script or picture. The folder itself is no page: Pyramid would redirect to an absolute
    address.
    """
    if not request.subpath:
        raise HTTPNotFound
    # They are tiny, and WebOb fails on "bytes=-" while it sends, when nothing of ours can answer for it any more.
    request.environ.pop("HTTP_RANGE", None)
    return _static(context, request)


def includeme(config: Configurator) -> None:
    config.add_view(health, context=Root, name="+health", request_method="GET")
    config.add_view(robots, context=Root, name="robots.txt", request_method="GET")
    config.add_view(static, context=Root, name="+static", request_method="GET")
