"""Across a network: pip ignores a plain http index that is not loopback, unless it is told to trust it."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import servers
from .clients import ALL, Home
from .environments import Environments
from .installers import INSTALLERS, Installer, Pip, installed
from .packages import Builder, Package
from .servers import Server

SERVER, CLIENT = "10.97.41.1", "10.97.41.2"
"""They exist only inside the two namespaces, so they meet nothing of this machine's network."""


@dataclass(frozen=True)
class Network:
    """Two hosts with a cable between them, as the words that run a command on each."""

    server: tuple[str, ...]
    client: tuple[str, ...]


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if shutil.which("ip") is None:
        pytest.skip("the command ip is not installed (Debian: apt-get install iproute2)")
    names = [f"mypi-{os.getpid()}-{end}" for end in ("server", "client")]
    made = []
    try:
        for name in names:
            done = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"no network namespace can be made here: {done.stderr.strip()}")
            made.append(name)
        first, second = names
        _ip("-n", first, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", second)
        for name, address in zip(names, (SERVER, CLIENT), strict=True):
            _ip("-n", name, "address", "add", f"{address}/30", "dev", "veth0")
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "link", "set", "veth0", "up")
        yield Network(*(("ip", "netns", "exec", name) for name in names))
    finally:
        for name in made:
            _ip("netns", "delete", name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def index(network: Network, builder: Builder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("index")
    with servers.running(folder, host=SERVER, through=network.server) as server:
        packages = Package("acme-lib"), Package("acme-app", requires=("acme-lib",))
        said = server.command("import", builder.collect(folder / "dist", *packages, kinds=("wheel",)))
        assert "2 imported" in said, said
        yield server


@pytest.fixture
def far(network: Network, tmp_path: Path) -> Home:
    """A user on the other host."""
    return Home(tmp_path / "home", through=network.client)


PIPS = [installer for installer in INSTALLERS if isinstance(installer, Pip) and (ALL or installer.always)]
FORMS = list(zip(PIPS, itertools.cycle(["", "/simple/"])))


@pytest.mark.parametrize(
    ("pip", "form"),
    list(zip(PIPS, itertools.cycle(["", "/simple/"]))),
    ids=lambda value: getattr(value, "name", value) or "bare",
)
def test_pip_wants_to_be_told_to_trust_the_host(
    pip: Pip, form: str, index: Server, environments: Environments, far: Home, tmp_path: Path
):
    env = pip.fresh(environments, tmp_path / "env")

    ignored = pip.install(env, far, index.url + form, "acme-app").failed()
    assert "is not a trusted or secure host and is being ignored" in " ".join(ignored.output.split()), ignored
    assert "acme-app" not in installed(env)

    pip.install(env, far, index.url + form, "--trusted-host", SERVER, "acme-app").succeeded()
    assert {"acme-app": "1.0", "acme-lib": "1.0"}.items() <= installed(env).items()


@pytest.mark.parametrize("name", ["uv", "easy_install-3.8"])
def test_others_need_no_such_word(name: str, index: Server, environments: Environments, far: Home, tmp_path: Path):
    client: Installer = next(each for each in INSTALLERS if each.name == name)
    env = client.fresh(environments, tmp_path / "env")

    client.install(env, far, f"{index.url}/simple/", "acme-app").succeeded()

    assert {"acme-app": "1.0", "acme-lib": "1.0"}.items() <= installed(env).items()
