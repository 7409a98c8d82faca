"""Every client publishes, to every form of the address, with the right password, a wrong one, and none that matters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from . import servers
from .clients import Home
from .environments import Environments
from .packages import Builder, Package
from .publishers import PUBLISHERS, Account, Distutils, Publisher, chosen
from .seen import seen
from .servers import Server

FORMS = ("", "/", "/simple", "/simple/", "/legacy", "/legacy/")
USERS = {"alice": "correct horse"}


def form(publisher: Publisher, step: int) -> str:
    """Choose an address form, so that each client meets three and each form meets several clients."""
    return FORMS[(PUBLISHERS.index(publisher) + step) % len(FORMS)]


@pytest.fixture(scope="module")
def open_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.running(tmp_path_factory.mktemp("open")) as server:
        yield server


@pytest.fixture(scope="module")
def users_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.running(tmp_path_factory.mktemp("users"), users=USERS, settings={"mypi.read": "users"}) as server:
        server.user, server.password = "alice", USERS["alice"]
        yield server


@pytest.fixture(params=chosen(), ids=lambda publisher: publisher.name)
def publisher(request: pytest.FixtureRequest) -> Publisher:
    return request.param


def test_what_is_published_is_listed_and_comes_back_byte_for_byte(
    publisher: Publisher, open_index: Server, environments: Environments, builder: Builder, home: Home, tmp_path: Path
):
    env, folder = publisher.environment(environments), tmp_path / "project"
    package = Package(publisher.project, backend=publisher.backend)
    publisher.build(builder, folder, package)

    # Junk credentials do not matter where everyone may upload.
    first = publisher.publish(env, home, folder, Account(open_index.url + form(publisher, 0)))

    first.succeeded()
    published = sorted((folder / "dist").iterdir())
    assert {path.name for path in published} == open_index.files(publisher.project).keys()
    assert all(open_index.serves(publisher.project, path) for path in published)
    seen.check(publisher.name, {"publish": "published"})

    # The same bytes once more are no mistake: a retry after a lost answer looks like this.
    again = publisher.again if isinstance(publisher, Distutils) else publisher.publish
    again(env, home, folder, Account(open_index.url + form(publisher, 1))).succeeded()
    seen.check(publisher.name, {"twice": "accepted"})

    publisher.build(builder, folder, replace(package, content="changed = True"))
    before = open_index.files(publisher.project)
    changed = publisher.publish(env, home, folder, Account(open_index.url + form(publisher, 3)))

    assert "already exists" in changed.output, changed
    assert open_index.files(publisher.project) == before
    if changed.code:
        assert "File already exists: acme" in changed.output, changed
    seen.check(publisher.name, {"changed": "refused" if changed.code else "passed over"})


def test_users_publish_with_their_password_only(
    publisher: Publisher, users_index: Server, environments: Environments, builder: Builder, home: Home, tmp_path: Path
):
    env, folder = publisher.environment(environments), tmp_path / "project"
    publisher.build(builder, folder, Package(publisher.project, backend=publisher.backend))
    to = Account(users_index.url + form(publisher, 2), "alice", "not it")

    refused = publisher.publish(env, home, folder, to)

    assert "The user name or password is wrong" in refused.failed().output, refused
    assert users_index.files(publisher.project) == {}

    publisher.publish(env, home, folder, replace(to, password=USERS["alice"])).succeeded()

    assert users_index.files(publisher.project)
    assert all(users_index.serves(publisher.project, path) for path in (folder / "dist").iterdir())
    seen.check(publisher.name, {"publish login": "with the password only"})


def test_local_versions_are_published(
    publisher: Publisher, open_index: Server, environments: Environments, builder: Builder, home: Home, tmp_path: Path
):
    env, folder = publisher.environment(environments), tmp_path / "project"
    package = Package(f"{publisher.project}-local", "1.0+build.5", backend=publisher.backend)
    publisher.build(builder, folder, package)

    publisher.publish(env, home, folder, Account(open_index.url + form(publisher, 5))).succeeded()

    assert open_index.versions(package.name) == ["1.0+build.5"]
    assert all(open_index.serves(package.name, path) for path in (folder / "dist").iterdir())
    seen.check(publisher.name, {"publish local": "published"})


DISTUTILS = [publisher for publisher in chosen() if isinstance(publisher, Distutils)]


@pytest.mark.parametrize("publisher", DISTUTILS, ids=lambda publisher: publisher.name)
def test_B3_register_notes_a_release_that_the_upload_fills(
    publisher: Distutils, users_index: Server, environments: Environments, home: Home, tmp_path: Path
):
    env, folder = publisher.environment(environments), tmp_path / "project"
    package = Package(f"{publisher.project}-registered")
    publisher.write(folder, package)
    to = Account(users_index.url + form(publisher, 4), "alice", "not it")

    # It calls that a success: "Server response (401)" is all that it says.
    refused = publisher.setup(env, home, folder, to, "register", "-r", "local")
    assert "Server response (401): The user name or password is wrong" in refused.output, refused
    assert users_index.versions(package.name) == []

    to = replace(to, password=USERS["alice"])
    registered = publisher.setup(env, home, folder, to, "register", "-r", "local").succeeded()
    assert "Server response (200): OK" in registered.output, registered
    assert (users_index.versions(package.name), users_index.files(package.name)) == (["1.0"], {})

    publisher.setup(env, home, folder, to, "register", "-r", "local", "sdist", "upload", "-r", "local").succeeded()
    [path] = (folder / "dist").iterdir()
    assert users_index.serves(package.name, path)


@pytest.mark.parametrize(
    ("name", "command", "reason"),
    [
        ("distutils-2.7", "bdist_dumb", "is a 'dumb' binary archive"),
        ("distutils-3.11", "bdist_dumb", "is a 'dumb' binary archive"),
        ("setuptools-65.5", "bdist_egg", "is an egg, which no current installer reads"),
    ],
)
def test_what_no_installer_reads_is_refused_with_the_reason(
    name: str,
    command: str,
    reason: str,
    open_index: Server,
    environments: Environments,
    home: Home,
    tmp_path: Path,
):
    publisher = next(each for each in PUBLISHERS if each.name == name)
    assert isinstance(publisher, Distutils)
    env, folder = publisher.environment(environments), tmp_path / "project"
    package = Package(f"{publisher.project}-{command}".replace("_", "-"))
    publisher.write(folder, package)

    refused = publisher.setup(env, home, folder, Account(f"{open_index.url}/"), command, "upload", "-r", "local")

    assert "Upload failed (400): " in refused.failed().output, refused
    assert reason in refused.output, refused
    assert open_index.page(package.name) == {"files": [], "versions": []}
