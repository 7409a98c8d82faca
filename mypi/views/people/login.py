"""Logging in and out: a session for a password, ended on every node at once."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from ... import cookies
from ...accounts import Throttled
from ...accounts.sessions import HOURS
from ...accounts.tokens import PREFIX
from ...repository import Moved
from ...resources import Root
from ...security import COOKIE, Policy
from .. import links
from .csrf import COOKIE as CSRF_COOKIE
from .pages import again, logged_in, page, see_other

_PLAIN = re.compile(r"[^\\\x00-\x20\x7f]*\Z")


def way(wanted: str) -> str:
    """Return the link from the root's level to a page of this index, ``./`` for whatever is none (threat 13).

    The link always begins with ``./``, so that no browser finds a host or a scheme in it.

    >>> way("project/acme-lib/+manage"), way("//evil.example"), way("https:evil.example")
    ('./project/acme-lib/+manage', './', './')
    """
    path, question, query = wanted.removeprefix("/").partition("?")
    segments = unquote(path).split("/")
    if path.startswith("/") or not _PLAIN.match(unquote(path)) or not _PLAIN.match(query):
        return "./"
    if {".", ".."}.intersection(segments) or "" in segments[:-1] or ":" in segments[0] or "#" in wanted:
        return "./"
    return "./" + "/".join(quote(each, safe="+!@=,") for each in segments) + (question + quote(query, safe="=&%+/:;,!"))


def show(context: Root, request: Request) -> dict[str, Any] | Response:
    """Show the form, or go on where somebody is logged in already."""
    wanted = request.GET.get("next", "")
    if logged_in(request):
        return see_other(way(wanted))
    return page(request, "login", wanted=wanted)


def log_in(context: Root, request: Request) -> dict[str, Any] | Response:
    """Open a session for who knows the password; whatever session came with the request ends."""
    policy: Policy = request.registry["mypi.policy"]
    typed = request.typed
    user = typed.line("user", longest=100, required="Type your user name.")
    password = typed.one("password").strip()
    if not password:
        typed.wrong("password", "Type your password.")
    elif password.startswith(PREFIX):
        typed.wrong("password", "This is a token, which is for tools; type your password.")
    status = 400
    if not typed.errors:
        stamp = None
        try:
            if policy.check(user, password, request):
                # Not before: a directory may have been asked before it knew the user, and nobody asks it unbraked.
                stamp = policy.users.stamp(user)
        except Throttled as exc:
            request.response.headers["Retry-After"] = str(exc.retry_after)
            typed.wrong("password", f"{exc}.")
            status = 429
        else:
            # Once more, for it may have been changed between the two, and then the old one opens nothing.
            if stamp is not None and policy.users.verify(user, password):
                return _opened(request, user, stamp, way(typed.one("next")))
            # A 401 would have to carry a challenge, and a browser would ask for the password in a window of its own.
            typed.wrong("password", "The user name or password is wrong.")
            status = 403
    return {**page(request, "login", wanted=typed.one("next")), **again(request, typed, status)}


def _opened(request: Request, user: str, stamp: str, location: str) -> Response:
    request.environ["mypi.user"] = user
    before = logged_in(request)
    answer = see_other(location)
    open_session(request, answer, user, stamp)
    if before and before.session:
        request.registry["mypi.policy"].sessions.end(before.session)
    cookies.write(request, answer, CSRF_COOKIE, None)
    return answer


def open_session(request: Request, answer: Response, user: str, stamp: str) -> None:
    """Give the browser the cookie of a new session."""
    value = request.registry["mypi.policy"].sessions.open(user, stamp)
    cookies.write(request, answer, COOKIE, value, seconds=HOURS * 3600)


def log_out(context: Root, request: Request) -> Response:
    """End the session, here and on every node."""
    who = logged_in(request)
    if who and who.session:
        with suppress(Moved):  # its index takes no writes any more; the browser forgets the session all the same
            request.registry["mypi.policy"].sessions.end(who.session)
    answer = see_other(links.up(request))
    cookies.write(request, answer, COOKIE, None)
    return answer


def includeme(config: Configurator) -> None:
    config.add_page("+login", get=show, post=log_in, template="login")
    config.add_page("+logout", post=log_out)
