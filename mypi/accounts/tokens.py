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


def is_token(text: str) -> bool:
    """Tell whether a text is a token of some mypi, by its form and its checksum."""
    parts = _TOKEN.match(text)
    return parts is not None and parts[4] == _checksum(parts[1])


def known(text: str, accounts: Accounts) -> Token | None:
    """Return the token that a text is, if the accounts have it, expired or not."""
    parts = _TOKEN.match(text)
    if not parts or not is_token(text):
        return None
    token = accounts.tokens.get(parts[2])
    # Found by its public part, so that comparing the secret one takes the same time whatever it is (threat 31).
    if token is None or not hmac.compare_digest(token.digest, _digest(parts[3])):
        return None
    return token


def is_over(token: Token, now: str) -> bool:
    """Tell whether a token's time is over at ``now``; times are RFC 3339 in UTC, with or without fractions.

    >>> is_over(Token("x", "alice", "ci", "", "", (), expires="2026-11-26T18:00:00Z"), "2026-11-26T18:00:00.000000Z")
    True
    """
    return token.expires is not None and token.expires.rstrip("Z") <= now.rstrip("Z")


def find(text: str, accounts: Accounts, now: str) -> Token | None:
    """Return the token that a text is, if it is known and ``now`` (RFC 3339, UTC) is before its end."""
    token = known(text, accounts)
    return None if token is None or is_over(token, now) else token


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
