"""Answers that a client has already: 304 by their ETag, told apart before anything is drawn or opened."""

from __future__ import annotations

from pyramid.request import Request
from pyramid.response import Response


def knows(request: Request, etag: str) -> bool:
    """Tell whether the client names an ETag as one that it has."""
    return "HTTP_IF_NONE_MATCH" in request.environ and etag in request.if_none_match


def is_known(request: Request, response: Response) -> bool:
    """Make the response a 304 if the client names its ETag, and say so (A3.1).

    WebOb would do it while the response is sent: after its body was made, and too late for the access log.
    """
    if not knows(request, response.etag):
        return False
    response.status = 304
    del response.content_type, response.content_length
    return True
