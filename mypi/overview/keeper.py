"""Keeps a record of each project in memory, as new as the store: read once, then whatever changed.

There is no lasting thread. A page that asks begins a run, at most one every few seconds, which lists the documents and
reads those whose size or time is another; the page waits for it a second at most. What this process edited is read
again before the next answer.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from contextlib import closing
from dataclasses import dataclass

from .. import metadata
from ..metadata import MetadataError
from ..model import Project
from ..model.releases import newest
from ..repository import Damaged, Repository
from ..repository.pool import in_threads
from ..repository.reading import damage
from ..store import NotFound, StoreError
from .history import Log
from .records import Facts, Record, Requirement, described, draw, facts
from .values import Logged

log = logging.getLogger(__name__)

INTERVAL = 5.0
"""Seconds between two runs, so that what another node published shows after that long."""

PATIENCE = 1.0
"""Seconds for which a page waits for a run."""

_SHARE = 10  # a listing that takes long is made less often: at most a tenth of the time goes into listing
_JOBS = 4
_MANY = 20  # edits of this process that one page reads again itself; more are left to a run

Mark = tuple[int, float]
"""The size of a document and the time of its last change: what a listing tells of its version."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a project, and how new that is.

    ``ticket`` was drawn before it was read. ``mark`` is None where it must be read again on the next run, and
    ``record`` where there is nothing to show: the document is damaged.
    """

    ticket: int
    mark: Mark | None
    record: Record | None


class _Run:
    """One look at all documents."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.done = threading.Event()
        self.stopped = False
        self.thread: threading.Thread | None = None


class Keeper:
    """The records of all projects of a repository. Methods may be called from any thread."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._tickets = itertools.count()
        self._known: dict[str, _Known] = {}
        self._users: dict[str, set[str]] = {}
        self._log = Log()
        self._touched: set[str] = set()
        self._run: _Run | None = None
        self._due = float("-inf")
        self._begun = self._closed = self._complete = False
        repository.catalogue.tell(self._edited)
        repository.before_close(self.close)

    @property
    def complete(self) -> bool:
        """Whether every document was read since the start."""
        return self._complete

    def records(self) -> list[Record]:
        """Return what is known of each project, as new as can be said at once."""
        self._freshen()
        with self._lock:
            return [known.record for known in self._known.values() if known.record]

    def has(self, project: str) -> bool:
        """Tell whether a project is known."""
        self._freshen()
        with self._lock:
            known = self._known.get(project)
        return known is not None and known.record is not None

    def users(self, project: str) -> list[tuple[Record, Requirement]]:
        """Return the projects that require another, with each requirement."""
        self._freshen()
        with self._lock:
            records = [self._known[name].record for name in self._users.get(project, ())]
        return [(each, need) for each in records if each for need in each.facts.requires if need.name == project]

    def logged(self) -> tuple[Logged, ...]:
        """Return the newest entries of the histories, the newest first."""
        self._freshen()
        with self._lock:
            return self._log.newest()

    def close(self) -> None:
        """End the work that is under way; what is known stays."""
        with self._lock:
            self._closed = True
            run = self._run
        if run and run.thread:
            run.stopped = True
            run.thread.join()

    def _edited(self, project: str) -> None:
        with self._lock:
            if self._begun:
                self._touched.add(project)

    def _freshen(self) -> None:
        run = self._running()
        if run:
            run.done.wait(max(0.0, run.started + PATIENCE - time.monotonic()))
        with self._turn:  # who comes while another reads an edit again must not answer without it
            with self._lock:
                names = set() if self._closed or len(self._touched) > _MANY else self._touched.copy()
                self._touched -= names
            for name in names:
                self._read(name, None)

    def _running(self) -> _Run | None:
        """Return the run that is under way; begin one if it is time."""
        with self._lock:
            due = len(self._touched) > _MANY or time.monotonic() >= self._due
            if self._run is None and due and not self._closed:
                self._begun = True
                self._run = run = _Run()
                # A daemon: a process that ends does not wait for an index that nobody will look at.
                run.thread = threading.Thread(target=self._work, args=(run,), name="mypi-overview", daemon=True)
                run.thread.start()
            return self._run

    def _work(self, run: _Run) -> None:
        took = 0.0
        try:
            took = self._go_through(run)
        except Exception as exc:  # whatever it is, pages show what is known, and the next run tries again
            log.warning("The overview is not the newest: %s", exc)
        finally:
            with self._lock:
                self._run = None
                self._due = time.monotonic() + max(INTERVAL, _SHARE * took)
            run.done.set()

    def _go_through(self, run: _Run) -> float:
        """Read every document that is another than the known one; return how long listing them took."""
        with self._lock:
            ticket = next(self._tickets)
            touched = self._touched.copy() if len(self._touched) > _MANY else set()  # a few are read before any answer
            self._touched -= touched
            marks = {name: known.mark for name, known in self._known.items()}
        changed: dict[str, Mark | None] = {}
        listed = set()
        for name, entry in self._repository.catalogue.entries():
            if run.stopped:
                return 0.0
            listed.add(name)
            mark = (entry.size, entry.modified)
            if marks.get(name) != mark or name in touched:
                changed[name] = mark
        took = time.monotonic() - run.started
        work = in_threads(lambda item: self._read(*item), changed.items(), _JOBS, name="mypi-overview")
        with closing(work):
            for _ in work:
                if run.stopped:
                    return took
        self._forget(listed, ticket)
        self._complete = True
        return took

    def _read(self, name: str, mark: Mark | None) -> None:
        """Read a project again. One that cannot be read leaves the others alone."""
        ticket = next(self._tickets)
        with self._lock:
            known = self._known.get(name)
        before = known.record if known else None
        try:
            project = self._repository.catalogue.passing(name)
            if project is None:
                self._apply(name, _Known(ticket, mark, None), None)
                return
            found, sure = self._facts(project, before)
            with damage(name):
                record = draw(project, found)
        except NotFound:
            return  # an edit that failed before there was a document, or a store that somebody deletes from
        except Damaged as exc:
            log.warning("The overview goes without a project: %s", exc)
            self._apply(name, _Known(ticket, mark, None), None)
        except StoreError as exc:
            log.warning("The overview keeps an older version of a project: %s", exc)
        else:
            self._apply(name, _Known(ticket, mark if sure else None, record), project)

    def _facts(self, project: Project, before: Record | None) -> tuple[Facts, bool]:
        """Return what the newest release says, and whether that is all that it says; metadata never changes."""
        with damage(project.name):
            release = newest(project)
            file = described(release) if release else None
        if release is None or file is None:
            return Facts(None, project.releases.get(release.text, "") if release else ""), True
        if before and before.facts.token == file.token:
            return before.facts, True
        try:
            with self._repository.open_metadata(project, file) as reader:
                return facts(metadata.read(reader.read()), file.token), True
        except (NotFound, MetadataError) as exc:
            log.warning("%s has core metadata that is lost or damaged; run mypi verify: %s", file.filename, exc)
            return Facts(file.token), True
        except StoreError as exc:
            log.warning("The overview tries %s again: %s", file.filename, exc)
            return Facts(None), False

    def _apply(self, name: str, fresh: _Known, project: Project | None) -> None:
        """Take over what was read, unless what is known was read later."""
        with self._lock:
            known = self._known.get(name)
            if known and known.ticket > fresh.ticket:
                return
            self._known[name] = fresh
            self._link(name, known.record if known else None, fresh.record)
            if project:
                self._log.update(name, project.history)

    def _link(self, name: str, before: Record | None, after: Record | None) -> None:
        """Note what a project requires, in the other direction."""
        for need in before.facts.requires if before else ():
            self._users.get(need.name, set()).discard(name)
        for need in after.facts.requires if after else ():
            self._users.setdefault(need.name, set()).add(name)

    def _forget(self, listed: set[str], ticket: int) -> None:
        """Leave those out that the store has no more, unless they came since it was listed."""
        with self._lock:
            gone = [name for name, known in self._known.items() if name not in listed and known.ticket < ticket]
            for name in gone:
                self._link(name, self._known.pop(name).record, None)
                self._log.forget(name)
