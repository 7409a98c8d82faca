"""The tree that is traversed is the URL: each resource stands for one place of it.

A resource holds a name and its parent; what the store knows is read by the views, after the rights were checked, so
that nobody learns from a 404 what exists.
"""

from __future__ import annotations

from typing import Any

from packaging.utils import NormalizedName
from packaging.version import Version
from pyramid.request import Request
from pyramid.traversal import ResourceTreeTraverser

from . import names
from .model import SIDECARS
from .places import ProjectResource, ReleaseFile, ReleaseResource, Resource
from .repository import Repository
from .rights import MONITOR, OWNERS, USERS, Rights
from .security import acl


class Traverser(ResourceTreeTraverser):  # type: ignore[misc] # Pyramid has no types
    """Pyramid's own, without ``@@name`` as another spelling of a page's name: each page has one URL."""

    VIEW_SELECTOR = ""


class Uploads(Resource):
    """A place that takes uploads: the root, ``simple/`` and ``legacy/``, with or without the slash."""

    def __getitem__(self, name: str) -> Resource:
        if name == "+simple":  # hatch looks below the upload URL for what is published already (B1.20)
            return Simple(self, name)
        return super().__getitem__(name)


class Root(Uploads):
    """The default index. Other children than the fixed ones are projects: ``pip install -i http://host NAME``."""

    def __init__(self, request: Request) -> None:
        super().__init__(None, "")
        self.rights: Rights = request.registry["mypi.settings"].rights
        self.publishers: bool = bool(request.registry["mypi.settings"].publishers)
        self.repository: Repository = request.repository

    def __acl__(self) -> list[tuple[str, str, str]]:
        """Let in who may see or publish anything at all: each project then has the last word."""
        upload = [USERS if who == OWNERS else who for who in self.rights.somewhere("upload")]
        manage = [who for who in self.rights.index["manage"] if who != OWNERS]
        allowed = {"read": self.rights.somewhere("read"), "upload": upload, "manage": manage}
        allowed[MONITOR] = self.rights.index[MONITOR]
        return [entry for permission, who in allowed.items() for entry in acl(permission, who)]

    def __getitem__(self, name: str) -> Resource:
        if name in _FIXED:
            return _FIXED[name](self, name)
        if name in _EXCHANGE and self.publishers:
            return _EXCHANGE[name](self, name)
        if name in _RESERVED or name.startswith("+"):
            return super().__getitem__(name)
        return BareProject(self, name)


class BareProject(ProjectResource):
    """A project asked for at the root: a page for people or for installers, by the Accept header."""


class Simple(Uploads):
    """The Simple API: every project, and each one's files."""

    def __getitem__(self, name: str) -> Resource:
        if name.startswith("+") and self.__name__ == "simple":
            return super().__getitem__(name)
        return SimpleProject(self, name)


class SimpleProject(ProjectResource):
    """A project's page in the Simple API."""


class Legacy(Uploads):
    """Where PyPI takes uploads."""


class Pages(Resource):
    """The pages that people read."""

    def __getitem__(self, name: str) -> Resource:
        return ProjectPage(self, name)


class ProjectPage(ProjectResource):
    """The page of a project that a person reads."""

    def __getitem__(self, name: str) -> Resource:
        return ReleasePage(self, name)


class ReleasePage(ReleaseResource):
    """The page of a release."""

    def __getitem__(self, name: str) -> Resource:
        return FilePage(self, name)


class FilePage(ReleaseFile):
    """The page of a file, on which is what is in it."""


class LegacyJson(Resource):
    """PyPI's older JSON: ``pypi/<project>[/<version>]/json``."""

    def __getitem__(self, name: str) -> Resource:
        return JsonProject(self, name)


class JsonProject(ProjectResource):
    """A project in the older JSON: its newest release, or one of it by its version."""

    def __getitem__(self, name: str) -> Resource:
        return JsonDocument(self, name, self.project) if name == "json" else JsonRelease(self, name)


class JsonRelease(ReleaseResource):
    """A release in the older JSON."""

    def __getitem__(self, name: str) -> Resource:
        return JsonDocument(self, name, self.project, self.version) if name == "json" else super().__getitem__(name)


class JsonDocument(Resource):
    """What the older JSON says about a release; ``version`` is None for the newest."""

    def __init__(self, parent: Resource, name: str, project: NormalizedName, version: Version | None = None) -> None:
        super().__init__(parent, name)
        self.project = project
        self.version = version


class Files(Resource):
    """The bytes: ``files/<project>/<token>/<filename>``, one permanent URL each; the older JSON says ``packages/``."""

    def __getitem__(self, name: str) -> Resource:
        return ProjectFiles(self, name)


class ProjectFiles(ProjectResource):
    """The files of a project; rights on it are the project's."""

    def __getitem__(self, name: str) -> Resource:
        return Token(self, name)


class Token(Resource):
    """The random part of a file's URL."""

    def __getitem__(self, name: str) -> Resource:
        return FileResource(self, name)


class FileResource(Resource):
    """One file, or what lies beside it: ``sidecar`` is "", or one of those that the model names."""

    def __init__(self, parent: Token, name: str) -> None:
        super().__init__(parent, name)
        self.sidecar = next((end for end in SIDECARS if name.endswith(end)), "")
        self.filename = name.removesuffix(self.sidecar)
        self.token: str = parent.__name__
        folder: Any = parent.__parent__
        self.project: NormalizedName = folder.project


class Explanations(Resource):
    """Why something is not to be seen: ``+why/<project>``, or ``+why/<project>==<version>``."""

    def __getitem__(self, name: str) -> Resource:
        return Explained(self, name)


class Explained(ProjectResource):
    """A project of which somebody asks why; ``version`` is None if they ask about all."""

    def __init__(self, parent: Resource, name: str) -> None:
        text, equal, version = name.partition("==")
        super().__init__(parent, text)
        try:
            self.version = str(names.version(version)) if equal else None
        except names.InvalidVersion as exc:
            raise KeyError(name) from exc

    @property
    def canonical(self) -> str:
        return f"{self.project}=={self.version}" if self.version else self.project


class Integrity(Resource):
    """The attestations of files: ``integrity/<project>/<version>/<filename>/provenance``, as PyPI has it."""

    def __getitem__(self, name: str) -> Resource:
        return AttestedProject(self, name)


class AttestedProject(ProjectResource):
    """A project whose files may have attestations."""

    def __getitem__(self, name: str) -> Resource:
        return AttestedRelease(self, name)


class AttestedRelease(ReleaseResource):
    """A release whose files may have attestations."""

    def __getitem__(self, name: str) -> Resource:
        return AttestedFile(self, name)


class AttestedFile(ReleaseFile):
    """A file of the release."""

    def __getitem__(self, name: str) -> Resource:
        return Provenance(self, name) if name == "provenance" else super().__getitem__(name)


class Provenance(Resource):
    """The provenance object of a file (PEP 740)."""

    def __init__(self, parent: AttestedFile, name: str) -> None:
        super().__init__(parent, name)
        self.project = parent.project
        self.version = parent.version
        self.filename = parent.filename


class Exchange(Resource):
    """Where builds get their tokens: the pages of ``_/oidc``, named as PyPI names them."""

    def __getitem__(self, name: str) -> Resource:
        return Exchange(self, name) if (self.__name__, name) == ("_", "oidc") else super().__getitem__(name)


class WellKnown(Resource):
    """``.well-known``, where clients look for what a host can do (RFC 8615)."""


_EXCHANGE = {"_": Exchange, ".well-known": WellKnown}
_FIXED = {
    "simple": Simple,
    "legacy": Legacy,
    "files": Files,
    "packages": Files,  # PyPI's name for it: bandersnatch mirrors from no other
    "project": Pages,
    "pypi": LegacyJson,
    "integrity": Integrity,
    "+why": Explanations,
}
_RESERVED = ("robots.txt", "favicon.ico")
