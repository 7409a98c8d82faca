"""Why something is not to be seen: a page for people, and the same as JSON for scripts."""

from __future__ import annotations

from pyramid.config import Configurator
from pyramid.renderers import render_to_response
from pyramid.request import Request
from pyramid.response import Response

from ..resources import Explained
from ..settings import Settings
from ..upstream.why import Why
from . import links, paging
from .common import common
from .rendered import as_json

FINDINGS = 100
"""How many versions a page shows."""


def why(context: Explained, request: Request) -> Response:
    """Say whose a name is, and what the policy hides of it, whether there is such a project or not."""
    away = links.to_canonical(request, slash=False)
    if away:
        return away
    settings: Settings = request.registry["mypi.settings"]
    answer = Why(request.repository, request.upstream, request.screen, settings.private).of(
        context.project, context.version
    )
    offers = request.accept.acceptable_offers(["text/html", "application/json"])
    values = common(request)
    if offers and offers[0][0] == "application/json":
        response = request.response
        response.headers["Content-Type"] = "application/json"
        response.body = as_json(answer.as_json())
        return response
    values |= {"answer": answer, "findings": paging.page(request, answer.findings, FINDINGS)}
    return render_to_response("mypi:templates/why.jinja2", values, request, response=request.response)


def includeme(config: Configurator) -> None:
    config.add_view(why, context=Explained, request_method="GET", permission="read")
