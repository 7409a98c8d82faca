"""Tokens: what they look like, and which are found (threat 31)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mypi.accounts import Fresh, find, fresh, tokens
from mypi.model import Accounts, Token

NOW = "2026-11-26T18:00:00.000000Z"


def held(made: Fresh, **more) -> Accounts:
    token = Token(made.id, "alice", "ci", made.digest, NOW, ("upload",), **more)
    return Accounts(tokens={made.id: token})


def test_a_token_has_a_prefix_and_a_form_that_secret_scanners_find():
    made = fresh()
    assert re.fullmatch(r"mypi-[0-9A-Za-z]{12}-[0-9A-Za-z]{43}-[0-9A-Za-z]{6}", made.text)
    assert made.text.startswith(f"mypi-{made.id}-")
    assert tokens.is_token(made.text)


def test_what_is_kept_tells_nothing_of_the_secret():
    made = fresh()
    secret = made.text.split("-")[2]
    assert secret not in made.digest + made.id
    assert re.fullmatch("[0-9a-f]{64}", made.digest)


def test_no_two_are_alike():
    assert len({fresh().text for _ in range(100)} | {fresh().id for _ in range(100)}) == 200


def test_a_token_is_found_by_its_text_alone():
    made = fresh()
    assert find(made.text, held(made), NOW).name == "ci"
    assert find(made.text, Accounts(), NOW) is None
    assert find(fresh().text, held(made), NOW) is None


@settings(deadline=None)
@given(st.data())
def test_a_token_with_any_letter_changed_is_none(data):
    made = fresh()
    place = data.draw(st.integers(0, len(made.text) - 1))
    letter = data.draw(st.characters(codec="utf-8").filter(lambda c: c != made.text[place]))
    changed = made.text[:place] + letter + made.text[place + 1 :]
    assert not tokens.is_token(changed)
    assert find(changed, held(made), NOW) is None


@settings(deadline=None)
@given(st.text())
def test_any_text_is_looked_at_and_no_token(text):
    assert not tokens.is_token(text)
    assert find(text, Accounts(), NOW) is None


@pytest.mark.parametrize("ending", ["\n", " ", "x"])
def test_nothing_may_follow(ending):
    made = fresh()
    assert find(made.text + ending, held(made), NOW) is None


def test_threat_31_another_secret_under_a_known_id_is_no_token():
    made, other = fresh(), fresh()
    head = f"mypi-{made.id}-{other.text.split('-')[2]}"
    text = f"{head}-{tokens._checksum(head)}"
    assert tokens.is_token(text)
    assert tokens.known(text, held(made)) is None


@pytest.mark.parametrize(
    ("expires", "over"),
    [
        (None, False),
        ("2026-11-26T18:00:00.000001Z", False),
        ("2026-11-26T18:00:00.000000Z", True),
        ("2026-11-26T18:00:00Z", True),
        ("2026-11-26T18:00:01Z", False),
        ("2025-12-31T23:59:59Z", True),
    ],
)
def test_a_token_ends_when_its_time_is_over(expires, over):
    made = fresh()
    accounts = held(made, expires=expires)
    assert tokens.is_over(accounts.tokens[made.id], NOW) is over
    assert (find(made.text, accounts, NOW) is None) is over
    assert tokens.known(made.text, accounts) is not None
