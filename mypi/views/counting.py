"""Which kind of address a request was for, and why an upload was refused: a few words each, whatever clients send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyramid.httpexceptions import HTTPForbidden, HTTPGone
from pyramid.request import Request
from pyramid.response import Response

from .. import resources
from ..accounts import AccountError, Throttled
from ..artifacts import ArtifactError
from ..attestations import AttestationError
from ..forms import FormError
from ..metadata import MetadataError
from ..metrics import Metrics
from ..model import Closed, Taken
from ..names import InvalidName, InvalidVersion
from ..repository import Moved, Refused
from ..store import Full, Sealed, StoreError
from ..upstream import Theirs, UpstreamError

REFUSED = "mypi.refused"
"""The key of a request's environ under which a view keeps the error that it answered itself."""

KINDS: dict[type, str] = {
    resources.Root: "page",
    resources.Simple: "index",
    resources.SimpleProject: "simple",
    resources.BareProject: "simple",
    resources.JsonDocument: "json",
    resources.ProjectPage: "page",
    resources.ReleasePage: "page",
    resources.FilePage: "page",
    resources.Explained: "page",
    resources.FileResource: "file",
    resources.Provenance: "metadata",
}
"""What each place of the tree is counted as; any other is ``other``."""

OWN = ("+health", "+ready", "+metrics", "+static", "robots.txt")

REASONS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (Taken, "taken"),
    (Theirs, "not-ours"),
    (Closed, "closed"),
    ((InvalidName, InvalidVersion), "name"),
    (MetadataError, "metadata"),
    (ArtifactError, "archive"),
    (Refused, "rule"),
    (AttestationError, "attestation"),
    (FormError, "form"),
    (HTTPForbidden, "rights"),
    (Throttled, "throttled"),
    (HTTPGone, "action"),
    (UpstreamError, "upstream"),
    (Full, "full"),
    ((Moved, Sealed), "sealed"),
    (StoreError, "store"),
    (AccountError, "accounts"),
)
"""Words for why an upload was refused; the first match counts, and what matches none is ``other``."""

_DIGITS = 19

Count = Callable[[Request, Response, "str | None", float], None]


def counting(metrics: Metrics) -> Count:
    """Return what counts a request, its answer, the length that this announces, and the seconds between them."""

    def count(request: Request, response: Response, length: str | None, seconds: float) -> None:
        of, status, method = kind(request), response.status_int, request.environ["REQUEST_METHOD"]
        # Of a body that comes in pieces nobody knows the length, and HEAD announces what it does not send.
        sent = 0 if method == "HEAD" else int(length or 0)
        metrics.request(of, method, status, seconds, _length(request), sent)
        if of == "upload" and status >= 400:
            exc = request.environ.get(REFUSED) or getattr(request, "exception", None)
            metrics.refused(reason(exc, status))

    return count


def kind(request: Request) -> str:
    """Name the kind of address that a request was for, by where its traversal ended."""
    context: Any = getattr(request, "context", None)
    view = getattr(request, "view_name", "")
    if (
        request.environ["REQUEST_METHOD"] == "POST"
        and isinstance(context, resources.Uploads)
        and view in ("", "+upload")
    ):
        return "upload"
    if view:
        return "page" if view.startswith("+") and view not in OWN else "other"
    found = KINDS.get(type(context), "other")
    if found == "simple" and "application/xhtml+xml" in request.environ.get("HTTP_ACCEPT", ""):
        return "page" if isinstance(context, resources.BareProject) else found
    return "metadata" if found == "file" and context.sidecar else found


def reason(exc: BaseException | None, status: int) -> str:
    """Say in a word why an upload was refused.

    >>> reason(Full("acme", "no room"), 507), reason(None, 400)
    ('full', 'other')
    """
    if status == 413:
        return "size"
    return next((word for kinds, word in REASONS if isinstance(exc, kinds)), "other")


def _length(request: Request) -> int:
    """Return the announced length of the body; a number that is none is refused elsewhere."""
    text = str(request.environ.get("CONTENT_LENGTH") or "0")  # pyruvate says it as a number
    return int(text) if len(text) < _DIGITS and text.isdecimal() else 0
