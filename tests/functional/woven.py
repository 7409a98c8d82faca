"""Projects that depend on one another in odd and legal ways, made so that it is known what a resolver must choose.

Of each project one release is to be chosen. Others are older, or newer and to be passed over: yanked, for a later
Python, for another platform, a preview, shut out by what requires the project, or with a number beyond 64 bits.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.builders import metadata, sdist, wheel
from tests.functional import hostile

TRAPS = ("yanked", "python", "platform", "preview", "shut out", "beyond")
OLDEST = "0.dev0"
BEYOND = "9" * 40
PYTHONS = [">=3.8", "<4", ">=2.7, !=3.0.*", "~=3.8", ">=3.8.0rc1", None]
"""This Python is among them. Whether one above an upper bound is, resolvers do not agree; uv looks at the lower."""
TRUE = ["python_version >= '3'", 'python_version>"2.7" and (os_name != "x" or extra == "q")', "'3.0' <= python_version"]
FALSE = ["python_version < '3'", 'os_name == "x"', "extra == 'none' and python_version > '3'", "sys_platform=='a b'"]
ELSEWHERE = "cp27-cp27m-win_amd64"


@dataclass
class File:
    """A file to be published; ``yanked`` is the reason or None."""

    name: str
    content: bytes
    yanked: str | None = None


@dataclass
class Need:
    """That another project is required, under a marker or ""; it is written down when that one is known."""

    project: Project
    marker: str = ""


@dataclass
class Project:
    """A project, the version to be chosen, and why its newer ones are not."""

    display: str
    version: str
    traps: list[str]
    extras: list[str] = field(default_factory=list)
    needs: list[Need] = field(default_factory=list)
    chosen: list[File] = field(default_factory=list)
    others: list[File] = field(default_factory=list)

    @property
    def name(self) -> str:
        return canonicalize_name(self.display)

    @property
    def preview(self) -> bool:
        return Version(self.version).is_prerelease

    @property
    def newer(self) -> str:
        """A version that is newer whatever comes behind it."""
        version = Version(self.version)
        return f"{version.epoch}!{version.release[0] + 1}"


def weave(seed: int, number: int) -> tuple[list[Project], list[str]]:
    """Make projects, and the requirements for which all of them are chosen."""
    chance = random.Random(seed)
    projects = [_project(chance, display) for display in _displays(chance, number)]
    for place, child in enumerate(projects[1:], 1):
        for parent in chance.sample(projects[max(0, place - 9) : place], min(place, chance.randint(1, 3))):
            parent.needs.append(_need(chance, parent, child))
    for project in projects:
        _release(chance, project)
    # A resolver need not take a preview that only others ask for.
    wanted = [projects[0], *(project for project in projects[1:] if project.preview)]
    return projects, [_requirement(chance, Need(project)) for project in wanted]


def _displays(chance: random.Random, number: int) -> list[str]:
    names = chance.sample(hostile.NAMES, min(number // 2, len(hostile.NAMES)))
    names += [f"{chance.choice('aBc9')}{chance.choice('-_.')}woven{place}" for place in range(number - len(names))]
    return chance.sample(names, number)


def _project(chance: random.Random, display: str) -> Project:
    versions = [each for each in hostile.VERSIONS if each != BEYOND]
    made = [str(Version(chance.choice([hostile.version(chance), chance.choice(versions)]))) for _ in range(2)]
    version = min(made, key=lambda each: Version(each).is_prerelease)  # else two of three were
    traps = chance.sample(TRAPS, chance.randint(1, 3))
    if Version(version).is_prerelease:
        traps = [trap for trap in traps if trap not in ("preview", "shut out")]  # it is pinned
    return Project(display, version, traps)


def _need(chance: random.Random, parent: Project, child: Project) -> Need:
    """Let a project require another one, at times by an extra of its own."""
    if chance.random() < 0.7:
        return Need(child, chance.choice(["", "", *TRUE]))
    extra = f"{chance.choice('xyZ')}{chance.choice('-_.')}{len(parent.extras)}"
    parent.extras.append(extra)
    return Need(child, f"extra == '{extra}'")


def _requirement(chance: random.Random, need: Need) -> str:
    project = need.project
    extras = ",".join(_respelled(chance, extra) for extra in project.extras)
    name = _respelled(chance, project.display) + (f"[{extras}]" if extras else "")
    marker = f"{chance.choice(['; ', ' ;'])}{need.marker}" if need.marker else ""
    return f"{name}{chance.choice(['', ' '])}{_specifier(chance, project)}{marker}"


def _respelled(chance: random.Random, name: str) -> str:
    """Write a name in another way that means the same."""
    spelled = re.sub(r"[-_.]+", lambda _: chance.choice(["-", "_", ".", "-_."]), name)
    return chance.choice([str.lower, str.upper, str])(spelled)


def _specifier(chance: random.Random, project: Project) -> str:
    """Make up a specifier that has the chosen version, and none that another one shuts out."""
    version = Version(project.version)
    pins = [f"=={project.version}", f"=== {project.version}"]
    if project.preview:
        return chance.choice(pins)
    start = f"{version.epoch}!{'.'.join(map(str, version.release))}"
    tight = [*pins, f"=={version.public}", f"<{project.newer}", f"=={version.epoch}!{version.release[0]}.*"]
    if len(version.release) == 2:
        tight.append(f"~={start}")
    loose = ["", f">={version.public}", f">= {start}, !=2.0.404", f">{OLDEST[0]}!0,!={project.newer}.404.*"]
    made = chance.choice(tight if "shut out" in project.traps else tight + loose)
    return made if SpecifierSet(made).contains(version) else pins[0]


def _release(chance: random.Random, project: Project) -> None:
    """Make the files of the chosen release and of those around it.

    These require nothing: from one with a requirement that cannot be had a resolver would step back by itself.
    """
    requires = [_requirement(chance, need) for need in project.needs]
    requires += [f"absent-{place}{chance.choice(['', '>1'])}; {chance.choice(FALSE)}" for place in range(2)]
    chance.shuffle(requires)
    kinds = chance.choice([("wheel",), ("wheel", "sdist"), ("wheel", "sdist", ELSEWHERE), ("sdist",)])
    for kind in kinds:
        # What an sdist of this version says holds, so that it need not be built.
        said = {"requires": requires, "provides_extra": project.extras, "metadata_version": "2.2"}
        project.chosen.append(_file(chance, project, project.version, kind, python=chance.choice(PYTHONS), **said))
    if Version(OLDEST) < Version(project.version):
        project.others.append(_file(chance, project, OLDEST, "wheel"))
    for place, trap in enumerate(project.traps):
        version = f"{project.newer}.{place}"
        if trap == "python":
            made = _file(chance, project, version, "wheel", python=chance.choice([">=3.99", ">=4", ">3.98, <4"]))
        elif trap == "platform":
            made = _file(chance, project, version, ELSEWHERE)
        elif trap == "beyond":
            made = _file(chance, project, BEYOND, "wheel")
        else:
            made = _file(
                chance, project, version + (chance.choice(["a1", "rc2", ".dev3"]) if trap == "preview" else "")
            )
            made.yanked = chance.choice(hostile.TEXTS) if trap == "yanked" else None
        project.others.append(made)


def _file(
    chance: random.Random,
    project: Project,
    version: str,
    kind: str = "wheel",
    *,
    python: str | None = None,
    requires: Sequence[str] = (),
    **said: object,
) -> File:
    fields = {**hostile.described(chance), "metadata_version": "2.1", **said}
    told = metadata(project.display, str(Version(version)), requires, python, **fields)
    if kind == "sdist":
        # A plain tar header has no room for the longest names.
        ending = ".zip" if len(project.name + version) > 60 else chance.choice([".tar.gz", ".zip"])
        return File(*sdist(project.name, str(Version(version)), pkg_info=told, ending=ending))
    tag = "py3-none-any" if kind == "wheel" else kind
    return File(*wheel(project.name, str(Version(version)), tag=tag, info={"METADATA": told}))
