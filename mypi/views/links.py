"""Links and redirects, all relative: they hold behind any proxy, host name or prefix."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from pyramid.request import Request
from pyramid.response import Response

from ..model import File, Project
from ..resources import ProjectResource


class Redirect(Response):  # type: ignore[misc] # WebOb has no types
    """A redirect whose Location stays relative: WebOb would put the host and prefix that it knows before it."""

    def __init__(self, location: str, status: int = 301) -> None:
        super().__init__(status=status, content_type="text/plain", charset="UTF-8", body=location.encode() + b"\n")
        self.relative = location

    def __call__(self, environ: dict[str, object], start_response: object) -> Iterable[bytes]:
        head = [*self.headerlist, ("Location", self.relative)]
        start_response(self.status, head)  # type: ignore[operator] # WSGI's callable has no type in WebOb
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.body]


def up(request: Request) -> str:
    """Return the relative link from this page to the root.

    A page at ``/simple/acme-lib/`` gives ``../../``; ``./`` at the root, so that a link never begins with a slash.
    """
    return "../" * (request.environ["PATH_INFO"].count("/") - 1) or "./"


def file(up: str, project: Project, file: File) -> str:
    """Return the link to a file; its last segment is the file name (A4.2)."""
    return f"{up}files/{project.name}/{file.token}/{quote(file.filename)}"


def to_canonical(request: Request) -> Redirect | None:
    """Return the redirect to a page's one URL: canonical name, single slashes, trailing slash; None if it is that.

    The query goes with it (A1.2, A1.3, A1.5).
    """
    segments = []
    place = request.context
    while place.__parent__ is not None:
        segments.append(place.project if isinstance(place, ProjectResource) else place.__name__)
        place = place.__parent__
    canonical = "".join(f"{segment}/" for segment in reversed(segments))
    asked = _asked_path(request)
    if asked == f"/{canonical}":
        return None
    query = f"?{request.query_string}" if request.query_string else ""
    return Redirect(("../" * (asked.count("/") - 1) or "./") + canonical + query)


def _asked_path(request: Request) -> str:
    """Return the path that the client asked for; waitress takes slashes from its beginning before it says."""
    raw: str = request.environ.get("REQUEST_URI", "").partition("?")[0]
    return raw if raw.startswith("//") else request.path_info
