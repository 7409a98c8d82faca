"""The page of a file: what is in it, its metadata, and all that is known of it."""

from __future__ import annotations

import threading
from typing import IO, Any

from cachetools import LRUCache
from packaging.version import Version
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response

from ..contents import Member, Unreadable, check_size, listing
from ..model import File, Project
from ..repository import Repository
from ..resources import FilePage
from ..security import Policy
from . import files, links, paging, tags
from .common import common

MEMBERS = 500
"""Files of an archive on a page."""

PATIENCE = 3.0
"""Seconds to wait for the turn."""

_LONGEST_HEAD = 50_000
_KEPT = 200_000  # members of all archives that are remembered: some 40 MB


class Inside:
    """Looks into archives, one at a time, and remembers what is in them: a file never changes."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._kept: LRUCache[str, list[Member]] = LRUCache(_KEPT, getsizeof=lambda members: len(members) + 10)

    def members(self, repository: Repository, project: Project, file: File) -> list[Member]:
        """Return what is in a file, by name. Raises Unreadable, StoreError."""
        # One at a time, as unpacking takes a processor, and spooling room on disk; but no queue that takes all threads.
        if not self._turn.acquire(timeout=PATIENCE):
            raise Unreadable("Another file is being looked into; load this page again in a moment")
        try:
            found = self._kept.get(file.sha256)
            if found is None:
                found = self._read(repository, project, file)
                if len(found) + 10 <= self._kept.maxsize:
                    self._kept[file.sha256] = found
        finally:
            self._turn.release()
        return found

    def _read(self, repository: Repository, project: Project, file: File) -> list[Member]:
        check_size(file.filename, file.size)
        with files.opened(repository, project, file) as reader:
            if reader.path is not None:  # on the server's own disk
                with open(reader.path, "rb") as local:  # noqa: PTH123 - a path of the store, as text
                    return listing(local, file.filename)
            with repository.spool() as spool:
                return listing(_filled(spool, reader), file.filename)


def _filled(spool: IO[bytes], pieces: Any) -> IO[bytes]:
    for piece in pieces:
        spool.write(piece)
    spool.seek(0)
    return spool


def inside(context: FilePage, request: Request) -> dict[str, Any] | Response:
    """Show what is in a file; a file of another release is a 404 here."""
    project: Project = request.repository.project(context.project).value
    file = project.live_file(context.filename)
    if Version(file.version) != context.version:
        raise HTTPNotFound(f"{context.filename} is of version {file.version}")
    context.release.text = file.version
    away = links.to_canonical(request)
    if away:
        return away
    looker: Inside = request.registry["mypi.inside"]
    policy: Policy = request.registry["mypi.policy"]
    members: list[Member] = []
    unreadable = None
    try:
        members = looker.members(request.repository, project, file)
    except Unreadable as exc:
        unreadable = str(exc)
    wanted = paging.matching(request, "member")
    matching = [member for member in members if wanted.lower() in member.name.lower()]
    return {
        **common(request),
        "project": project,
        "file": file,
        "members": paging.page(request, matching, MEMBERS, anchor="contents"),
        "all_members": len(members),
        "unpacked": sum(member.size for member in members),
        "many": len(members) > MEMBERS,
        "wanted": wanted,
        "unreadable": unreadable,
        "head": _head(request, project, file),
        "fits": tags.fits(file.filename),
        "tag": tags.tag(file.filename),
        "manages": policy.may(request, context.release.__parent__, "manage"),
        "link": links.file(links.up(request), project, file),
        "release": links.release,
        "provenance": links.provenance,
    }


def _head(request: Request, project: Project, file: File) -> str | None:
    """Return the fields of a file's metadata, without the description, which the project's page renders."""
    if file.metadata is None:
        return None
    text = files.beside(request, project, file, ".metadata").decode("utf-8", "replace").replace("\r\n", "\n")
    head = text.partition("\n\n")[0]
    return head if len(head) <= _LONGEST_HEAD else f"{head[:_LONGEST_HEAD]}…"


def includeme(config: Configurator) -> None:
    config.registry["mypi.inside"] = Inside()
    config.add_view(
        inside, context=FilePage, request_method="GET", permission="read", renderer="mypi:templates/file.jinja2"
    )
