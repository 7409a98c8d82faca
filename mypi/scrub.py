"""The scrub: a thread of the server that reads all listed bytes at a set rate, and withdraws what it finds wrong.

Each process scrubs by itself, project by project in a random order, so that several do not read the same at the same
time, and one that is restarted before it is through does not begin with the same again. Where it stands is in memory:
there is nothing to lock, to expire or to clear away when a process dies. It takes no lock of the store and is a daemon,
so that neither a sweep nor the end of the process waits for it.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Literal

from .model import Actor
from .repository import Damaged, Finding, Moved, Repository
from .settings import Settings
from .store import Full, NotFound, Sealed, StoreError
from .times import timestamp

log = logging.getLogger(__name__)

RATE = 2**20
"""Bytes a second where the settings say nothing, and reading costs nothing: 84 GiB a day."""

EVERY = 86400.0
"""Seconds between the beginnings of two rounds; one that takes longer is followed at once."""

FIRST = 600.0
"""Seconds within which the first round begins, so that not all processes of a restart begin together."""

OPENING = 4096
"""Bytes for which each object counts besides its own, so that many small ones do not keep the store busy."""

PAUSE = 60.0
"""Seconds for which a store that cannot be read is left alone."""

ACTOR = Actor(None, "scrub")


@dataclass(frozen=True)
class State:
    """How far the scrub of this process is; counts only, since names may not be told to everybody.

    ``damaged`` counts what is not as it should be, by the last round, or by the present one if that has found more.
    ``objects``, ``size`` in bytes, ``unread`` (what could not be read, which is no damage) and ``found`` are what the
    present round has come to, or the last one. Times are RFC 3339.
    """

    state: Literal["off", "waiting", "reading", "paused"] = "off"
    rate: int = 0
    rounds: int = 0
    began: str | None = None
    finished: str | None = None
    objects: int = 0
    size: int = 0
    unread: int = 0
    damaged: int = 0
    found: int = 0


class _Stopped(Exception):
    """The server ends."""


class Scrub:
    """Reads the files of a repository again and again. ``clock`` gives seconds since 1970."""

    def __init__(
        self,
        repository: Repository,
        rate: int,
        *,
        every: float = EVERY,
        first: float = FIRST,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.state = State(rate=rate)
        self._repository = repository
        self._rate = rate
        self._every, self._first, self._pause = every, first, pause
        self._clock = clock
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._due = 0.0

    @classmethod
    def of(cls, settings: Settings, repository: Repository) -> Scrub:
        """Make the scrub that the settings ask for; where they say nothing, none of a store whose reads cost money."""
        usual = 0 if settings.storage.backend.metered else RATE
        return cls(repository, usual if settings.scrub_rate is None else settings.scrub_rate)

    def start(self) -> None:
        """Begin, if there is a rate, and end when the repository is closed."""
        if self._rate and self._thread is None:
            self.state = replace(self.state, state="waiting")
            self._thread = threading.Thread(target=self._run, name="mypi-scrub", daemon=True)
            self._thread.start()
            self._repository.before_close(self.close)

    def close(self) -> None:
        """End the work that is under way."""
        self._ending.set()
        if self._thread:
            self._thread.join()

    def mapping(self) -> dict[str, object]:
        """Return the state as JSON has it."""
        return asdict(self.state)

    def _run(self) -> None:
        try:
            self._wait(random.uniform(0, self._first))  # noqa: S311 - spreads processes
            while True:
                began = time.monotonic()
                try:
                    self.round()
                except _Stopped:
                    raise
                except Exception:  # whatever it is, the server and its pages go on, and the next round may do better
                    log.exception("scrub: the round ended before it was through")
                self._set(state="waiting")
                self._wait(began + self._every - time.monotonic())
        except _Stopped:
            self._set(state="off")

    def round(self) -> None:
        """Read everything once; pause as long as the store is away."""
        self._set(state="reading", began=timestamp(self._clock()), objects=0, size=0, unread=0, found=0)
        self._due = time.monotonic()
        for name in self._patiently(self._names):
            self._patiently(partial(self._project, name))
        self._set(rounds=self.state.rounds + 1, finished=timestamp(self._clock()), damaged=self.state.found)
        log.info(
            "scrub: a round over %d objects, %d bytes is finished: %d damaged, %d could not be read",
            *(self.state.objects, self.state.size, self.state.found, self.state.unread),
        )

    def _names(self) -> list[str]:
        found = [name for name, _ in self._repository.catalogue.entries()]
        random.shuffle(found)
        return found

    def _patiently(self, work: Callable[[], list[str]]) -> list[str]:
        """Do a part of a round, and all of it again after a pause as long as the store is away."""
        while True:
            before = self.state
            try:
                return work()
            except StoreError as exc:
                counts = {name: getattr(before, name) for name in ("objects", "size", "unread", "damaged", "found")}
                self._away(str(exc), counts)

    def _away(self, why: str, counts: dict[str, int]) -> None:
        log.warning("scrub: the store cannot be used now, and is left alone for %d s: %s", self._pause, why)
        self._set(state="paused", **counts)
        self._wait(self._pause)
        self._set(state="reading")
        self._due = time.monotonic()

    def _project(self, name: str) -> list[str]:
        try:
            for finding in self._repository.mender.check(name, self._pace):
                self._rest(OPENING)
                self._set(objects=self.state.objects + 1)
                self._judge(finding)
            wrong = ""
        except NotFound:
            return []  # its document is gone since it was listed
        except Damaged as exc:
            wrong = str(exc)
        if wrong:
            self._count()
            log.error("scrub: %s", wrong)
        return []

    def _judge(self, finding: Finding) -> None:
        if finding.kind == "unread":
            self._repository.mender.ours()  # else the store is away, and this is no news of one object
            self._set(unread=self.state.unread + 1)
        if finding.kind == "wrong" and not finding.marked:
            self._withdraw(finding)
        elif finding.kind == "wrong":
            self._count()
        elif finding.problem:
            log.warning("scrub: %s %s", finding.subject, finding.problem)

    def _withdraw(self, finding: Finding) -> None:
        try:
            why = self._repository.mender.withdraw(finding, self._repository.event(ACTOR))
        except (Moved, Full, Sealed) as exc:  # reads go on
            self._count()
            why = f"cannot be marked: {exc}"
        if why:
            log.warning("scrub: %s %s, but %s", finding.subject, finding.problem, why)
            return
        self._count()
        log.error("scrub: %s %s; it is marked as damaged: run mypi verify --repair", finding.subject, finding.problem)

    def _count(self) -> None:
        found = self.state.found + 1
        self._set(found=found, damaged=max(found, self.state.damaged))

    def _pace(self, size: int) -> None:
        """Count the bytes that were read, and wait for as long as they should have taken."""
        self._set(size=self.state.size + size)
        self._rest(size)

    def _rest(self, size: int) -> None:
        """Wait for as long as so many bytes should take; after a slow read there is at most a second to catch up."""
        self._due = max(self._due, time.monotonic() - 1) + size / self._rate
        self._wait(self._due - time.monotonic())

    def _wait(self, seconds: float) -> None:
        if self._ending.wait(max(0.0, seconds)):
            raise _Stopped

    def _set(self, **fields: object) -> None:
        self.state = replace(self.state, **fields)  # type: ignore[arg-type] # each has its type where it is given
