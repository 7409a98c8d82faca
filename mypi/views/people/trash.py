"""The trash: removed files that can still be restored."""

from __future__ import annotations

from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request

from ...overview import Removed
from ...resources import Pages, ProjectPage, Root
from ...security import visible
from ..paging import page as part
from .pages import page


def show(context: Root, request: Request) -> dict[str, Any]:
    """List what was removed, the last first, with the day until when it is kept for sure."""
    days = request.registry["mypi.settings"].trash_days
    found: list[Removed] = request.overview.removed(visible(request), days)
    shown = part(request, found, 100)
    policy, pages = request.registry["mypi.policy"], Pages(context, "project")
    names = {each.project for each in shown.items}
    managed = {name for name in names if policy.may(request, ProjectPage(pages, name), "manage")}
    return page(request, "trash", removed=shown.items, pages=shown, managed=managed, days=days)


def includeme(config: Configurator) -> None:
    config.add_page("+trash", get=show, template="trash", permission="read")
