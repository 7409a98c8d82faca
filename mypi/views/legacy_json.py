"""PyPI's older JSON: a project, or one release of it, with metadata and files, for the tools that people write."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import quote

from packaging.utils import NormalizedName
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPGone, HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response

from .. import metadata
from ..metadata import CoreMetadata, MetadataError
from ..model import File, Project
from ..model.releases import Release, newest, releases
from ..repository import Held, Repository
from ..resources import JsonDocument, LegacyJson
from ..store import NotFound, StoreError
from ..upstream import Unknown
from . import links
from .offered import offered, refuse_release
from .rendered import as_json, respond


def document(context: JsonDocument, request: Request) -> Response:
    """Describe a release and its files; without a version the newest, and the files of all.

    404 for an unknown project or version, and for one in quarantine, as on PyPI.
    """
    held = _held(context, request)
    project = held.value
    if context.version is not None and context.version not in releases(project):
        refuse_release(request, project, context.version)
    release = _release(project, context)
    away = links.to_canonical(request, slash=False)
    if away:
        return away
    base = links.address(request)

    def draw() -> bytes:
        found = {
            "info": _info(project, release, _core(request.repository, project, release), base),
            "last_serial": len(project.history),
            "urls": _files(project, release, base),
            "vulnerabilities": [],
        }
        if context.version is None:
            found["releases"] = {each.text: _files(project, each, base) for each in releases(project).values()}
        return as_json(found)

    of = "" if context.version is None else release.text
    response = respond(request, ("pypi", base, project.name, of, held.tag), "application/json", draw)
    response.headers["X-PyPI-Last-Serial"] = str(len(project.history))
    return response


def _held(context: JsonDocument, request: Request) -> Held[Project]:
    """Read a project of ours. An upstream's has no description here: it would take a file of it to tell.

    Renovate and bandersnatch go on to the Simple API at a 404. Raises HiddenByPolicy, NotFound, Unknown.
    """
    try:
        return offered(request, context.project)
    except NotFound as exc:
        if request.upstream is None or not request.upstream.theirs(context.project):
            raise
        request.screen.check(context.project)
        sites = " or ".join(site.name for site in request.upstream.sites)
        raise Unknown(
            f"{context.project} is no project of this index, and the older JSON describes no other; if {sites} has it, "
            f"the Simple API has it here too: {links.address(request)}/simple/{context.project}/"
        ) from exc


def _release(project: Project, context: JsonDocument) -> Release:
    if project.status == "quarantined":
        raise HTTPNotFound(f"The project {project.name} is quarantined; nothing of it is on offer")
    found = newest(project) if context.version is None else releases(project).get(context.version)
    if found is None:
        raise HTTPNotFound(f"The project {project.name} has no {context.version or 'release'}")
    return found


def _core(repository: Repository, project: Project, release: Release) -> CoreMetadata:
    """Read what a file of the release says about it: a wheel before an sdist, whose dependencies may be dynamic."""
    described = [file for file in release.files if file.described]
    if not described:
        summary = project.releases.get(release.text) or None
        name = cast(NormalizedName, project.name)
        return CoreMetadata(project.display, name, release.version, release.text, "1.0", summary=summary)
    file = min(described, key=lambda file: (not file.is_wheel, file.uploaded, file.filename))
    try:
        with repository.open_metadata(project, file) as reader:
            return metadata.read(reader.read())
    except (NotFound, MetadataError) as exc:
        # It was read when it was published, so this is damage.
        raise StoreError(file.filename, "has core metadata that is lost or damaged; run mypi verify") from exc


def _info(project: Project, release: Release, core: CoreMetadata, base: str) -> dict[str, Any]:
    """Describe a release in PyPI's shape: null for what is not known, whatever its type would be."""
    page = f"{base}/project/{quote(project.name)}/"
    return {
        "author": core.author,
        "author_email": core.author_email,
        "bugtrack_url": None,
        "classifiers": list(core.classifiers),
        "description": core.description or "",
        "description_content_type": core.description_content_type,
        "docs_url": None,
        "download_url": core.download_url,
        "downloads": {"last_day": -1, "last_month": -1, "last_week": -1},
        "dynamic": list(core.dynamic) or None,
        "home_page": core.home_page,
        "keywords": ",".join(core.keywords) or None,
        "license": core.license,
        "license_expression": core.license_expression,
        "license_files": list(core.license_files) or None,
        "maintainer": core.maintainer,
        "maintainer_email": core.maintainer_email,
        "name": project.display,
        "package_url": page,
        "platform": ",".join(core.platforms) or None,
        "project_url": page,
        "project_urls": dict(core.project_urls),
        "provides_extra": list(core.provides_extra) or None,
        "release_url": links.release(f"{base}/", project.name, release.text),
        "requires_dist": list(core.requires_dist) or None,
        "requires_python": core.requires_python,
        "summary": core.summary,
        "version": release.text,
        "yanked": release.yanked,
        "yanked_reason": next((f.yanked for f in release.files if f.yanked), None) if release.yanked else None,
    }


def _files(project: Project, release: Release, base: str) -> list[dict[str, Any]]:
    return [_file(file, links.file(f"{base}/", project, file, place="packages")) for file in release.files]


def _file(file: File, url: str) -> dict[str, Any]:
    """Describe a file. Only SHA-256 is known of it: tools that take each of ``digests`` must not meet a null."""
    return {
        "comment_text": "",
        "core-metadata": {"sha256": file.core_metadata} if file.core_metadata else False,
        "digests": {"sha256": file.sha256},
        "downloads": -1,
        "filename": file.filename,
        "has_sig": file.signed,
        "md5_digest": None,
        "packagetype": "bdist_wheel" if file.is_wheel else "sdist",
        "python_version": file.filename.split("-")[-3] if file.is_wheel else "source",
        "requires_python": file.requires_python,
        "size": file.size,
        "upload_time": file.uploaded[:19],
        "upload_time_iso_8601": file.uploaded,
        "url": url,
        "yanked": file.yanked is not None,
        "yanked_reason": file.yanked or None,
    }


def xml_rpc(context: LegacyJson, request: Request) -> Response:
    """Refuse PyPI's oldest API plainly: parsing XML of strangers is not worth what it could do (threat 44)."""
    if request.method != "POST":
        raise HTTPNotFound
    raise HTTPGone("mypi speaks no XML-RPC; ask the Simple API, or /pypi/NAME/json")


def includeme(config: Configurator) -> None:
    config.add_view(document, context=JsonDocument, request_method="GET", permission="read")
    config.add_view(xml_rpc, context=LegacyJson, permission="read", require_csrf=False)
