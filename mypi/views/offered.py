"""Projects of ours as everybody gets them: less what the policy hides, where it holds for ours too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from packaging.version import Version
from pyramid.request import Request

from ..model import File, Project, Withdrawn
from ..model.releases import newest
from ..overview import Dependent, Summary, Upload
from ..repository import Held
from ..store import NotFound, StoreError
from ..upstream import HiddenByPolicy, Screen
from ..upstream.screen import metadata_of


def offered(request: Request, name: str) -> Held[Project]:
    """Return what is shown of a project of ours. Raises HiddenByPolicy if it is denied whole, NotFound, StoreError."""
    screen: Screen = request.screen
    return screen.ours(request.repository.project(name), partial(metadata_of, request.repository))


def uploads(request: Request, found: Iterable[Upload]) -> list[Upload]:
    """Return uploads less those that the policy hides, for lists that name versions."""
    if not request.screen.rules.ours:
        return list(found)
    shown = []
    for upload in found:
        project = _shown(request, upload.project)
        files = tuple(name for name in upload.files if project and name in project.files)
        if files:
            shown.append(replace(upload, files=files))
    return shown


def summaries(request: Request, found: Iterable[Summary]) -> list[Summary]:
    """Return projects in a list, each with the newest version that is shown of it; names are never hidden."""
    if not request.screen.rules.ours:
        return list(found)
    return [_summary(each, _shown(request, each.name)) for each in found]


def dependents(request: Request, found: Iterable[Dependent]) -> list[Dependent]:
    """Return what requires a project, less releases that the policy hides."""
    if not request.screen.rules.ours:
        return list(found)
    return [each for each in found if (project := _shown(request, each.project)) and each.version in project.versions]


def _summary(found: Summary, project: Project | None) -> Summary:
    release = newest(project) if project else None
    live = project.live if project else ()
    return replace(
        found,
        version=release.text if release and release.usable else None,
        updated=max((file.uploaded for file in live), default=None),
        files=len(live),
    )


def _shown(request: Request, name: str) -> Project | None:
    """Return what is shown of a project; None if that is nothing, or cannot be told: no list fails for it."""
    try:
        return offered(request, name).value
    except (HiddenByPolicy, NotFound, StoreError):
        return None


def live_file(request: Request, project: Project, filename: str) -> File:
    """Return a file that is on offer, of a project that ``offered`` gave.

    Raises Missing, Withdrawn, HiddenByPolicy.
    """
    if request.screen.rules.ours and filename not in project.files:
        whole: Project = request.repository.project(project.name).value
        refuse(request, whole, [whole.live_file(filename)])
    return project.live_file(filename)


def refuse_damaged(file: File, ending: str) -> None:
    """Refuse what was found damaged beside a file that is whole. Raises Withdrawn."""
    if not file.is_whole(ending):
        raise Withdrawn(f"{file.filename}{ending} was found damaged in this index: restore it from a backup")


def refuse_release(request: Request, project: Project, version: Version) -> None:
    """Say why a version is not on offer, if the policy hides it or it is damaged. Raises HiddenByPolicy, Withdrawn."""
    for file in project.withdrawn:
        if Version(file.version) == version:
            project.live_file(file.filename)
    if request.screen.rules.ours:
        whole: Project = request.repository.project(project.name).value
        refuse(request, whole, [file for file in whole.live if Version(file.version) == version])
        if any(Version(text) == version for text in whole.releases):
            request.screen.check_release(whole.name, str(version))


def refuse(request: Request, whole: Project, files: list[File]) -> None:
    """Say why files of one version are not on offer, if the policy hides them. Raises HiddenByPolicy."""
    screen: Screen = request.screen
    versions = {file.version for file in files}
    fetch = partial(metadata_of, request.repository, whole)
    known = screen.known((f.sha256, f.version, partial(fetch, f)) for f in whole.live if f.version in versions)
    for file in files:
        screen.check_file(whole.name, file, known.get(file.version, ""))
