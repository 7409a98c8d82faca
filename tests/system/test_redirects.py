"""Installers that are sent on to the bucket: a real server, a real S3 server, pip and uv."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import stores
from tests.services import CREDENTIALS

from . import servers
from .clients import Home
from .environments import Environments
from .installers import INSTALLERS, Installer, imports
from .packages import Builder, Package
from .publishers import Account
from .publishers import Uv as UvPublish

CHOSEN = [installer for installer in INSTALLERS if installer.name in ("pip-26.3", "uv")]


@pytest.mark.parametrize("installer", CHOSEN, ids=lambda installer: installer.name)
def test_installers_follow_the_link_to_the_bucket(
    installer: Installer, environments: Environments, builder: Builder, home: Home, tmp_path: Path
) -> None:
    builder.collect(tmp_path / "dist", Package("acme-lib", "1.0+build.5"), kinds=("wheel",))
    settings = {f"mypi.{name}": value for name, value in stores.settings("s3", tmp_path).items()}
    settings["mypi.storage.redirect"] = "always"
    env = installer.fresh(environments, tmp_path / "env")
    with servers.running(tmp_path / "server", settings=settings) as server:
        UvPublish("uv").publish(None, home, tmp_path, Account(f"{server.url}/legacy/")).succeeded()
        url = next(iter(server.files("acme-lib").values()))["url"]
        answer = server.get(f"simple/acme-lib/{url}")
        assert (answer.status, answer.body.decode().strip()) == (302, answer.headers["Location"])
        assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in answer.headers["Location"]
        installer.install(env, home, server.url, "acme-lib").succeeded()
        assert "secret" not in server.log.lower()
    assert imports(env, home, "acme_lib") == ["1.0+build.5"]
