"""What watches mypi asks: whether it can do its work, and its numbers for Prometheus."""

from __future__ import annotations

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from ..metrics import CONTENT_TYPE
from ..resources import Root
from ..rights import MONITOR
from .errors import RETRY_AFTER


def ready(context: Root, request: Request) -> Response:
    """Say whether files can be read and published now; with ``?for=reading`` the former is enough."""
    state = request.registry["mypi.readiness"].state()
    fine = state.writes or (state.reads and request.GET.get("for") == "reading")
    response = Response(f"{state.sentence}\n", status=200 if fine else 503, content_type="text/plain")
    response.cache_control = "no-store"
    if not fine:
        response.headers["Retry-After"] = RETRY_AFTER
    return response


def metrics(context: Root, request: Request) -> Response:
    """Show the numbers in the text format of Prometheus."""
    response = Response(request.registry["mypi.metrics"].text())
    response.headers["Content-Type"] = CONTENT_TYPE
    response.cache_control = "no-store"
    return response


def includeme(config: Configurator) -> None:
    config.add_view(ready, context=Root, name="+ready", request_method="GET")
    config.add_view(metrics, context=Root, name="+metrics", request_method="GET", permission=MONITOR)
