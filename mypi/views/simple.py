"""The Simple API 1.4: the pages that installers read, as HTML and JSON."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotAcceptable
from pyramid.renderers import render
from pyramid.request import Request
from pyramid.response import Response

from ..model import Names
from ..resources import BareProject, Simple, SimpleProject
from ..security import Visible, visible
from ..store import NotFound
from ..upstream import Served
from . import links
from .listed import ours, theirs
from .negotiation import FORMS, JSON, negotiate
from .offered import offered
from .rendered import as_json, respond

VERSION = "1.4"
"""The version of the API. HTML stays at it for ever (PEP 833)."""


def index_page(context: Simple, request: Request) -> Response:
    """List every project (A1.1, A4.12, A5.2)."""
    held = request.repository.names()
    names = held.value if held else Names()
    seen = visible(request)
    return _respond(request, held.tag if held else "", lambda form, up, secure: _index(names, seen, form), seen.key)


def project_page(context: SimpleProject | BareProject, request: Request) -> Response:
    """List a project's files (A4, A5); 404 for an unknown one (A1.4).

    Also at the root, for ``pip install -i http://host NAME``. A name that is not ours is an upstream's, if there is
    one; of ours nothing is ever asked there (threat 28).
    """
    try:
        held = offered(request, context.project)
    except NotFound:
        if request.upstream is None or not request.upstream.theirs(context.project):
            raise
        return _relayed(context.project, request)
    return _respond(request, held.tag, lambda form, up, secure: _page(ours(held.value, form, up, secure), form))


def _relayed(name: str, request: Request) -> Response:
    """List the files of an upstream's project, with links to here.

    Clients come to us for the bytes even where they are to fetch them from the upstream: what it wants to see for
    them, such as a signature in the query, would break the address of the metadata, which pip makes by adding to the
    file's (A5.5), and our own credentials stay with us (E3).
    """
    away = links.to_canonical(request)
    if away:
        return away
    served: Served = request.upstream.page(name)
    response = _respond(request, f"upstream {served.tag}", lambda form, up, _: _page(theirs(served.page, up), form))
    if served.stale:
        response.headers["Warning"] = '110 - "Response is Stale"'
    return response


def _respond(request: Request, tag: str, draw: Any, seen: str = "") -> Response:
    wanted = request.GET.get("format") if request.query_string else None
    form = negotiate(request.environ.get("HTTP_ACCEPT"), wanted)
    if form is None:
        raise HTTPNotAcceptable(f"None of the types asked for is served here; accept one of {', '.join(FORMS)}")
    away = links.to_canonical(request)
    if away:
        return away
    # Nothing but an absolute https address may stand in data-provenance (A4.10); JSON takes a relative one.
    address = "" if form == JSON else links.address(request)
    secure = f"{address}/" if address.startswith("https:") else ""
    key = (request.environ["PATH_INFO"], tag, form, secure, seen)
    content_type = form if form == JSON else f"{form}; charset=UTF-8"  # A4.1
    return respond(request, key, content_type, lambda: draw(form, links.up(request), secure), vary=("Accept",))


def _index(names: Names, seen: Visible, form: str) -> bytes:
    listed = [(name, display) for name, display in sorted(names.projects.items()) if seen(name)]
    if form == JSON:
        return _json({"projects": [_listed(display) for _, display in listed]})
    return _html("simple_index", {"projects": [(f"{quote(name)}/", display) for name, display in listed]})


def _listed(display: str) -> dict[str, Any]:
    """Name a project.

    bandersnatch passes over one without ``_last-serial`` and, where all are 0, looks into each on every run. How many
    changes each has stands in its own document: to tell, this page would have to read them all.
    """
    return {"name": display, "_last-serial": 0}


def _page(listed: dict[str, Any], form: str) -> bytes:
    if form == JSON:
        return _json(listed)
    return _html("simple_project", {"project": listed, "signed": any("gpg-sig" in file for file in listed["files"])})


def _json(value: dict[str, Any]) -> bytes:
    return as_json({"meta": {"api-version": VERSION}, **value})


def _html(template: str, values: dict[str, Any]) -> bytes:
    page: str = render(f"mypi:templates/{template}.jinja2", {"version": VERSION, **values})
    return page.encode()


def includeme(config: Configurator) -> None:
    for context, view in ((Simple, index_page), (SimpleProject, project_page), (BareProject, project_page)):
        config.add_view(view, context=context, request_method="GET", permission="read")
