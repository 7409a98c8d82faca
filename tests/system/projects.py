"""The clients that install what a project names: poetry, pdm, pipenv, hatch and flit."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from .clients import ALL, Home, Result
from .environments import Environment, Environments
from .installers import INSTALLERS, Installer
from .interpreters import this
from .publishers import PDM
from .seen import can, seen

_SHA256 = re.compile(r"(?<=sha256:)[0-9a-f]{64}")


@dataclass(frozen=True)
class Target(Environment):
    """An environment to install into, and the one that the client itself runs in."""

    tool: Environment


@dataclass(frozen=True)
class ProjectInstaller(Installer):
    """A client with a project of its own; `pins` are what it needs, `target` what must be there where it installs."""

    target: tuple[str, ...] = ()
    lock: str = ""
    """The file in which it keeps the hashes of what it chose."""

    def fresh(self, environments: Environments, folder: Path) -> Environment:
        with seen.preparing(self.name):
            tool = environments.need(this(), *self.pins)
            bare = environments.need(this(), *self.target)
        seen.ran(self.name, self.client_version(tool), tool.interpreter.version)
        return Target(bare.copy(folder).path, bare.interpreter, tool)

    def install(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        folder = self.write(env, home, index, *words)
        return self.apply(env, home, folder, index)

    def upgrade(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        (home.folder / "consumer" / self.lock).unlink(missing_ok=True)
        return self.install(env, home, index, *words)

    def install_hashed(self, env: Environment, home: Home, index: str, pin: str, sha256: str) -> Result:
        folder = self.write(env, home, index, pin)
        self.choose(env, home, folder, index).succeeded()
        lock = folder / self.lock
        lock.write_text(_SHA256.sub(sha256, lock.read_text()))
        return self.apply(env, home, folder, index)

    def write(self, env: Environment, home: Home, index: str, *words: str) -> Path:
        """Write the project that needs what the words say, and return its folder."""
        folder = home.folder / "consumer"
        folder.mkdir(exist_ok=True)
        (folder / "pyproject.toml").write_text(PYPROJECT.format(words=list(words)) + self.settings(index))
        return folder

    def settings(self, index: str) -> str:
        """Return the tables of pyproject.toml that tell the client from where."""
        return ""

    def choose(self, env: Environment, home: Home, folder: Path, index: str) -> Result:
        """Choose the releases, and write them down with their hashes."""
        raise NotImplementedError

    def apply(self, env: Environment, home: Home, folder: Path, index: str) -> Result:
        """Install what is written down, or choose it now."""
        raise NotImplementedError

    def run(self, env: Environment, home: Home, folder: Path, *words: str, **environ: str) -> Result:
        """Run the client in the project, with the environment to install into active."""
        assert isinstance(env, Target)
        known = {"VIRTUAL_ENV": str(env.path), "PATH": f"{env.path}/bin:{home.environ['PATH']}"}
        return home.run(env.tool.script(self.name), *words, cwd=folder, env=known | environ)


PYPROJECT = """\
[project]
name = "consumer"
version = "1"
description = "Needs what a test wants to see installed."
requires-python = ">=3.10,<3.15"
dependencies = {words}
[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"
"""


class Poetry(ProjectInstaller):
    def settings(self, index: str) -> str:
        return (
            "[tool.poetry]\npackage-mode = false\n"
            f'[[tool.poetry.source]]\nname = "local"\nurl = "{index}"\npriority = "primary"\n'
        )

    def choose(self, env: Environment, home: Home, folder: Path, index: str) -> Result:
        return self.run(env, home, folder, "lock", "--no-interaction")

    def apply(self, env: Environment, home: Home, folder: Path, index: str) -> Result:
        return self.run(env, home, folder, "install", "--no-interaction")

    def install_before(self, env: Environment, home: Home, index: str, moment: str, *words: str) -> Result:
        folder = self.write(env, home, index, *words)
        return self.run(env, home, folder, "install", "--no-interaction", POETRY_SOLVER_MIN_RELEASE_AGE="1")


class Pdm(ProjectInstaller):
    def settings(self, index: str) -> str:
        return (
            "[tool.pdm]\ndistribution = false\n"
            f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{index}"\nverify_ssl = true\n'
        )

    def run(self, env: Environment, home: Home, folder: Path, *words: str, **environ: str) -> Result:
        return super().run(env, home, folder, *words, PDM_CHECK_UPDATE="false", **environ)

    def choose(self, env: Environment, home: Home, folder: Path, index: str) -> Result:
        return self.run(env, home, folder, "lock")

    def apply(self, env: Environment, home: Home, folder: Path, index: str) -> Result:
        return self.run(env, home, folder, "install", "--no-self")

    def install_before(self, env: Environment, home: Home, index: str, moment: str, *words: str) -> Result:
        folder = self.write(env, home, index, *words)
        locked = self.run(env, home, folder, "lock", "--exclude-newer", moment)
        return self.run(env, home, folder, "sync", "--no-self") if locked.code == 0 else locked


class Pipenv(ProjectInstaller):
    def write(self, env: Environment, home: Home, index: str, *words: str, more: str = "") -> Path:
        folder = home.folder / "consumer"
        folder.mkdir(exist_ok=True)
        lines = [f'[[source]]\nname = "local"\nurl = "{index}"\nverify_ssl = true\n{more}[packages]']
        for each in map(Requirement, words):
            lines.append(f'{each.name} = {{version = "{each.specifier or "*"}", extras = {sorted(each.extras)}}}')
        (folder / "Pipfile").write_text("\n".join(lines) + "\n")
        return folder

    def run(self, env: Environment, home: Home, folder: Path, *words: str, **environ: str) -> Result:
        return super().run(env, home, folder, *words, PIPENV_VERBOSITY="-1", **environ)

    def choose(self, env: Environment, home: Home, folder: Path, index: str) -> Result:
        return self.run(env, home, folder, "lock")

    def apply(self, env: Environment, home: Home, folder: Path, index: str) -> Result:
        return self.run(env, home, folder, "sync" if (folder / self.lock).exists() else "install")

    def install_before(self, env: Environment, home: Home, index: str, moment: str, *words: str) -> Result:
        folder = self.write(env, home, index, *words, more='[pipenv]\ncool-down-period = "1d"\n')
        return self.run(env, home, folder, "install")


class Hatch(ProjectInstaller):
    def write(self, env: Environment, home: Home, index: str, *words: str) -> Path:
        folder = home.folder / "consumer"
        folder.mkdir(exist_ok=True)
        (folder / "pyproject.toml").write_text(
            '[project]\nname = "consumer"\nversion = "1"\n'
            f'[tool.hatch.envs.default]\nskip-install = true\npath = "{env.path}"\ndependencies = {list(words)}\n'
        )
        return folder

    def apply(self, env: Environment, home: Home, folder: Path, index: str, **more: str) -> Result:
        environ = {"PIP_INDEX_URL": index, "PIP_TRUSTED_HOST": "127.0.0.1", **more}
        return self.run(env, home, folder, "run", "python", "-c", "''", **environ)

    def upgrade(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        # It leaves alone what is installed and good enough, and remembers what it has installed.
        home.run(env.python, "-m", "pip", "uninstall", "--yes", *words)
        shutil.rmtree(home.folder / ".local", ignore_errors=True)
        return self.install(env, home, index, *words)

    def install_before(self, env: Environment, home: Home, index: str, moment: str, *words: str) -> Result:
        folder = self.write(env, home, index, *words)
        return self.apply(env, home, folder, index, PIP_UPLOADED_PRIOR_TO=moment)


class Flit(ProjectInstaller):
    def write(self, env: Environment, home: Home, index: str, *words: str) -> Path:
        folder = super().write(env, home, index, *words)
        (folder / "consumer.py").write_text('"""Is not installed."""\n')
        return folder

    def apply(self, env: Environment, home: Home, folder: Path, index: str, **more: str) -> Result:
        environ = {"PIP_INDEX_URL": index, "PIP_TRUSTED_HOST": "127.0.0.1", "FLIT_ROOT_INSTALL": "1", **more}
        return self.run(
            env, home, folder, "install", "--only-deps", "--python", env.python, FLIT_NO_NETWORK="", **environ
        )

    def upgrade(self, env: Environment, home: Home, index: str, *words: str) -> Result:
        folder = self.write(env, home, index, *words)
        return self.apply(env, home, folder, index, PIP_UPGRADE="1")

    def install_before(self, env: Environment, home: Home, index: str, moment: str, *words: str) -> Result:
        folder = self.write(env, home, index, *words)
        return self.apply(env, home, folder, index, PIP_UPLOADED_PRIOR_TO=moment)


_PIP = ("pip==26.3", "setuptools==79.0.1")
PROJECTS: tuple[ProjectInstaller, ...] = (
    Poetry("poetry", pins=("poetry==2.5.1",), lock="poetry.lock"),
    Pdm("pdm", pins=PDM, lock="pdm.lock"),
    Pipenv("pipenv", pins=("pipenv==2026.10.3",), lock="Pipfile.lock"),
    # It is pip that these two run to install.
    Hatch("hatch", pins=("hatch==1.18.2",), target=_PIP, always=False),
    Flit("flit", pins=("flit==4.2.0",), target=_PIP, always=False),
)


def chosen(scenario: str | None = None) -> tuple[Installer, ...]:
    """Return the installers that this run is for: all, or those of `make test`; those that can do a scenario."""
    found = tuple(installer for installer in (*INSTALLERS, *PROJECTS) if ALL or installer.always)
    return tuple(each for each in found if scenario is None or can(each.name, scenario))
