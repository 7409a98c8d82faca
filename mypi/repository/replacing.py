"""What a copy may do to a document of the target: the rules, as changes for Raws.rewrite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ..model import Accounts, Names, Project
from .carrying import Load
from .raws import Raw, fresh_revision

State = Literal["copied", "there", "left", "damaged"]

NEWER = "was changed at the target since it was copied, or was never copied from here; left alone"


@dataclass(frozen=True)
class Outcome:
    """What became of one document: copied, there already, left alone at the target, or not copied for damage.

    ``project`` is the name of its project, None for other documents; ``files`` and ``size`` count published files and
    bytes that were copied; ``problems`` are sentences that say what is wrong and what to do.
    """

    key: str
    state: State
    project: str | None = None
    files: int = 0
    size: int = 0
    problems: tuple[str, ...] = ()


def may_replace(source: Raw, target: Raw) -> bool:
    """Tell whether the target's document holds no work that the source's lacks.

    So it is if nobody has edited it since a copy wrote it, if the source's was itself copied from this very version (an
    index that moves back), or if nothing was ever done in the project. A history that the source's does not go on from
    is never dropped, as where an old backup, perhaps one that was served since, is put over a copy of the index.
    """
    if not source.continues(target):
        return False
    unedited = target.revision == target.copied != ""
    ancestor = source.copied == target.revision != ""
    return unedited or ancestor or target.blank


def same(source: Raw, target: Raw) -> bool:
    """Tell whether the target has this version of the document; where it has, it has the files, for they came first."""
    if source.revision:
        return source.revision == target.revision
    # Somebody wrote it by hand.
    return source.replaced(sealed="", copied="") == target.replaced(sealed="", copied="")


@dataclass
class Replacement:
    """Puts the source's document in the place of the target's, after ``load`` has carried its files.

    The target's own seal stays: a copy to an index that is sealed keeps it current, and sealed. A document that is new
    gets ``sealed``, the seal of the target's names.
    """

    source: Raw
    sealed: str = ""
    load: Callable[[], Load] = Load
    state: State = "there"
    carried: Load = field(default_factory=Load)

    def __call__(self, target: Raw | None) -> Raw | None:
        if target and same(self.source, target):
            # Perhaps our own swap of a round before, whose success was told as a failure.
            return None
        if target and not may_replace(self.source, target):
            self.state = "left"
            return None
        self._add(self.load())
        self.state = "damaged" if self.carried.problems else "copied"
        return None if self.carried.problems else self._copy(target)

    def _add(self, more: Load) -> None:
        self.carried = Load(self.carried.files + more.files, self.carried.size + more.size, more.problems)

    def _copy(self, target: Raw | None) -> Raw:
        sealed = target.sealed if target else self.sealed
        copy = self.source.replaced(sealed=sealed, copied=self.source.revision)
        if target:
            # An upload there that is under way must not miss a sweep, so that the counter never goes back.
            sweeps = max(int(each.content.get("sweeps", 0)) for each in (target, copy))
            return copy.replaced(sweeps=sweeps) if sweeps else copy
        return copy

    def outcome(self, key: str, project: str | None = None) -> Outcome:
        problems = (f"{project or key} {NEWER}",) if self.state == "left" else self.carried.problems
        return Outcome(key, self.state, project, self.carried.files, self.carried.size, problems)


@dataclass
class Listing:
    """Sees that the target lists ``wanted``; what it lists besides stays listed.

    Where that is just what the source lists, its document is taken as it is, revision and all.
    """

    source: Raw | None
    wanted: Mapping[str, str]
    state: State = "there"

    def __call__(self, target: Raw | None) -> Raw | None:
        there = names_in(target)
        if self.source and (target is None or (not same(self.source, target) and may_replace(self.source, target))):
            listed = names_in(self.source)
            if listed.keys() >= there.keys() and listed.keys() >= self.wanted.keys():
                self.state = "copied"
                return self.source.replaced(sealed=target.sealed if target else "", copied=self.source.revision)
        if there.keys() >= self.wanted.keys():
            return None
        self.state = "copied"
        merged = {"projects": {**self.wanted, **there}, "revision": fresh_revision()}
        return (target or Raw({})).replaced(**merged)


@dataclass
class Settlement:
    """Puts the source's users, groups and tokens in the place of the target's, whose secrets stay its own.

    What the target's key and the use of its tokens wrote there is no work that the source's lacks, so that an index
    which people try after a copy can be copied to again. Where the source has nothing new, nothing is written.
    """

    source: Accounts
    state: State = "there"

    def __call__(self, target: Raw | None) -> Raw | None:
        there = Accounts.load(target.dump()) if target else Accounts()
        moved = self.source.moved(there)
        known = there.revision == self.source.revision != ""
        if target and (known or replace(moved, revision=there.revision) == there):
            return None
        if not self.source.continues(there):
            self.state = "left"
            return None
        self.state = "copied"
        return Raw.load(moved.dump())

    def outcome(self, key: str) -> Outcome:
        return Outcome(key, self.state, problems=(f"{key} {NEWER}",) if self.state == "left" else ())


def names_in(listing: Raw | None) -> Mapping[str, str]:
    """Return what a document of names lists. Raises ValueError, KeyError or TypeError if it is damaged."""
    return Names.load(listing.dump()).projects if listing else {}


def project_in(document: Raw, name: str) -> Project:
    """Read a project document that must be that of ``name``. Raises ValueError, KeyError or TypeError."""
    found = Project.load(document.dump())
    if found.name != name:
        raise ValueError(f"the document is that of {found.name}")
    return found
