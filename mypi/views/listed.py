"""What a page of the Simple API lists, as its JSON has it (A5); the HTML is drawn from the same (A4)."""

from __future__ import annotations

from typing import Any

from ..model import File, Project
from ..model.remote import RemoteFile, RemotePage
from . import links
from .negotiation import JSON


def ours(project: Project, form: str, up: str, secure: str) -> dict[str, Any]:
    """List the files of a project; in HTML provenance needs the ``secure`` address, in JSON a relative one will do."""
    base = up if form == JSON else secure
    return {
        "name": project.name,
        "versions": list(project.versions),
        "files": [_ours(project, file, up, base) for file in project.live],
        "project-status": _status(project.status, project.status_reason),
    }


def _ours(project: Project, file: File, up: str, base: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "filename": file.filename,
        "url": links.file(up, project, file),
        "hashes": {"sha256": file.sha256},
        "size": file.size,
        "upload-time": file.uploaded,
        "yanked": (file.yanked or True) if file.yanked is not None else False,
        "core-metadata": {"sha256": file.core_metadata} if file.core_metadata else False,
    }
    if file.requires_python is not None:
        entry["requires-python"] = file.requires_python
    if file.signed:
        entry["gpg-sig"] = True
    if file.attested and base:
        entry["provenance"] = links.provenance(base, project, file)
    return entry


def theirs(page: RemotePage, up: str) -> dict[str, Any]:
    """List the files of an upstream's project: what it says of them, at addresses of ours."""
    return {
        "name": page.name,
        "versions": list(page.versions),
        # Of a project in quarantine nothing is on offer, whatever its index lists (A7).
        "files": [_theirs(page.name, file, up) for file in page.files] if page.status != "quarantined" else [],
        "project-status": _status(page.status, page.status_reason),
    }


def _theirs(project: str, file: RemoteFile, up: str) -> dict[str, Any]:
    """Describe a file. What its index does not say is left out: uv rejects a page with a null in it (A5.5).

    A wheel has metadata even where the index has none: it is read from the wheel, and its digest is not known before.
    """
    entry: dict[str, Any] = {
        "filename": file.filename,
        "url": links.remote_file(up, project, file),
        "hashes": {file.algorithm: file.digest},
        "yanked": (file.yanked or True) if file.yanked is not None else False,
        "core-metadata": ({"sha256": file.metadata} if file.metadata else True) if file.is_wheel else False,
    }
    said = {
        "size": file.size,
        "upload-time": file.uploaded,
        "requires-python": file.requires_python,
        "provenance": file.provenance,
    }
    return entry | {key: value for key, value in said.items() if value is not None}


def _status(status: str, reason: str) -> dict[str, str]:
    return {"status": status} | ({"reason": reason} if reason else {})
