"""The page of an upstream's project: whose it is, and what of it is kept here. It never asks the upstream."""

from __future__ import annotations

from typing import Any

from packaging.version import Version
from pyramid.renderers import render_to_response
from pyramid.request import Request
from pyramid.response import Response

from .. import names
from ..model.remote import RemoteFile
from ..resources import BareProject, ProjectPage
from ..security import Visible
from ..store import NotFound
from ..upstream import Served, Unknown, Upstream
from . import links, paging, tags
from .common import common

FILES = 100
"""How many a page shows."""


def project(context: ProjectPage | BareProject, request: Request) -> Response:
    """Show what is kept of a project that is an upstream's. Raises NotFound if it cannot be one, Unknown."""
    upstream: Upstream | None = request.upstream
    if upstream is None or not upstream.theirs(context.project):
        raise NotFound(context.project)
    away = links.to_canonical(request)
    if away:
        return away
    upstream.screen.check(context.project)
    served = upstream.kept(context.project)
    if served is None:
        # Whether there is one only the upstream knows, and nobody's browsing asks it.
        sites = " or ".join(site.name for site in upstream.sites)
        raise Unknown(
            f"This index has no project {context.project}, and nobody has installed one through it; if {sites} has it, "
            f"pip install -i {links.address(request)} {context.project} brings it"
        )
    return render_to_response("mypi:templates/remote.jinja2", {**common(request), **_page(request, served)}, request)


def named(upstream: Upstream | None, words: str, seen: Visible) -> Served | None:
    """Return what is kept of an upstream's project that somebody looks for by its name; None if nothing is."""
    try:
        name = names.project(words)
    except names.InvalidName:
        return None
    return upstream.kept(name) if upstream and seen(name) and upstream.theirs(name) else None


def _page(request: Request, served: Served) -> dict[str, Any]:
    page, kept = served.page, served.cached.kept
    newest_first = sorted(page.files, key=lambda file: Version(file.version), reverse=True)
    wanted = paging.matching(request, "file")
    matching = [file for file in newest_first if wanted.lower() in file.filename.lower()]
    return {
        "project": page,
        "site": served.cached.site,
        "latest": _latest(page.files),
        "files": paging.page(request, matching, FILES, name="files", anchor="files"),
        "wanted": wanted,
        "all_files": len(page.files),
        "kept": {file.filename for file in page.files if _is_kept(file, kept)},
        "link": lambda file: links.remote_file(links.up(request), page.name, file),
        "fits": tags.fits,
    }


def _is_kept(file: RemoteFile, kept: Any) -> bool:
    return file.filename in kept and kept[file.filename].digest == file.digest


def _latest(files: tuple[RemoteFile, ...]) -> str | None:
    """Return the version that installers choose if they are asked for none."""
    usable = [file for file in files if file.yanked is None]
    return max(
        (file.version for file in usable), key=lambda v: (not Version(v).is_prerelease, Version(v)), default=None
    )
