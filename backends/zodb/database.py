"""Transactions on one database: each on a connection of its own, that begins with the newest state of all nodes."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import ZODB
from transaction import TransactionManager
from transaction.interfaces import NoTransaction
from ZODB.FileStorage import FileStorage
from ZODB.interfaces import IMVCCStorage
from ZODB.POSException import ConflictError, POSKeyError, ReadOnlyError, StorageTransactionError
from ZODB.serialize import StateLoadError

from mypi.store import Full, Sealed, StoreError, Unavailable

from ..filesystem.files import translated as translated_os_error
from .records import Refused, class_of, harmless

T = TypeVar("T")

ATTEMPTS = 60
"""How often a transaction is tried that others get in the way of."""

LONGEST_WAIT = 10
"""Seconds for which a transaction waits for the first answer of a server that took the connection."""

_FORKED = (
    "the database was opened by another process, of which this is a fork; let every worker load mypi itself (gunicorn "
    "without --preload, uWSGI with lazy-apps)"
)
_PACKED = "the database was packed while it was read here; run this again"
_NO_ROOM = "53100"  # PostgreSQL's disk_full
_POOL = 100  # connections that ZODB thinks normal; each lasts for one operation, so there are as many as threads
_CACHE = 8 * 2**20  # bytes of objects that a connection may keep: documents of several hundred projects
_LONGEST_LINE = 120  # characters of what ZEO says of a message, which it shows whole
_NO_WARNING = 2**30  # documents are kept whole, whatever ZODB thinks of large records


class Silent(Exception):
    """The server has the connection open and answers nothing."""


class Database:
    """A database that is open, whatever storage is beneath it. Methods may be called from any thread."""

    def __init__(self, storage: Any, given: Mapping[str, Any]) -> None:
        self.storage = storage
        self._process = os.getpid()
        _guard(storage)
        self._db = ZODB.DB(
            storage,
            pool_size=max(_POOL, given.get("pool_size") or 0),
            pool_timeout=300,
            cache_size=given.get("cache_size") or 5000,
            cache_size_bytes=given.get("cache_size_bytes") or _CACHE,
            large_record_size=_NO_WARNING,
            class_factory=class_of,
        )
        _guard(storage)

    @property
    def shared(self) -> bool:
        """Tell whether other processes and hosts may use the same database: its storage is a client of a server."""
        return IMVCCStorage.providedBy(self.storage) or hasattr(self.storage, "server_sync")

    def run(self, key: str, work: Callable[[Any], T]) -> T:
        """Call ``work`` with a connection, again while others get in the way, and end its transaction.

        ``work`` commits what it wrote through ``commit``. Raises its StoreErrors; Unavailable, which after the commit
        of a write means "perhaps".
        """
        self._refuse_if_forked(key)
        trouble: Exception | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(secrets.randbelow(1000) / 1000 * min(0.2, 0.002 * 2**attempt))
            try:
                with self._connection() as connection:
                    return work(connection)
            except StoreError:
                raise
            except ConflictError as exc:
                # Nothing was written. A split of a tree's bucket, a pack, a row that somebody locks: not our caller's.
                trouble = exc
            except Exception as exc:
                raise self._translated(key, exc) from exc
        raise Unavailable(key, "too many others write to the database at this moment; try again") from trouble

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        # Explicit: a connection is taken from the pool before it asks the server anything, so that it always returns.
        manager = TransactionManager(explicit=True)
        connection = self._soon(manager) if self.shared else self._begun(manager)
        try:
            yield connection
        finally:
            _end(manager, connection)

    def _begun(self, manager: TransactionManager) -> Any:
        """Open a connection and begin, which asks the server for the newest state."""
        connection = self._db.open(manager)
        try:
            manager.begin()
        except BaseException:
            _end(manager, connection)
            raise
        return connection

    def _soon(self, manager: TransactionManager) -> Any:
        """Do so for some seconds at most.

        A server that has the connection open and answers nothing would be waited for without end. What is given up here
        gives its connection back once it was answered after all.
        """
        begun = _in_thread(lambda: self._begun(manager))
        try:
            return begun.result(LONGEST_WAIT)
        except FutureTimeout as exc:
            begun.add_done_callback(lambda late: None if late.exception() else _end(manager, late.result()))
            raise Silent(f"nothing within {LONGEST_WAIT} seconds") from exc

    def _translated(self, key: str, exc: Exception) -> StoreError:
        """Return the StoreError for an error of ZODB, of a storage or of the server beneath it."""
        if self._is_sealed():
            return Sealed(key, f"a write failed ({brief(exc)}); mend the disk, restart mypi, run mypi verify")
        if self._was_packed():
            return Unavailable(key, _PACKED)
        if isinstance(exc, OSError):
            return translated_os_error(key, exc)
        if getattr(exc, "pgcode", None) == _NO_ROOM:
            return Full(key, "no room left on the disk of the database; free some or give more")
        return _damage(key, exc) or Unavailable(key, f"the database does not answer ({brief(exc)}); is its server up?")

    def _is_sealed(self) -> bool:
        """Tell whether FileStorage has closed itself, as it does when it may have written half a transaction."""
        return bool(getattr(getattr(self.storage, "_file", None), "closed", False))

    def refuse_if_sealed(self, key: str) -> None:
        """Raise Sealed after a failed write."""
        if self._is_sealed():
            raise Sealed(key, "a write failed; mend the disk, restart mypi, run mypi verify")

    def _refuse_if_forked(self, key: str) -> None:
        # Two processes on one open Data.fs destroy it, for they share its lock; on one connection to a server they read
        # each other's answers.
        if os.getpid() != self._process:
            raise Unavailable(key, _FORKED)

    def refuse_if_packed(self, key: str) -> None:
        """Raise Unavailable if the folder that is read here was packed by another process meanwhile.

        What was deleted since this one opened it is gone then, and must not look lost.
        """
        if self._was_packed():
            raise Unavailable(key, _PACKED)

    def _was_packed(self) -> bool:
        # A pack puts a new Data.fs in the place of the one whose index was read; threads that open it anew misread it.
        if not isinstance(self.storage, FileStorage) or not self.storage.isReadOnly():
            return False
        with suppress(FileNotFoundError):  # between the two renames of a pack
            return not os.path.samestat(os.fstat(self.storage._file.fileno()), Path(self.storage.getName()).stat())
        return True

    def pack(self, before: float) -> None:
        """Forget what was deleted or replaced before a time, now at the latest. Raises Unavailable."""
        self._refuse_if_forked("(pack)")
        try:
            self._db.pack(min(before, time.time()))
        except Exception as exc:
            raise self._translated("(pack)", exc) from exc

    def close(self) -> None:
        """Close every connection; what a server that went away makes of it does not matter any more.

        Nor does one that was given up, which has no transaction yet.
        """
        if os.getpid() != self._process:
            return  # they are those of the process that opened them
        with suppress(KeyError, NoTransaction, StorageTransactionError):
            self._db.close()
        with suppress(AttributeError):  # ZODB has let go of a storage that it closed
            self._db.storage.close()


def _in_thread(act: Callable[[], T]) -> Future[T]:
    """Do something in a thread that nobody need wait for, not even the end of the process."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(act())
        except BaseException as exc:
            future.set_exception(exc)

    Thread(target=run, name="mypi-zodb-begin", daemon=True).start()
    return future


def commit(connection: Any) -> None:
    """Commit the transaction of a connection."""
    connection.transaction_manager.commit()


def brief(exc: BaseException) -> str:
    """Return the first line of an error's message, or its name."""
    return next(iter(str(exc).strip().splitlines()), "") or type(exc).__name__


def _damage(key: str, exc: BaseException) -> StoreError | None:
    """Return the StoreError for what lies in the database, or None if that is not the cause."""
    refused = exc if isinstance(exc, Refused) else exc.__cause__
    if isinstance(refused, Refused):
        return StoreError(
            key,
            f"a record of the database names the class {refused}, which mypi never stores, and was not read; find out "
            "who writes to the database",
        )
    if isinstance(exc, ReadOnlyError):
        return Unavailable(key, "the database takes no writes; it is served or was opened read-only")
    if isinstance(exc, POSKeyError | StateLoadError):
        return StoreError(key, f"the database is damaged ({brief(exc)}); restore it from a backup")
    return None


def _end(manager: TransactionManager, connection: Any) -> None:
    """End what is left of a transaction, and give its connection back whatever comes of that."""
    try:
        with suppress(NoTransaction):
            manager.abort()
    finally:
        connection.close()


def _guard(storage: Any) -> None:
    """Have every record checked before ZODB resolves a conflict in it, which would import what the record names.

    This is ZODB's hook for storages that compress or encrypt; a wrapper around a storage resolves none itself.
    """
    inner = getattr(storage, "_BlobStorage__storage", storage)
    inner._crs_untransform_record_data = harmless
    # RelStorage hands both on to its instances where this one is not the class' own.
    inner._crs_transform_record_data = lambda record: record


class _Brief(logging.Filter):
    """Lets ZODB name what it could not load in one line: the error itself is raised, and told where it matters."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = None
        return True


class _Cut(_Brief):
    """Lets ZEO name a message that it could not handle by its beginning: a whole one may be a part of a file."""

    def filter(self, record: logging.LogRecord) -> bool:
        cause = record.exc_info[1] if record.exc_info else None
        record.msg, record.args = f"{record.getMessage()[:_LONGEST_LINE]} ({cause!r})", ()
        return super().filter(record)


logging.getLogger("ZEO.asyncio.smp").addFilter(_Cut())
for _name in ("ZODB.Connection", "ZODB.DB", "relstorage.adapters.connections"):
    logging.getLogger(_name).addFilter(_Brief())
