"""The policy at work: verdicts are remembered until a file's time comes, licences as long as there is room."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from mypi.model.remote import RemoteFile, RemotePage
from mypi.policies import Policies, terms
from mypi.store import NotFound, Unavailable
from mypi.upstream import HiddenByPolicy, Screen
from mypi.upstream.screen import readable

FILE = RemoteFile("lib-1.0.tar.gz", "1.0", "https://x/y", "0" * 64, uploaded="2026-11-20T12:00:00.000000Z")
PAGE = RemotePage("lib", (FILE,), ("1.0",))
LIFTS = 1795176000.0 + 7 * 86400


class Clock:
    def __init__(self) -> None:
        self.now = LIFTS - 100

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A screen with a cooldown, its clock, and the times at which it judged."""
    clock = Clock()
    screen = Screen(Policies(min_age_days=7), clock=clock)
    times: list[float] = []
    judge = screen.policy.judge

    def noted(*given: Any) -> Any:
        times.append(given[2])
        return judge(*given)

    monkeypatch.setattr(screen.policy, "judge", noted)
    return screen, clock, times


def test_a_verdict_is_made_once_for_a_page_until_a_time_comes(judged: Any) -> None:
    screen, clock, times = judged
    assert screen.page(PAGE, "tag", {})[0].files == ()
    clock.now = LIFTS - 1
    hidden, key = screen.page(PAGE, "tag", {})
    assert (hidden.files, bool(key), times) == ((), True, [LIFTS - 100])
    clock.now = LIFTS
    assert screen.page(PAGE, "tag", {}) == (PAGE, "")
    clock.now = LIFTS + 1e6
    assert screen.page(PAGE, "tag", {}) == (PAGE, "")
    assert times == [LIFTS - 100, LIFTS]


def test_another_page_another_licence_and_an_earlier_clock_are_judged_anew(judged: Any) -> None:
    screen, clock, times = judged
    screen.page(PAGE, "tag", {})
    screen.page(PAGE, "other", {})
    screen.page(PAGE, "tag", {"1.0": "MIT"})
    clock.now -= 1
    screen.page(PAGE, "tag", {})
    assert len(times) == 4


def test_without_rules_nothing_is_judged() -> None:
    screen = Screen(Policies())
    assert screen.page(PAGE, "tag", {}) == (PAGE, "")
    assert screen.known([("0", "1.0", lambda: pytest.fail("nothing is read"))]) == {}


def test_a_release_that_no_rule_hides_is_no_error() -> None:
    screen = Screen(Policies(deny=terms("lib<1")))
    screen.check_release("lib", "1.0")
    with pytest.raises(HiddenByPolicy, match=r"lib 0\.9 is hidden"):
        screen.check_release("lib", "0.9")


def test_licences_of_the_files_of_a_version_are_put_together_and_read_once() -> None:
    screen = Screen(Policies(licenses_denied=("GPL-*",)))
    texts = {"a": b"License-Expression: MIT", "b": b"License-Expression: GPL-3.0-only", "c": b"", "d": None, "e": b""}
    asked = []

    def fetch(digest: str) -> bytes | None:
        asked.append(digest)
        text = texts[digest]
        return None if text is None else b"Metadata-Version: 2.4\nName: lib\nVersion: 1.0\n" + text + b"\n\n"

    files = [("a", "1.0"), ("b", "1.0"), ("a", "2.0"), ("c", "3.0"), ("d", "4.0")]
    for _ in range(2):
        found = screen.known((digest, version, lambda digest=digest: fetch(digest)) for digest, version in files)
        assert found == {"1.0": "(MIT) AND (GPL-3.0-only)", "2.0": "MIT"}
    assert asked == ["a", "b", "c", "d", "d"]


def test_metadata_that_cannot_be_read_says_no_licence_and_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    screen = Screen(Policies(licenses_denied=("GPL-*",)))
    assert screen.licence("0", lambda: b"\x00 garbage") == ""
    assert "a licence cannot be known" in caplog.text


@pytest.mark.parametrize("error", [NotFound("key"), Unavailable("key", "is away")])
def test_bytes_that_cannot_be_read_are_none_and_logged(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> bytes:
        raise error

    with caplog.at_level(logging.WARNING):
        assert readable(fails) is None
    assert "a licence cannot be read" in caplog.text
