"""The search: a page of results, and the same as JSON for the search box, which asks while somebody types."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

from pyramid.config import Configurator
from pyramid.renderers import render_to_response
from pyramid.request import Request
from pyramid.response import Response

from ..overview import Overview, Summary
from ..resources import Root
from ..security import visible
from . import links, offered, paging, remote
from .common import common
from .rendered import as_json

MOST = 500
"""Results that can be paged through; who looks for one more adds a word."""

SHOWN, SUGGESTED = 25, 8


def search(context: Root, request: Request) -> Response:
    """Find projects by the words of ``q``: for people as a page, for scripts as JSON."""
    words = paging.matching(request, "q")
    offers = request.accept.acceptable_offers(["text/html", "application/json"])
    as_page = not offers or offers[0][0] == "text/html"
    overview: Overview = request.overview
    limit = MOST if as_page else SUGGESTED
    seen = visible(request)
    found, total = overview.search(words, seen, limit) if words else ([], 0)
    values = common(request)
    if not as_page:
        response = request.response
        response.headers["Content-Type"] = "application/json"
        results = [_result(each) for each in offered.summaries(request, found)]
        response.body = as_json({"words": words, "total": total, "results": results})
        return response
    page = paging.page(request, found, SHOWN)
    values |= {
        "words": words,
        "found": replace(page, items=offered.summaries(request, page.items)),
        "total": total,
        "complete": overview.complete,
        "release": links.release,
        "theirs": remote.named(request.upstream, words, seen),
    }
    return render_to_response("mypi:templates/search.jinja2", values, request, response=request.response)


def _result(found: Summary) -> dict[str, Any]:
    """Say of a project what a suggestion shows; ``url`` is relative to the search."""
    return {
        "name": found.name,
        "display": found.display,
        "version": found.version,
        "summary": found.summary,
        "url": f"project/{quote(found.name)}/",
    }


def includeme(config: Configurator) -> None:
    config.add_view(search, context=Root, name="+search", request_method="GET", permission="read")
