"""A change to a project before it is made: which files it is about, and what it would do. Everything here is pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ...model import STATUSES, Actor, Event, File, Missing, Project, Status
from ...model.releases import Release, releases
from ...overview import Dependent
from ...repository import Repository

OF_FILES = ("yank", "unyank", "remove", "restore")
OF_OWNERS = ("owner-add", "owner-remove")
ACTIONS = (*OF_FILES, "status", *OF_OWNERS)


@dataclass(frozen=True)
class Plan:
    """A change that somebody wants; ``value`` is the status or the owner that it is about."""

    action: str
    files: tuple[File, ...] = ()
    reason: str = ""
    value: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(file.filename for file in self.files)

    def on(self, project: Project) -> Project:
        """Return the project as it would be. Raises ModelError."""
        event = Event(at="9999", did="")
        if self.action == "yank":
            return project.yank(self.names, self.reason, event)
        if self.action == "unyank":
            return project.unyank(self.names, event)
        if self.action == "remove":
            return project.remove(self.names, event)
        if self.action == "restore":
            return project.restore(self.names, event)
        if self.action == "status":
            return project.set_status(_status(self.value), self.reason, event)
        return project.add_owner(self.value, event) if self.action == "owner-add" else _without(project, self.value)

    def carry_out(self, repository: Repository, project: str, by: Actor) -> None:
        """Make the change. Raises ModelError, StoreError."""
        if self.action == "yank":
            repository.yank(project, self.names, self.reason, by)
        elif self.action == "unyank":
            repository.unyank(project, self.names, by)
        elif self.action == "remove":
            repository.remove(project, self.names, by)
        elif self.action == "restore":
            repository.restore(project, self.names, by)
        elif self.action == "status":
            repository.set_status(project, _status(self.value), self.reason, by)
        elif self.action == "owner-add":
            repository.add_owner(project, self.value, by)
        else:
            repository.remove_owner(project, self.value, by)


@dataclass(frozen=True)
class Impact:
    """What a change would do: the version that an installer takes before and after, None for none, and who depends.

    Each dependent comes with whether an installer will still find something for its requirement.
    """

    before: str | None
    after: str | None
    dependents: tuple[tuple[Dependent, bool], ...]


def choose(project: Project, action: str, filenames: Iterable[str], versions: Iterable[str]) -> tuple[File, ...]:
    """Return the files that are chosen, by name or by release, and for which the action has a meaning.

    Raises Missing, naming what there is not, or that there is nothing to do.
    """
    wanted, whole = dict.fromkeys(filenames), dict.fromkeys(versions)
    if not wanted and not whole:
        raise Missing("Choose at least one release or file.")
    unknown = [name for name in wanted if name not in project.files]
    unknown += [version for version in whole if not any(f.version == version for f in project.files.values())]
    if unknown:
        raise Missing(f"{project.display} has no {unknown[0][:100]} any more; load the page again.")
    chosen = [f for f in project.files.values() if (f.filename in wanted or f.version in whole) and _applies(action, f)]
    if not chosen:
        raise Missing(_NOTHING[action])
    return tuple(sorted(chosen, key=lambda f: (Version(f.version), f.filename)))


_NOTHING = {
    "yank": "None of these can be yanked: they are yanked or removed already.",
    "unyank": "None of these is yanked.",
    "remove": "All of these are removed already.",
    "restore": "None of these can be restored: they are there, or were purged for good.",
}


def impact(project: Project, plan: Plan, dependents: Sequence[Dependent]) -> Impact:
    """Foresee what a change does to who installs. Raises ModelError."""
    after = plan.on(project)
    found = tuple((each, _still(each, after)) for each in dependents)
    return Impact(_taken(project), _taken(after), found)


def _taken(project: Project) -> str | None:
    found = _found(SpecifierSet(), project)
    return max(found, key=lambda each: each.version).text if found else None


def _still(dependent: Dependent, project: Project) -> bool:
    """Tell whether an installer finds a release for a requirement; what cannot be read is no reason to worry."""
    try:
        return bool(_found(Requirement(dependent.requirement).specifier, project))
    except InvalidRequirement:
        return True


def _found(wanted: SpecifierSet, project: Project) -> list[Release]:
    """Return the releases that an installer may take.

    Yanked ones are for who pins them (PEP 592), and yet they count where pip asks whether there is none but
    pre-releases.
    """
    pinned = len(wanted) == 1 and all(each.operator in ("==", "===") and "*" not in each.version for each in wanted)
    offered = {each.version: each for each in releases(project).values() if each.files}
    return [offered[version] for version in wanted.filter(offered) if pinned or offered[version].usable]


def _applies(action: str, file: File) -> bool:
    if action == "yank":
        return file.live and file.yanked is None
    if action == "unyank":
        return file.yanked is not None and not file.purged
    return file.live if action == "remove" else not file.live and not file.purged


def _status(text: str) -> Status:
    return next(each for each in STATUSES if each == text)


def _without(project: Project, owner: str) -> Project:
    return project.remove_owner(owner, Event(at="9999", did=""))
