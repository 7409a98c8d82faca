"""The Authorization header, read: a token, or a user name and a password."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from . import tokens


@dataclass(frozen=True)
class Credentials:
    """What somebody says of themselves: a ``token``, or else a ``user`` and a ``password``."""

    user: str = ""
    password: str = ""
    token: str | None = None


def read(header: str) -> Credentials | None:
    """Read the value of an Authorization header; None if it is malformed or of an unknown scheme.

    A token comes as Bearer, as the password of ``__token__``, or as that of any user name: some clients insist on one.

    >>> read("Bearer mypi-x")
    Credentials(user='', password='', token='mypi-x')
    """
    scheme, _, parameters = header.strip().partition(" ")
    if scheme.lower() in ("bearer", "token"):
        return Credentials(token=parameters.strip())
    pair = parse_basic(scheme, parameters)
    if pair is None:
        return None
    user, password = pair
    if user == tokens.USER or tokens.is_token(password):
        return Credentials(token=password)
    return Credentials(user, password)


def parse_basic(scheme: str, parameters: str) -> tuple[str, str] | None:
    """Return the user name and password of Basic credentials, None if they are malformed or of another scheme.

    Passwords may come with stray white space (B1.11). Those of other letters than ASCII come as UTF-8, and as Latin-1
    from what is built on requests: pip and twine.

    >>> parse_basic("Basic", "YWxpY2U6c2VjcmV0Cg==")
    ('alice', 'secret')
    """
    if scheme.lower() != "basic":
        return None
    try:
        raw = base64.b64decode(parameters.strip(), validate=True)
    except ValueError:
        return None
    try:
        decoded = raw.decode()
    except UnicodeDecodeError:
        decoded = raw.decode("latin-1")
    user, found, password = decoded.partition(":")
    return (user, password.strip()) if found else None
