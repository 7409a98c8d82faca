"""Who asks, and what they may: Basic credentials, principals, and the ACLs of the traversal tree.

Credentials that come where none are needed are not looked at, right or wrong: a ``.pypirc`` needs a user name.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from pyramid.authorization import ACLHelper, Allow, Everyone
from pyramid.request import Request

from .accounts import Htpasswd

USERS = "users"
"""The principal of everyone who gave a right user name and password."""


def acl(permission: str, allowed: Iterable[str]) -> list[tuple[str, str, str]]:
    """Write the entries of an ACL for the principals of a setting such as ``mypi.upload``.

    >>> acl("upload", ["user:alice"])
    [('Allow', 'user:alice', 'upload')]
    """
    return [(Allow, Everyone if who == "everyone" else who, permission) for who in allowed if who != "nobody"]


class BasicAuthPolicy:
    """Pyramid's security policy over Basic credentials and a source of users."""

    def __init__(self, users: Htpasswd | None) -> None:
        self._users = users
        self._acl = ACLHelper()

    def identity(self, request: Request) -> str | None:
        """Return the user name if the request carries right credentials. Verified once per request."""
        if "mypi.user" not in request.environ:
            request.environ["mypi.user"] = self._identify(request.headers.get("Authorization", ""))
        found: str | None = request.environ["mypi.user"]
        return found

    def authenticated_userid(self, request: Request) -> str | None:
        return self.identity(request)

    def permits(self, request: Request, context: object, permission: str) -> Any:
        """Ask as nobody first: what everyone may needs no password to be verified."""
        anonymous = self._acl.permits(context, [Everyone], permission)
        if anonymous or self.identity(request) is None:
            return anonymous
        return self._acl.permits(context, [Everyone, USERS, f"user:{self.identity(request)}"], permission)

    def remember(self, request: Request, userid: str, **kw: Any) -> list[tuple[str, str]]:
        """Basic credentials come with each request; nothing is remembered."""
        return []

    def forget(self, request: Request, **kw: Any) -> list[tuple[str, str]]:
        """Return the challenge. The realm is the one that distutils of every age expects (B3, E1)."""
        return [("WWW-Authenticate", 'Basic realm="pypi"')]

    def _identify(self, authorization: str) -> str | None:
        scheme, _, parameters = authorization.partition(" ")
        credentials = parse_basic(scheme, parameters)
        if self._users and credentials and self._users.verify(*credentials):
            return credentials[0]
        return None


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
