"""Somebody's own account: tokens, groups and the password."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPBadRequest
from pyramid.request import Request
from pyramid.response import Response

from ... import accounts, times
from ...accounts import AccountError, Hasher, Throttled
from ...model import Accounts, Event, Missing, Token, User
from ...resources import Root
from ...rights import PERMISSIONS, pattern
from ...times import timestamp
from ..uploads import actor
from .login import open_session
from .pages import again, logged_in, needs_login, page, see_other
from .typed import Typed

EXPIRIES = {"7": "in a week", "30": "in 30 days", "90": "in 90 days", "365": "in a year", "": "never"}
MOST_TOKENS = 100

_hasher = Hasher()


def show(context: Root, request: Request) -> dict[str, Any] | Response:
    """Show the account of who is logged in."""
    return _page(request) if logged_in(request) else needs_login(request)


def change(context: Root, request: Request) -> dict[str, Any] | Response:
    """Make or revoke a token, or change the password."""
    who = logged_in(request)
    if who is None:
        return needs_login(request)
    typed: Typed = request.typed
    actions = {"token": _make_token, "revoke": _revoke, "password": _set_password}
    action = actions.get(typed.one("action"))
    if action is None:
        raise HTTPBadRequest("The form names nothing that can be done here; load its page again")
    return action(request, who.user, typed)


def _make_token(request: Request, user: str, typed: Typed) -> dict[str, Any]:
    """Make a token and show it, this once."""
    name = typed.line("name", longest=60, required="Give it a name, such as the machine that will use it.")
    permissions = tuple(each for each in PERMISSIONS if each in typed.all("permission"))
    if not permissions:
        typed.wrong("permission", "Choose at least one of the rights.")
    expires = typed.one("expires")
    if expires not in EXPIRIES:
        typed.wrong("expires", "Choose one of these.")
    projects = _patterns(typed)
    if typed.errors:
        return {**_page(request), **again(request, typed)}
    drawn, now = accounts.fresh(), datetime.now(timezone.utc)
    until = timestamp(now + timedelta(days=int(expires))) if expires else None
    token = Token(drawn.id, user, name, drawn.digest, timestamp(now), permissions, projects, until)

    def add(held: Accounts, event: Event) -> Accounts:
        others = [each for each in held.tokens_of(user) if each.id != token.id]
        if any(each.name == name for each in others):
            raise AccountError("You have a token of this name already; take another, or revoke that one first.")
        if len(others) >= MOST_TOKENS:
            raise AccountError(f"You have {len(others)} tokens, which is the most; revoke one that is not used.")
        return held.add_token(token, event)

    try:
        request.repository.members.record(actor(request), add)
    except AccountError as exc:
        typed.wrong("name", str(exc))
        return {**_page(request), **again(request, typed)}
    return {**_page(request), "made": token, "text": drawn.text}


def _patterns(typed: Typed) -> tuple[str, ...]:
    """Return the patterns of projects that were typed, ``*`` for none."""
    found = []
    for word in typed.line("projects").replace(",", " ").split():
        try:
            found.append(pattern(word))
        except ValueError as exc:
            typed.wrong("projects", f"{exc}.")
    return tuple(dict.fromkeys(found)) or ("*",)


def _revoke(request: Request, user: str, typed: Typed) -> dict[str, Any] | Response:
    """Take one of the user's own tokens away."""
    try:
        request.repository.members.record(
            actor(request), lambda held, event: held.revoke(typed.one("id"), event, user=user)
        )
    except Missing as exc:
        typed.wrong("id", f"{exc}.")
        return {**_page(request), **again(request, typed, 404)}
    return see_other("+account", "revoked")


def _set_password(request: Request, user: str, typed: Typed) -> dict[str, Any] | Response:
    """Change the password of a user whom the store keeps; other sessions end, and this one goes on."""
    known = request.repository.members.get().users.get(user)
    if known is None:
        raise HTTPBadRequest("This user's password is not kept here; change it where it is")
    hashed, status = _hashed(typed), 400
    if not typed.errors:
        status = _check_old(request, user, typed)
    if not typed.errors:
        status = _replace(request, known, hashed, typed)
    if typed.errors:
        return {**_page(request), **again(request, typed, status)}
    answer = see_other("+account", "password")
    open_session(request, answer, user, request.registry["mypi.policy"].users.stamp(user))
    return answer


def _hashed(typed: Typed) -> str:
    """Return the hash of the new password, "" if it cannot be taken."""
    new = typed.one("new").strip()
    if new != typed.one("again").strip():
        typed.wrong("again", "The two are not the same; type the new password twice.")
    try:
        return _hasher.hash(new)
    except AccountError as exc:
        typed.wrong("new", f"{str(exc).capitalize()}.")
        return ""


def _check_old(request: Request, user: str, typed: Typed) -> int:
    """Verify the present password, and return the status if it is wrong: a session alone changes none."""
    try:
        if not request.registry["mypi.policy"].check(user, typed.one("old").strip(), request):
            typed.wrong("old", "This is not your password.")
    except Throttled as exc:
        request.response.headers["Retry-After"] = str(exc.retry_after)
        typed.wrong("old", f"{exc}.")
        return 429
    return 403


def _replace(request: Request, known: User, hashed: str, typed: Typed) -> int:
    """Put the new hash in the place of the one that was verified, and return the status if that is gone."""

    def replace(held: Accounts, event: Event) -> Accounts:
        there = held.users.get(known.name)
        if there is None or there.password not in (known.password, hashed):
            raise AccountError("Somebody else has changed the password meanwhile.")
        return held.set_password(known.name, hashed, event)

    try:
        request.repository.members.record(actor(request), replace)
    except AccountError as exc:
        typed.wrong("old", str(exc))
    return 409


def _page(request: Request) -> dict[str, Any]:
    who = logged_in(request)
    user = who.user if who else ""
    held = request.repository.members.get()
    now = times.now()
    tokens = [(token, token.expires is not None and token.expires <= now) for token in held.tokens_of(user)]
    groups = sorted(request.registry["mypi.policy"].users.groups(user))
    return page(
        request,
        "account",
        user=user,
        tokens=tokens,
        groups=groups,
        kept_here=user in held.users,
        permissions=PERMISSIONS,
        expiries=EXPIRIES,
    )


def includeme(config: Configurator) -> None:
    config.add_page("+account", get=show, post=change, template="account")
