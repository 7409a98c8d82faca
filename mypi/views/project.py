"""The page of a project and of each of its releases: what it is, how to install it, its files, who needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response

from .. import readme
from ..metadata import CoreMetadata
from ..model import File, Project
from ..model.releases import Release, newest, releases
from ..overview import Overview
from ..resources import BareProject, ProjectPage, ReleasePage
from ..security import Policy, visible
from ..store import NotFound
from . import links, paging, remote, shown, tags
from .common import common
from .offered import dependents, offered, refuse_release

FILES, VERSIONS, DEPENDENTS = 100, 50, 50
"""How many of each a page shows."""


@dataclass(frozen=True)
class Row:
    """A release in the list of them; ``at`` is when its first file came, None if it has none."""

    release: Release
    at: str | None

    @property
    def prerelease(self) -> bool:
        return self.release.version.is_prerelease


def project(context: ProjectPage | BareProject, request: Request) -> dict[str, Any] | Response:
    """Show a project by its newest release, with the list of all; or what is kept of an upstream's."""
    try:
        found = offered(request, context.project).value
    except NotFound:
        return remote.project(context, request)
    away = links.to_canonical(request)
    return away or _page(request, context, found, newest(found))


def release(context: ReleasePage, request: Request) -> dict[str, Any] | Response:
    """Show one release; an unknown version is a 404."""
    found = offered(request, context.project).value
    chosen = releases(found).get(context.version)
    if chosen is None:
        refuse_release(request, found, context.version)
        raise HTTPNotFound(f"{found.display} has no release {context.version}")
    context.text = chosen.text  # of spellings that are equal, such as 1.0 and 1.0.0, the one of its files
    away = links.to_canonical(request)
    return away or {**_page(request, context, found, chosen), "one": True}


def _page(request: Request, context: Any, found: Project, chosen: Release | None) -> dict[str, Any]:
    """Return all that the page of a release shows, which stands for its project too."""
    overview: Overview = request.overview
    policy: Policy = request.registry["mypi.policy"]
    latest = newest(found)
    told = overview.release(found, chosen.text) if chosen else None
    seen = visible(request)
    place = context if isinstance(context, (ProjectPage, BareProject)) else context.__parent__
    needing = dependents(request, overview.dependents(found.name, seen))
    return {
        **common(request),
        "project": found,
        "chosen": chosen,
        "latest": latest,
        "one": False,
        "detailed": bool(found.owners or (told and shown.is_detailed(told.core))),
        **_said(told.core if told else None, overview, seen),
        **_files(request, chosen.files if chosen else ()),
        "came": shown.summary_of(chosen.files) if chosen else None,
        "versions": paging.page(request, _rows(found), VERSIONS, name="versions", anchor="versions"),
        "dependents": paging.page(request, needing, DEPENDENTS, name="dependents", anchor="dependents"),
        "complete": overview.complete,
        "manages": policy.may(request, place, "manage"),
        "link": links.file,
        "release": links.release,
        "provenance": links.provenance,
        "page_of": links.page_of_file,
        "fits": tags.fits,
    }


def _said(core: CoreMetadata | None, overview: Overview, seen: Any) -> dict[str, Any]:
    """Return what a release says of itself, ready to be shown."""
    if core is None:
        return {"core": None, "readme": None, "dependencies": [], "links": [], "license": None, "classifiers": []}
    text = core.description
    return {
        "core": core,
        "readme": shown.reachable(readme.render(text, core.description_content_type)) if text else None,
        "dependencies": shown.dependencies(core.requires_dist, lambda name: seen(name) and overview.has(name)),
        "links": shown.links(core),
        "license": shown.licenses(core),
        "classifiers": shown.classifiers(core),
    }


def _files(request: Request, files: Sequence[File]) -> dict[str, Any]:
    """Return the files to show: those whose names hold what is typed, a page of them."""
    wanted = paging.matching(request, "file")
    matching = [file for file in files if wanted.lower() in file.filename.lower()]
    listed = paging.page(request, matching, FILES, name="files", anchor="files")
    return {"files": listed, "wanted": wanted, "many": len(files) > FILES, "all_files": len(files)}


def _rows(found: Project) -> list[Row]:
    """Return the releases, the newest first."""
    rows = []
    for each in reversed(releases(found).values()):
        first = shown.summary_of(each.files)
        rows.append(Row(each, first[0] if first else None))
    return rows


def includeme(config: Configurator) -> None:
    people = {"request_method": "GET", "permission": "read", "renderer": "mypi:templates/project.jinja2"}
    config.add_view(project, context=ProjectPage, **people)
    config.add_view(release, context=ReleasePage, **people)
    browsers = "Accept:.*application/xhtml\\+xml"  # they name it, installers do not
    config.add_view(project, context=BareProject, header=browsers, **people)
