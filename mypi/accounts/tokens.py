"""Tokens: secrets of 256 bits that stand for a user within limits, recognisable to secret scanners.

One looks like ``mypi-<id>-<secret>-<checksum>``: 12 letters and digits that are public, 43 that are secret, and 6 that
tell a token from anything else that begins alike. The store keeps the SHA-256 of the secret part.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass

from ..model import Accounts, Token

PREFIX = "mypi-"
USER = "__token__"
"""The user name that goes with a token as a password (B1.11)."""

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKEN = re.compile(r"(mypi-([0-9A-Za-z]{12})-([0-9A-Za-z]{43}))-([0-9A-Za-z]{6})\Z")


@dataclass(frozen=True)
class Fresh:
    """A new token: its public id, the digest to keep, and the text to show once."""

    id: str
    digest: str
    text: str


def fresh() -> Fresh:
    """Draw a token that never was."""
    id, secret = (_draw(length) for length in (12, 43))
    head = f"{PREFIX}{id}-{secret}"
    return Fresh(id, _digest(secret), f"{head}-{_checksum(head)}")


def find(text: str, accounts: Accounts, now: str) -> Token | None:
    """Return the token that a text is, if it is known and ``now`` (RFC 3339, UTC) is before its end."""
    parts = _TOKEN.match(text)
    if not parts or parts[4] != _checksum(parts[1]):
        return None
    token = accounts.tokens.get(parts[2])
    # Found by its public part, so that comparing the secret one takes the same time whatever it is (threat 31).
    if token is None or not hmac.compare_digest(token.digest, _digest(parts[3])):
        return None
    return token if token.expires is None or now < token.expires else None


def _draw(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _digest(secret: str) -> str:
    return hashlib.sha256(b"mypi token " + secret.encode()).hexdigest()


def _checksum(head: str) -> str:
    number, digits = zlib.crc32(head.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, len(_LETTERS))
        digits = _LETTERS[digit] + digits
    return digits
