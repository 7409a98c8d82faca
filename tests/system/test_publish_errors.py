"""Errors that teach: whatever goes wrong when a client publishes, its user reads the server's sentence."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import servers
from .clients import Home, Result
from .environments import Environment, Environments
from .packages import Builder, Package
from .publishers import PUBLISHERS, Account, Publisher, chosen
from .recorder import recording
from .seen import seen
from .servers import Server

USERS = {"alice": "correct horse", "bob": "battery staple"}
GUESSERS = {client.name: "not to be guessed" for client in PUBLISHERS}
"""Each client's own user for a wrong password: those of all together would be too many for one (threat 32)."""
GUARDED = {
    "mypi.upload": "user:alice",
    "mypi.refuse": "unknown-classifiers",
    "mypi.upload_limit": "30 KiB",
}
NOISE = base64.b64encode(random.Random(4).randbytes(60_000)).decode()
SENTENCES = {
    "wrong password": "The user name or password is wrong",
    "no right": "bob has no right to upload on this index",
    "name clash": "File already exists: ",
    "bad metadata": "unknown classifiers: Topic :: Nuts :: Bolts",
    "wrong digest": "does not match the file: it was damaged on its way; upload it again",
    "too large": "The file has more than 30720 bytes, which is the most that this index takes",
    "read-only": "Nobody may upload here; it is switched off",
}


@dataclass(frozen=True)
class Author:
    """Somebody with a project, about to publish it with a client."""

    client: Publisher
    env: Environment
    home: Home
    folder: Path
    builder: Builder

    def write(self, name: str, content: str = "", **said: object) -> None:
        """Write a release of a project of this name, and build it."""
        package = Package(f"{self.client.project}-{name}", backend=self.client.backend, content=content, **said)
        self.client.build(self.builder, self.folder, package)

    def publish(self, url: str, user: str = "alice", password: str = USERS["alice"]) -> Result:
        """Publish what was built."""
        return self.client.publish(self.env, self.home, self.folder, Account(f"{url}/legacy/", user, password))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An index where alice may publish, bob may not, and uploads must be small and of known classifiers."""
    with servers.running(tmp_path_factory.mktemp("guarded"), users=USERS | GUESSERS, settings=GUARDED) as server:
        yield server


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An index to which nobody may publish."""
    with servers.running(tmp_path_factory.mktemp("closed"), settings={"mypi.upload": "nobody"}) as server:
        yield server


@pytest.fixture(params=chosen(), ids=lambda publisher: publisher.name)
def author(
    request: pytest.FixtureRequest, environments: Environments, builder: Builder, home: Home, tmp_path: Path
) -> Author:
    client: Publisher = request.param
    return Author(client, client.environment(environments), home, tmp_path / "project", builder)


def test_users_read_why_they_may_not_publish(author: Author, guarded: Server, closed: Server):
    author.write("rights")

    said = {
        "wrong password": author.publish(guarded.url, author.client.name, "not it"),
        "no right": author.publish(guarded.url, "bob", USERS["bob"]),
        "read-only": author.publish(closed.url),
    }

    check(author, said)
    assert guarded.files(f"{author.client.project}-rights") == {}


def test_users_read_why_a_file_is_refused(author: Author, guarded: Server):
    author.write("good")
    with recording(guarded.url, damage=True) as line:
        damaged = author.publish(line.url)
    assert guarded.files(f"{author.client.project}-good") == {}
    author.publish(guarded.url).succeeded()
    author.write("good", "changed = True")
    with recording(guarded.url, hide="/%2Bsimple/") as line:  # there hatch would see that the name is taken
        clash = author.publish(line.url)
    author.write("bad", classifiers=("Topic :: Nuts :: Bolts",))
    bad = author.publish(guarded.url)
    author.write("large", f"data = {NOISE!r}")
    large = author.publish(guarded.url)

    check(author, {"wrong digest": damaged, "name clash": clash, "bad metadata": bad, "too large": large})
    assert guarded.files(f"{author.client.project}-bad") == guarded.files(f"{author.client.project}-large") == {}


def check(author: Author, said: dict[str, Result]) -> None:
    """Compare what the user was told with what the server said."""
    cells = {}
    for scenario, result in said.items():
        seen.heard(author.client.name, scenario, result)
        found = "shown" if SENTENCES[scenario] in result.output else "not shown"
        traced = ", in a traceback" if "Traceback (most recent call last)" in result.output else ""
        cells[scenario] = found + traced + ("" if result.code else ", called a success")
    try:
        seen.check(author.client.name, cells)
    except AssertionError:
        print(*said.values(), sep="\n\n")
        raise
