"""Answers that a client has already: 304 by their ETag, told apart before anything is drawn or opened."""

from __future__ import annotations

from pyramid.request import Request
from pyramid.response import Response


def is_known(request: Request, response: Response) -> bool:
    """Make the response a 304 if the client names its ETag, and say so (A3.1).

    WebOb would do it while the response is sent: after its body was made, and too late for the access log.
    """
    if response.etag not in request.if_none_match:
        return False
    response.status = 304
    del response.content_type, response.content_length
    return True
