"""How the pages for people are registered, what each of them shows, and where a form leads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPForbidden
from pyramid.request import Request

from ...resources import Root
from ...security import Identity
from .. import links
from ..common import common
from ..links import Redirect
from .csrf import get_csrf_token
from .typed import Typed

View = Callable[..., Any]

DONE = {
    "added": "The user was added.",
    "password": "The password was changed. Whoever was logged in with the old one no longer is.",
    "removed-user": "The user was removed, with every token, membership and ownership.",
    "joined": "The group has a new member.",
    "left": "The group has lost a member.",
    "revoked": "The token was revoked.",
    "yank": "The files are yanked.",
    "unyank": "The files are not yanked any more.",
    "remove": "The files were removed.",
    "restore": "The files were restored.",
    "status": "The status was set.",
    "owner-add": "The project has a new owner.",
    "owner-remove": "The project has lost an owner.",
}
"""What a page says after a change; the address names the sentence, so that nobody else puts words there."""


def page(request: Request, here: str, **values: Any) -> dict[str, Any]:
    """Return what a page with forms shows. ``here`` is its name in the navigation."""
    shown = common(request)
    request.response.headers["Cache-Control"] = "no-store"
    done = DONE.get(request.GET.get("done", "")) if request.method != "POST" else None
    return {**shown, "csrf": get_csrf_token(request), "here": here, "done": done, **values}


def again(request: Request, typed: Typed, status: int = 400) -> dict[str, Any]:
    """Return what a form shows that came back: the errors, and under ``typed`` what was typed."""
    request.response.status = status
    return {"errors": typed.errors, "typed": typed}


def see_other(location: str, done: str = "") -> Redirect:
    """Lead to a page after a change, so that loading it again changes nothing."""
    return Redirect(f"{location}{'&' if '?' in location else '?'}done={done}" if done else location, 303)


def needs_login(request: Request) -> Redirect:
    """Lead who is not logged in to where that is done. Raises HTTPForbidden for a form, which would be lost."""
    if request.method == "POST":
        raise HTTPForbidden("You are not logged in, or your session has ended; log in and send the form again")
    return Redirect(links.login(request), 303)


def logged_in(request: Request) -> Identity | None:
    """Return who is logged in at the browser."""
    who: Identity | None = request.registry["mypi.policy"].of_session(request)
    return who


def add_page(
    config: Configurator,
    name: str,
    *,
    get: View | None = None,
    post: View | None = None,
    context: type = Root,
    template: str | None = None,
    permission: str | None = None,
    require_csrf: bool = True,
) -> None:
    """Register a page by its methods. Directive ``add_page``."""
    views = {method: view for method, view in (("GET", get), ("POST", post)) if view}
    config.registry.setdefault("mypi.methods", {})[name] = tuple(views)
    renderer = f"mypi:templates/people/{template}.jinja2" if template else None
    for method, view in views.items():
        config.add_view(
            view,
            context=context,
            name=name,
            request_method=method,
            renderer=renderer,
            permission=permission,
            require_csrf=require_csrf,
        )


def includeme(config: Configurator) -> None:
    config.add_directive("add_page", add_page)
