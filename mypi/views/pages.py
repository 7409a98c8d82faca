"""The pages that people read: the home page and a page for each project."""

from __future__ import annotations

from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response
from pyramid.static import static_view

from ..model import File, Names, Project
from ..resources import BareProject, ProjectPage, Root
from ..security import visible
from . import links, releases
from .common import common

SHOWN = 500
"""Projects named on the home page; /simple/ names all."""

_static = static_view("mypi:static", use_subpath=True)


def home(context: Root, request: Request) -> dict[str, Any] | Response:
    """Say what this is, how to use it from this very address, and what it holds."""
    away = links.to_slash(request)
    if away:
        return away
    held = request.repository.names()
    seen = visible(request)
    projects = [item for item in sorted((held.value if held else Names()).projects.items()) if seen(item[0])]
    uploads = request.registry["mypi.settings"].rights.somewhere("upload") != ("nobody",)
    return {**common(request), "projects": projects[:SHOWN], "count": len(projects), "uploads": uploads}


def project(context: ProjectPage | BareProject, request: Request) -> dict[str, Any] | Response:
    """Show a project: how to install it, and its releases with their files."""
    found: Project = request.repository.project(context.project).value
    away = links.to_canonical(request)
    if away:
        return away
    shown: dict[str, list[File]] = {version: [] for version in reversed(found.versions)}
    for file in found.live:
        shown[file.version].append(file)
    newest = _newest(found)
    return {**common(request), "project": found, "releases": shown, "newest": newest, "link": links.file}


def health(context: Root, request: Request) -> Response:
    """Say that the process answers."""
    return Response("ok\n", content_type="text/plain")


def robots(context: Root, request: Request) -> Response:
    """Keep private projects out of search engines."""
    return Response("User-agent: *\nDisallow: /\n", content_type="text/plain")


def static(context: Root, request: Request) -> Response:
    """Send a style sheet or picture. The folder itself is no page: Pyramid would redirect to an absolute address."""
    if not request.subpath:
        raise HTTPNotFound
    # They are tiny, and WebOb fails on "bytes=-" while it sends, when nothing of ours can answer for it any more.
    request.environ.pop("HTTP_RANGE", None)
    return _static(context, request)


def _newest(project: Project) -> str | None:
    """Return the version that an installer would take: the newest final one that is not yanked, if there is one."""
    found = releases.newest(project)
    return found.text if found and found.usable else None


def includeme(config: Configurator) -> None:
    people = {"request_method": "GET", "permission": "read"}
    config.add_view(home, context=Root, renderer="mypi:templates/home.jinja2", **people)
    config.add_view(project, context=ProjectPage, renderer="mypi:templates/project.jinja2", **people)
    config.add_view(
        project,
        context=BareProject,
        renderer="mypi:templates/project.jinja2",
        header="Accept:.*application/xhtml\\+xml",  # browsers name it, installers do not
        **people,
    )
    config.add_view(health, context=Root, name="+health", request_method="GET")
    config.add_view(robots, context=Root, name="robots.txt", request_method="GET")
    config.add_view(static, context=Root, name="+static", request_method="GET")
