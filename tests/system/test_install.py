"""Every client installs a package and what it needs, from the bare host and from `simple/`, by the rules it knows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import servers
from .clients import Home
from .environments import Environments
from .installers import INSTALLERS, EasyInstall, Installer, Pip, Uv, imports, installed
from .packages import Builder, Package
from .publishers import Account
from .publishers import Uv as UvPublish
from .recorder import recording
from .servers import Server

WHEELS = (
    Package("acme-lib", "1.0"),
    Package("acme-lib", "2.0", backend="flit", python=">=2.7"),
    Package("acme-app", "1.0", requires=("acme-lib>=1.0",)),
    Package("acme-preview", "1.0"),
    Package("acme-preview", "1.1rc1"),
    Package("acme-yank", "1.0"),
    Package("acme-yank", "1.1"),
    Package("acme-local", "1.0"),
    Package("acme-local", "1.0+build.5"),
    Package("acme-python", "1.0"),
    Package("acme-python", "2.0", python=">=4"),
    Package("Acme_Odd", "1.0"),
)
SDIST = Package("acme-source", "1.0", requires=("acme-lib==1.0",))


def publish(home: Home, index: Server, dist: Path) -> None:
    UvPublish("uv").publish(None, home, dist.parent, Account(f"{index.url}/legacy/")).succeeded()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, builder: Builder) -> Iterator[Server]:
    """An index that holds all of the packages above; acme-yank 1.1 is yanked."""
    folder = tmp_path_factory.mktemp("index")
    with servers.running(folder) as server:
        builder.collect(folder / "dist", *WHEELS, kinds=("wheel",))
        builder.collect(folder / "dist", SDIST, kinds=("sdist",))
        publish(Home(folder / "home"), server, folder / "dist")
        said = server.command("yank", "--yes", "acme-yank", "1.1", "--reason", "eats data")
        assert said.endswith("exit code 0\n"), said
        yield server


@pytest.fixture(params=INSTALLERS, ids=lambda installer: installer.name)
def installer(request: pytest.FixtureRequest) -> Installer:
    return request.param


@pytest.fixture(params=[i for i in INSTALLERS if not isinstance(i, EasyInstall)], ids=lambda installer: installer.name)
def modern(request: pytest.FixtureRequest) -> Installer:
    return request.param


def subset(found: dict[str, str], prefix: str = "acme-") -> dict[str, str]:
    return {name: version for name, version in found.items() if name.startswith(prefix)}


def test_bare_host_gives_a_package_and_what_it_needs(
    installer: Installer, index: Server, environments: Environments, home: Home, tmp_path: Path
):
    env = installer.fresh(environments, tmp_path / "env")

    installer.install(env, home, index.url, "acme-app").succeeded()

    assert subset(installed(env)) == {"acme-app": "1.0", "acme-lib": "2.0"}
    assert imports(env, home, "acme_app", "acme_lib") == ["1.0", "2.0"]


def test_simple_gives_the_newest_final_release_unless_one_is_pinned(
    installer: Installer, index: Server, environments: Environments, home: Home, tmp_path: Path
):
    env = installer.fresh(environments, tmp_path / "env")
    wanted = ("acme-lib==1.0", "acme-preview", "acme-yank", "acme-local", "Acme_Odd")

    installer.install(env, home, f"{index.url}/simple/", *wanted).succeeded()

    assert subset(installed(env)) == {
        "acme-lib": "1.0",
        "acme-preview": "1.1rc1" if installer.takes_previews else "1.0",
        "acme-yank": "1.0" if installer.knows_yanks else "1.1",
        "acme-local": "1.0+build.5",
        "acme-odd": "1.0",
    }


def test_E4_pins_reach_what_is_passed_over_otherwise(
    installer: Installer, index: Server, environments: Environments, home: Home, tmp_path: Path
):
    env = installer.fresh(environments, tmp_path / "env")

    installer.install(
        env, home, f"{index.url}/simple", "acme-yank==1.1", "acme-preview==1.1rc1", "acme-local==1.0+build.5"
    ).succeeded()

    assert subset(installed(env)) == {"acme-yank": "1.1", "acme-preview": "1.1rc1", "acme-local": "1.0+build.5"}


def test_releases_for_other_pythons_are_passed_over(
    modern: Installer, index: Server, environments: Environments, home: Home, tmp_path: Path
):
    env = modern.fresh(environments, tmp_path / "env")

    modern.install(env, home, f"{index.url}/simple/", "acme-python").succeeded()

    assert subset(installed(env)) == {"acme-python": "1.0"}


def test_an_sdist_is_built_and_installed(
    installer: Installer, index: Server, environments: Environments, home: Home, tmp_path: Path
):
    env = installer.fresh(environments, tmp_path / "env")
    # Isolated builds would ask this index for setuptools.
    isolated = isinstance(installer, Uv) or (isinstance(installer, Pip) and installer.version >= (22,))

    options = ["--no-build-isolation"] if isolated else []
    installer.install(env, home, f"{index.url}/simple/", *options, "acme-source").succeeded()

    assert subset(installed(env)) == {"acme-source": "1.0", "acme-lib": "1.0"}
    assert imports(env, home, "acme_source") == ["1.0"]


def test_hashes_are_what_the_client_requires(
    modern: Installer, index: Server, environments: Environments, home: Home, tmp_path: Path
):
    env = modern.fresh(environments, tmp_path / "env")
    [filename] = [name for name in index.files("acme-lib") if "2.0" in name]
    right = hashlib.sha256(index.read("acme-lib", filename)).hexdigest()
    locked = tmp_path / "requirements.txt"

    locked.write_text(f"acme-lib==2.0 --hash=sha256:{right[::-1]}\n")
    refused = modern.install(env, home, f"{index.url}/simple/", "--require-hashes", "-r", str(locked)).failed()
    assert "hash" in refused.output.lower(), refused
    assert subset(installed(env)) == {}

    locked.write_text(f"acme-lib==2.0 --hash=sha256:{right}\n")
    modern.install(env, home, f"{index.url}/simple/", "--require-hashes", "-r", str(locked)).succeeded()
    assert subset(installed(env)) == {"acme-lib": "2.0"}


def test_a_release_just_published_is_seen_through_a_warm_cache(
    installer: Installer, index: Server, builder: Builder, environments: Environments, home: Home, tmp_path: Path
):
    env = installer.fresh(environments, tmp_path / "env")
    name = f"acme-fresh-{installer.name}".replace(".", "-").replace("_", "-")
    options = ["-U", name]
    if isinstance(installer, Pip):
        options += ["--trusted-host", "127.0.0.1"]  # pip keeps nothing of a plain http host that it does not trust
    publish(home, index, builder.collect(tmp_path / "one" / "dist", Package(name, "1.0"), kinds=("wheel",)))
    with recording(index.url) as between:
        installer.install(env, home, f"{between.url}/simple/", *options).succeeded()
        assert between.statuses(f"/simple/{name}/") == {200}

        installer.install(env, home, f"{between.url}/simple/", *options).succeeded()
        assert between.statuses(f"/simple/{name}/") == {304 if installer.keeps_pages else 200}

        publish(home, index, builder.collect(tmp_path / "two" / "dist", Package(name, "1.1"), kinds=("wheel",)))
        installer.install(env, home, f"{between.url}/simple/", *options).succeeded()
        assert between.statuses(f"/simple/{name}/") == {200}
    assert installed(env)[name] == "1.1"


def test_without_a_cache_pages_are_read_anew(index: Server, environments: Environments, home: Home, tmp_path: Path):
    pip = next(installer for installer in INSTALLERS if installer.name == "pip-26.3")
    with recording(index.url) as between:
        for name in ("one", "two"):
            env = pip.fresh(environments, tmp_path / name)

            pip.install(env, home, f"{between.url}/simple/", "--no-cache-dir", "acme-preview").succeeded()

            assert subset(installed(env)) == {"acme-preview": "1.0"}
            assert between.statuses("/simple/acme-preview/") == {200}


def test_clients_see_no_other_index(
    installer: Installer, index: Server, environments: Environments, home: Home, tmp_path: Path
):
    """What these tests prove rests on it: a name that only the public index has cannot be installed."""
    env = installer.fresh(environments, tmp_path / "env")

    installer.install(env, home, f"{index.url}/simple/", "six").failed()

    assert "six" not in installed(env)
