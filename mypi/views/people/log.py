"""The log: who did what, from the histories of projects and, for who manages the index, of the accounts."""

from __future__ import annotations

import re
from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request

from ... import names
from ...names import InvalidName
from ...overview import Logged
from ...resources import Root
from ...security import visible
from ..paging import page as part
from .pages import page

ACTIONS = (
    *("publish", "register", "yank", "unyank", "remove", "restore", "purge"),
    *("status active", "status archived", "status deprecated", "status quarantined", "owner add", "owner remove"),
)
OF_ACCOUNTS = ("user add", "user remove", "password", "group add", "group remove", "token add", "token remove")
"""What an entry says was done, without the names that follow."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_ALL = 1_000_000


def show(context: Root, request: Request) -> dict[str, Any]:
    """List what was done, the newest first, as far as the filters of the query let it through."""
    manages = bool(request.registry["mypi.policy"].may(request, context, "manage"))
    given = {name: request.GET.get(name, "").strip() for name in ("project", "user", "did", "since", "until")}
    days = [name for name in ("since", "until") if given[name] and not _DAY.match(given[name])]
    errors = dict.fromkeys(days, "Write a day as 2026-01-31.")
    project = None
    if given["project"]:
        try:
            project = str(names.project(given["project"]))
        except InvalidName:
            errors["project"] = "This is no name of a project."
    found: list[Logged] = []
    if not errors:
        events = request.overview.events(
            visible(request),
            project=project,
            user=given["user"] or None,
            accounts=manages and project is None,
            limit=_ALL,
        )
        found = [each for each in events if _wanted(each.event, given)]
    shown = part(request, found, 100)
    actions = (*ACTIONS, *OF_ACCOUNTS) if manages else ACTIONS
    if errors:
        request.response.status = 400
    values = {"events": shown.items, "pages": shown, "given": given, "errors": errors, "actions": actions}
    return page(request, "log", manages=manages, **values)


def _wanted(event: Any, given: dict[str, str]) -> bool:
    """Tell whether an entry is of the days and of the kind that are asked for; the last day counts whole."""
    did, since, until = given["did"], given["since"], given["until"]
    kind = not did or event.did == did or event.did.startswith(f"{did} ")
    return kind and (not since or event.at[:10] >= since) and (not until or event.at[:10] <= until)


def includeme(config: Configurator) -> None:
    config.add_page("+log", get=show, template="log", permission="read")
