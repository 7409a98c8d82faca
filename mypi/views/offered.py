"""Projects of ours as everybody gets them: less what the policy hides, where it holds for ours too."""

from __future__ import annotations

from functools import partial

from packaging.version import Version
from pyramid.request import Request

from ..model import File, Project, Withdrawn
from ..repository import Held
from ..upstream import Screen
from ..upstream.screen import metadata_of


def offered(request: Request, name: str) -> Held[Project]:
    """Return what is shown of a project of ours. Raises HiddenByPolicy if it is denied whole, NotFound, StoreError."""
    screen: Screen = request.screen
    return screen.ours(request.repository.project(name), partial(metadata_of, request.repository))


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
