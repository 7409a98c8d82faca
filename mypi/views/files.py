"""The bytes of files: whole, in ranges, or as headers only, and never changed on their way."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response
from webob.byterange import ContentRange

from ..model import File, Project
from ..resources import FileResource
from ..store import NotFound, Reader, StoreError
from ..upstream import Busy, Bytes, Upstream
from .caching import is_known
from .handing import Handed, handed
from .links import Redirect
from .offered import live_file, offered, refuse_damaged
from .rendered import Pages

FOREVER = 365_000_000
"""Seconds: a file never changes under its URL (A6.6)."""

_AT_ONCE = 64 * 1024
"""Bytes of a file that are read and sent in one piece; to hand a small one to the server costs more than its bytes."""

_RANGE = re.compile(r"bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)


def file(context: FileResource, request: Request) -> Response:
    """Send a file or a sidecar of it; the project document decides whether it is on offer.

    Of a name that is not ours the upstream's page decides.
    """
    try:
        project = offered(request, context.project).value
    except NotFound:
        if request.upstream is None or not request.upstream.theirs(context.project):
            raise
        return _theirs(context, request, request.upstream)
    found = live_file(request, project, context.filename)
    if found.token != context.token:
        raise HTTPNotFound(f"There is no {context.filename} at this address")
    if context.sidecar:
        return _sidecar(context, request, project, found)

    def opened(start: int, stop: int) -> Iterable[bytes] | Handed:
        whole = (start, stop) == (0, found.size)
        with published():
            reader = request.repository.open_file(project, found, start, stop)
        return handed(request, reader, reader.path) or _body(request, reader, whole=whole)

    def link() -> str | None:
        # HEAD is for us: a link that is signed for GET refuses it.
        return request.repository.link(project, found) if request.method == "GET" else None

    return _respond(request, context.__name__, found.sha256, found.size, opened, link)


def _theirs(context: FileResource, request: Request, upstream: Upstream) -> Response:
    """Send a file of an upstream, or its metadata; no client can name another address than the page does."""
    until = time.monotonic() + upstream.timeout  # for the page and the first bytes together
    found = upstream.find(context.project, context.token, context.filename)
    if context.sidecar:
        if context.sidecar != ".metadata":
            raise HTTPNotFound(f"{context.filename} is another index's; its {context.sidecar} is not served here")
        data = upstream.metadata(context.project, found)
        etag = hashlib.sha256(data).hexdigest()
        return _respond(request, context.__name__, etag, len(data), lambda start, stop: [data[start:stop]])
    location = upstream.location(context.project, found) if upstream.redirects else None
    head = _head(context.__name__, found.digest)
    if is_known(request, head):
        return head
    if location is not None:
        return _elsewhere(location)
    # HEAD does not begin to fetch what may be large, if its page says all that is asked for.
    whole = upstream.open(context.project, found, until=until) if found.size is None else None
    size = whole.size if whole else found.size
    if whole and size is None:
        return _unmeasured(request, head, whole)

    def opened(start: int, stop: int) -> Iterable[bytes] | Handed:
        part = whole if (start, stop) == (0, size) else None
        if part is None and request.method == "HEAD":
            return []
        part = part or upstream.open(context.project, found, start, stop, until=until)
        return handed(request, part.pieces, part.path) or part.pieces

    response = _respond(request, context.__name__, found.digest, size or 0, opened)
    if whole and response.app_iter is not whole.pieces:  # a part of it, or one beyond its end
        whole.pieces.close()
    return response


def _unmeasured(request: Request, response: Response, whole: Bytes) -> Response:
    """Send a file whose size nobody says before its end, to who notices where it breaks off: HTTP/1.0 does not."""
    if request.http_version == "HTTP/1.0":
        whole.pieces.close()
        raise Busy("This file is on its way, and its size is not known yet; try again")
    del response.accept_ranges
    response.app_iter = whole.pieces
    return response


def _elsewhere(location: str) -> Response:
    """Say where the bytes are to be had."""
    answer = Redirect(location, 302)
    # The link may expire, and the file be removed: whoever wants it again asks again.
    answer.cache_control = "no-store"
    return answer


def beside(request: Request, project: Project, file: File, ending: str) -> bytes:
    """Return what lies beside a file, which the document must name; it is small. Raises StoreError."""
    with published(), request.repository.open_sidecar(project, file, ending) as reader:
        data: bytes = reader.read()
    return data


@contextmanager
def published() -> Iterator[None]:
    """Take it for damage if the store lacks what the document names.

    It is no 404, with which an installer would go on to other indexes.
    """
    try:
        yield
    except NotFound as exc:
        raise StoreError(exc.key, "is published, but not in the store; run mypi verify") from exc


def _sidecar(context: FileResource, request: Request, project: Project, found: File) -> Response:
    """Answer with what lies beside a file; it is small."""
    etag = found.sidecars.get(context.sidecar)
    if etag is None:
        raise HTTPNotFound(f"{context.filename} was published without {context.sidecar}")
    refuse_damaged(found, context.sidecar)

    def read() -> tuple[bytes, str]:
        data = beside(request, project, found, context.sidecar)
        if hashlib.sha256(data).hexdigest() != etag:
            raise StoreError(context.__name__, "does not have the digest that it was published with; run mypi verify")
        return data, ""

    # Kept like a rendered page: it never changes in its place, and resolvers ask for nothing as often.
    pages: Pages = request.registry["mypi.pages"]
    data, _ = pages.get((project.name, found.place(context.sidecar), context.__name__), read)
    return _respond(request, context.__name__, etag, len(data), lambda start, stop: [data[start:stop]])


def _respond(
    request: Request,
    name: str,
    etag: str,
    size: int,
    opened: Callable[[int, int], Iterable[bytes] | Handed],
    link: Callable[[], str | None] = lambda: None,
) -> Response:
    """Answer with the bytes, or the part of them that is asked for, or with where else they are to be had.

    Artifacts are octet-stream without Content-Encoding: a "gzip" there makes clients unpack them (A6.3).
    """
    response = _head(name, etag)
    if is_known(request, response):
        return response
    elsewhere = link()
    if elsewhere is not None:
        return _elsewhere(elsewhere)
    asked = _range(request, response, size)
    if asked is not None and asked[0] >= asked[1]:
        response.status = 416
        response.headers["Content-Range"] = f"bytes */{size}"
        return response
    start, stop = asked or (0, size)
    if asked is None and "Range" in request.headers:
        request.environ["mypi.accel"] = False  # whoever sends the file would read the ranges in its own way
    if asked is not None:
        response.status = 206
        response.content_range = ContentRange(start, stop, size)
    # Also for HEAD: a file whose bytes are gone must not look as if it could be had.
    body = opened(start, stop)
    if isinstance(body, Handed):
        return body.tell(response)
    response.app_iter = body
    response.content_length = stop - start
    return response


def _head(name: str, etag: str) -> Response:
    headers = [
        ("Content-Type", "application/octet-stream"),
        ("ETag", f'"{etag}"'),
        ("Accept-Ranges", "bytes"),
        ("Cache-Control", f"max-age={FOREVER}, immutable"),
        ("Content-Disposition", f'attachment; filename="{name}"'),
        ("Content-Security-Policy", "sandbox; default-src 'none'"),
    ]
    return Response(app_iter=(), headerlist=headers)


def _range(request: Request, response: Response, size: int) -> tuple[int, int] | None:
    """Return the part that is asked for as (start, before), an empty one if it cannot be had, None for the whole.

    What is no single range gets the whole, as RFC 9110 14.2 lets a server choose; so does a suffix longer than the
    file: poetry asks for the last 10,000 bytes of wheels that are smaller (A6.5). WebOb's own reading gives 416 to the
    latter, the first of several ranges, and an exception for ``bytes=-``.
    """
    wanted = _RANGE.fullmatch(request.environ.get("HTTP_RANGE", ""))
    if wanted is None or response not in request.if_range:
        return None
    first, last = wanted.groups()
    if not first:
        return (max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return int(first), min(size, int(last) + 1) if last else size


def _body(request: Request, reader: Reader, *, whole: bool) -> Iterable[bytes]:
    """Hand a local file to the server, which may let the kernel send it; else stream it.

    A server's wrapper knows no end, and that of pyruvate no beginning either, whatever PEP 3333 says: a part is ours.
    """
    if whole and reader.size <= _AT_ONCE:
        with reader:
            return [reader.read()]
    wrapper = request.environ.get("wsgi.file_wrapper")
    if wrapper is None or reader.path is None or not whole:
        return reader
    try:
        local = open(reader.path, "rb")  # noqa: SIM115, PTH123 - the server closes it
    except OSError:  # swept since it was opened; its bytes are still there for who has it open
        return reader
    reader.close()
    handed_on: Iterable[bytes] = wrapper(local)
    return handed_on


def includeme(config: Configurator) -> None:
    config.add_view(file, context=FileResource, request_method="GET", permission="read")
