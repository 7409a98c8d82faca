"""uv and pdm publish from a build without a password, by https, with tokens of a real issuer (D3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import uv

from tests import issuers
from tests.builders import sdist, wheel

from . import fronts, servers
from .clients import Home
from .environments import Environments
from .interpreters import this
from .publishers import PDM
from .servers import Server


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[issuers.Issuer]:
    with issuers.running(tmp_path_factory.mktemp("issuer")) as running:
        yield running


@pytest.fixture(scope="module")
def index(issuer: issuers.Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An index on which only a build publishes, and everyone reads."""
    settings = {
        "mypi.upload": "nobody",
        "mypi.publishers": f"acme-* {issuer.url} acme/lib release.yml; "
        f"tools-* {issuer.origin} acme/tools/lib .gitlab-ci.yml ref_protected=true",
        "mypi.audience": issuers.AUDIENCE,
        "mypi.issuer_ca": issuer.ca,
    }
    with servers.running(tmp_path_factory.mktemp("index"), settings=settings) as server:
        yield server


@pytest.fixture(scope="module")
def address(issuer: issuers.Issuer, index: Server) -> Iterator[str]:
    """The https address of the index."""
    with fronts.tls(issuer.authority.context(), int(index.url.rpartition(":")[2])) as url:
        yield url


def job(issuer: issuers.Issuer) -> dict[str, str]:
    """The environment of a job on GitHub that may ask for its identity."""
    return {
        "GITHUB_ACTIONS": "true",
        "CI": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{issuer.origin}/request?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": issuers.REQUEST_TOKEN,
        "SSL_CERT_FILE": issuer.ca,
        "REQUESTS_CA_BUNDLE": issuer.ca,
    }


def lay(folder: Path, *files: tuple[str, bytes]) -> list[Path]:
    (folder / "dist").mkdir()
    for name, content in files:
        (folder / "dist" / name).write_bytes(content)
    return sorted((folder / "dist").iterdir())


def test_uv_publishes_by_its_identity_alone(
    issuer: issuers.Issuer, index: Server, address: str, home: Home, tmp_path: Path
) -> None:
    paths = lay(tmp_path, wheel("acme-uv"), sdist("acme-uv"))
    words = ["publish", "--trusted-publishing", "always", "--publish-url", f"{address}/legacy/"]

    done = home.run(uv.find_uv_bin(), *words, *paths, env=job(issuer)).succeeded()
    home.run(uv.find_uv_bin(), *words, *paths, env=job(issuer)).succeeded()

    assert {path.name for path in paths} == index.files("acme-uv").keys()
    assert all(index.serves("acme-uv", path) for path in paths)
    assert "warning" not in done.output, done  # such as one of a token that cannot be ended
    shown = index.command("show", "acme-uv")
    assert ":acme/lib" in shown, shown
    assert "mypi-oidc" not in index.log


def test_uv_publishes_from_a_gitlab(
    issuer: issuers.Issuer, index: Server, address: str, home: Home, tmp_path: Path
) -> None:
    paths = lay(tmp_path, wheel("tools-uv"))
    token = issuer.token(**issuers.gitlab(issuer.origin))
    # GitLab hands a job its token in a variable that the job names after the audience.
    given = {"GITLAB_CI": "true", "CI": "true", "PYPI_EXAMPLE_COM_ID_TOKEN": token, "SSL_CERT_FILE": issuer.ca}
    words = ["publish", "--trusted-publishing", "always", "--publish-url", f"{address}/legacy/"]

    home.run(uv.find_uv_bin(), *words, *paths, env=given).succeeded()

    assert all(index.serves("tools-uv", path) for path in paths)
    assert ":acme/tools/lib with pipeline .gitlab-ci.yml@refs/tags/v1.0 from 127.0.0.1" in index.command(
        "show", "tools-uv"
    )


def test_uv_says_why_a_build_may_not_publish(
    issuer: issuers.Issuer, index: Server, address: str, home: Home, tmp_path: Path
) -> None:
    words = ["publish", "--trusted-publishing", "always", "--publish-url", f"{address}/"]
    other = home.run(uv.find_uv_bin(), *words, *lay(tmp_path, wheel("other")), env=job(issuer)).failed()
    assert "The workflow release.yml@refs/tags/v1.0 has no right to upload on other" in other.output, other

    issuer.claims["repository"] = "acme/fork"
    try:
        fork = home.run(uv.find_uv_bin(), *words, *(tmp_path / "dist").iterdir(), env=job(issuer)).failed()
    finally:
        issuer.claims["repository"] = "acme/lib"
    assert "No publisher of this index is that build" in fork.output, fork
    assert index.files("other") == {}


def test_pdm_publishes_by_its_identity_alone(
    issuer: issuers.Issuer, index: Server, address: str, home: Home, environments: Environments, tmp_path: Path
) -> None:
    env = environments.need(this(), *PDM)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "acme-pdm"\nversion = "1.0"\n')
    [path] = lay(tmp_path, wheel("acme-pdm"))
    words = ["publish", "-vv", "--no-build", "-r", f"{address}/legacy/", "--ca-certs", issuer.ca]
    given = {"PDM_CHECK_UPDATE": "false", "PDM_PYTHON": env.python, **job(issuer)}

    home.run(env.script("pdm"), *words, cwd=tmp_path, env=given).succeeded()

    assert index.serves("acme-pdm", path)
