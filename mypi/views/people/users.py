"""Users, groups and rights, for who may manage the index."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPBadRequest, HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response

from ...accounts import AccountError, Hasher, check_user
from ...model import Accounts, Event, Missing, Token, User
from ...resources import Root
from ...rights import PERMISSIONS, Rights
from ..uploads import actor
from .pages import again, logged_in, page, see_other
from .typed import Typed

log = logging.getLogger(__name__)

_hasher = Hasher()

Change = Callable[[Accounts, Event], Accounts]


@dataclass(frozen=True)
class Known:
    """A user whom the store knows of; ``user`` is None where the password is kept elsewhere."""

    name: str
    user: User | None
    groups: tuple[str, ...]
    tokens: tuple[Token, ...]


class _Wrong(AccountError):
    """What was typed does not go together with the accounts as they are; ``field`` is the one to mend."""

    def __init__(self, field: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.field = field
        self.status = status


def show(context: Root, request: Request) -> dict[str, Any]:
    """List the users, or show the one whom the query names."""
    name = request.GET.get("user")
    if name is None:
        return _page(request)
    if name not in _names(request):
        raise HTTPNotFound("There is no user of that name")
    return _page(request, name)


def change(context: Root, request: Request) -> dict[str, Any] | Response:
    """Add, change or remove a user or a membership, or revoke a token."""
    typed: Typed = request.typed
    action = _ACTIONS.get(typed.one("action"))
    if action is None:
        raise HTTPBadRequest("The form names nothing that can be done here; load its page again")
    try:
        wanted, done, location = action(request, typed)
        request.repository.members.record(actor(request), wanted)
        if action is _remove:
            _disown(request, typed.one("of"))
    except _Wrong as exc:
        typed.errors[exc.field] = str(exc)
        return {**_page(request, typed.one("of") or None), **again(request, typed, exc.status)}
    return see_other(location, done)


def _add(request: Request, typed: Typed) -> tuple[Change, str, str]:
    name = _user(typed, "name")
    hashed = _hashed(typed)
    if request.registry["mypi.policy"].users.stamp(name) is not None:
        raise _Wrong("name", f"There is a user {name} already.", 409)

    def add(held: Accounts, event: Event) -> Accounts:
        there = held.users.get(name)
        if there and there.password != hashed:
            raise _Wrong("name", f"There is a user {name} already.", 409)
        return held.set_password(name, hashed, event)

    return add, "added", _at(name)


def _set_password(request: Request, typed: Typed) -> tuple[Change, str, str]:
    name = typed.one("of")
    hashed = _hashed(typed)

    def replace(held: Accounts, event: Event) -> Accounts:
        if name not in held.users:
            raise _Wrong("password", "There is no such user here any more.", 409)
        return held.set_password(name, hashed, event)

    return replace, "password", _at(name)


def _remove(request: Request, typed: Typed) -> tuple[Change, str, str]:
    name = typed.one("of")
    who = logged_in(request)
    if who and who.user == name:
        raise _Wrong("sure", "This is you; somebody else has to do it, or mypi user remove.")
    if not typed.one("sure"):
        raise _Wrong("sure", f"Say that {name} is to be removed.")
    return (lambda held, event: held.remove_user(name, event)), "removed-user", "+users"


def _disown(request: Request, name: str) -> None:
    """Take the ownerships of who was removed away; they are locked out already, however long that takes."""
    _, damaged = request.repository.disown(name, actor(request))
    for exc in damaged:
        log.warning("%s; %s is not taken out of its owners", exc, name)


def _join(request: Request, typed: Typed) -> tuple[Change, str, str]:
    of = typed.one("of")
    name, group = _carried(of) if of else _user(typed, "member"), _group(typed)
    return (lambda held, event: held.join(group, [name], event)), "joined", _at(of)


def _leave(request: Request, typed: Typed) -> tuple[Change, str, str]:
    name, group = typed.one("of") or typed.one("member"), typed.one("group")
    return (lambda held, event: held.leave(group, [name], event)), "left", _at(typed.one("of"))


def _revoke(request: Request, typed: Typed) -> tuple[Change, str, str]:
    name, id = typed.one("of"), typed.one("id")

    def revoke(held: Accounts, event: Event) -> Accounts:
        try:
            return held.revoke(id, event, user=name)
        except Missing as exc:
            raise _Wrong("id", f"{exc}.", 404) from exc

    return revoke, "revoked", _at(name)


_ACTIONS: dict[str, Callable[[Request, Typed], tuple[Change, str, str]]] = {
    "add": _add,
    "password": _set_password,
    "remove": _remove,
    "join": _join,
    "leave": _leave,
    "revoke": _revoke,
}


def _user(typed: Typed, field: str) -> str:
    try:
        return check_user(typed.line(field, longest=100))
    except AccountError:
        raise _Wrong(field, "A name has letters, digits and any of _ . @ + - in it; at most 100.") from None


def _carried(name: str) -> str:
    """Return the name of a user of any source, which a form carries along. Raises HTTPBadRequest."""
    if not 1 <= len(name) <= 200 or not name.isprintable():
        raise HTTPBadRequest("The form names no user; go back to the page of users")
    return name


def _group(typed: Typed) -> str:
    try:
        return check_user(typed.line("group", longest=100).removeprefix("group:"))
    except AccountError:
        raise _Wrong("group", "A name has letters, digits and any of _ . @ + - in it; at most 100.") from None


def _hashed(typed: Typed) -> str:
    try:
        return _hasher.hash(typed.one("password"))
    except AccountError as exc:
        raise _Wrong("password", f"{str(exc).capitalize()}.") from None


def _at(name: str) -> str:
    return f"+users?user={quote(name, safe='')}" if name else "+users"


def _names(request: Request) -> list[str]:
    """Return everybody whom the store knows of: with a password, a token or a membership."""
    held = request.repository.members.get()
    tokens = {token.user for token in held.tokens.values()}
    members = {member for group in held.groups.values() for member in group}
    return sorted({*held.users, *tokens, *members})


def _known(held: Accounts, name: str) -> Known:
    return Known(name, held.users.get(name), tuple(sorted(held.groups_of(name))), held.tokens_of(name))


def _page(request: Request, name: str | None = None) -> dict[str, Any]:
    held = request.repository.members.get()
    who = logged_in(request)
    return page(
        request,
        "users",
        users=[_known(held, each) for each in _names(request)],
        groups=sorted(held.groups.items()),
        one=_known(held, name) if name is not None else None,
        self_=who is not None and who.user == name,
        permissions=PERMISSIONS,
        rules=_rules(request.registry["mypi.settings"].rights),
    )


def _rules(rights: Rights) -> list[tuple[str, list[tuple[tuple[str, ...], bool]]]]:
    """Return for the index and each pattern who has each permission, and whether the pattern itself says so."""
    patterns = dict.fromkeys(each for permission in PERMISSIONS for each in rights.patterns.get(permission, {}))
    table = [("", [(rights.index[permission], True) for permission in PERMISSIONS])]
    for each in patterns:
        own = [rights.patterns.get(permission, {}).get(each) for permission in PERMISSIONS]
        table.append((each, [(who or rights.index[p], bool(who)) for p, who in zip(PERMISSIONS, own, strict=True)]))
    return table


def includeme(config: Configurator) -> None:
    config.add_page("+users", get=show, post=change, template="users", permission="manage")
