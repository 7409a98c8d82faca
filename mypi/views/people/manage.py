"""Managing a project: what a change would do is shown first, and done when that is confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from packaging.version import Version
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from ...accounts import AccountError, check_user
from ...model import STATUSES, File, Missing, Project
from ...model.errors import ModelError
from ...resources import ProjectPage
from ...security import visible
from .. import links
from ..paging import page as part
from ..uploads import actor
from .pages import again, page, see_other
from .plans import ACTIONS, OF_FILES, Plan, choose, impact
from .typed import Typed

SHOWN = 50
"""Releases on one page."""


@dataclass(frozen=True)
class Group:
    """A release with every file that it ever had, purged ones left out."""

    version: str
    files: tuple[File, ...]

    @property
    def live(self) -> int:
        return sum(1 for file in self.files if file.live)

    @property
    def yanked(self) -> int:
        return sum(1 for file in self.files if file.live and file.yanked is not None)

    @property
    def removed(self) -> int:
        return len(self.files) - self.live


def show(context: ProjectPage, request: Request) -> dict[str, Any] | Response:
    """Show what can be changed."""
    found: Project = request.repository.project(context.project).value
    away = links.to_canonical(request, view="+manage")
    return away or _page(request, found)


def change(context: ProjectPage, request: Request) -> dict[str, Any] | Response:
    """Show what a change does; the second time, do it, unless the project has changed since the first."""
    typed: Typed = request.typed
    project: Project = request.repository.project(context.project).value
    try:
        plan = _plan(project, typed)
        foreseen = impact(project, plan, request.overview.dependents(project.name, visible(request)))
        confirmed = typed.one("revision")
        if confirmed == project.revision:
            plan.carry_out(request.repository, project.name, actor(request))
            return see_other("+manage", plan.action)
    except ModelError as exc:
        typed.errors.setdefault("chosen", str(exc))
    if typed.errors:
        status = 400 if not typed.one("revision") else 409
        return {**_page(request, project), **again(request, typed, status)}
    values = {"project": project, "plan": plan, "impact": foreseen, "typed": typed, "stale": bool(confirmed)}
    shown = page(request, "manage", **values, trash_days=request.registry["mypi.settings"].trash_days)
    if confirmed:
        request.response.status = 409
    return {**shown, "errors": {}}


def _plan(project: Project, typed: Typed) -> Plan:
    """Read what is wanted; what is wrong stands in the form's errors. Raises Missing."""
    action = typed.one("action")
    if action not in ACTIONS:
        typed.wrong("action", "Choose what is to be done.")
        raise Missing("Choose what is to be done.")
    reason = typed.line("reason")
    if action in OF_FILES:
        return Plan(action, choose(project, action, typed.all("file"), typed.all("release")), reason)
    if action == "status":
        return _status(project, typed, reason)
    return Plan(action, value=_owner(project, typed, action))


def _status(project: Project, typed: Typed, reason: str) -> Plan:
    value = typed.one("value")
    if value == "active" != project.status and reason == project.status_reason:
        # The form had it already; it says why the project was something else, and installers would be told it.
        reason = ""
    if value not in STATUSES:
        typed.wrong("status", "Choose one of these.")
    elif (value, reason) == (project.status, project.status_reason):
        typed.wrong("status", f"The project is {value} already, for that reason.")
    if "status" in typed.errors:
        raise Missing("The status cannot be set to this.")
    return Plan("status", reason=reason, value=value)


def _owner(project: Project, typed: Typed, action: str) -> str:
    user = typed.line("value", longest=100)
    try:
        check_user(user)
    except AccountError:
        typed.wrong("owner", "Type the name of a user.")
    if action == "owner-add" and user in project.owners:
        typed.wrong("owner", f"{user} is an owner already.")
    if action == "owner-remove" and user not in project.owners:
        typed.wrong("owner", f"{user} is no owner.")
    if "owner" in typed.errors:
        raise Missing("The owners cannot be changed like this.")
    return user


def _page(request: Request, project: Project) -> dict[str, Any]:
    groups = _groups(project)
    wanted = request.GET.get("version")
    shown = part(request, [each for each in groups if wanted in (None, each.version)], SHOWN)
    return page(
        request,
        "manage",
        project=project,
        groups=shown.items,
        pages=shown,
        one=wanted,
        statuses=STATUSES,
        plan=None,
        errors={},
        typed=Typed({}),
    )


def _groups(project: Project) -> list[Group]:
    """Return the releases, the newest first."""
    files: dict[str, list[File]] = {}
    for file in project.files.values():
        if not file.purged:
            files.setdefault(file.version, []).append(file)
    order = sorted(files, key=lambda version: (Version(version), version), reverse=True)
    return [Group(version, tuple(sorted(files[version], key=lambda f: f.filename))) for version in order]


def includeme(config: Configurator) -> None:
    config.add_page("+manage", get=show, post=change, context=ProjectPage, template="manage", permission="manage")
