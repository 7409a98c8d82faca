"""The home page: what this is, what came last, how to use it from this very address, and what it holds."""

from __future__ import annotations

from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from ..model import Names
from ..overview import Overview
from ..resources import Root
from ..security import visible
from . import links, offered, paging
from .common import common

SHOWN = 90
"""Projects named on a page of the list."""

RECENT, LOOKED_THROUGH = 8, 50
"""Uploads that are shown, and of how many newest ones: the policy may hide some."""


def home(context: Root, request: Request) -> dict[str, Any] | Response:
    """Say what this is, how to use it from this very address, and what it holds."""
    away = links.to_slash(request)
    if away:
        return away
    held = request.repository.names()
    seen = visible(request)
    overview: Overview = request.overview
    rights = request.registry["mypi.settings"].rights
    projects = [item for item in sorted((held.value if held else Names()).projects.items()) if seen(item[0])]
    return {
        **common(request),
        "projects": paging.page(request, projects, SHOWN, anchor="projects"),
        "recent": offered.uploads(request, overview.recent(seen, LOOKED_THROUGH))[:RECENT],
        "counts": overview.counts(seen),
        "complete": overview.complete,
        "uploads": rights.somewhere("upload") != ("nobody",),
        "closed": "everyone" not in rights.somewhere("read"),
        "release": links.release,
    }


def includeme(config: Configurator) -> None:
    config.add_view(home, context=Root, request_method="GET", permission="read", renderer="mypi:templates/home.jinja2")
