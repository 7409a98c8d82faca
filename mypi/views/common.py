"""What every page for people shows: the way to the root, the address to use, and who is logged in."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any

from pyramid.csrf import get_csrf_token
from pyramid.request import Request

from ..security import Policy
from . import links

VERSION = version("mypi")

_HOST = re.compile(r"https?://(\[[^\]]*\]|[^:/]*).*")


def common(request: Request) -> dict[str, Any]:
    """Return what the layout and most pages need; the answer is kept for nobody else."""
    address = links.address(request)
    host = _HOST.sub(r"\1", address)
    trusted = address.startswith("https:") or host in ("localhost", "127.0.0.1", "[::1]")
    policy: Policy = request.registry["mypi.policy"]
    who = policy.seated(request)
    request.response.vary = ("Accept", "Cookie")  # at the root an installer gets another page of a project
    request.response.cache_control = "no-cache"
    request.response.cache_control.private = True
    return {
        "up": links.up(request),
        "login": f"{links.up(request)}+login" if request.view_name == "+login" else links.login(request),
        "version": VERSION,
        "address": address,
        "host": host,
        "trusted": trusted,
        "who": who.user if who else None,
        "leaves": who is not None and who.session is not None,  # whom the server vouches for comes back at once
        "csrf": get_csrf_token(request) if who else None,
        # Who is not known yet may be let in by the form.
        "publishes": who is None or policy.may(request, request.root, "upload"),
        "administers": policy.may(request, request.root, "manage"),
    }
