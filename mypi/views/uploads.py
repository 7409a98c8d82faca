"""The legacy upload API: one view for each ``:action``, chosen by a predicate over the bounded form (B1.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, cast

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPBadRequest, HTTPForbidden, HTTPGone
from pyramid.request import Request
from pyramid.response import Response
from trove_classifiers import sorted_classifiers

from .. import forms, metadata
from ..fields import shown
from ..forms import Form
from ..model import Actor
from ..repository import Submission, check_digests, claimed
from ..resources import Legacy, Root, Simple, SimpleProject, Uploads
from ..rights import EVERYONE, OWNERS

REGISTER = ("submit", "submit_pkg_info")
GONE = {
    "doc_upload": "mypi keeps no documentation: put its address into the project's Project-URL instead",
    "user": "Users are made by the operator of this index; ask for an account",
    "password_reset": "Passwords are set by the operator of this index; ask for a new one",
}


def read_form(request: Request) -> Form:
    """Read the form of the request, once, within its limits. Raises FormError."""
    limits = forms.Limits(file=request.registry["mypi.settings"].upload_limit)
    form = forms.parse(
        request.body_file_raw,
        content_type=request.headers.get("Content-Type", ""),
        content_length=request.content_length,
        open_spool=request.repository.spool,
        limits=limits,
    )
    request.add_finished_callback(lambda _: form.close())
    return form


class UploadAction:
    """View predicate ``upload_action``: the action that the query or the form names.

    Nothing is read for somebody who may not upload anyway: every view then matches, and its permission refuses.
    """

    def __init__(self, actions: tuple[str, ...], config: Configurator) -> None:
        self._actions = actions

    def text(self) -> str:
        return f"upload_action = {' '.join(self._actions)}"

    phash = text

    def __call__(self, context: Uploads, request: Request) -> bool:
        if not request.has_permission("upload", context):
            return True
        return action(request) in self._actions


def action(request: Request) -> str | None:
    """Return the ``:action``; the query wins over the form."""
    found: str | None = request.GET.get(":action") or request.form.one(":action")
    return found


def file_upload(context: Uploads, request: Request) -> Response:
    """Publish a file. Answers exactly 200: distutils knows no other success (B1.1)."""
    form: Form = request.form
    _check_protocol(form)
    submission = _submission(form)
    check_right(request, submission.filename.project)
    request.repository.publish(submission, actor(request, submission.filename.project))
    return Response("", content_type="text/plain")


def register(context: Uploads, request: Request) -> Response:
    """Check the metadata and note the release; never needed before an upload."""
    core = metadata.from_form(request.form.fields)
    check_right(request, core.project)
    request.repository.register(core, actor(request, core.project))
    return Response("", content_type="text/plain")


def verify(context: Uploads, request: Request) -> Response:
    """Check the metadata and keep nothing: ``setup.py register --dry-run``."""
    check_right(request, metadata.from_form(request.form.fields).project)
    return Response("The metadata is good", content_type="text/plain")


def gone(context: Uploads, request: Request) -> Response:
    """Refuse plainly what is not offered, so that nobody believes it was done."""
    raise HTTPGone(GONE[str(action(request))])


def unknown(context: Uploads, request: Request) -> Response:
    """Refuse an action that nobody knows."""
    named = action(request)
    if named is None:
        raise HTTPBadRequest("The field :action is missing; to publish a file send :action=file_upload")
    raise HTTPBadRequest(f"The action {shown(named)} is unknown; to publish a file send :action=file_upload")


def list_classifiers(context: Uploads, request: Request) -> Response:
    """List the classifiers that PyPI knows, as ``setup.py register --list-classifiers`` asks for them."""
    return Response("\n".join(sorted_classifiers) + "\n", content_type="text/plain", charset="UTF-8")


def actor(request: Request, project: str | None = None) -> Actor:
    """Say who asks: the user, the address that the server trusts to be theirs, and what a project's rule makes them."""
    who = request.registry["mypi.policy"].offered(request)
    if who is None:
        return Actor(None, request.remote_addr)
    allowed = request.registry["mypi.settings"].rights.on("upload", project) if project else ()
    only_own = who.is_user and OWNERS in allowed and who.principals.union({EVERYONE}).isdisjoint(allowed)
    return Actor(who.user, request.remote_addr, via=who.via, owns=who.is_user, only_own=only_own)


def _check_protocol(form: Form) -> None:
    if form.one("protocol_version", "1") != "1":
        raise HTTPBadRequest("Unknown protocol version; send protocol_version=1")


def check_right(request: Request, project: str) -> None:
    """Ask for the right on the project itself; the right to upload at all was asked for before the form was read."""
    place = SimpleProject(Root(request), project)
    allowed = request.has_permission("upload", place)
    if not allowed:
        raise HTTPForbidden(result=allowed)


def _submission(form: Form) -> Submission:
    """Read what is to be published. Raises HTTPBadRequest, Refused, InvalidName, InvalidVersion."""
    content = form.files.get("content")
    if content is None:
        raise HTTPBadRequest("The upload has no file; send it as the field content")
    required = {name: form.one(name) or "" for name in ("name", "version", "filetype", "metadata_version")}
    for name, value in required.items():
        if not value:
            raise HTTPBadRequest(f"The field {name} is missing; send name, version, filetype and metadata_version")
    given = {name: form.one(name, "") or "" for name in ("md5_digest", "sha256_digest", "blake2_256_digest")}
    check_digests(given, content.digests)
    return Submission(
        filename=claimed(
            content.filename,
            name=required["name"],
            version=required["version"],
            filetype=required["filetype"],
        ),
        content=cast(IO[bytes], content.spool),
        size=content.size,
        sha256=content.digests["sha256"],
        signature=_signature(form),
        attestations=form.one("attestations"),
        settled=True,
    )


def _signature(form: Form) -> bytes | None:
    """Return the OpenPGP signature; pdm sends it as two plain fields, of its file name and its armour (B2)."""
    armours = [value for value in form.all("gpg_signature") if value.startswith("-----BEGIN")]
    return armours[-1].encode() if armours else None


def includeme(config: Configurator) -> None:
    config.add_view_predicate("upload_action", UploadAction)
    views: list[tuple[Callable[[Uploads, Request], Response], tuple[str, ...]]] = [
        (file_upload, ("file_upload",)),
        (register, REGISTER),
        (verify, ("verify",)),
        (gone, tuple(GONE)),
    ]
    for view, actions in views:
        config.add_view(
            view, context=Uploads, request_method="POST", permission="upload", upload_action=actions, require_csrf=False
        )
    config.add_view(unknown, context=Uploads, request_method="POST", permission="upload", require_csrf=False)
    # For each by itself: the pages that stand at some of them would be found first.
    for place in (Root, Simple, Legacy):
        config.add_view(list_classifiers, context=place, request_method="GET", request_param=":action=list_classifiers")
