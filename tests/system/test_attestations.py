"""twine and uv publish with attestations, and say why where an attestation is refused (PEP 740)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import uv

from tests import attested
from tests.builders import sdist, wheel

from .clients import Home, Result
from .environments import Environments
from .interpreters import this
from .servers import Server

TWINE = "twine==7.0.0"
URL = "integrity/{project}/{version}/{filename}/provenance"


def twine(environments: Environments, home: Home, server: Server, *paths: Path) -> Result:
    words = ["upload", "--non-interactive", "--disable-progress-bar", "--attestations", "-u", "x", "-p", "y"]
    script = environments.need(this(), TWINE).script("twine")
    return home.run(script, *words, "--repository-url", f"{server.url}/legacy/", *paths)


def uv_publish(environments: Environments, home: Home, server: Server, *paths: Path) -> Result:
    """uv sends what lies beside a file without being told to."""
    return home.run(uv.find_uv_bin(), "publish", "--publish-url", f"{server.url}/", "-u", "x", "-p", "y", *paths)


Client = Callable[..., Result]
CLIENTS: tuple[Client, ...] = (twine, uv_publish)


def lay(folder: Path, filename: str, content: bytes, *attestations: dict[str, object]) -> list[Path]:
    """Write a file, and attestations beside it under the names that signing tools give them."""
    paths = [folder / filename]
    paths[0].write_bytes(content)
    for kind, attestation in zip(("publish", "slsa"), attestations, strict=False):
        paths.append(folder / f"{filename}.{kind}.attestation")
        paths[-1].write_text(json.dumps(attestation))
    return paths


@pytest.mark.parametrize("client", CLIENTS)
def test_attestations_of_any_origin_are_published_and_served(
    client: Client, server: Server, environments: Environments, home: Home, tmp_path: Path
) -> None:
    paths = []
    for name, content in (wheel(), sdist()):
        given = [attested.of(name, content, kind) for kind in (attested.PUBLISH, attested.SLSA)]
        paths += lay(tmp_path, name, content, *given)

    client(environments, home, server, *paths).succeeded()
    client(environments, home, server, *paths).succeeded()

    for name, listed in server.files("acme-lib").items():
        url = URL.format(project="acme-lib", version="1.0", filename=name)
        assert listed["provenance"] == f"../../{url}"
        (bundle,) = json.loads(server.get(url).body)["attestation_bundles"]
        assert [attested.statement_of(each)["subject"][0]["name"] for each in bundle["attestations"]] == [name] * 2
    assert len(server.files("acme-lib")) == 2


@pytest.mark.parametrize("client", CLIENTS)
def test_the_user_reads_why_an_attestation_is_refused(
    client: Client, server: Server, environments: Environments, home: Home, tmp_path: Path
) -> None:
    name, content = wheel()
    paths = lay(tmp_path, name, content, attested.of(name, b"other bytes"))

    done = client(environments, home, server, *paths).failed()

    assert f"Attestation 1: statement has another sha256 than {name}: the file was built again since" in " ".join(
        done.output.split()
    )
    assert server.files("acme-lib") == {}


def test_an_index_that_verifies_takes_what_was_signed_and_nothing_else(
    serve: Callable[..., Server],
    environments: Environments,
    home: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    server = serve(settings={"mypi.attesters": f"* {attested.ATTESTERS[attested.GOOGLE]}"})
    name = attested.GOOGLE
    content = (attested.FOLDER / name).read_bytes()

    done = uv_publish(environments, home, server, *lay(tmp_path, name, content, attested.of(name, content))).failed()
    assert f"Attestation 1 is not signed by who may attest {name}" in done.output, done
    uv_publish(environments, home, server, *lay(tmp_path, name, content, attested.real(name))).succeeded()

    url = URL.format(project="gcb-attestation-test", version="0.0.0", filename=name)
    (bundle,) = json.loads(server.get(url).body)["attestation_bundles"]
    assert bundle["publisher"]["kind"] == "Google"
