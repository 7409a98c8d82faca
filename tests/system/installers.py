"""The clients that install a package into an environment, each with what it needs and how it is told from where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import version as version_here
from pathlib import Path

import uv

from .clients import Home, Result
from .environments import Environment, Environments, installed
from .interpreters import need, this
from .seen import seen

__all__ = ["INSTALLERS", "EasyInstall", "Installer", "Pip", "Uv", "imports", "installed"]

_VERSION = re.compile(r"[\d.]+")


@dataclass(frozen=True)
class Installer:
    """A client that installs; `series` are the Pythons that it runs on, best first, or the tests' own."""

    name: str
    pins: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    always: bool = True
    """Whether `make test` runs it too; `make clients` runs all."""

    def fresh(self, environments: Environments, folder: Path) -> Environment:
        """Return a new environment to install into; skip the test if there is none."""
        with seen.preparing(self.name):
            env = environments.need(need(*self.series) if self.series else this(), *self.pins)
        seen.ran(self.name, self.client_version(env), env.interpreter.version)
        return env.copy(folder)

    def client_version(self, env: Environment) -> str:
        """Return the client's version."""
        return installed(env)[self.name.partition("-")[0]]

    def install(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        """Install requirements from an index; options of the client may stand among the words."""
        raise NotImplementedError

    def upgrade(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        """Install the newest releases that there are, over older ones."""
        return self.install(env, home, index, "-U", *words)

    def build(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        """Install from sdists, with the setuptools that is in the environment: the index has none."""
        return self.install(env, home, index, *words)

    def install_before(self, env: Environment, home: Home, index: str, moment: str, *words: str) -> Result:
        """Install what was published before a moment, which is written as in RFC 3339."""
        raise NotImplementedError

    def install_hashed(self, env: Environment, home: Home, index: str, pin: str, sha256: str) -> Result:
        """Install a pinned release if its file has this digest."""
        raise NotImplementedError


class Pip(Installer):
    @property
    def version(self) -> tuple[int, ...]:
        """Return the version of pip."""
        return tuple(int(part) for part in _VERSION.findall(self.name)[0].split("."))

    def install(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        return home.run(env.python, "-m", "pip", "install", "-i", index, *words)

    def upgrade(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        # pip keeps nothing of a plain http host that it does not trust.
        return super().upgrade(env, home, index, "--trusted-host", "127.0.0.1", *words)

    def build(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        options = ["--no-build-isolation"] if self.version >= (22,) else []
        return self.install(env, home, index, *options, *words)

    def install_before(self, env: Environment, home: Home, index: str, moment: str, *words: str) -> Result:
        return self.install(env, home, index, "--uploaded-prior-to", moment, *words)

    def install_hashed(self, env: Environment, home: Home, index: str, pin: str, sha256: str) -> Result:
        return self.install(env, home, index, "--require-hashes", "-r", str(requirements(home, pin, sha256)))


class Uv(Installer):
    def client_version(self, env: Environment) -> str:
        return version_here("uv")

    def install(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        start = [uv.find_uv_bin(), "pip", "install", "--python", env.python, "--index-url", index]
        return home.run(*start, *words)

    def build(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        return self.install(env, home, index, "--no-build-isolation", *words)

    def install_before(self, env: Environment, home: Home, index: str, moment: str, *words: str) -> Result:
        return self.install(env, home, index, "--exclude-newer", moment, *words)

    def install_hashed(self, env: Environment, home: Home, index: str, pin: str, sha256: str) -> Result:
        return self.install(env, home, index, "--require-hashes", "-r", str(requirements(home, pin, sha256)))


class EasyInstall(Installer):
    def client_version(self, env: Environment) -> str:
        return installed(env)["setuptools"]

    def install(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        return home.run(env.python, "-m", "easy_install", "-i", index, *words)


def requirements(home: Home, pin: str, sha256: str) -> Path:
    """Write a requirement and the hash that its file must have."""
    path = home.folder / "requirements.txt"
    path.write_text(f"{pin} --hash=sha256:{sha256}\n")
    return path


def imports(env: Environment, home: Home, *modules: str) -> list[str]:
    """Import modules in an environment, and return their versions."""
    code = f"import {', '.join(modules)}\nfor m in ({', '.join(modules)},): print(m.__version__)"
    return home.run(env.python, "-c", code).succeeded().output.split()


OLD_PYTHONS = ("3.6", "3.7", "3.8", "2.7")
_SETUPTOOLS_65 = ("setuptools==65.5.0", "wheel==0.38.4")
INSTALLERS: tuple[Installer, ...] = (
    Pip("pip-9.0.3", pins=("pip==9.0.3", "setuptools==41.2.0", "wheel==0.33.6"), series=OLD_PYTHONS, always=False),
    Pip("pip-18.1", pins=("pip==18.1", "setuptools==41.2.0", "wheel==0.33.6"), series=("3.8", "3.7"), always=False),
    Pip(
        "pip-19.3.1",
        pins=("pip==19.3.1", "setuptools==41.2.0", "wheel==0.33.6"),
        series=("3.8", "3.7", "3.6"),
        always=False,
    ),
    Pip("pip-20.3.4", pins=("pip==20.3.4", "setuptools==44.1.1", "wheel==0.37.1"), series=("2.7", "3.9", "3.8")),
    # The oldest that runs where there is no Python but that of today.
    Pip("pip-22.3.1", pins=("pip==22.3.1", *_SETUPTOOLS_65), series=("3.11", "3.10", "3.9")),
    Pip("pip-23.0.1", pins=("pip==23.0.1", *_SETUPTOOLS_65), series=("3.11", "3.10", "3.9"), always=False),
    Pip("pip-24.3", pins=("pip==24.3", "setuptools==79.0.1"), always=False),
    Pip("pip-25.3", pins=("pip==25.3", "setuptools==79.0.1"), always=False),
    Pip("pip-26.3", pins=("pip==26.3", "setuptools==79.0.1")),
    Uv("uv", pins=("setuptools==79.0.1",)),
    EasyInstall("easy_install-2.7", pins=("setuptools==41.2.0",), series=("2.7",)),
    EasyInstall("easy_install-3.8", pins=("setuptools==41.2.0",), series=("3.8", "3.7", "3.6"), always=False),
)
