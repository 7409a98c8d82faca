"""Whether an index can do its work now, told at once and without load on its store.

A look at the store is taken in a thread of its own and waited for a short time, so that a store that hangs hangs nobody
else; its result serves everybody for a second. Sentences name no key, path, address or cause.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from dataclasses import dataclass, replace

from .repository import Repository, WrongStore
from .repository.identity import confirm
from .store import Full, Sealed, StoreError

log = logging.getLogger(__name__)

FRESH = 1.0
"""Seconds for which a look serves everybody who asks."""

PATIENCE = 2.0
"""Seconds after which a store that has not answered counts as away."""


_PIECE = 4096  # bytes that are written where uploads are kept on their way in, which a full or read-only disk refuses


@dataclass(frozen=True)
class State:
    """What can be done now, in one sentence."""

    reads: bool
    writes: bool
    sentence: str


READY = State(True, True, "ready")
STOPPING = State(False, False, "This mypi is being stopped; what is in flight is finished")
SILENT = State(False, False, "The store does not answer in time")
AWAY = State(False, False, "The store cannot be reached")
WRONG = State(False, False, "The store is not the one of this index; is the right disk mounted?")
SEALED = State(True, False, "The store is sealed: it takes no more writes until it is mended and mypi restarted")
FULL = State(True, False, "The store is full; files can be read, and none published")
UNWRITABLE = State(True, False, "The store cannot be written; files can be read, and none published")
MOVED = State(True, False, "This index is sealed, as it moves to another place; files can be read, and none published")
UNKNOWN = State(False, False, "mypi made a mistake when it looked at its store; its log says more")

_OF_WRITING: tuple[tuple[type[StoreError], State], ...] = ((Sealed, SEALED), (Full, FULL), (StoreError, UNWRITABLE))


class _Look:
    """One look at the store: when it began, and what was seen once it is over."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.over = threading.Event()
        self.seen = UNKNOWN


class Readiness:
    """Looks at the stores of a repository. Methods may be called from any thread.

    ``fresh`` and ``patience`` are in seconds.
    """

    def __init__(self, repository: Repository, *, fresh: float = FRESH, patience: float = PATIENCE) -> None:
        self._repository = repository
        self._fresh = fresh
        self._patience = patience
        self._stopping = False
        self._lock = threading.Lock()
        self._last: _Look | None = None

    def stop(self) -> None:
        """Be ready for nothing from now on: the server ends. Takes no lock, as a signal handler calls it."""
        self._stopping = True

    def state(self) -> State:
        """Return what can be done, no older than ``fresh``, after ``patience`` at the latest."""
        if self._stopping:
            return STOPPING
        look = self._newest()
        in_time = look.over.wait(max(0.0, look.began + self._patience - time.monotonic()))
        return look.seen if in_time else SILENT

    def _newest(self) -> _Look:
        """Return the look that serves now; one that is not over is the only one, however long it takes."""
        with self._lock:
            last = self._last
            if last and not (last.over.is_set() and time.monotonic() - last.began >= self._fresh):
                return last
            look = _Look()
            threading.Thread(target=self._take, args=(look,), name="mypi-readiness", daemon=True).start()
            self._last = look
            return look

    def _take(self, look: _Look) -> None:
        try:
            look.seen = _seen(self._repository)
        except Exception:
            log.exception("The store could not be looked at")
        finally:
            look.over.set()


def _seen(repository: Repository) -> State:
    stores = repository.stores
    try:
        confirm(stores.files, stores.catalogue, stores.id)
        names = repository.names()
    except WrongStore:
        return WRONG
    except StoreError as exc:
        return replace(SEALED, reads=False) if isinstance(exc, Sealed) else AWAY
    try:
        for store in (stores.files, stores.catalogue):
            store.probe()
            with store.spool() as spool:
                spool.write(bytes(_PIECE))
                spool.flush()
    except StoreError as exc:
        return next(state for kind, state in _OF_WRITING if isinstance(exc, kind))
    except OSError as exc:
        return FULL if exc.errno in (errno.ENOSPC, errno.EDQUOT) else UNWRITABLE
    return MOVED if names and names.value.sealed else READY
