"""Trusted publishing as clients ask for it: discovery (PEP 807), the audience, and the exchange of tokens.

Every answer is JSON, errors too: an object of a message and a list of codes with descriptions.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from cachetools import TTLCache
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from ..accounts.oidc import BadToken, IssuerAway
from ..resources import Exchange, WellKnown
from ..store import StoreError
from . import links
from .errors import RETRY_AFTER, reason

log = logging.getLogger(__name__)

LARGEST = 64 * 1024
"""Bytes of a request; identity tokens have some two thousand."""

UPLOADS = frozenset(("", "/", "/simple", "/simple/", "/legacy", "/legacy/"))
PYTP = "application/vnd.pypi.pytp.v1+json"

TRIES, WINDOW = 60, 60
"""Refused tokens of an address in so many seconds: many builds may come from one, and one may be set up wrongly."""


class Refusal(Exception):
    """A request that gets no token; ``code`` is the machine's word for why."""

    def __init__(self, status: int, code: str, description: str, **headers: str) -> None:
        super().__init__(description)
        self.status = status
        self.code = code
        self.headers = headers


class Refused:
    """Counts refused tokens by address, for a while."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: TTLCache[str, int] = TTLCache(10_000, ttl=WINDOW)

    def often(self, address: str) -> bool:
        with self._lock:
            return self._counts.get(address, 0) >= TRIES

    def count(self, address: str) -> None:
        with self._lock:
            self._counts[address] = self._counts.get(address, 0) + 1


def audience(context: Exchange, request: Request) -> Response:
    """Say for whom a build must ask for its identity token."""
    return _json({"audience": request.registry["mypi.exchange"].audience})


def mint_token(context: Exchange, request: Request) -> Response:
    """Give a token to publish with for an identity token."""
    return _answered(request, _mint)


def burn_token(context: Exchange, request: Request) -> Response:
    """End a token to publish with before its time; 202 whatever it was, as PyPI has it for uv."""
    return _answered(request, _burn)


def _answered(request: Request, exchange: Callable[[Request, str], Response]) -> Response:
    """Hand the token of the request to ``exchange``, and say why if that is refused."""
    try:
        _check(request)
        return exchange(request, _token(request))
    except Refusal as exc:
        refusal = exc
    except StoreError:
        log.exception("%s failed", request.path)
        sentence = "The store of this index cannot be reached or written now; try again with a fresh token"
        refusal = Refusal(503, "store-away", sentence, Retry_After=RETRY_AFTER)
    error = {"code": refusal.code, "description": str(refusal)}
    answer = _json({"message": "The token is not taken", "errors": [error]}, refusal.status)
    answer.status = f"{refusal.status} {reason(str(refusal))}"
    answer.headers.update({name.replace("_", "-"): value for name, value in refusal.headers.items()})
    return answer


def discovery(context: WellKnown, request: Request) -> Response:
    """Name the addresses of the exchange, for the path of an upload address; 404 for others, without a body."""
    place = request.GET.get("discover")
    base = links.address(request)
    if urlsplit(base).netloc != request.host:
        base = request.application_url  # clients take no address of another host than they asked
    known = any(place == f"{urlsplit(each).path}{path}" for path in UPLOADS for each in (base, request.application_url))
    if not known:
        return Response(status=404, content_type="application/json", cache_control="no-store")
    answer = _json({"audience-endpoint": f"{base}/_/oidc/audience", "token-mint-endpoint": f"{base}/_/oidc/mint-token"})
    if PYTP in request.headers.get("Accept", ""):
        answer.headers["Content-Type"] = PYTP
    return answer


def _burn(request: Request, text: str) -> Response:
    request.registry["mypi.exchange"].burn(text)
    return _json({}, 202)


def _mint(request: Request, text: str) -> Response:
    refused: Refused = request.registry["mypi.refused_tokens"]
    address = request.remote_addr or ""
    if refused.often(address):
        raise Refusal(
            429, "too-many", f"Too many tokens were refused; try in {WINDOW} seconds", Retry_After=str(WINDOW)
        )
    try:
        token, expires = request.registry["mypi.exchange"].mint(text)
    except BadToken as exc:
        refused.count(address)
        log.info("A token of %s is refused: %s", address, exc)
        raise Refusal(422, exc.code, str(exc)) from exc
    except IssuerAway as exc:
        log.warning("A token cannot be verified: %s", exc)
        sentence = "The issuer of the token does not give its keys now, so that nobody can verify it; try again"
        raise Refusal(503, "issuer-away", sentence, Retry_After="60") from exc
    return _json({"success": True, "token": token, "expires": expires})


def _check(request: Request) -> None:
    if request.method != "POST":
        raise Refusal(405, "method", f"{request.method} is not possible here; POST the token", Allow="POST")
    if request.registry["mypi.settings"].https_only and request.scheme != "https" and not _is_local(request):
        raise Refusal(403, "insecure", "Tokens are taken over https only; anybody on the way could have read this one")
    if request.content_type not in ("", "application/json"):
        raise Refusal(415, "invalid-payload", "The request is no application/json")


def _token(request: Request) -> str:
    """Read the identity token out of the body."""
    if (request.content_length or 0) > LARGEST:
        raise Refusal(413, "invalid-payload", f"The request has over {LARGEST} bytes")
    try:
        body = request.body_file.read(LARGEST + 1)
        found = json.loads(body) if len(body) <= LARGEST else None
    except (OSError, ValueError, RecursionError) as exc:
        raise Refusal(422, "invalid-payload", "The request is no JSON") from exc
    token = found.get("token") if isinstance(found, dict) else None
    if not isinstance(token, str) or not token:
        raise Refusal(422, "invalid-payload", 'The request has no token; send {"token": "..."}')
    return token


def _is_local(request: Request) -> bool:
    try:
        return ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def _json(value: dict[str, Any], status: int = 200) -> Response:
    response = Response(status=status, body=json.dumps(value).encode() + b"\n")
    response.headers["Content-Type"] = "application/json"
    response.cache_control = "no-store"
    return response


def includeme(config: Configurator) -> None:
    config.registry["mypi.refused_tokens"] = Refused()
    config.add_view(audience, context=Exchange, name="audience", request_method="GET")
    config.add_view(mint_token, context=Exchange, name="mint-token", require_csrf=False)
    config.add_view(burn_token, context=Exchange, name="burn-token", require_csrf=False)
    config.add_view(discovery, context=WellKnown, name="pytp", request_method="GET")
