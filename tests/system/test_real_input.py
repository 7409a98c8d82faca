"""A few dozen real sdists and wheels of twenty years: taken in and served byte for byte, or refused with a reason."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name, parse_wheel_filename

from . import registry, servers
from .clients import Home
from .environments import Environments
from .installers import INSTALLERS, installed
from .packages import Builder, Package
from .servers import Server

SDISTS = {
    "argparse": ["argparse-0.1.0.tar.gz", "argparse-1.0.1.zip"],
    "attrs": ["attrs-15.0.0a1.tar.gz", "attrs-24.2.0.tar.gz"],
    "backports-functools-lru-cache": ["backports.functools_lru_cache-1.0.zip"],
    "backports-tarfile": ["backports.tarfile-1.0.0.tar.gz", "backports_tarfile-1.2.0.tar.gz"],
    "coverage": ["coverage-3.0.1.tar.gz"],
    "docutils": ["docutils-0.3.tar.gz", "docutils-0.4.tar.gz"],
    "enum34": ["enum34-1.0.tar.gz", "enum34-1.0.1.zip"],
    "flask": ["Flask-0.1.tar.gz", "Flask-0.10.1.tar.gz", "flask-3.1.0.tar.gz"],
    "jaraco-functools": ["jaraco.functools-1.0.zip", "jaraco_functools-4.1.0.tar.gz"],
    "lxml": ["lxml-2.0.tar.gz"],
    "markupsafe": ["MarkupSafe-0.9.2.tar.gz"],
    "numpy": ["numpy-1.18.5.zip"],
    "pip": ["pip-0.2.tar.gz", "pip-9.0.3.tar.gz"],
    "pyparsing": ["pyparsing-1.5.0.tar.gz"],
    "python-dateutil": ["python-dateutil-2.9.0.post0.tar.gz"],
    "pyyaml": ["PyYAML-3.10.tar.gz", "PyYAML-3.10.zip"],
    "requests": ["requests-0.2.0.tar.gz", "requests-2.32.3.tar.gz"],
    "ruamel-yaml": ["ruamel.yaml-0.15.0.tar.gz", "ruamel_yaml-0.18.17.tar.gz"],
    "setuptools": ["setuptools-0.6b1.zip", "setuptools-0.6c11.tar.gz"],
    "sqlalchemy": ["SQLAlchemy-0.1.0.tar.gz"],
    "zope-deprecation": ["zope.deprecation-3.3.0.tar.gz", "zope_deprecation-5.1.tar.gz"],
    "zope-interface": ["zope.interface-3.3.0.1.tar.gz", "zope.interface-3.8.0.tar.gz"],
}
WHEELS = {
    "attrs": ["attrs-15.0.0-py2-none-any.whl"],
    "backports-functools-lru-cache": ["backports.functools_lru_cache-1.6.6-py2.py3-none-any.whl"],
    "cryptography": ["cryptography-43.0.3-cp39-abi3-musllinux_1_2_x86_64.whl"],
    "importlib-metadata": ["importlib_metadata-0.1-py2.py3-none-any.whl", "importlib_metadata-8.5.0-py3-none-any.whl"],
    "lxml": ["lxml-5.3.0-cp36-cp36m-manylinux_2_5_x86_64.manylinux1_x86_64.whl"],
    "numpy": ["numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"],
    "pip": ["pip-9.0.3-py2.py3-none-any.whl"],
    "python-dateutil": ["python_dateutil-2.9.0.post0-py2.py3-none-any.whl"],
    "pyyaml": ["PyYAML-6.0.2-cp311-cp311-win32.whl"],
    "ruamel-yaml": ["ruamel.yaml-0.15.0-cp27-cp27mu-manylinux1_x86_64.whl", "ruamel.yaml-0.18.6-py3-none-any.whl"],
    "twisted": ["Twisted-13.0.0-cp27-none-win32.whl", "Twisted-22.10.0-py3-none-any.whl"],
    "typing-extensions": ["typing_extensions-3.6.2-py2-none-any.whl"],
    "zope-deprecation": ["zope.deprecation-5.0-py3-none-any.whl"],
}
REFUSED = {
    "argparse": {
        "argparse-0.1.0.win32.exe": "is a Windows installer (bdist_wininst)",
        "argparse-1.0.1.win32.msi": "is a Windows installer (bdist_msi)",
    },
    "backports-ssl-match-hostname": {"backports.ssl_match_hostname-3.2a3.tar.gz": "there is no"},
    "pytz": {"pytz-2004d.tar.gz": "with a version as PEP 440 writes it"},
    "setuptools": {
        "setuptools-0.6c11-1.src.rpm": "is a package of the operating system",
        "setuptools-0.6c11-py2.7.egg": "is an egg",
    },
    "twisted": {"Twisted-13.0.0.tar.bz2": "is not compressed with gzip"},
    "zope-interface": {"zope.interface-3.3.0.1-py2.4-win32.egg": "is an egg"},
}
"""By project: what is not taken, and what the reason says. One sdist was made by hand and has no PKG-INFO."""


@dataclass(frozen=True)
class Stock:
    """Real files: those that the index is to take, and those that it is to refuse."""

    good: tuple[Path, ...]
    bad: tuple[Path, ...]


@pytest.fixture(scope="module")
def stock(kept: Path) -> Stock:
    """The files above, brought once; skip with the reason where the registry cannot be reached."""

    def bring(project: str) -> list[Path]:
        listed = registry.files(project)
        wanted = [*SDISTS.get(project, ()), *WHEELS.get(project, ()), *REFUSED.get(project, ())]
        return [registry.fetch(listed[name], kept / "real") for name in wanted]

    try:
        with ThreadPoolExecutor(4) as pool:
            paths = [path for found in pool.map(bring, sorted({*SDISTS, *WHEELS, *REFUSED})) for path in found]
    except (OSError, ValueError, KeyError) as exc:
        pytest.skip(f"real files cannot be had from the registry that pip uses here: {exc!r}")
    bad = {name for files in REFUSED.values() for name in files}
    return Stock(tuple(p for p in paths if p.name not in bad), tuple(p for p in paths if p.name in bad))


@dataclass(frozen=True)
class Taken:
    """An index into which a folder of files was imported, and what the command said."""

    server: Server
    folder: Path
    said: str


@pytest.fixture(scope="module")
def taken(stock: Stock, builder: Builder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taken]:
    """All of them in an index, with an epoch and a local version, which the public index hardly has or not at all."""
    folder = tmp_path_factory.mktemp("real")
    builder.collect(folder / "files", Package("acme-epoch", "1!2.0"), Package("acme-local", "1.0+build.5"))
    for path in stock.good + stock.bad:
        shutil.copy(path, folder / "files")
    with servers.running(folder / "server") as server:
        yield Taken(server, folder / "files", server.command("import", folder / "files"))


def test_import_takes_them_and_says_why_it_refuses_the_others(taken: Taken, stock: Stock):
    reasons = {name: reason for files in REFUSED.values() for name, reason in files.items()}

    assert f"{len(stock.good) + 4} imported, {len(stock.bad)} refused" in taken.said, taken.said
    refusals = re.findall(r"^refused .*?([^/]+?): (.+)$", taken.said, re.MULTILINE)
    assert {name: reasons[name] in said for name, said in refusals} == dict.fromkeys(reasons, True), taken.said
    assert "all is well" in taken.server.command("verify")


def test_what_was_refused_can_be_taken_as_history(taken: Taken):
    name = "backports.ssl_match_hostname-3.2a3.tar.gz"

    said = taken.server.command("import", "--allow", "pkg-info", taken.folder / name)

    assert "1 imported, 0 refused" in said, said
    assert taken.server.serves("backports-ssl-match-hostname", taken.folder / name)


def test_all_are_served_byte_for_byte(taken: Taken, stock: Stock):
    """By plain GET: any client that downloads an sdist runs its setup.py too, and these are twenty years old."""
    made = [path for path in taken.folder.iterdir() if path.name.startswith("acme")]

    assert len(made) == 4
    for path in (*stock.good, *made):
        project = canonicalize_name(re.split(r"-v?\d", path.name)[0])
        assert taken.server.serves(project, path), path.name


def test_pip_downloads_wheels_byte_for_byte(taken: Taken, environments: Environments, home: Home, tmp_path: Path):
    env = next(each for each in INSTALLERS if each.name == "pip-26.3").fresh(environments, tmp_path / "env")
    wheels = [taken.folder / name for files in WHEELS.values() for name in files]

    for wheel in wheels:
        name, version, _, tags = parse_wheel_filename(wheel.name)
        tag = min(tags, key=str)
        target = [f"--platform={each}" for each in sorted({tag.platform for tag in tags})]
        target += [f"--python-version={_python(tag.interpreter)}", f"--implementation={tag.interpreter[:2]}"]
        target += ["--ignore-requires-python"]  # pip takes 2 for 2.0
        words = ["download", "--no-deps", "--only-binary=:all:", *target, f"--abi={tag.abi}", "-d", tmp_path / "got"]
        index = f"{taken.server.url}/simple/"
        home.run(env.python, "-m", "pip", *words, "-i", index, f"{name}=={version}").succeeded()

    assert {p.name: p.read_bytes() for p in (tmp_path / "got").iterdir()} == {p.name: p.read_bytes() for p in wheels}


def _python(interpreter: str) -> str:
    """Return the version of Python for pip.

    >>> _python("cp311"), _python("py2")
    ('3.11', '2')
    """
    digits = interpreter[2:]
    return f"{digits[0]}.{digits[1:]}" if digits[1:] else digits


def test_uv_installs_old_wheels_epochs_and_local_versions(
    taken: Taken, environments: Environments, home: Home, tmp_path: Path
):
    uv = next(each for each in INSTALLERS if each.name == "uv")
    env = uv.fresh(environments, tmp_path / "env")
    wanted = ("importlib-metadata==0.1", "acme-epoch==1!2.0", "acme-local==1.0+build.5")

    uv.install(env, home, f"{taken.server.url}/simple/", "--no-deps", "--only-binary", ":all:", *wanted).succeeded()

    assert {"importlib-metadata": "0.1", "acme-local": "1.0+build.5"}.items() <= installed(env).items()
