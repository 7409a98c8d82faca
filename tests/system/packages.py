"""Real packages, written here and built with the real build backends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uv

from .clients import Home
from .environments import Environments
from .interpreters import this

BACKENDS = {
    "setuptools": ("setuptools.build_meta", "setuptools", "setuptools==84.2.1"),
    "hatch": ("hatchling.build", "hatchling", "hatchling==1.33.0"),
    "flit": ("flit_core.buildapi", "flit_core", "flit-core==4.2.0"),
    "poetry": ("poetry.core.masonry.api", "poetry-core", "poetry-core==2.5.0"),
    "pdm": ("pdm.backend", "pdm-backend", "pdm-backend==2.5.0"),
}
"""Name: the backend's module, the requirement that a project states, and what is installed to build."""

BOTH = ("sdist", "wheel")


@dataclass(frozen=True)
class Package:
    """A package to be: what its author would write."""

    name: str
    version: str = "1.0"
    requires: tuple[str, ...] = ()
    python: str = ""
    backend: str = "setuptools"
    description: str = "Bölts, nüts and 日本語 ☃"
    author: str = "Zoë Łukasiewicz"
    content: str = ""
    classifiers: tuple[str, ...] = ()
    extras: tuple[tuple[str, str], ...] = ()
    """The extras, each with the one requirement that it brings."""

    @property
    def module(self) -> str:
        """Return the name to import."""
        return self.name.lower().replace("-", "_").replace(".", "_")

    def write(self, folder: Path) -> Path:
        """Write the source tree, over an older one if there is one, and return the folder."""
        (folder / self.module).mkdir(parents=True, exist_ok=True)
        (folder / self.module / "__init__.py").write_text(
            f'"""Made for a test."""\n__version__ = "{self.version}"\n{self.content}\n', encoding="utf-8"
        )
        (folder / "README.rst").write_text(f"{self.name}\n{'=' * len(self.name)}\n\n{self.description}\n", "utf-8")
        if self.backend == "setuptools":
            # No pyproject.toml: pip 10 to 22 would then build in isolation, and ask the index for setuptools.
            (folder / "setup.py").write_text(self.setup_py("setuptools"), encoding="utf-8")
            (folder / "setup.cfg").write_text("[bdist_wheel]\npython_tag = py2.py3\n", encoding="utf-8")
        else:
            (folder / "pyproject.toml").write_text(self._pyproject(), encoding="utf-8")
        return folder

    def setup_py(self, module: str) -> str:
        """Return a setup.py over `module`.core.setup of distutils, or setuptools.setup, that any Python reads."""
        keywords = {
            "name": self.name,
            "version": self.version,
            "description": self.description,
            "long_description": self.description,
            "author": self.author,
            "author_email": "zoe@example.com",
            "url": "https://example.com/",
            "packages": [self.module],
        }
        if self.classifiers:
            keywords["classifiers"] = list(self.classifiers)
        if module == "setuptools":
            keywords["install_requires"] = list(self.requires)
            if self.extras:
                keywords["extras_require"] = dict(self.extras)
            if self.python:
                keywords["python_requires"] = self.python
        given = "".join(f"    {name}={_literal(value)},\n" for name, value in keywords.items())
        start = "from setuptools import setup" if module == "setuptools" else f"from {module}.core import setup"
        return f"{start}\n\nsetup(\n{given}){'' if not self.content else f'  # {self.content[:80]}'}\n"

    def _pyproject(self) -> str:
        module, requirement, _ = BACKENDS[self.backend]
        lines = [
            "[build-system]",
            f'requires = ["{requirement}"]',
            f'build-backend = "{module}"',
            "[project]",
            f'name = "{self.name}"',
            f'version = "{self.version}"',
            f"description = {json.dumps(self.description, ensure_ascii=False)}",
            'readme = "README.rst"',
            f'authors = [{{name = {json.dumps(self.author, ensure_ascii=False)}, email = "zoe@example.com"}}]',
            f"dependencies = {json.dumps(self.requires)}",
            f'requires-python = "{self.python or ">=3.6"}"',
            f"classifiers = {json.dumps(self.classifiers)}",
            "[project.optional-dependencies]",
            *(f'{extra} = ["{requirement}"]' for extra, requirement in self.extras),
        ]
        return "\n".join(lines) + "\n"


class Builder:
    """Builds packages with the real backends, through `uv build`."""

    def __init__(self, environments: Environments, home: Home) -> None:
        self._environments = environments
        self._home = home

    def build(self, folder: Path, package: Package, kinds: Sequence[str] = BOTH) -> list[Path]:
        """Write and build a package in a folder; return its files, which lie in `dist` there."""
        _, _, pin = BACKENDS[package.backend]
        python = self._environments.need(this(), pin).python
        package.write(folder)
        dist = folder / "dist"
        shutil.rmtree(dist, ignore_errors=True)
        words = [uv.find_uv_bin(), "build", "--quiet", "--no-build-isolation", "--no-create-gitignore"]
        for kind in kinds:
            given = ["--python", python, f"--{kind}", "--out-dir", dist, folder]
            # hatchling would not build what a test wants the index to refuse.
            self._home.run(*words, *given, env={"HATCH_METADATA_CLASSIFIERS_NO_VERIFY": "true"}).succeeded()
        return sorted(dist.iterdir())

    def collect(self, target: Path, *packages: Package, kinds: Sequence[str] = BOTH) -> Path:
        """Build packages, gather all their files in one folder and return it."""
        target.mkdir(parents=True, exist_ok=True)
        for package in packages:
            work = self._home.folder / "tmp" / f"{package.name}-{package.version}"
            for path in self.build(work, package, kinds):
                shutil.copy(path, target)
            shutil.rmtree(work)
        return target


def _literal(value: object) -> str:
    """Write a value so that Python 2.7 and 3 read the same text: ASCII, with u"" for what is not."""
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    text = ascii(value)
    return text if str(value).isascii() else f"u{text}"
