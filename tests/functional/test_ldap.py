"""The whole index over a directory of users: who may, who may no longer, and what a directory that is away stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mypi.accounts import Hasher, tokens
from mypi.accounts import ldap as module
from mypi.model import Actor
from mypi.model.accounts import Token
from mypi.store import Store
from tests import directories, stores
from tests.builders import wheel
from tests.functional.people import Browser
from tests.functional.support import basic

NAME, CONTENT = wheel()
ALICE, BOB, STELLA = basic("alice", "wonder-land"), basic("bob", "the-builder"), basic("stella", "in-the-store")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Who asks is not the store's business: one kind will do."""
    made = stores.make("memory", tmp_path)
    yield made
    made.close()


@pytest.fixture(params=["double", "slapd"])
def directory(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with directories.running(request.param, tmp_path / "slapd", monkeypatch) as running:
        yield running


@pytest.fixture
def index(make_index: Callable[..., Any], directory: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An index that users may read, and the group build and stella may publish to; nothing is remembered."""
    monkeypatch.setattr(module, "KEPT", 0)
    monkeypatch.setattr(module, "PAUSE", 0)
    made = make_index(read="users", upload="group:build user:stella", **directories.settings(directory))
    stored = Hasher().hash("in-the-store")
    made.repository.members.record(
        Actor("test", "test"), lambda held, event: held.set_password("stella", stored, event)
    )
    return made


def token(index: Any, user: str) -> dict[str, str]:
    """Make a token of a user, and return its header."""
    drawn = tokens.fresh()
    made = Token(drawn.id, user, "ci", drawn.digest, "2026-01-01T00:00:00Z", ("read", "upload"))
    index.repository.members.record(Actor("test", "test"), lambda held, event: held.add_token(made, event))
    return basic("__token__", drawn.text)


def session(index: Any, user: str) -> dict[str, str]:
    """Log a user in, and return the header of the cookie."""
    policy = index.app.registry["mypi.policy"]
    return {"Cookie": f"mypi-session={policy.sessions.open(user, policy.users.stamp(user))}"}


def publish(index: Any, headers: dict[str, str], status: int) -> Any:
    index.extra_environ = {"HTTP_AUTHORIZATION": headers["Authorization"]}
    try:
        return index.publish(NAME, CONTENT, status=status)
    finally:
        index.extra_environ = {}


def test_users_of_the_directory_read_and_its_groups_publish(index: Any) -> None:
    index.get("/simple/", headers=BOB)
    index.get("/simple/", headers=basic("bob", "wrong-word"), status=401)
    index.get("/simple/", headers=basic("bob", ""), status=401)
    refused = publish(index, BOB, 403)
    assert "bob has no right to upload" in refused.text
    publish(index, ALICE, 200)
    assert index.repository.project("acme-lib").value.history[0].by == "alice"


@pytest.mark.parametrize("kind", [token, session])
def test_what_stands_for_a_user_ends_with_the_user(index: Any, directory: Any, kind: Any) -> None:
    headers = kind(index, "alice")
    index.get("/simple/", headers=headers)
    directory.remove_user("alice")
    index.get("/simple/", headers=headers, status=401)


def test_a_directory_that_is_away_stops_its_own_users_only(index: Any, directory: Any) -> None:
    stellas, alices = token(index, "stella"), token(index, "alice")
    directory.stop()
    index.get("/simple/", headers=STELLA)
    index.get("/simple/", headers=stellas)
    index.get("/simple/", headers=basic("stella", "wrong-word"), status=401)
    for headers in (ALICE, alices):
        answer = index.get("/simple/", headers=headers, status=503)
        assert answer.headers["Retry-After"] == "10"
        assert "The users of this index cannot be read now" in answer.text
        assert "ldap" not in answer.text
    directory.start()
    for headers in (STELLA, stellas, ALICE, alices):
        index.get("/simple/", headers=headers)


def test_an_open_index_does_not_need_its_directory(make_index: Callable[..., Any], directory: Any) -> None:
    index = make_index(**directories.settings(directory))
    directory.stop()
    index.get("/simple/", headers=ALICE)
    publish(index, ALICE, 200)


def test_who_is_put_into_the_directory_logs_in_at_once(make_index: Callable[..., Any], directory: Any) -> None:
    index = make_index(read="users", **directories.settings(directory))
    Browser(index).login("carol", "first-word", status=403)
    directory.add_user("carol", "first-word")
    Browser(index).login("carol", "first-word")
    directory.remove_user("carol")
    directory.add_user("carol", "second-word")
    carol = Browser(index)
    carol.login("carol", "second-word")
    carol.get("/")


def test_the_brake_is_before_the_directory(
    make_index: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with directories.running("double", tmp_path, monkeypatch) as double:
        index = make_index(read="users", **directories.settings(double))
        guesser = Browser(index, REMOTE_ADDR="198.51.100.7")
        for number in range(10):
            guesser.login(f"somebody{number}", "guess", status=403)
        asked = double.asked
        guesser.login("somebody-else", "guess", status=429)
        assert double.asked == asked
