"""A store in one SQLite file, in under a hundred lines of code: an example of a backend in its own distribution."""

import io
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from mypi import options
from mypi.store import Conflict, Entry, Full, NotFound, Reader, Source, Store, Tag, Unavailable, Unchanged, copy_exactly

SCHEMA = """PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY, version TEXT, size INTEGER, modified REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pieces (version TEXT, start INTEGER, data BLOB, PRIMARY KEY (version, start));"""


@contextmanager
def errors(key: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise (Full if "full" in str(exc) else Unavailable)(key, str(exc)) from exc


class Pieces:
    """The bytes of one version of an object: a target for ``copy_exactly``, and the stream of a Reader."""

    def __init__(self, db: sqlite3.Connection, key: str, version: str, at: int = 0, held: ExitStack | None = None):
        self.db, self.key, self.version, self.at, self.held = db, key, version, at, held or ExitStack()
        self.close = self.held.close

    def write(self, data: bytes) -> None:
        self.db.execute("INSERT INTO pieces VALUES (?, ?, ?)", (self.version, self.at, data))
        self.at += len(data)

    def read(self, size: int) -> bytes:
        query = "SELECT start, data FROM pieces WHERE version = ? AND start <= ? ORDER BY start DESC LIMIT 1"
        with errors(self.key):
            start, data = self.db.execute(query, (self.version, self.at)).fetchone()
        part: bytes = data[self.at - start :][:size]
        self.at += len(part)
        return part


class SqliteStore(Store):
    """Keeps everything in one SQLite file, which processes of one host may share."""

    options = (options.Option("file", options.path, None, "The SQLite file; on a local disk."),)
    processes = True

    def __init__(self, file: str) -> None:
        self._file = file

    def check(self, *, catalogue: bool = True) -> None:
        with self._transaction("(schema)", "") as db:
            db.executescript(SCHEMA)

    @contextmanager
    def _transaction(self, key: str, begin: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
        with errors(key), closing(sqlite3.connect(self._file, 30, 0, None, check_same_thread=False)) as db:
            db.execute("PRAGMA synchronous = FULL")  # durable when it is committed, in WAL mode too
            db.execute(begin)
            yield db
            db.execute("COMMIT" if db.in_transaction else "")

    def _open(self, key: str, start: int, stop: int | None, unless: Tag | None) -> Reader:
        with ExitStack() as held:  # until the reader is closed it sees the version that it began with
            db = held.enter_context(self._transaction(key, "BEGIN"))
            version, size = db.execute("SELECT version, size FROM objects WHERE key = ?", (key,)).fetchone() or ("", 0)
            if version in ("", unless):
                raise Unchanged(key) if version else NotFound(key)
            stream = Pieces(db, key, version, start, held.pop_all())
        last = size if stop is None else min(stop, size)
        return Reader(key, stream, size=size, tag=Tag(version), remaining=max(0, last - start))

    def _write(self, db: sqlite3.Connection, key: str, source: Source, size: int) -> Tag:
        version = secrets.token_hex(16)
        copy_exactly(key, source, Pieces(db, key, version), size)  # type: ignore[arg-type] # all it asks for is write
        db.execute("REPLACE INTO objects VALUES (?, ?, ?, ?)", (key, version, size, time.time()))
        return Tag(version)

    def _add(self, key: str, source: Source, size: int) -> None:
        with self._transaction(key) as db:
            self._write(db, key, source, size)

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        with self._transaction(key) as db:
            found = db.execute("SELECT version FROM objects WHERE key = ?", (key,)).fetchone() or (None,)
            if found[0] != expect:
                raise Conflict(key)
            db.execute("DELETE FROM pieces WHERE version = ?", found)
            return self._write(db, key, io.BytesIO(data), len(data))

    def _delete(self, key: str) -> None:
        with self._transaction(key) as db:
            db.execute("DELETE FROM pieces WHERE version = (SELECT version FROM objects WHERE key = ?)", (key,))
            if not db.execute("DELETE FROM objects WHERE key = ?", (key,)).rowcount:
                raise NotFound(key)

    def _list(self, prefix: str) -> Iterator[Entry]:
        page = [(prefix, 0, 0.0)]
        while page:
            with self._transaction(prefix or "(all)", "BEGIN") as db:
                query = "SELECT key, size, modified FROM objects WHERE key > ? AND key < ? ORDER BY key LIMIT 500"
                page = db.execute(query, (page[-1][0], f"{prefix}\U0010ffff")).fetchall()
            yield from (Entry(*row) for row in page)
