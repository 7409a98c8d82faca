"""Sessions of people: signed, bound to their password, and ended on every node at once."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from mypi.accounts import Sessions, sessions
from mypi.backends.memory import MemoryStore
from mypi.repository import Repository
from mypi.settings import Settings
from tests.accounts import open_memory


@pytest.fixture
def repository():
    opened = open_memory()
    yield opened
    opened.close()


@pytest.fixture
def kept(repository) -> Sessions:
    return Sessions(repository.members)


def test_a_session_comes_back_as_it_was_opened(kept):
    found = kept.read(kept.open("alice", "stamp"))
    assert (found.user, found.stamp) == ("alice", "stamp")
    assert len(found.id) == 32
    assert kept.read(kept.open("alice", "stamp")).id != found.id


def test_the_key_is_made_once_and_stays(kept, repository):
    assert repository.members.get().key == ""
    key = kept.key()
    assert len(bytes.fromhex(key)) == 32
    assert kept.key() == repository.members.get().key == key


def test_before_any_was_opened_none_is_read_and_nothing_written(kept, repository):
    assert kept.read("anything") is None
    assert repository.members.get().key == ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_cookie_with_any_letter_changed_is_none(kept, data):
    value = kept.open("alice", "stamp")
    place = data.draw(st.integers(0, len(value) - 1))
    letter = data.draw(st.characters(codec="utf-8").filter(lambda c: c != value[place]))
    found = kept.read(value[:place] + letter + value[place + 1 :])
    # Base64 ends in bits that mean nothing; with others there it is the same session.
    assert found is None or found == kept.read(value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text())
def test_any_cookie_is_read_and_is_none(kept, value):
    kept.key()
    assert kept.read(value) is None


@pytest.mark.parametrize("payload", [[], ["id", "alice"], "text", None, 7, ["a", "b", "c", "d"]])
def test_what_was_signed_in_another_form_is_none(kept, payload):
    assert kept.read(URLSafeTimedSerializer(kept.key(), salt="mypi session").dumps(payload)) is None


def test_what_the_key_signed_for_another_purpose_is_no_session(kept):
    value = URLSafeTimedSerializer(kept.key(), salt="something else").dumps(["id", "alice", "stamp"])
    assert kept.read(value) is None


def test_another_index_signs_with_another_key(kept):
    other = open_memory()
    try:
        assert kept.key() != Sessions(other.members).key()
        assert kept.read(Sessions(other.members).open("alice", "stamp")) is None
    finally:
        other.close()


def test_a_session_ends_after_its_hours(kept, monkeypatch):
    value = kept.open("alice", "stamp")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + sessions.HOURS * 3600 - 60)
    assert kept.read(value)
    monkeypatch.setattr(time, "time", lambda: real() + sessions.HOURS * 3600 + 60)
    assert kept.read(value) is None


def test_a_session_that_was_ended_is_over_on_every_node(repository, kept, monkeypatch):
    value, stays = kept.open("alice", "stamp"), kept.open("alice", "stamp")
    node = Sessions(repository.members)
    kept.end(kept.read(value))
    for each in (kept, node):
        assert each.read(value) is None
        assert each.read(stays)


def test_ended_sessions_are_forgotten_when_their_time_is_over_anyway(repository, kept, monkeypatch):
    first = kept.read(kept.open("alice", "stamp"))
    kept.end(first)
    kept.end(first)
    assert list(repository.members.get().ended) == [first.id]
    later = time.time() + sessions.HOURS * 3600 + 60
    monkeypatch.setattr(sessions.time, "time", lambda: later)
    second = kept.read(kept.open("alice", "stamp"))
    kept.end(second)
    assert list(repository.members.get().ended) == [second.id]


def test_sessions_of_one_store_are_good_on_each_of_its_nodes():
    loaded = Settings.load({"mypi.storage": "memory"}, {})
    store = MemoryStore()
    nodes = [Repository(store, store, loaded) for _ in range(2)]
    value = Sessions(nodes[0].members).open("alice", "stamp")
    assert Sessions(nodes[1].members).read(value).user == "alice"
    Sessions(nodes[1].members).end(Sessions(nodes[1].members).read(value))
    assert Sessions(nodes[0].members).read(value) is None
    store.close()
