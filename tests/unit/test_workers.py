"""The threads of the server: they outlive what they work on, and end when they are told to."""

from __future__ import annotations

import logging
import threading

import pytest

from mypi.server.workers import Workers


class Task:
    """A connection whose request ends as it is told to, and says when it was worked on."""

    def __init__(self, fault: BaseException | None = None) -> None:
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.fault = fault

    def service(self) -> None:
        self.begun.set()
        self.gate.wait(30)
        if self.fault:
            raise self.fault


@pytest.mark.parametrize("fault", [RuntimeError("half-way"), SystemExit(3)])
def test_a_thread_outlives_what_it_works_on(fault: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    workers = Workers(1)
    workers.add_task(Task(fault))
    after = Task()
    workers.add_task(after)
    assert after.begun.wait(30)
    workers.shutdown(30)
    assert "Exception while serving" in caplog.text


def test_what_was_not_begun_is_dropped_at_the_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("mypi.server.queue"), "filters", [])  # a server's, which speaks once a minute
    workers = Workers(1)
    first, *others = tasks = [Task() for _ in range(3)]
    first.gate.clear()
    with caplog.at_level(logging.WARNING):
        for task in tasks:
            workers.add_task(task)
        assert first.begun.wait(30)
        workers.shutdown(0.01)
    first.gate.set()
    workers.shutdown(30)
    assert not any(task.begun.is_set() for task in others)
    assert "2 requests wait; threads = 1" in caplog.text
