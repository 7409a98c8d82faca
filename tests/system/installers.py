"""The clients that install, each with what it needs and how it is told from where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import uv
from packaging.utils import canonicalize_name

from .clients import Home, Result
from .environments import Environment, Environments
from .interpreters import need, this

_INSTALLED = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(-py[\d.]+)?\.(dist-info|egg-info|egg)")
_VERSION = re.compile(r"[\d.]+")


@dataclass(frozen=True)
class Installer:
    """A client that installs; `series` are the Pythons that it runs on, best first, or the tests' own.

    The other fields say what it does not know yet, or does its own way.
    """

    name: str
    pins: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    knows_yanks: bool = True
    takes_previews: bool = False
    """Whether it takes a pre-release without being asked for it."""
    keeps_pages: bool = True
    """Whether it keeps pages that it read over plain http from a trusted host, and asks again with their ETag."""

    def fresh(self, environments: Environments, folder: Path) -> Environment:
        """Return a new environment to install into; skip the test if there is none."""
        return environments.need(need(*self.series) if self.series else this(), *self.pins).copy(folder)

    def install(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        """Install requirements from an index; options of the client may stand among the words."""
        raise NotImplementedError


class Pip(Installer):
    @property
    def version(self) -> tuple[int, ...]:
        """Return the version of pip."""
        return tuple(int(part) for part in _VERSION.findall(self.name)[0].split("."))

    def install(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        return home.run(env.python, "-m", "pip", "install", "-i", index, *words)


class Uv(Installer):
    def install(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        start = [uv.find_uv_bin(), "pip", "install", "--python", env.python, "--index-url", index]
        return home.run(*start, *words)


class EasyInstall(Installer):
    def install(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        return home.run(env.python, "-m", "easy_install", "-i", index, *words)


def installed(env: Environment) -> dict[str, str]:
    """Return the version of each distribution in an environment, by canonical name."""
    [folder] = env.path.glob("lib/python*/site-packages")
    names = [path.name for path in folder.iterdir() if path.suffix != ".egg"]
    active = folder / "easy-install.pth"
    if active.is_file():  # eggs of several versions may lie side by side
        names += [Path(line).name for line in active.read_text().splitlines()]
    found = [_INSTALLED.fullmatch(name) for name in names]
    return {canonicalize_name(each["name"]): each["version"].replace("_", "+") for each in found if each}


def imports(env: Environment, home: Home, *modules: str) -> list[str]:
    """Import modules in an environment, and return their versions."""
    code = f"import {', '.join(modules)}\nfor m in ({', '.join(modules)},): print(m.__version__)"
    return home.run(env.python, "-c", code).succeeded().output.split()


_OLD = {"knows_yanks": False, "keeps_pages": False}
OLD_PYTHONS = ("3.6", "3.7", "3.8", "2.7")
INSTALLERS: tuple[Installer, ...] = (
    Pip("pip-9.0.3", pins=("pip==9.0.3", "setuptools==41.2.0", "wheel==0.33.6"), series=OLD_PYTHONS, **_OLD),
    Pip("pip-18.1", pins=("pip==18.1", "setuptools==41.2.0", "wheel==0.33.6"), series=("3.8", "3.7"), **_OLD),
    Pip(
        "pip-20.3.4",
        pins=("pip==20.3.4", "setuptools==44.1.1", "wheel==0.37.1"),
        series=("2.7", "3.9", "3.8"),
        keeps_pages=False,
    ),
    Pip("pip-22.3.1", pins=("pip==22.3.1", "setuptools==65.5.0", "wheel==0.38.4"), series=("3.11", "3.10", "3.9")),
    Pip("pip-26.3", pins=("pip==26.3", "setuptools==79.0.1")),
    Uv("uv", pins=("setuptools==79.0.1",)),
    EasyInstall(
        "easy_install-2.7",
        pins=("setuptools==41.2.0",),
        series=("2.7",),
        takes_previews=True,
        **_OLD,
    ),
    EasyInstall(
        "easy_install-3.8",
        pins=("setuptools==41.2.0",),
        series=("3.8", "3.7", "3.6"),
        takes_previews=True,
        **_OLD,
    ),
)
