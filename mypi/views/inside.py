"""The page of a file: what is in it, its metadata, and all that is known of it."""

from __future__ import annotations

from typing import Any

from packaging.version import Version
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response

from ..contents import Member, Unreadable
from ..model import File, Project
from ..resources import FilePage
from ..security import Policy
from . import files, links, paging, tags
from .common import common
from .looking import Inside
from .offered import live_file, offered

MEMBERS = 500
"""Files of an archive on a page."""

_LONGEST_HEAD = 50_000


def inside(context: FilePage, request: Request) -> dict[str, Any] | Response:
    """Show what is in a file; a file of another release is a 404 here."""
    project = offered(request, context.project).value
    file = live_file(request, project, context.filename)
    if Version(file.version) != context.version:
        raise HTTPNotFound(f"{context.filename} is of version {file.version}")
    context.release.text = file.version
    away = links.to_canonical(request)
    if away:
        return away
    looker: Inside = request.registry["mypi.inside"]
    policy: Policy = request.registry["mypi.policy"]
    members: tuple[Member, ...] = ()
    unreadable = None
    try:
        members = looker.listing(project, file)
    except Unreadable as exc:
        unreadable = str(exc)
    wanted = paging.matching(request, "member")
    matching = [member for member in members if wanted.lower() in member.name.lower()]
    return {
        **common(request),
        "project": project,
        "file": file,
        "members": paging.page(request, matching, MEMBERS, anchor="contents"),
        "all_members": len(members),
        "unpacked": sum(member.size for member in members),
        "many": len(members) > MEMBERS,
        "wanted": wanted,
        "unreadable": unreadable,
        "head": _head(request, project, file),
        "fits": tags.fits(file.filename),
        "tag": tags.tag(file.filename),
        "manages": policy.may(request, context.release.__parent__, "manage"),
        "link": links.file(links.up(request), project, file),
        "release": links.release,
        "provenance": links.provenance,
    }


def _head(request: Request, project: Project, file: File) -> str | None:
    """Return the fields of a file's metadata, without the description, which the project's page renders."""
    if not file.described:
        return None
    text = files.beside(request, project, file, ".metadata").decode("utf-8", "replace").replace("\r\n", "\n")
    head = text.partition("\n\n")[0]
    return head if len(head) <= _LONGEST_HEAD else f"{head[:_LONGEST_HEAD]}…"


def includeme(config: Configurator) -> None:
    config.add_view(
        inside, context=FilePage, request_method="GET", permission="read", renderer="mypi:templates/file.jinja2"
    )
