"""A repository and a plain dictionary, driven side by side by hypothesis: they must never disagree.

200 examples of 50 steps in memory; fewer where a call takes longer; more of them everywhere with MYPI_TORTURE.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mypi import metadata
from mypi.model import STATUSES, ModelError
from mypi.repository import Repository
from mypi.store import Full, NotFound, Tag, Unavailable
from mypi.testing.doubles import FaultyStore, Point
from tests import builders, stores
from tests.repository.shorthand import (
    ALICE,
    DAY,
    TORTURE,
    Clock,
    content,
    entries,
    filename,
    package,
    problems,
    scaled,
    settings,
    submission,
)
from tests.tally import Tally

PROJECTS = ("acme-lib", "other")
VERSIONS = ("1.0", "1.1", "2.0")
CONTENTS = ("x", "y")
TRASH, GRACE = 30.0, 1.0

WHEELS = {(name, v, text): package(name, v, text) for name in PROJECTS for v in VERSIONS for text in CONTENTS}


@dataclass
class Entry:
    """What the dictionary knows of a file."""

    text: str
    yanked: str | None = None
    removed: float | None = None
    purged: bool = False


@dataclass
class Known:
    """What the dictionary knows of a project."""

    status: str = "active"
    files: dict[str, Entry] = field(default_factory=dict)
    releases: dict[str, str] = field(default_factory=dict)


class RepositoryMachine(RuleBasedStateMachine):
    """Does the same to both. A rule gives what it expects: the change to the dictionary, or that it is refused."""

    kind = "memory"

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.store = stores.make(self.kind, Path(self.folder))
        self.clock = Clock()
        self.faulty = self.make_store()
        self.model: dict[str, Known] = {}
        self.faulted = False
        self.repository = self._open()

    def make_store(self) -> FaultyStore:
        return FaultyStore(self.store)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)

    def _open(self) -> Repository:
        return Repository(self.faulty, self.faulty, settings(), clock=self.clock)

    def _does(self, act: Callable[[], object], refused: bool) -> bool:
        """Do it to the repository; after a fault do it again, as everybody may. Tell whether it was done."""
        if self.faulted:
            self.faulted = False
            try:
                act()
            except Unavailable:
                assert not problems(Repository(self.store, self.store, settings()))
            except (ModelError, NotFound):
                assert refused
                return False
            finally:
                self.faulty._faults.clear()
        try:
            act()
        except (ModelError, NotFound):
            assert refused
            return False
        assert not refused
        return True

    def _has(self, name: str, version: str) -> Entry | None:
        return self.model[name].files.get(version) if name in self.model else None

    @rule(name=st.sampled_from(PROJECTS), version=st.sampled_from(VERSIONS), text=st.sampled_from(CONTENTS))
    def publish(self, name: str, version: str, text: str) -> None:
        there = self._has(name, version)
        closed = name in self.model and self.model[name].status in ("archived", "quarantined")
        taken = there is not None and (there.text != text or there.removed is not None)
        if self._does(
            lambda: self.repository.publish(submission(*WHEELS[name, version, text]), ALICE), closed or taken
        ):
            self.model.setdefault(name, Known()).files.setdefault(version, Entry(text))

    @rule(name=st.sampled_from(PROJECTS), version=st.sampled_from(VERSIONS), summary=st.sampled_from("ab"))
    def register(self, name: str, version: str, summary: str) -> None:
        known = self.model.get(name, Known())
        refused = known.status in ("archived", "quarantined") and known.releases.get(version) != summary
        core = metadata.read(builders.metadata(name, version, summary=summary))
        if self._does(lambda: self.repository.register(core, ALICE), refused):
            self.model.setdefault(name, known).releases[version] = summary

    @rule(name=st.sampled_from(PROJECTS), version=st.sampled_from(VERSIONS), reason=st.sampled_from(["", "why"]))
    def yank(self, name: str, version: str, reason: str) -> None:
        there = self._has(name, version)
        act = self.repository.yank
        if self._does(lambda: act(name, [filename(name, version)], reason, ALICE), there is None) and there:
            there.yanked = reason

    @rule(name=st.sampled_from(PROJECTS), version=st.sampled_from(VERSIONS))
    def unyank(self, name: str, version: str) -> None:
        there = self._has(name, version)
        if self._does(lambda: self.repository.unyank(name, [filename(name, version)], ALICE), there is None) and there:
            there.yanked = None

    @rule(name=st.sampled_from(PROJECTS), version=st.sampled_from(VERSIONS))
    def remove(self, name: str, version: str) -> None:
        there = self._has(name, version)
        now = self.clock()
        if self._does(lambda: self.repository.remove(name, [filename(name, version)], ALICE), there is None) and there:
            there.removed = now if there.removed is None else there.removed

    @rule(name=st.sampled_from(PROJECTS), version=st.sampled_from(VERSIONS))
    def restore(self, name: str, version: str) -> None:
        there = self._has(name, version)
        refused = there is None or there.purged
        if self._does(lambda: self.repository.restore(name, [filename(name, version)], ALICE), refused) and there:
            there.removed = None

    @rule(name=st.sampled_from(PROJECTS), status=st.sampled_from(STATUSES))
    def set_status(self, name: str, status) -> None:
        if self._does(lambda: self.repository.set_status(name, status, "", ALICE), name not in self.model):
            self.model[name].status = status

    @rule(dry_run=st.booleans())
    def sweep(self, dry_run: bool) -> None:
        def act() -> None:
            list(self.repository.sweep(ALICE, trash_days=TRASH, grace=GRACE, dry_run=dry_run))

        self._does(act, refused=False)
        for known in self.model.values() if not dry_run else ():
            for entry in known.files.values():
                if entry.removed is not None and entry.removed < self.clock() - TRASH * DAY:
                    entry.purged = True

    @rule(days=st.sampled_from([-400, -20, 20, 40, 400]))
    def the_clock_jumps(self, days: int) -> None:
        self.clock.ahead = min(max(self.clock.ahead + days * DAY, -5000 * DAY), 5000 * DAY)

    @rule()
    def restart(self) -> None:
        def act() -> None:
            self.repository = self._open()

        self._does(act, refused=False)

    @rule(name=st.sampled_from(PROJECTS), token=st.integers(0, 3))
    def somebody_was_killed_while_uploading(self, name: str, token: int) -> None:
        key = f"files/main/{name}/{token:016x}/{filename(name)}"
        if not list(self.store.list(key.rpartition("/")[0] + "/")):
            self.store.add(key, io.BytesIO(b"rubbish"), 7)

    @precondition(lambda self: not self.faulted)
    @rule(
        operation=st.sampled_from(["open", "add", "swap", "delete", "list"]),
        when=st.sampled_from(["before", "after"]),
        nth=st.integers(1, 3),
        full=st.booleans(),
    )
    def the_next_deed_meets_a_fault(self, operation, when, nth: int, full: bool) -> None:
        error = Full if full and (when == "before" or operation != "swap") else Unavailable
        point = Point(when, self.faulty.calls[operation] + nth, operation)
        self.faulty._faults = {}
        self.faulty.fail(point, error("key", "injected"))
        self.faulted = True

    @invariant()
    def both_say_the_same(self) -> None:
        if not hasattr(self, "store"):
            return
        fresh = Repository(self.store, self.store, settings())
        ours = fresh if self.faulted else self.repository
        for name in PROJECTS:
            self._compare(name, ours)
        names = fresh.names()
        assert set(self.model) <= set(names.value.projects if names else ())

    def _compare(self, name: str, repository: Repository) -> None:
        try:
            project = repository.project(name).value
        except NotFound:
            assert name not in self.model
            return
        known = self.model[name]
        assert (project.status, project.releases) == (known.status, known.releases)
        assert {f.version for f in project.files.values()} == known.files.keys()
        for file in project.files.values():
            entry = known.files[file.version]
            assert (file.yanked, file.live, file.purged) == (entry.yanked, entry.removed is None, entry.purged)
        offered = [] if known.status == "quarantined" else [v for v, e in known.files.items() if e.removed is None]
        assert [file.version for file in project.live] == sorted(offered)
        for file in project.live:
            assert content(repository, file, name) == WHEELS[name, file.version, known.files[file.version].text][1]

    @rule()
    def verify(self) -> None:
        assert not problems(Repository(self.store, self.store, settings()))

    @precondition(lambda self: not self.faulted)
    @rule()
    def all_rubbish_goes_at_last(self) -> None:
        ahead, self.clock.ahead = self.clock.ahead, 6000 * DAY
        list(self.repository.sweep(ALICE, trash_days=10**6))
        self.clock.ahead = ahead
        tokens = {
            file.token
            for name in self.model
            for file in self.repository.project(name).value.files.values()
            if not file.purged
        }
        assert {entry.key.split("/")[3] for entry in entries(self.store, "files/")} == tokens


@pytest.mark.parametrize("kind", sorted(stores.STORES))
def test_repository_and_dictionary_never_disagree(kind: str, tally: Tally) -> None:
    examples = scaled(kind, memory=200, filesystem=60, slower=20, torture=0)
    if TORTURE:
        examples = {"memory": 400, "filesystem": 100}.get(kind, 30)
    tally.add(f"random lives of an index, {kind}", examples)
    machine = type("Machine", (RepositoryMachine,), {"kind": kind})
    run_state_machine_as_test(
        machine,
        settings=limits(
            max_examples=examples,
            stateful_step_count=50 if kind in ("memory", "filesystem") else 30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            report_multiple_bugs=False,
        ),
    )


class ForgetsStore(FaultyStore):
    """Answers that a document was swapped, and does not do it, every third time."""

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        if self.calls["swap"] % 3 == 2:
            self.calls["swap"] += 1
            return Tag("forgotten")
        return super()._swap(key, data, expect)


class ForgetfulMachine(RepositoryMachine):
    """Drives a store that acknowledges what it does not keep."""

    def make_store(self) -> FaultyStore:
        return ForgetsStore(self.store)


def test_control_a_store_that_forgets_is_caught() -> None:
    """The positive control: without this, nobody would know that the machine can find anything."""
    with pytest.raises((AssertionError, NotFound)):
        run_state_machine_as_test(
            ForgetfulMachine,
            settings=limits(
                max_examples=50,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
