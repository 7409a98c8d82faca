"""Tokens with real clients: they publish and install as ``__token__``, and whoever is refused can read why (B1.11)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mypi.repository import Repository
from mypi.settings import Settings
from tests.accounts import add_token, bearer

from . import servers
from .clients import ALL, Home, Result
from .deviations import TOLD
from .environments import Environments
from .installers import INSTALLERS, Installer, installed
from .packages import Builder, Package
from .projects import PROJECTS
from .publishers import PUBLISHERS, Account, Publisher
from .publishers import Uv as UvPublish
from .seen import seen
from .servers import Server

FEW = ("twine-7", "uv", "pip-26.3")
"""Those for which `make test` has time; `make clients` runs all."""

CLIENTS = {client.name: "not to be guessed" for client in (*PUBLISHERS, *INSTALLERS, *PROJECTS)}
USERS = {"alice": "correct horse", "bob": "battery", **CLIENTS}
RULES = {"mypi.read": "users", "mypi.read.acme-secret": "user:alice", "mypi.upload": "user:alice"}
EXPIRED = "2026-01-01T12:00:00Z"
SENTENCES = {
    "expired token": f"The token old expired at {EXPIRED}",
    "token without right": "The token reader has no right to upload on this index",
}
THE_WORDS = ("401", "unauthorized", "credentials", "user name or password", "authentication", "authorization")


class Tokens:
    """The texts of alice's tokens: to publish, to read only, and one whose time is over."""

    def __init__(self, server: Server) -> None:
        place = str(server.ini.parent / "var")
        given = {"mypi.storage": "filesystem", "mypi.storage.path": place}
        repository = Repository.open(Settings.load(given, {}))
        try:
            self.publisher = add_token(repository, "alice", ["read", "upload"], "acme-*", name="publisher")
            self.reader = add_token(repository, "alice", ["read"], name="reader")
            self.old = add_token(repository, "alice", ["read", "upload"], name="old", expires=EXPIRED)
        finally:
            repository.close()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, builder: Builder) -> Iterator[Server]:
    """An index that users read, and alice publishes to; she alone may read acme-secret."""
    folder = tmp_path_factory.mktemp("tokens")
    with servers.running(folder, users=USERS, settings=RULES) as server:
        builder.collect(folder / "dist", Package("acme-lib", "1.0"), Package("acme-secret", "1.0"), kinds=("wheel",))
        to = Account(f"{server.url}/legacy/", "alice", USERS["alice"])
        UvPublish("uv").publish(None, Home(folder / "home"), folder, to).succeeded()
        yield server


@pytest.fixture(scope="module")
def tokens(index: Server) -> Tokens:
    return Tokens(index)


def few(clients: tuple[object, ...]) -> list[object]:
    return [client for client in clients if ALL or client.name in FEW]  # type: ignore[attr-defined]


@pytest.mark.parametrize("publisher", few(PUBLISHERS), ids=lambda client: client.name)
def test_B1_11_a_token_publishes_and_one_that_does_not_do_is_told(
    publisher: Publisher,
    index: Server,
    tokens: Tokens,
    environments: Environments,
    builder: Builder,
    home: Home,
    tmp_path: Path,
):
    env, folder = publisher.environment(environments), tmp_path / "project"
    package = Package(f"{publisher.project}-token", backend=publisher.backend)
    publisher.build(builder, folder, package)

    def publish(token: str) -> Result:
        return publisher.publish(env, home, folder, Account(f"{index.url}/legacy/", "__token__", token))

    cells = {}
    for scenario, token in (("expired token", tokens.old), ("token without right", tokens.reader)):
        result = publish(token)
        seen.heard(publisher.name, scenario, result)
        assert token not in result.output, "the secret stands on the screen"
        assert result.failed()
        found = "shown" if SENTENCES[scenario] in result.output else "not shown"
        cells[scenario] = found + (", in a traceback" if "Traceback (most recent call last)" in result.output else "")

    published = publish(tokens.publisher)
    files = index_of(index).files(package.name)
    seen.check(
        publisher.name, {**cells, "publish token": "published" if files and not published.code else str(published)}
    )


@pytest.mark.parametrize("installer", few((*INSTALLERS, *PROJECTS)), ids=lambda client: client.name)
def test_B1_11_a_token_installs_and_who_may_not_is_told(
    installer: Installer, index: Server, tokens: Tokens, environments: Environments, home: Home, tmp_path: Path
):
    env = installer.fresh(environments, tmp_path / "env")

    def install(user: str, password: str, *projects: str) -> Result:
        url = index.url.replace("://", f"://{user}:{password}@")
        return installer.install(env, home, f"{url}/simple/", *projects)

    cells = {}
    refusals = {
        "install wrong password": install(installer.name, "guess", "acme-lib"),
        "install expired token": install("__token__", tokens.old, "acme-lib"),
        "install no right": install("bob", USERS["bob"], "acme-secret"),
    }
    for scenario, result in refusals.items():
        seen.heard(installer.name, scenario, result)
        assert result.failed()
        words = any(word in result.output.lower() for word in THE_WORDS)
        cells[scenario] = TOLD if words else "not found"
    assert {name for name in installed(env) if name.startswith("acme-")} == set()

    install("__token__", tokens.reader, "acme-lib", "acme-secret").succeeded()
    assert {"acme-lib", "acme-secret"} <= installed(env).keys()
    seen.check(installer.name, {**cells, "install token": "installed"})


def test_B1_11_a_token_is_taken_as_bearer_and_its_last_use_is_noted(index: Server, tokens: Tokens):
    assert index.get("simple/acme-secret/", **bearer(tokens.reader)).status == 200
    assert index.get("simple/acme-secret/", **bearer(tokens.old)).status == 401
    assert index.get("simple/acme-secret/").status == 401


def index_of(server: Server) -> servers.Site:
    """Return the index as alice sees it."""
    return servers.Site(server.url, "alice", USERS["alice"])
