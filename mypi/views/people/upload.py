"""Uploading in a browser: one file a request, through the same code as twine's."""

from __future__ import annotations

from typing import IO, Any, cast

from pyramid.config import Configurator
from pyramid.renderers import render_to_response
from pyramid.request import Request
from pyramid.response import Response

from ... import artifacts, names
from ...accounts import AccountError
from ...archives import Limits
from ...fields import FormError
from ...forms import Form
from ...model import File
from ...names import Filename
from ...repository import Submission
from ...resources import Root
from ...store import StoreError
from .. import errors
from ..counting import REFUSED
from ..rendered import as_json
from ..uploads import actor, check_right
from . import csrf
from .pages import page

TEMPLATE = "mypi:templates/people/upload.jinja2"


def show(context: Root, request: Request) -> dict[str, Any]:
    """Show where files are dropped or chosen."""
    return page(request, "upload", published=None, error="")


def publish(context: Root, request: Request) -> Response:
    """Publish the file; scripts ask for JSON, and a plain form gets its page again."""
    try:
        form: Form = request.form
        csrf.check(request, form.one(csrf.FIELD) or "")
        file, filename = _publish(request, form)
    except _REFUSALS as exc:
        request.environ[REFUSED] = exc
        if _wants_json(request):
            raise
        status = errors.status(exc)
        return _drawn(request, status, published=None, error=f"{exc}.")
    if not _wants_json(request):
        return _drawn(request, 200, published=(filename.project, file), error="")
    told = {"filename": file.filename, "project": filename.project, "version": file.version}
    return Response(as_json(told), content_type="application/json", charset="UTF-8")


_REFUSALS: tuple[type[Exception], ...] = (
    *(kind for kind, _ in errors.STATUS if not issubclass(kind, StoreError | AccountError)),
    FormError,
)


def _publish(request: Request, form: Form) -> tuple[File, Filename]:
    content = form.files.get("content")
    if content is None or not content.filename:
        raise FormError("Choose a file, a wheel or a source distribution")
    filename = names.filename(content.filename)
    spool = cast(IO[bytes], content.spool)
    if filename.kind == "sdist" and filename.stem.count("-") > 1:
        # Its name can be read in several ways, and the right is asked for on the project that the archive names.
        limits = Limits(unpacked=request.registry["mypi.settings"].unpacked_limit)
        filename = artifacts.inspect(spool, filename, limits=limits).filename
    check_right(request, filename.project)
    submission = Submission(filename, spool, content.size, content.digests["sha256"], settled=True)
    return request.repository.publish(submission, actor(request, filename.project)), filename


def _wants_json(request: Request) -> bool:
    return bool(request.headers.get("Accept", "").startswith("application/json"))


def _drawn(request: Request, status: int, **values: Any) -> Response:
    shown = page(request, "upload", **values)
    request.response.status = status
    return render_to_response(TEMPLATE, shown, request, response=request.response)


def includeme(config: Configurator) -> None:
    # The form is read by the bounds of uploads, and its token checked by the view, after the right to upload.
    config.add_page("+upload", get=show, template="upload", permission="upload")
    config.add_view(
        publish, context=Root, name="+upload", request_method="POST", permission="upload", require_csrf=False
    )
    config.registry["mypi.methods"]["+upload"] = ("GET", "POST")
