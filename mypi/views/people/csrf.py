"""Tokens that prove that a form came from a page of this index (threat 10).

A token is drawn from a secret that only the browser's cookies hold: the id of the session, or for who is not logged in
a random value of its own. Each page has another token, so that compression tells nothing of it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from pyramid.config import Configurator
from pyramid.csrf import check_csrf_token, get_csrf_token
from pyramid.exceptions import BadCSRFToken
from pyramid.httpexceptions import HTTPForbidden
from pyramid.interfaces import ICSRFStoragePolicy
from pyramid.request import Request
from pyramid.response import Response
from zope.interface import implementer

from ... import cookies
from .. import errors

__all__ = ["COOKIE", "FIELD", "HEADER", "check", "get_csrf_token"]

COOKIE, FIELD, HEADER = "mypi-csrf", "csrf_token", "X-CSRF-Token"

_SECRET = re.compile(r"[0-9a-f]{32}\Z")


@implementer(ICSRFStoragePolicy)
class Tokens:
    """Pyramid's storage policy over the session, or a cookie."""

    def new_csrf_token(self, request: Request) -> str:
        """Draw a secret for the cookie of who has none, and a token from it."""
        secret = secrets.token_hex(16)
        request.environ["mypi.csrf"] = f"cookie {secret}"
        request.add_response_callback(lambda request, response: cookies.write(request, response, COOKIE, secret))
        return _token(f"cookie {secret}")

    def get_csrf_token(self, request: Request) -> str:
        """Return a token for a form."""
        secret = _secret(request)
        return _token(secret) if secret else self.new_csrf_token(request)

    def check_csrf_token(self, request: Request, supplied: str) -> bool:
        """Tell whether a token was drawn for this browser."""
        secret = _secret(request)
        salt, _, proof = supplied.partition(".")
        return secret is not None and hmac.compare_digest(_proof(secret, salt).encode(), _encoded(proof))


def lift(request: Request) -> bool:
    """Bring the form's token to where Pyramid looks: its own reading of a body knows no bounds (finding 3)."""
    if HEADER not in request.headers:
        request.headers[HEADER] = request.typed.one(FIELD)
    return True


def check(request: Request, token: str) -> None:
    """Check a token that the view found by itself, unless the header has one. Raises BadCSRFToken."""
    request.headers.setdefault(HEADER, token)
    check_csrf_token(request, token=None, header=HEADER)


def stale(exc: BadCSRFToken, request: Request) -> Response:
    """Refuse a form without the right token."""
    message = "This form is too old, or did not come from this index; nothing was changed. Load its page again"
    return errors.http(HTTPForbidden(message), request)


def _secret(request: Request) -> str | None:
    who = request.registry["mypi.policy"].of_session(request)
    if who and who.session:
        return f"session {who.session.id}"
    fresh: str | None = request.environ.get("mypi.csrf")
    kept = cookies.read(request, COOKIE) or ""
    return fresh or (f"cookie {kept}" if _SECRET.match(kept) else None)


def _token(secret: str) -> str:
    salt = secrets.token_hex(8)
    return f"{salt}.{_proof(secret, salt)}"


def _proof(secret: str, salt: str) -> str:
    return hmac.new(secret.encode(), b"mypi csrf " + _encoded(salt), hashlib.sha256).hexdigest()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def includeme(config: Configurator) -> None:
    config.set_csrf_storage_policy(Tokens())
    # Where a request comes from is told of every change, by ``edge``.
    config.set_default_csrf_options(require_csrf=True, token=None, header=HEADER, check_origin=False, callback=lift)
    config.add_exception_view(stale, context=BadCSRFToken)
