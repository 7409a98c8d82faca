"""Clocks that jump: two days back, a year ahead. No acknowledged upload is lost, and no order depends on the clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from mypi.model import Taken
from mypi.repository import Repository
from tests import stores
from tests.repository.shorthand import ALICE, DAY, YEAR, Clock, content, filename, package, problems, publish, settings

JUMPS = (0, -2 * DAY, YEAR, -2 * DAY, 0, -YEAR, 3 * YEAR)
"""Where the clock stands, beside the real time, for one deed after the other."""


@pytest.mark.parametrize("kind", ["memory", "filesystem"])
def test_a_clock_that_jumps_loses_nothing_and_changes_no_order(kind: str, tmp_path: Path) -> None:
    store, clock = stores.make(kind, tmp_path), Clock()
    revisions, done = [], []
    for number, ahead in enumerate(JUMPS):
        clock.ahead = ahead
        repository = Repository(store, store, settings(), clock=clock)  # restarted, too
        publish(repository, version=f"{number}.0")
        repository.yank("acme-lib", [filename(version=f"{number}.0")], "why", ALICE)
        done += [("publish", f"{number}.0"), ("yank", f"{number}.0")]
        project = repository.project("acme-lib").value
        revisions.append(project.revision)
        assert [(event.did, event.version) for event in project.history if event.did] == done
        assert [file.version for file in project.live] == [f"{each}.0" for each in range(number + 1)]
    assert len(set(revisions)) == len(JUMPS)
    for each in project.live:
        assert content(repository, each) == package(version=each.version)[1]
    with pytest.raises(Taken):
        publish(repository, content="another")
    assert not problems(repository)
    store.close()


@pytest.mark.parametrize("ahead", [-2 * DAY, YEAR])
def test_a_sweep_by_a_wrong_clock_takes_nothing_that_is_on_offer(ahead: float, tmp_path: Path) -> None:
    store, clock = stores.make("filesystem", tmp_path), Clock()
    repository = Repository(store, store, settings(), clock=clock)
    publish(repository)
    clock.ahead = ahead
    publish(repository, version="2.0")
    list(repository.sweep(ALICE, trash_days=1))
    clock.ahead = 0
    list(repository.sweep(ALICE, trash_days=1))
    assert [file.version for file in repository.project("acme-lib").value.live] == ["1.0", "2.0"]
    assert not problems(repository)
    store.close()
