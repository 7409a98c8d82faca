"""Identity tokens: signed by an issuer that a publisher names, for this index, now."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from ...publishers import Publisher
from .errors import BadToken
from .fetching import Fetcher
from .issuers import Issuer

log = logging.getLogger(__name__)

LEEWAY = 30
"""Seconds by which clocks may differ."""

LONGEST = 86400
"""Seconds that a token may live: its use is remembered until then."""

_REQUIRED = ["exp", "iat", "iss", "aud"]


@dataclass(frozen=True)
class Shown:
    """What a good token says: by which publishers' lines, with which claims, and under which id it may be used once."""

    publishers: tuple[Publisher, ...]
    claims: Mapping[str, Any]
    id: str
    until: float


class Verifier:
    """Reads the tokens of builds. ``fetch`` returns the JSON value of an address."""

    def __init__(self, publishers: Sequence[Publisher], audience: str, fetch: Callable[[str], Any]) -> None:
        self._publishers = tuple(publishers)
        self._audience = audience
        self._issuers = {each.issuer: Issuer(each.issuer, fetch) for each in publishers}

    @classmethod
    def over_https(cls, publishers: Sequence[Publisher], audience: str, ca: str | None) -> Verifier:
        """Return one that asks the issuers themselves. Raises SettingError."""
        return cls(publishers, audience, Fetcher(ca).json)

    def verify(self, text: str) -> Shown:
        """Verify a token, and find the publishers that it is of. Raises BadToken, IssuerAway."""
        head, said = _unverified(text)
        issuer = self._issuers.get(said["iss"]) if isinstance(said.get("iss"), str) else None
        if issuer is None:
            raise BadToken("The token is of an issuer that this index does not know", "invalid-publisher")
        if not isinstance(head.get("kid"), str):
            raise BadToken("The token does not say by which key it is signed (kid)")
        claims = self._verified(text, issuer.key(head["kid"]), issuer.url)
        expires = int(claims["exp"])  # PyJWT has seen that it is a number, perhaps one that no float can be
        if expires > time.time() + LONGEST:
            raise BadToken("The token lives longer than a day; ask for one that is made for this build")
        return Shown(self._of(claims), claims, _id(text, claims), float(expires + LEEWAY))

    def _verified(self, text: str, key: jwt.PyJWK, issuer: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                text,
                key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                issuer=issuer,
                leeway=LEEWAY,
                options={"require": _REQUIRED},
            )
        except jwt.InvalidAudienceError as exc:
            raise BadToken(f"The token is made for somebody else; ask for one for {self._audience} (aud)") from exc
        except Exception as exc:
            # Anybody's bytes, for a parser of JSON and one of signatures: what breaks one is not verified.
            why = str(exc) if isinstance(exc, jwt.PyJWTError) else type(exc).__name__
            raise BadToken(f"The token is not good: {why}") from exc
        if claims["aud"] not in (self._audience, [self._audience]):
            raise BadToken("The token is made for several (aud), each of whom could use it here; ask for one of ours")
        return claims

    def _of(self, claims: Mapping[str, Any]) -> tuple[Publisher, ...]:
        differing = {each: each.refuses(claims) for each in self._publishers if each.issuer == claims["iss"]}
        found = tuple(each for each, why in differing.items() if why is None)
        if not found:
            # What the lines say is the operator's business; what the token says is known to who shows it.
            log.info("No publisher fits a token: %s", "; ".join(f"{each}: {why}" for each, why in differing.items()))
            raise BadToken(
                "No publisher of this index is that build; its operator compares the claims "
                f"{', '.join(sorted({str(why) for why in differing.values()}))} with mypi.publishers",
                "invalid-publisher",
            )
        return found


def _unverified(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read whose token it is said to be, to know whose keys to take."""
    try:
        parts = jwt.decode_complete(text, options={"verify_signature": False})
    except Exception as exc:
        raise BadToken("The token is no JSON Web Token") from exc
    return parts["header"], parts["payload"]


def _id(text: str, claims: Mapping[str, Any]) -> str:
    """Return what makes a token the same again: its id, or all that is signed if its issuer gives none.

    Never the signature: that of an elliptic curve can be written in a second way by anybody.
    """
    given = claims.get("jti")
    own = f"jti {given}" if given else f"signed {text.rpartition('.')[0]}"
    return hashlib.sha256(f"{claims['iss']} {own}".encode()).hexdigest()
