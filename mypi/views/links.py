"""Links and redirects: relative ones, which hold behind any proxy, host name or prefix; and the whole address."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from urllib.parse import quote

from pyramid.request import Request
from pyramid.response import Response

from ..model import File, Project
from ..model.remote import RemoteFile


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


def address(request: Request) -> str:
    """Return the whole address of the root, without a slash at its end, for what is used away from this page."""
    found: str = request.registry["mypi.settings"].public_url or request.application_url
    return found


def login(request: Request) -> str:
    """Return the link to where people log in, with the way back to this page."""
    back = request.path_info.lstrip("/") + _query(request)
    return f"{up(request)}+login" + (f"?next={quote(back, safe='')}" if back else "")


def file(up: str, project: Project, file: File, *, place: str = "files") -> str:
    """Return the link to a file; its last segment is the file name (A4.2). ``place`` may be PyPI's, ``packages``."""
    return f"{up}{place}/{project.name}/{file.token}/{quote(file.filename, safe='')}"


def remote_file(up: str, project: str, file: RemoteFile) -> str:
    """Return our link to an upstream's file, which is as permanent as one to ours: it is made of the file's digest."""
    return f"{up}files/{project}/{file.token}/{quote(file.filename, safe='')}"


def release(up: str, project: str, version: str) -> str:
    """Return the link to the page of a release."""
    return f"{up}project/{quote(project)}/{quote(version, safe='!+')}/"


def page_of_file(up: str, project: Project, file: File) -> str:
    """Return the link to the page of a file, on which is what is in it."""
    return f"{release(up, project.name, file.version)}{quote(file.filename, safe='!+')}/"


def provenance(base: str, project: Project, file: File) -> str:
    """Return the link to a file's provenance, from what stands before ``integrity/``."""
    release = quote(file.version, safe="!+")
    return f"{base}integrity/{project.name}/{release}/{quote(file.filename, safe='')}/provenance"


def to_canonical(request: Request, *, slash: bool = True, view: str = "") -> Redirect | None:
    """Return the redirect to a page's one URL: canonical name, single slashes, trailing slash; None if it is that.

    The query goes with it (A1.2, A1.3, A1.5), and the name of a ``view`` that stands below. Where ``slash`` is false
    the URL ends without one, and one is no fault.
    """
    segments = []
    place = request.context
    while place.__parent__ is not None:
        segments.append(place.canonical)
        place = place.__parent__
    bare = "".join(f"/{segment}" for segment in reversed(segments))
    if view:
        bare, slash = f"{bare}/{view}", False
    asked = _asked_path(request)
    if asked == f"{bare}/" or (asked == bare and not slash):
        return None
    return Redirect(relative(asked, f"{bare}/" if slash else bare) + _query(request))


def to_slash(request: Request) -> Redirect | None:
    """Return the redirect from a prefix without its slash, ``/pypi``, to the first page; None if there is one."""
    if request.environ["PATH_INFO"] or not request.script_name:
        return None
    return Redirect(f"{quote(request.script_name.rpartition('/')[2])}/{_query(request)}")


def relative(asked: str, wanted: str) -> str:
    """Return the way from one path of the index to another, up over as few levels as possible.

    Python's urljoin takes one level for each ``..`` although a slash was doubled before it (RFC 3986 5.2.4 takes the
    empty segment); the fewer there are, the less is lost of a prefix.

    >>> relative("/simple//Acme.Lib/", "/simple/acme-lib/")
    '../../acme-lib/'
    """
    here, there = asked.split("/")[1:], wanted.split("/")[1:]
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(here[:-1], there[:-1], strict=False)))
    return "../" * (len(here) - 1 - same) + "/".join(there[same:])


def _query(request: Request) -> str:
    return f"?{request.query_string}" if request.query_string else ""


def _asked_path(request: Request) -> str:
    """Return the path that the client asked for; waitress takes slashes from its beginning before it says."""
    raw: str = request.environ.get("REQUEST_URI", "").partition("?")[0]
    if raw.startswith("//"):
        return raw
    path: str = request.environ["PATH_INFO"]
    return path if path.isascii() else request.path_info
