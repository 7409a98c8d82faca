"""Errors as answers: the one place where an exception gets its HTTP status.

The message stands in the reason phrase and in the body: twine, distutils and hatch print only the first, uv and poetry
only the second (B1.12).
"""

from __future__ import annotations

import json
import logging
from typing import Any

from pyramid.config import Configurator
from pyramid.exceptions import PredicateMismatch
from pyramid.httpexceptions import HTTPException, HTTPForbidden, HTTPNotFound
from pyramid.renderers import render
from pyramid.request import Request
from pyramid.response import Response

from ..accounts import AccountError, Throttled
from ..artifacts import ArtifactError
from ..attestations import AttestationError
from ..forms import FormError
from ..logs import request_id
from ..metadata import MetadataError
from ..model import Closed, Missing, Taken, Withdrawn
from ..names import InvalidName, InvalidVersion
from ..repository import Moved, Refused
from ..resources import Legacy, Uploads
from ..security import REFUSAL, SAFE, Limited, is_for_people, project_of, refusal
from ..store import Full, NotFound, StoreError, Unavailable
from ..upstream import Busy, HiddenByPolicy, Theirs, Unasked, Unknown, UpstreamError
from . import links
from .common import common

log = logging.getLogger(__name__)

STATUS: tuple[tuple[type[Exception], int], ...] = (
    (Taken, 409),
    (Theirs, 403),  # twine --skip-existing takes 409 for "is there already"
    (Unasked, 503),
    (Closed, 403),
    (Missing, 404),
    (Withdrawn, 503),  # mirrors take 404 and 410 for a removal, and drop the good copy that they have
    (Unknown, 404),
    (Busy, 503),
    (UpstreamError, 502),  # never 404, at which installers look elsewhere
    (NotFound, 404),
    (Full, 507),
    (StoreError, 503),
    (AccountError, 503),
    (InvalidName, 400),
    (InvalidVersion, 400),
    (MetadataError, 400),
    (ArtifactError, 400),
    (Refused, 400),
    (AttestationError, 400),
)
"""First match wins."""

RETRY_AFTER = "10"
_LONGEST_REASON = 300  # some clients and proxies cut a status line; the body has the whole


def status(exc: Exception) -> int:
    """Return the status of an error of ours."""
    return exc.status if isinstance(exc, FormError) else next(code for kind, code in STATUS if isinstance(exc, kind))


def refused(exc: Exception, request: Request) -> Response:
    """Answer an error of ours by the table."""
    code = status(exc)
    if code >= 500:
        # A seal was asked for, and another index is not ours to mend: one line each, and no sign of a fault.
        known = isinstance(exc, (Moved, UpstreamError, Withdrawn))
        level, cause = (logging.WARNING, None) if known else (logging.ERROR, exc)
        log.log(level, "%s %s: %s", request.method, request.path, exc, exc_info=cause)
        answer = _answer(request, code, _public(exc) if isinstance(exc, (Moved, Withdrawn)) else _named(_public(exc)))
        if not isinstance(exc, Withdrawn):  # that takes a person, and clients would wait for nothing
            answer.headers["Retry-After"] = RETRY_AFTER
        return answer
    # A store's message names its keys, which are nobody's business.
    return _answer(request, code, _nothing(request) if isinstance(exc, NotFound) else str(exc))


def hidden(exc: HiddenByPolicy, request: Request) -> Response:
    """Say which rule hides what was asked for, and where more is said of it.

    403, for installers take 404 for "not here" and look further, where somebody else may have that name (A1.4).
    """
    address = links.address(request)
    return _answer(request, 403, f"{exc.hidden.sentence}. See {address}/+why/{exc.project}")


def forbidden(exc: HTTPForbidden, request: Request) -> Response:
    """Ask for credentials if none were right, else say that they do not suffice (B1.11, E1).

    What the rights decided carries their result; a refusal without one has grounds that credentials do not mend.
    """
    if exc.result is None:
        return _answer(request, 403, exc.detail)
    permission = exc.result.permission
    limited = isinstance(exc.result, Limited)
    if not limited and _switched_off(request, permission):
        return _answer(request, 403, f"Nobody may {permission} here; it is switched off")
    if request.authenticated_userid is None:
        return _unknown(request)
    if permission == "read":
        # Installers take 404 for "not here" and look further; 403 stops them (A1.4, E1).
        return _answer(request, 404, f"{_nothing(request)} that {request.authenticated_userid} may read")
    where = project_of(exc.result.context) or "this index"
    if limited:
        return _answer(request, 403, f"The {request.identity.via} has no right to {permission} on {where}")
    return _answer(request, 403, f"{request.authenticated_userid} has no right to {permission} on {where}")


def _switched_off(request: Request, permission: str) -> bool:
    """Tell whether nobody has a right; a build whose token is over must read that instead, and try with another."""
    settings = request.registry["mypi.settings"]
    if settings.rights.somewhere(permission) != ("nobody",):
        return False
    a_build = settings.publishers and permission == "upload" and REFUSAL in request.environ
    return not (a_build and request.authenticated_userid is None)


def _unknown(request: Request) -> Response:
    """Ask who it is: tools by a challenge, people by the form to log in."""
    if is_for_people(request) and request.method not in SAFE:
        # No challenge: a browser would ask for a user name and password, and they do nothing here.
        ended = "You are not logged in, or your session has ended; nothing was changed. Log in and send it again"
        return _answer(request, 403, ended)
    if _in_browser(request) and request.method in SAFE and not request.authorization:
        return links.Redirect(links.login(request), 303)
    answer = _answer(request, 401, refusal(request))
    answer.headers.update(request.registry["mypi.policy"].forget(request))
    return answer


def throttled(exc: Throttled, request: Request) -> Response:
    """Ask for patience: too many passwords were wrong (threat 32)."""
    answer = _answer(request, 429, str(exc))
    answer.headers["Retry-After"] = str(exc.retry_after)
    return answer


def not_found(exc: HTTPNotFound, request: Request) -> Response:
    """Answer 404, or 405 where the address is right and only the method wrong."""
    if isinstance(exc, PredicateMismatch):
        answer = _answer(request, 405, f"{request.method} is not possible here")
        uploads = isinstance(request.context, Uploads) and not request.view_name
        pages = () if isinstance(request.context, Legacy) else ("GET", "HEAD")
        answer.allow = (*pages, "POST") if uploads else pages
        of_people = request.registry["mypi.methods"].get(request.view_name)
        if of_people:
            answer.allow = tuple(each for each in ("GET", "HEAD", "POST") if each.replace("HEAD", "GET") in of_people)
        return answer
    # Pyramid's own detail is the path.
    return _answer(request, 404, exc.detail if exc.detail and "/" not in exc.detail else _nothing(request))


def http(exc: HTTPException, request: Request) -> Response:
    """Answer an HTTP error that a view raised."""
    return _answer(request, exc.status_int, exc.detail or exc.explanation)


def unexpected(exc: Exception, request: Request) -> Response:
    """Log a mistake of ours with all that helps, and tell the client nothing of it."""
    log.critical("%s %s failed", request.method, request.path, exc_info=exc)
    return _answer(request, 500, _named("mypi made a mistake; tell its operator"))


def _named(message: str) -> str:
    """Add the id of the request, under which the log says more of a fault."""
    return f"{message} (request {request_id()})"


def _nothing(request: Request) -> str:
    return f"There is nothing at {request.path_info}"


def _public(exc: Exception) -> str:
    """Say what a client may know of a failure: no path, no cause; of another index's, all that is known."""
    if isinstance(exc, (UpstreamError, Withdrawn)):
        return str(exc)
    if isinstance(exc, AccountError):
        return "The users of this index cannot be read now; tell its operator"
    if isinstance(exc, Full):
        return "The store of this index is full; nothing was published. Tell its operator"
    if isinstance(exc, Moved):
        return "This index is moving to another place and takes no changes here; ask its operator for the new address"
    if isinstance(exc, Unavailable):
        return "The store of this index cannot be reached or written now; try again"
    return "The store of this index is damaged at this place; tell its operator to run mypi verify"


def _answer(request: Request, status: int, message: str) -> Response:
    response = Response(status=status, vary=("Accept",))
    response.status = f"{status} {reason(message)}"
    response.cache_control = "no-store"
    best = request.accept.acceptable_offers(["text/plain", "text/html", "application/json"])
    form = best[0][0] if best else "text/plain"
    if _in_browser(request) or (form == "text/html" and "text/html" in request.headers.get("Accept", "")):
        values = {**_frame(request), "status": status, "message": message, "why": _why(request, status)}
        response.content_type, response.charset = "text/html", "UTF-8"
        response.text = render("mypi:templates/error.jinja2", values, request)
    elif form == "application/json":
        # uv prints the code and nothing else, and reads it only if the type says nothing about a charset (B1.12).
        response.headers["Content-Type"] = "application/json"
        response.body = json.dumps({"code": response.status, "message": message}).encode()
    else:
        response.content_type, response.charset = "text/plain", "UTF-8"
        response.text = message + "\n"
    return response


def _why(request: Request, status: int) -> str | None:
    """Return the link to what is known of the name that was asked for, where something may be hidden."""
    project = project_of(getattr(request, "context", None)) if status in (403, 404) else None
    known = project and (request.upstream is not None or request.screen.rules.ours)
    return f"{links.up(request)}+why/{project}" if known else None


def _in_browser(request: Request) -> bool:
    return "application/xhtml+xml" in request.headers.get("Accept", "")


def _frame(request: Request) -> dict[str, Any]:
    """Return what the layout shows around an error, less where that is part of what failed."""
    try:
        return common(request)
    except (AttributeError, StoreError, AccountError):  # refused before there was a root, or the store is away
        return {"up": links.up(request)}


def reason(message: str) -> str:
    """Make a message fit for a status line: one line of Latin-1 (B1.13).

    >>> reason("caf\\u00e9\\r\\nX: \\u4e2d")
    'caf\xe9 X: ?'
    """
    line = " ".join("".join(c if c.isprintable() or c.isspace() or ord(c) > 255 else "?" for c in message).split())
    return line.encode("iso-8859-1", "replace").decode("iso-8859-1")[:_LONGEST_REASON]


def includeme(config: Configurator) -> None:
    for kind in (*(kind for kind, _ in STATUS), FormError):
        config.add_exception_view(refused, context=kind)
    config.add_exception_view(hidden, context=HiddenByPolicy)
    config.add_exception_view(throttled, context=Throttled)
    config.add_exception_view(http, context=HTTPException)
    config.add_exception_view(unexpected, context=Exception)
    config.add_forbidden_view(forbidden)
    config.add_notfound_view(not_found)
