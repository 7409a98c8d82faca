"""Who asks, and what they may: credentials, principals, and the ACLs of the traversal tree.

Credentials that come where none are needed are not looked at, right or wrong: a ``.pypirc`` needs a user name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pyramid.authorization import ACLAllowed, ACLDenied, ACLHelper, Allow, Deny, Everyone
from pyramid.location import lineage
from pyramid.request import Request

from . import cookies, rights, times
from .accounts import AccountError, Sessions, Throttle, Throttled, Users, credentials, tokens, vouched
from .accounts.sessions import Session
from .model import Accounts
from .repository import Members
from .rights import EVERYONE, NOBODY, PERMISSIONS, USERS

COOKIE = "mypi-session"
SAFE = ("GET", "HEAD", "OPTIONS")
REFUSAL = "mypi.refusal"
"""The key of a request's environ under which it says why a token did not do."""


def acl(permission: str, allowed: Iterable[str]) -> list[tuple[str, str, str]]:
    """Write the entries of an ACL for the principals of a setting such as ``mypi.upload``.

    >>> acl("upload", ["user:alice"])
    [('Allow', 'user:alice', 'upload')]
    """
    return [(Allow, Everyone if who == EVERYONE else who, permission) for who in allowed if who != NOBODY]


def closed(permission: str, allowed: Iterable[str]) -> list[tuple[str, str, str]]:
    """Write the entries of an ACL from which nothing is inherited: who is not named is refused."""
    return [*acl(permission, allowed), (Deny, Everyone, permission)]


@dataclass(frozen=True)
class Identity:
    """Somebody whose credentials were right.

    ``user`` is the name for the history; ``via`` says what stood for them, such as "token ci", None for a password or a
    session. ``permissions`` and ``projects`` (patterns) are the limits of a token; ``grants`` are patterns of projects
    to which it may publish whatever the rules say: those of a trusted publisher.
    """

    user: str
    principals: frozenset[str]
    via: str | None = None
    permissions: tuple[str, ...] = PERMISSIONS
    projects: tuple[str, ...] = ("*",)
    grants: tuple[str, ...] = ()
    session: Session | None = None

    @property
    def is_user(self) -> bool:
        """Whether it is a user of this index, who may own projects."""
        return f"user:{self.user}" in self.principals

    def allows(self, permission: str, project: str | None) -> bool:
        """Tell whether the limits let a permission be used, on a project or, for None, on the index.

        Managing the index, or reading its numbers, needs all projects; to read or publish, some open the door.
        """
        if ("read" if permission == rights.MONITOR else permission) not in self.permissions:
            return False
        if project is None:
            return permission not in ("manage", rights.MONITOR) or "*" in self.projects
        return rights.matches(self.projects, project)


class Limited(ACLDenied):  # type: ignore[misc] # Pyramid has no types
    """A refusal because of a token's limits, not of its user's rights."""


Minted = Callable[[str], "Identity | None"]
"""Reads a token that trusted publishing minted; None if it is none."""


class Policy:
    """Pyramid's security policy over Basic and Bearer credentials, sessions, and a server that says who asks."""

    def __init__(
        self,
        users: Users,
        members: Members,
        *,
        remote_user: bool = False,
        minted: Minted = lambda text: None,
        throttle: Throttle | None = None,
    ) -> None:
        self.users = users
        self.members = members
        self.sessions = Sessions(members)
        self.throttle = throttle or Throttle()
        self.minted = minted
        self._remote_user = remote_user
        self._acl = ACLHelper()

    def identity(self, request: Request) -> Identity | None:
        """Return who asks, if their credentials are right. Verified once per request; raises Throttled."""
        return self._identity(request, needed=True)

    def offered(self, request: Request) -> Identity | None:
        """Return who asks where nobody needs to be known: as ``identity``, but a wrong password is no offence."""
        try:
            return self._identity(request, needed=False)
        except (Throttled, AccountError):
            return None

    def authenticated_userid(self, request: Request) -> str | None:
        found = self.identity(request)
        return found.user if found else None

    def permits(self, request: Request, context: object, permission: str) -> Any:
        """Ask as nobody first: what everyone may needs no credentials to be verified."""
        anonymous = self._acl.permits(context, [Everyone], permission)
        if anonymous:
            return anonymous
        # Where nobody has a right but trusted publishers, a wrong password is no offence that could end in 429.
        off = request.registry["mypi.settings"].rights.somewhere(permission) == (NOBODY,)
        identity = (self.offered if off else self.identity)(request)
        if identity is None:
            return anonymous
        project = project_of(context)
        if permission == "upload" and identity.grants and (project is None or rights.matches(identity.grants, project)):
            return ACLAllowed("grant", [], permission, list(identity.principals), context)
        if not identity.allows(permission, project):
            return Limited("limit", [], permission, list(identity.principals), context)
        return self._acl.permits(context, [Everyone, *identity.principals], permission)

    def remember(self, request: Request, userid: str, **kw: Any) -> list[tuple[str, str]]:
        """Return no headers: Basic credentials come with each request, and a session is opened by the login form."""
        return []

    def forget(self, request: Request, **kw: Any) -> list[tuple[str, str]]:
        """Return the challenge. The realm is the one that distutils of every age expects (B3, E1)."""
        return [("WWW-Authenticate", 'Basic realm="pypi"')]

    def of_user(self, user: str, *, session: Session | None = None) -> Identity:
        """Return the identity of a user who has no limits."""
        return Identity(user, self._principals(user), session=session)

    def of_session(self, request: Request) -> Identity | None:
        """Return who is logged in at the browser, or at the server in front, without a session then."""
        if "mypi.session" not in request.environ:
            request.environ["mypi.session"] = self.members.at_one_moment(lambda: self._logged_in(request))
        found: Identity | None = request.environ["mypi.session"]
        return found

    def may(self, request: Request, context: object, permission: str) -> bool:
        """Tell whether who sits at the browser has a permission, for what a page offers; nothing is verified for it."""
        who = self.seated(request)
        return bool(self._acl.permits(context, [Everyone, *(who.principals if who else ())], permission))

    def seated(self, request: Request) -> Identity | None:
        """Return who is logged in, for what a page shows of it: nobody while the source that knows them is away."""
        with suppress(AccountError):
            return self.of_session(request)
        return None

    def _identity(self, request: Request, *, needed: bool) -> Identity | None:
        if "mypi.identity" not in request.environ:
            found = self.members.at_one_moment(lambda: self._identify(request, needed=needed))
            if found is None and not needed:
                return None  # perhaps only because it was not needed
            request.environ["mypi.identity"] = found
            request.environ["mypi.user"] = found.user if found else None
        known: Identity | None = request.environ["mypi.identity"]
        return known

    def _identify(self, request: Request, *, needed: bool) -> Identity | None:
        # Another site's form would bring a browser's Basic to a page, or its cookie to where tools publish (threat 11).
        safe, people = request.method in SAFE, is_for_people(request)
        header = request.headers.get("Authorization", "").strip() if safe or not people else ""
        given = credentials.read(header)
        if given and given.token is not None:
            return self._by_token(given.token, request)
        if self._served(request):
            return self._by_server(request)  # before a password: a server that logs people in by Basic hands it through
        if header:
            right = given is not None and self.check(given.user, given.password, request, needed=needed)
            return self.of_user(given.user) if given and right else None
        return self.of_session(request) if safe or people else None

    def check(self, user: str, password: str, request: Request, *, needed: bool = True) -> bool:
        """Verify a password, unless too many were wrong. Raises Throttled.

        One that was not ``needed`` counts apart, see Throttle.check.
        """
        password = password.strip()  # as Basic's is
        # The trusted proxy's own address is everybody's.
        address = None if request.environ.get("mypi.proxy") else request.remote_addr
        self.throttle.check(user, address, needed=needed)
        if self.users.verify(user, password):
            self.throttle.succeeded(user)
            return True
        self.throttle.failed(user, address, needed=needed)
        return False

    def _served(self, request: Request) -> bool:
        """Tell whether the server says who asks, and is trusted to."""
        return self._remote_user and bool(request.environ.get("REMOTE_USER"))

    def _by_server(self, request: Request) -> Identity | None:
        name = vouched(request.environ["REMOTE_USER"])
        return self.of_user(name) if name else None

    def _by_token(self, text: str, request: Request) -> Identity | None:
        now = times.now()
        held: Accounts = self.members.get()
        token = tokens.known(text, held)
        # The secret was right, so whoever sent it may learn what became of it.
        if token and tokens.is_over(token, now):
            request.environ[REFUSAL] = f"The token {token.name} expired at {token.expires}; make another"
            return None
        request.environ[REFUSAL] = "The token is none of this index, or it was revoked or has expired; make another"
        if token is None:
            return self.minted(text)
        if self.users.stamp(token.user) is None and not self._remote_user:
            return None  # its user is gone
        hour = f"{now[:13]}:00:00Z"
        if (token.used or "") < hour:
            self.members.used(token.id, hour)
        via, who = f"token {token.name}", self._principals(token.user)
        return Identity(token.user, who, via, permissions=token.permissions, projects=token.projects)

    def _logged_in(self, request: Request) -> Identity | None:
        if self._served(request):
            return self._by_server(request)
        value = cookies.read(request, COOKIE)
        session = self.sessions.read(value) if value else None
        if session is None or self.users.stamp(session.user) != session.stamp:
            return None
        return self.of_user(session.user, session=session)

    def _principals(self, user: str) -> frozenset[str]:
        groups = (f"group:{name}" for name in self.users.groups(user))
        return frozenset((USERS, f"user:{user}", *groups))


def is_for_people(request: Request) -> bool:
    """Tell whether the request is for a page that people use, with a session, and not for a client's API."""
    name: str = getattr(request, "view_name", "")  # there is none before the traversal, where errors happen too
    return name.startswith("+")


def refusal(request: Request) -> str:
    """Say why nobody was recognised in a request."""
    if request.method not in SAFE and is_for_people(request):
        return "This needs somebody who is logged in; log in and try again"
    tried = "The user name or password is wrong" if request.authorization else "This needs a user name and password"
    return str(request.environ.get(REFUSAL, tried))


def project_of(context: object) -> str | None:
    """Return the canonical name of the project that a place belongs to, None for the index itself."""
    return next((place.project for place in lineage(context) if hasattr(place, "project")), None)


@dataclass(frozen=True)
class Visible:
    """Which projects somebody may see; called with a canonical name. ``key`` differs for who sees others."""

    key: str
    test: Callable[[str], bool] | None = None

    def __call__(self, project: str) -> bool:
        return self.test is None or self.test(project)


def visible(request: Request) -> Visible:
    """Return which projects may be named to who asks, for pages that list several."""
    rules: rights.Rights = request.registry["mypi.settings"].rights
    if not rules.uneven and EVERYONE in rules.index["read"]:
        return Visible("")
    policy: Policy = request.registry["mypi.policy"]
    identity = policy.identity(request)
    no_limits: tuple[str, ...] = ()
    if identity is None:
        who, limits = frozenset({EVERYONE}), no_limits
    else:
        who = identity.principals | {EVERYONE}
        limits = identity.projects if "read" in identity.permissions else no_limits
    if not rules.uneven and "*" in limits and not who.isdisjoint(rules.index["read"]):
        return Visible("")

    def test(project: str) -> bool:
        allowed = rules.on("read", project)
        return EVERYONE in allowed or (not who.isdisjoint(allowed) and rights.matches(limits, project))

    drawn = " ".join([*sorted(who & rules.named), "|", *limits])
    return Visible(hashlib.sha256(drawn.encode()).hexdigest(), test)
