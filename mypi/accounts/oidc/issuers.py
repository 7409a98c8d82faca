"""The keys of an issuer, found through its discovery document and kept until they are wanted anew."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import jwt

from .errors import BadToken, IssuerAway

log = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a private key. Nothing that a public key could be used to make, and not "none" (RFC 8725 3.1)."""

AGAIN = 60.0
"""Seconds between two questions: anybody can make up the name of a key."""

FRESH, OLDEST = 3600.0, 86400.0
"""Seconds until keys are asked for again, and until those of an issuer who is away are believed no more."""

_TURN = 5.0
_SMALLEST_RSA = 2048
_MOST_KEYS = 100


class Issuer:
    """One issuer. ``fetch`` returns the JSON value of an address, ``clock`` seconds that never go back."""

    def __init__(self, url: str, fetch: Callable[[str], Any], clock: Callable[[], float] = time.monotonic) -> None:
        self.url = url
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._away: IssuerAway | None = None

    def key(self, name: str) -> jwt.PyJWK:
        """Return the key of a name. Raises BadToken if the issuer has none such; IssuerAway."""
        keys, now = self._keys, self._clock()
        if name in keys and self._younger(FRESH, now):
            return keys[name]  # whoever else waits for an answer
        if not self._lock.acquire(timeout=_TURN):
            raise IssuerAway(f"{self.url} is being asked and does not answer")
        try:
            now = self._clock()
            self._refresh(now)
            if name in self._keys and self._younger(OLDEST, now):
                return self._keys[name]
            if self._away:
                raise IssuerAway(str(self._away))
        finally:
            self._lock.release()
        raise BadToken("The token is signed by a key that its issuer does not have")

    def _younger(self, age: float, now: float) -> bool:
        return self._fetched is not None and now - self._fetched < age

    def _refresh(self, now: float) -> None:
        if self._tried is not None and now - self._tried < AGAIN:
            return
        self._tried = now
        try:
            self._keys = self._ask()
        except IssuerAway as exc:
            log.warning("The keys of the issuer %s cannot be had: %s", self.url, exc)
            self._away = exc
        else:
            self._fetched, self._away = now, None

    def _ask(self) -> dict[str, jwt.PyJWK]:
        about = self._fetch(f"{self.url.rstrip('/')}/.well-known/openid-configuration")
        if not isinstance(about, dict) or about.get("issuer") != self.url:
            raise IssuerAway("its discovery document names another issuer; write mypi.publishers as that names itself")
        place = about.get("jwks_uri")
        found = self._fetch(place) if isinstance(place, str) else None
        listed = found.get("keys") if isinstance(found, dict) else None
        if not isinstance(listed, list):
            raise IssuerAway("it names no keys (jwks_uri)")
        keys = {str(key.key_id): key for key in map(_key, listed[:_MOST_KEYS]) if key}
        if not keys:
            raise IssuerAway("none of its keys can be used here")
        return keys


def _key(given: Any) -> jwt.PyJWK | None:
    """Read a public key for signatures; None for any other."""
    if not isinstance(given, dict) or given.get("kty") not in ("RSA", "EC", "OKP") or "d" in given:
        return None
    if given.get("use", "sig") != "sig" or not isinstance(given.get("kid"), str):
        return None
    try:
        key = jwt.PyJWK(given)
    except Exception as exc:  # its bytes are read by several parsers, each with errors of its own
        log.info("A key cannot be read", exc_info=exc)
        return None
    if key.algorithm_name not in ALGORITHMS or (given["kty"] == "RSA" and key.key.key_size < _SMALLEST_RSA):
        return None
    return key
