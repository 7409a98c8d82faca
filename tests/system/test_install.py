"""Every client installs a package and what it needs, from the bare host and from `simple/`, by the rules it knows."""

from __future__ import annotations

import base64
import hashlib
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import registry, servers
from .clients import Home
from .environments import Environments
from .installers import INSTALLERS, Installer, imports, installed
from .packages import Builder, Package
from .projects import chosen
from .publishers import Account
from .publishers import Uv as UvPublish
from .recorder import recording
from .seen import seen
from .servers import Server

NOISE = base64.b64encode(random.Random(3).randbytes(300_000)).decode()
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
    Package("acme-extra", "1.0", extras=(("more", "acme-lib"),)),
    Package("acme-cutoff", "1.0"),
    Package("acme-long", "1.0", content=f"noise = {NOISE!r}"),
)
LATER = Package("acme-cutoff", "2.0")
USERS = {"alice": "correct horse", "bob": "secret"}
SETUPTOOLS = "setuptools-79.0.1-py3-none-any.whl"
SDIST = Package("acme-source", "1.0", requires=("acme-lib==1.0",))


def publish(home: Home, index: Server, dist: Path) -> None:
    UvPublish("uv").publish(None, home, dist.parent, Account(f"{index.url}/legacy/")).succeeded()


def build_tool(folder: Path) -> Path:
    """Return a wheel of setuptools, brought once; some clients build nothing without asking the index for it."""
    path = folder / SETUPTOOLS
    try:
        return path if path.is_file() else registry.fetch(registry.files("setuptools")[SETUPTOOLS], folder)
    except (OSError, ValueError, KeyError) as exc:
        pytest.skip(f"setuptools cannot be had from the registry that pip uses here: {exc!r}")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, builder: Builder, kept: Path) -> Iterator[Server]:
    """An index that holds all of the packages above, and setuptools to build with; acme-yank 1.1 is yanked."""
    folder = tmp_path_factory.mktemp("index")
    with servers.running(folder) as server:
        builder.collect(folder / "dist", SDIST, kinds=("sdist",))
        shutil.copy(build_tool(kept / "real"), folder / "dist")
        builder.collect(folder / "dist", *WHEELS, kinds=("wheel",))
        publish(Home(folder / "home"), server, folder / "dist")
        time.sleep(1)  # a whole second lies between the first acme-cutoff and the next: some clients know no fractions
        publish(Home(folder / "home"), server, builder.collect(folder / "later" / "dist", LATER, kinds=("wheel",)))
        said = server.command("yank", "--yes", "acme-yank", "1.1", "--reason", "eats data")
        assert said.endswith("exit code 0\n"), said
        yield server


@pytest.fixture(scope="module")
def users_index(tmp_path_factory: pytest.TempPathFactory, builder: Builder) -> Iterator[Server]:
    """An index that only users may read, and publish to."""
    folder = tmp_path_factory.mktemp("users")
    with servers.running(folder, users=USERS, settings={"mypi.read": "users"}) as server:
        builder.collect(folder / "dist", *WHEELS[:3], kinds=("wheel",))
        to = Account(f"{server.url}/legacy/", "alice", USERS["alice"])
        UvPublish("uv").publish(None, Home(folder / "home"), folder, to).succeeded()
        yield server


@pytest.fixture(params=chosen(), ids=lambda installer: installer.name)
def installer(request: pytest.FixtureRequest) -> Installer:
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
    seen.check(installer.name, {"install": "installed", "dependency": "2.0"})


def test_simple_gives_the_newest_final_release_unless_one_is_pinned(
    installer: Installer, index: Server, environments: Environments, home: Home, tmp_path: Path
):
    env = installer.fresh(environments, tmp_path / "env")
    wanted = ("acme-lib==1.0", "acme-preview", "acme-yank", "acme-local", "Acme_Odd")

    installer.install(env, home, f"{index.url}/simple/", *wanted).succeeded()

    found = subset(installed(env))
    assert found.keys() == {"acme-lib", "acme-preview", "acme-yank", "acme-local", "acme-odd"}
    cells = {
        "pinned": found["acme-lib"],
        "preview": found["acme-preview"],
        "yanked": found["acme-yank"],
        "local": found["acme-local"],
        "name": found["acme-odd"],
    }
    seen.check(installer.name, cells)


def test_E4_pins_reach_what_is_passed_over_otherwise(
    installer: Installer, index: Server, environments: Environments, home: Home, tmp_path: Path
):
    env = installer.fresh(environments, tmp_path / "env")

    installer.install(
        env, home, f"{index.url}/simple", "acme-yank==1.1", "acme-preview==1.1rc1", "acme-local==1.0+build.5"
    ).succeeded()

    found = subset(installed(env))
    assert found == {"acme-yank": "1.1", "acme-preview": "1.1rc1", "acme-local": "1.0+build.5"}
    seen.check(installer.name, {"yanked pin": found["acme-yank"]})


def test_releases_for_other_pythons_are_passed_over(
    installer: Installer, index: Server, environments: Environments, home: Home, tmp_path: Path
):
    env = installer.fresh(environments, tmp_path / "env")

    installer.install(env, home, f"{index.url}/simple/", "acme-python", "acme-extra[more]").succeeded()

    found = subset(installed(env))
    assert found.keys() == {"acme-python", "acme-extra", "acme-lib"}
    seen.check(installer.name, {"python": found["acme-python"], "extras": found["acme-lib"]})


@pytest.mark.parametrize("builds", chosen("sdist"), ids=lambda installer: installer.name)
def test_an_sdist_is_built_and_installed(
    builds: Installer, index: Server, environments: Environments, home: Home, tmp_path: Path
):
    env = builds.fresh(environments, tmp_path / "env")

    builds.build(env, home, f"{index.url}/simple/", "acme-source").succeeded()

    assert subset(installed(env)) == {"acme-source": "1.0", "acme-lib": "1.0"}
    assert imports(env, home, "acme_source") == ["1.0"]
    seen.check(builds.name, {"sdist": "built"})


@pytest.mark.parametrize("modern", chosen("hashes"), ids=lambda installer: installer.name)
def test_hashes_are_what_the_client_requires(
    modern: Installer, index: Server, environments: Environments, home: Home, tmp_path: Path
):
    env = modern.fresh(environments, tmp_path / "env")
    [filename] = [name for name in index.files("acme-lib") if "2.0" in name]
    right = hashlib.sha256(index.read("acme-lib", filename)).hexdigest()

    refused = modern.install_hashed(env, home, f"{index.url}/simple/", "acme-lib==2.0", right[::-1]).failed()
    assert any(word in refused.output.lower() for word in ("hash", "checksum")), refused
    assert subset(installed(env)) == {}

    modern.install_hashed(env, home, f"{index.url}/simple/", "acme-lib==2.0", right).succeeded()
    assert subset(installed(env)) == {"acme-lib": "2.0"}
    seen.check(modern.name, {"hashes": "the right ones only"})


@pytest.mark.parametrize("dated", chosen("cutoff"), ids=lambda installer: installer.name)
def test_what_was_published_later_is_passed_over(
    dated: Installer, index: Server, environments: Environments, home: Home, tmp_path: Path
):
    env = dated.fresh(environments, tmp_path / "env")
    [moment] = [file["upload-time"] for name, file in index.files("acme-cutoff").items() if "2.0" in name]

    result = dated.install_before(env, home, f"{index.url}/simple/", moment[:19] + "Z", "acme-cutoff")

    found = subset(installed(env))
    assert bool(found) == (result.code == 0), result
    seen.check(dated.name, {"cutoff": found.get("acme-cutoff", "all passed over")})


def test_users_install_with_their_password_only(
    installer: Installer, users_index: Server, environments: Environments, home: Home, tmp_path: Path
):
    env = installer.fresh(environments, tmp_path / "env")
    url = users_index.url.replace("://", "://alice:not%20it@")
    installer.install(env, home, f"{url}/simple/", "acme-app").failed()
    assert subset(installed(env)) == {}

    how = "with the password only"
    url = users_index.url.replace("://", "://alice:correct%20horse@")
    if installer.install(env, home, f"{url}/simple/", "acme-app").code:
        how = "not if a blank is in the password"
        url = users_index.url.replace("://", "://bob:secret@")
        installer.install(env, home, f"{url}/simple/", "acme-app").succeeded()

    assert subset(installed(env)) == {"acme-app": "1.0", "acme-lib": "2.0"}
    seen.check(installer.name, {"install login": how})


def test_a_download_that_breaks_off_is_resumed(
    installer: Installer, index: Server, environments: Environments, home: Home, tmp_path: Path
):
    env = installer.fresh(environments, tmp_path / "env")
    with recording(index.url, cut=".whl") as line:
        result = installer.install(env, home, f"{line.url}/simple/", "acme-long")
        asked = [each for each in line.exchanges if each.path.endswith(".whl")]

    assert line.cut == ""
    found = subset(installed(env))
    assert bool(found) == (result.code == 0), result
    resumed = any(each.status == 206 and each.headers["Range"].endswith("-") for each in asked[1:])
    how = "resumed" if resumed else "begun again"
    seen.check(installer.name, {"resume": how if found else "failed"})


def test_a_release_just_published_is_seen_through_a_warm_cache(
    installer: Installer, index: Server, builder: Builder, environments: Environments, home: Home, tmp_path: Path
):
    env = installer.fresh(environments, tmp_path / "env")
    name = f"acme-fresh-{installer.name}".replace(".", "-").replace("_", "-")
    publish(home, index, builder.collect(tmp_path / "one" / "dist", Package(name, "1.0"), kinds=("wheel",)))
    with recording(index.url) as between:
        installer.upgrade(env, home, f"{between.url}/simple/", name).succeeded()
        assert 200 in between.statuses(f"/simple/{name}/")  # pdm asks twice, and the second time with an ETag

        installer.upgrade(env, home, f"{between.url}/simple/", name).succeeded()
        unchanged = between.statuses(f"/simple/{name}/")

        publish(home, index, builder.collect(tmp_path / "two" / "dist", Package(name, "1.1"), kinds=("wheel",)))
        installer.upgrade(env, home, f"{between.url}/simple/", name).succeeded()
        assert 200 in between.statuses(f"/simple/{name}/")
    cells = {"fresh": installed(env)[name], "unchanged": ", ".join(map(str, sorted(unchanged)))}
    seen.check(installer.name, cells)


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
    seen.check(installer.name, {"other index": "not found"})
