"""The Simple API 1.4: the pages that installers read, as HTML and JSON."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from typing import Any
from urllib.parse import quote

from cachetools import LRUCache
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotAcceptable
from pyramid.renderers import render
from pyramid.request import Request
from pyramid.response import Response

from ..model import Names, Project
from ..repository import Held
from ..resources import BareProject, Simple, SimpleProject
from . import links
from .caching import is_known
from .negotiation import FORMS, JSON, negotiate

VERSION = "1.4"
"""The version of the API. HTML stays at it for ever (PEP 833)."""

RENDERER = 1
"""Part of every ETag: raise it when the same document is rendered to other bytes."""

_WORTH_PACKING = 1000  # smaller pages fit into one packet either way


def index_page(context: Simple, request: Request) -> Response:
    """List every project (A1.1, A4.12, A5.2)."""
    held = request.repository.names()
    names = held.value if held else Names()
    return _respond(request, held, lambda form, up, secure: _index(names, form))


def project_page(context: SimpleProject | BareProject, request: Request) -> Response:
    """List a project's files (A4, A5); 404 for an unknown one (A1.4).

    Also at the root, for ``pip install -i http://host NAME``.
    """
    held: Held[Project] = request.repository.project(context.project)
    return _respond(request, held, lambda form, up, secure: _project(held.value, form, up, secure))


def _respond(request: Request, held: Held[Any] | None, draw: Any) -> Response:
    form = negotiate(request.headers.get("Accept"), request.GET.get("format"))
    if form is None:
        raise HTTPNotAcceptable(f"None of the types asked for is served here; accept one of {', '.join(FORMS)}")
    away = links.to_canonical(request)
    if away:
        return away
    packed = "gzip" if "gzip" in request.headers.get("Accept-Encoding", "") and _takes_gzip(request) else ""
    # Nothing but an absolute https address may stand in data-provenance (A4.10); JSON takes a relative one.
    address = links.address(request)
    secure = f"{address}/" if form != JSON and address.startswith("https:") else ""
    key = (request.path_info, held.tag if held else "", form, packed, secure)
    response = Response()
    response.etag = hashlib.sha256(f"{RENDERER} {' '.join(key)}".encode()).hexdigest()[:32]
    response.vary = ("Accept", "Accept-Encoding")
    response.cache_control = "no-cache"  # a page that pip would keep hides a new release (A3.2)
    if is_known(request, response):
        return response
    pages: Pages = request.registry["mypi.pages"]
    body, encoding = pages.get(key, lambda: _packed(draw(form, links.up(request), secure), packed))
    response.body = body
    response.headers["Content-Type"] = form if form == JSON else f"{form}; charset=UTF-8"  # A4.1; WebOb takes it off H
    response.content_encoding = encoding or None
    return response


def _takes_gzip(request: Request) -> bool:
    return any(offer == "gzip" for offer, _ in request.accept_encoding.acceptable_offers(["gzip"]))


def _packed(body: bytes, encoding: str) -> tuple[bytes, str]:
    if not encoding or len(body) < _WORTH_PACKING:
        return body, ""
    return gzip.compress(body, 6, mtime=0), encoding


def _index(names: Names, form: str) -> bytes:
    if form == JSON:
        return _json({"projects": [{"name": display} for _, display in sorted(names.projects.items())]})
    projects = [(f"{quote(name)}/", display) for name, display in sorted(names.projects.items())]
    return _html("simple_index", {"projects": projects})


def _project(project: Project, form: str, up: str, secure: str) -> bytes:
    if form == JSON:
        return _json(_project_json(project, up))
    signed = any(file.signed for file in project.live)
    files = [
        (
            links.file(up, project, file),
            file,
            links.provenance(secure, project, file) if secure and file.provenance else None,
        )
        for file in project.live
    ]
    return _html("simple_project", {"project": project, "files": files, "signed": signed})


def _project_json(project: Project, up: str) -> dict[str, Any]:
    status = {"status": project.status} | ({"reason": project.status_reason} if project.status_reason else {})
    files = []
    for file in project.live:
        entry: dict[str, Any] = {
            "filename": file.filename,
            "url": links.file(up, project, file),
            "hashes": {"sha256": file.sha256},
            "size": file.size,
            "upload-time": file.uploaded,
            "yanked": (file.yanked or True) if file.yanked is not None else False,
            "core-metadata": {"sha256": file.core_metadata} if file.core_metadata else False,
        }
        if file.requires_python is not None:
            entry["requires-python"] = file.requires_python
        if file.signed:
            entry["gpg-sig"] = True
        if file.provenance:
            entry["provenance"] = links.provenance(up, project, file)
        files.append(entry)
    return {"name": project.name, "versions": list(project.versions), "files": files, "project-status": status}


def _json(value: dict[str, Any]) -> bytes:
    page = {"meta": {"api-version": VERSION}, **value}
    return json.dumps(page, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _html(template: str, values: dict[str, Any]) -> bytes:
    page: str = render(f"mypi:templates/{template}.jinja2", {"version": VERSION, **values})
    return page.encode()


class Pages:
    """Rendered pages, kept by the tag of the document that they show; ``size`` bounds them in bytes."""

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._pages: LRUCache[Any, tuple[bytes, str]] = LRUCache(size, getsizeof=lambda page: len(page[0]) + 500)

    def get(self, key: Any, draw: Any) -> tuple[bytes, str]:
        """Return the page of a key, drawing it if it is not kept."""
        with self._lock:
            found = self._pages.get(key)
        if found is None:
            found = draw()
            with self._lock:
                if len(found[0]) + 500 <= self._pages.maxsize:
                    self._pages[key] = found
        return found


def includeme(config: Configurator) -> None:
    config.registry["mypi.pages"] = Pages(config.registry["mypi.settings"].cache_size)
    for context, view in ((Simple, index_page), (SimpleProject, project_page), (BareProject, project_page)):
        config.add_view(view, context=context, request_method="GET", permission="read")
