"""The Integrity API of PyPI: the provenance object of a file (PEP 740)."""

from __future__ import annotations

import hashlib

from packaging.version import Version
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotAcceptable, HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response

from ..resources import Provenance
from . import files, links
from .caching import is_known
from .offered import live_file, offered, refuse_damaged

FORMS = ("application/vnd.pypi.integrity.v1+json", "application/json")


def provenance(context: Provenance, request: Request) -> Response:
    """Send the provenance object of a file that is on offer; 404 if it was published without attestations."""
    accepted = request.accept.acceptable_offers(FORMS)
    if not accepted:
        raise HTTPNotAcceptable(f"None of the types asked for is served here; accept one of {', '.join(FORMS)}")
    project = offered(request, context.project).value
    file = live_file(request, project, context.filename)
    if Version(file.version) != context.version:
        raise HTTPNotFound(f"{context.filename} is of version {file.version}")
    if file.provenance is None:
        raise HTTPNotFound(f"{context.filename} was published without attestations")
    refuse_damaged(file, ".provenance")
    away = links.to_canonical(request, slash=False)
    if away:
        return away
    form: str = accepted[0][0]
    response = Response()
    response.etag = hashlib.sha256(f"{file.provenance} {form}".encode()).hexdigest()[:32]
    response.vary = ("Accept",)
    response.cache_control = "no-cache"  # the file may be withdrawn
    if is_known(request, response):
        return response
    response.body = files.beside(request, project, file, ".provenance")
    response.headers["Content-Type"] = form
    return response


def includeme(config: Configurator) -> None:
    config.add_view(provenance, context=Provenance, request_method="GET", permission="read")
