"""The clients that publish, each with what it needs and how it is told where to and as whom."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version as version_here
from pathlib import Path

import uv

from .clients import ALL, Home, Result
from .environments import Environment, Environments, installed
from .interpreters import need, this
from .packages import Builder, Package
from .seen import seen


@dataclass(frozen=True)
class Account:
    """What a client is told: the address to publish to, and credentials, which an open index ignores."""

    url: str
    user: str = "anyone"
    password: str = "junk"


@dataclass(frozen=True)
class Publisher:
    """A client that publishes; `series` are the Pythons that it runs on, best first, or the tests' own."""

    name: str
    pins: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    backend: str = "setuptools"
    always: bool = True
    """Whether `make test` runs it too; `make clients` runs all."""

    @property
    def project(self) -> str:
        """Return a name for a project of its own, so that publishers share an index without meeting."""
        return f"acme-{self.name}".replace(".", "-")

    def environment(self, environments: Environments) -> Environment:
        """Return the environment that it runs in; skip the test if there is none."""
        with seen.preparing(self.name):
            env = environments.need(need(*self.series) if self.series else this(), *self.pins)
        seen.ran(self.name, self.version(env), env.interpreter.version)
        return env

    def version(self, env: Environment) -> str:
        """Return the client's version."""
        return installed(env)[self.name.partition("-")[0]]

    def build(self, builder: Builder, folder: Path, package: Package) -> list[Path]:
        """Build the files to publish, in `dist` below the folder."""
        return builder.build(folder, package)

    def publish(self, env: Environment, home: Home, folder: Path, to: Account) -> Result:
        """Publish what lies in `dist` below the folder."""
        raise NotImplementedError


class Distutils(Publisher):
    """`setup.py sdist upload`; `module` tells whose distutils: "distutils" of the standard library, or "setuptools"."""

    @property
    def module(self) -> str:
        """Return where its setup.py takes `setup` from."""
        return "setuptools" if self.pins else "distutils"

    def version(self, env: Environment) -> str:
        return super().version(env) if self.pins else env.interpreter.version

    def write(self, folder: Path, package: Package) -> None:
        """Write the source tree with a command more: `prebuilt` hands the files in `dist` to `upload` as they are.

        `sdist upload` always builds again, and so with other bytes; a retry of the same ones needs this.
        """
        package.write(folder)
        (folder / "setup.cfg").unlink()
        (folder / "setup.py").write_text(PREBUILT + package.setup_py(self.module).replace("setup(\n", SETUP))

    def build(self, builder: Builder, folder: Path, package: Package) -> list[Path]:
        self.write(folder, package)
        return []

    def publish(self, env: Environment, home: Home, folder: Path, to: Account) -> Result:
        return self.setup(env, home, folder, to, "sdist", "upload", "-r", "local")

    def again(self, env: Environment, home: Home, folder: Path, to: Account) -> Result:
        """Publish the file of the last run once more, byte for byte."""
        return self.setup(env, home, folder, to, "prebuilt", "upload", "-r", "local")

    def setup(self, env: Environment, home: Home, folder: Path, to: Account, *words: str) -> Result:
        """Run setup.py with a .pypirc that names the account `local`."""
        write_pypirc(home, to)
        return home.run(env.python, "setup.py", *words, cwd=folder)


PREBUILT = """\
import os
from distutils.core import Command


class prebuilt(Command):
    user_options = []

    def initialize_options(self):
        pass

    finalize_options = initialize_options

    def run(self):
        for name in sorted(os.listdir("dist")):
            self.distribution.dist_files.append(("sdist", "", os.path.join("dist", name)))


"""
SETUP = 'setup(\n    cmdclass={"prebuilt": prebuilt},\n'


class Twine(Publisher):
    def publish(self, env: Environment, home: Home, folder: Path, to: Account) -> Result:
        write_pypirc(home, to)
        words = ["upload", "--non-interactive", "--disable-progress-bar", "-r", "local"]
        return home.run(env.script("twine"), *words, *sorted((folder / "dist").iterdir()))


class Uv(Publisher):
    def version(self, env: Environment) -> str:
        return version_here("uv")

    def publish(self, env: Environment, home: Home, folder: Path, to: Account) -> Result:
        words = ["publish", "--publish-url", to.url, "--username", to.user, "--password", to.password]
        return home.run(uv.find_uv_bin(), *words, *sorted((folder / "dist").iterdir()))


class Poetry(Publisher):
    def publish(self, env: Environment, home: Home, folder: Path, to: Account) -> Result:
        environ = {
            "POETRY_REPOSITORIES_LOCAL_URL": to.url,
            "POETRY_HTTP_BASIC_LOCAL_USERNAME": to.user,
            "POETRY_HTTP_BASIC_LOCAL_PASSWORD": to.password,
            "POETRY_VIRTUALENVS_CREATE": "false",
        }
        return home.run(env.script("poetry"), "publish", "--no-interaction", "-r", "local", cwd=folder, env=environ)


class Pdm(Publisher):
    def publish(self, env: Environment, home: Home, folder: Path, to: Account) -> Result:
        # Only a verbose pdm shows what the server said.
        words = ["publish", "-vv", "--no-build", "-r", to.url, "-u", to.user, "-P", to.password]
        return home.run(
            env.script("pdm"), *words, cwd=folder, env={"PDM_CHECK_UPDATE": "false", "PDM_PYTHON": env.python}
        )


class Hatch(Publisher):
    def publish(self, env: Environment, home: Home, folder: Path, to: Account) -> Result:
        words = ["publish", "--no-prompt", "-r", to.url, "-u", to.user, "-a", to.password]
        return home.run(env.script("hatch"), *words, cwd=folder)


class Flit(Publisher):
    def publish(self, env: Environment, home: Home, folder: Path, to: Account) -> Result:
        # It builds by itself; with a fixed date the same source gives the same bytes.
        environ = {
            "FLIT_INDEX_URL": to.url,
            "FLIT_USERNAME": to.user,
            "FLIT_PASSWORD": to.password,
            "SOURCE_DATE_EPOCH": "1700000000",
        }
        return home.run(env.script("flit"), "publish", "--no-use-vcs", cwd=folder, env=environ)


PDM = ("pdm==2.29.4", "hishel[httpx2]<2")
"""As it resolves, it fails: hishel 2 has no more what it imports."""


def write_pypirc(home: Home, to: Account) -> None:
    """Write the account into .pypirc as `local`, for distutils and twine."""
    (home.folder / ".pypirc").write_text(
        "[distutils]\nindex-servers = local\n\n"
        f"[local]\nrepository: {to.url}\nusername: {to.user}\npassword: {to.password}\n"
    )


PUBLISHERS: tuple[Publisher, ...] = (
    Distutils("distutils-2.7", series=("2.7",)),
    *(Distutils(f"distutils-3.{minor}", series=(f"3.{minor}",), always=False) for minor in range(6, 11)),
    Distutils("distutils-3.11", series=("3.11",)),
    Distutils("setuptools-65.5", pins=("setuptools==65.5.0",), series=("3.11", "3.10", "3.9", "3.8"), always=False),
    Distutils("setuptools-74.1", pins=("setuptools==74.1.3",), series=("3.13", "3.12", "3.11", "3.10", "3.9", "3.8")),
    Twine("twine-7", pins=("twine==7.0.0",)),
    Twine("twine-6.1", pins=("twine==6.1.0",), always=False),
    # Later ones of what it imports have lost what it uses.
    Twine(
        "twine-3.8",
        pins=("twine==3.8.0", "packaging", "urllib3<2", "importlib-metadata<5", "docutils<0.20"),
        always=False,
    ),
    Uv("uv"),
    Poetry("poetry", pins=("poetry==2.5.1",), backend="poetry"),
    Pdm("pdm", pins=PDM, backend="pdm"),
    Hatch("hatch", pins=("hatch==1.18.2",), backend="hatch"),
    Flit("flit", pins=("flit==4.2.0",), backend="flit"),
)


def chosen() -> tuple[Publisher, ...]:
    """Return those that this run is for: all, or those of `make test`."""
    return tuple(publisher for publisher in PUBLISHERS if ALL or publisher.always)
