"""The cookies of the pages: one place for their names and for what keeps them safe (threat 10).

Under https the name says so, ``__Host-`` or, below a path, ``__Secure-``: a browser then takes the cookie from no page
that came by plain http, nor, with the first, from a neighbour of the same domain.
"""

from __future__ import annotations

from urllib.parse import quote

from pyramid.request import Request
from pyramid.response import Response


def name(request: Request, base: str) -> str:
    """Return what a cookie is called at the address that the request came to."""
    if request.scheme != "https":
        return base
    return f"__Secure-{base}" if request.script_name else f"__Host-{base}"


def read(request: Request, base: str) -> str | None:
    """Return the value of a cookie, None if there is none."""
    value: str | None = request.cookies.get(name(request, base))
    return value


def write(request: Request, response: Response, base: str, value: str | None, *, seconds: int | None = None) -> None:
    """Set a cookie that no script reads and no other site's form brings along; None takes it away.

    Without ``seconds`` it lasts as long as the browser is open.
    """
    response.set_cookie(
        name(request, base),
        value,
        max_age=seconds,
        path=quote(request.script_name) or "/",
        secure=request.scheme == "https",
        httponly=True,
        samesite="Lax",
    )
