"""A store in a ZODB database: in a folder of this host, in ZEO, or in PostgreSQL through RelStorage.

Under one name in the database's root lies a tree of keys. A document is one persistent object, whose serial is its tag;
a file is a blob. Beside each the tree holds its size and time, so that a listing loads neither.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import IO, Any

from persistent.mapping import PersistentMapping
from ZODB.blob import Blob
from ZODB.POSException import POSKeyError

from mypi import options
from mypi.options import Option, SettingError
from mypi.store import Conflict, Entry, NotFound, Reader, Source, Store, Tag, Unavailable, Unchanged

from .blobs import Blobs, layout_of
from .database import Database, commit
from .embedded import by_path
from .opening import by_conf, by_uri
from .records import make_tree, tree_in

_SLICE = 500  # entries that are listed in one transaction


def _name(value: str) -> str:
    if not value:
        raise ValueError("not a name; write one word, such as mypi")
    return value


class ZodbStore(Store):
    """Keeps documents as records and files as blobs; with ZEO or RelStorage for several processes and nodes.

    In a folder of this host one process has the database for itself; ``for_reading`` stands beside it.
    """

    options = (
        Option("path", options.optional_path, "", "A folder of this host for a database of one process."),
        Option("uri", options.text, "", "Or a ZODB URI, such as zeo://db:9991?blob_dir=/var/cache/mypi.", secret=True),
        Option("conf", options.optional_path, "", "Or a file that describes the database, as zodb.conf."),
        Option("root", _name, "mypi", "The name of this index in a database that others may use too."),
    )

    def __init__(
        self,
        path: str | None = None,
        uri: str = "",
        conf: str | None = None,
        root: str = "mypi",
        *,
        _reading: bool = False,
    ) -> None:
        self._database = _open_database(path, uri, conf, reading=_reading)
        self._root = root
        self.read_only = _reading and path is not None
        self.processes = self.nodes = self._database.shared
        layout = layout_of(self._database.storage)
        if layout is None:
            self._database.close()
            raise SettingError(
                "the database has no place for the bytes of files; add blob_dir=/a/folder to the URI (blobstorage_dir "
                "for file://), or blob-dir to the conf and to the server"
            )
        self._blobs = Blobs(layout, kept=not self._database.shared)
        self.spool_folder = None if self.read_only else self._blobs.spool_folder

    @classmethod
    def local(cls, **values: Any) -> str | None:
        """Return the folder of blobs of a database of this host; that of another one is a cache, from which they go."""
        return str(Path(values["path"], "blobs")) if values["path"] else None

    @classmethod
    def for_reading(cls, **values: Any) -> Store:
        """Return a store that is only read from: of a folder, beside the process that has its database open."""
        return cls(**values, _reading=True)

    def _open(self, key: str, start: int, stop: int | None, unless: Tag | None) -> Reader:
        def work(connection: Any) -> Reader:
            holder, size = self._found(connection, key)
            if isinstance(holder, Blob):
                return self._blob_reader(key, holder, size, start, stop, unless)
            data = holder["data"]
            if _tag(holder) == unless:
                raise Unchanged(key)
            part = data[start:stop]
            return Reader(key, io.BytesIO(part), size=len(data), tag=_tag(holder), remaining=len(part))

        return self._database.run(key, work)

    def _found(self, connection: Any, key: str) -> tuple[Any, int]:
        tree = tree_in(connection, self._root)
        found = None if tree is None else tree.get(key)
        if found is None:
            raise NotFound(key)
        holder, size, _ = found
        return holder, size

    def _blob_reader(self, key: str, blob: Blob, size: int, start: int, stop: int | None, unless: Tag | None) -> Reader:
        try:
            path, stream = self._blobs.opened(key, blob, size)
        except POSKeyError as exc:
            self._blobs.refuse_if_absent(key)
            self._database.refuse_if_packed(key)
            raise NotFound(key, "its bytes are missing; run mypi verify, and restore them from a backup") from exc
        with ExitStack() as held:
            held.enter_context(stream)
            if _tag(blob) == unless:
                raise Unchanged(key)
            first = min(start, size)
            last = size if stop is None else min(stop, size)
            stream.seek(first)
            held.pop_all()
        return Reader(key, stream, size=size, tag=_tag(blob), remaining=max(0, last - first), path=path)

    def _add(self, key: str, source: Source, size: int) -> None:
        self._refuse_if_reading(key)
        with self._blobs.spooled(key, source, size) as spool:

            def work(connection: Any) -> bytes:
                blob = Blob()
                connection.add(blob)
                with self._blobs.handed_over(spool) as path:
                    blob.consumeFile(path)
                make_tree(connection, self._root)[key] = (blob, size, time.time())
                commit(connection)
                return bytes(blob._p_oid)

            self._blobs.settle(key, self._database.run(key, work))

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        self._refuse_if_reading(key)

        def work(connection: Any) -> Tag:
            tree = make_tree(connection, self._root)
            holder, *_ = tree.get(key) or (None,)
            if holder is not None:
                holder._p_activate()
            if (None if holder is None else _tag(holder)) != expect:
                raise Conflict(key)
            if holder is None:
                holder = PersistentMapping()
            holder["data"] = data
            tree[key] = (holder, len(data), time.time())
            commit(connection)
            return _tag(holder)

        return self._database.run(key, work)

    def _delete(self, key: str) -> None:
        self._refuse_if_reading(key)

        def work(connection: Any) -> None:
            self._found(connection, key)
            del tree_in(connection, self._root)[key]
            commit(connection)

        self._database.run(key, work)

    def _list(self, prefix: str) -> Iterator[Entry]:
        # In the order of keys, a slice at a time: no transaction stays open while the caller does its work.
        entries = self._slice(prefix, prefix)
        yield from entries
        while len(entries) == _SLICE:
            entries = self._slice(prefix, entries[-1].key + "\0")
            yield from entries

    def _slice(self, prefix: str, start: str) -> list[Entry]:
        """Return the next entries below a prefix, from a key on."""
        end = prefix[:-1] + chr(ord("/") + 1) if prefix else None

        def work(connection: Any) -> list[Entry]:
            tree = tree_in(connection, self._root)
            items = () if tree is None else tree.items(start, end, excludemax=end is not None)
            return [Entry(key, size, modified) for key, (_, size, modified) in islice(items, _SLICE)]

        return self._database.run(prefix or "(all)", work)

    def _refuse_if_reading(self, key: str) -> None:
        if self.read_only:
            raise Unavailable(key, "the database was opened for reading, beside a server; stop that to write")

    def spool(self) -> IO[bytes]:
        """Return a file that removes itself when closed, which ``add`` of this store takes without copying.

        As with a filesystem store: from its beginning and whole, and nothing may be written to it afterwards.
        """
        return self._blobs.spool("(spool)")

    def probe(self) -> None:
        """Raise Sealed after a failed write, and Unavailable where the database is only read."""
        self._refuse_if_reading("(probe)")
        self._blobs.refuse_if_sealed("(probe)")
        self._database.refuse_if_sealed("(probe)")

    def check(self, *, catalogue: bool = True) -> None:
        """Make the place of this index in the database; refuse what is somebody else's."""
        self._blobs.prepare()

        def work(connection: Any) -> None:
            make_tree(connection, self._root)
            commit(connection)

        self._database.run(self._root, work)

    def maintain(self, before: float) -> int:
        """Pack the database up to a time, which frees what was deleted or replaced before it.

        Returns how many spools of killed processes went and, in a database of this host, blobs of deleted files.
        """
        self._refuse_if_reading("(pack)")
        cleared = self._blobs.clear(before)
        kept = self._blobs.count()
        with self._blobs.packing():
            self._database.pack(before)
        return cleared + max(0, kept - self._blobs.count())

    def tidy(self, before: float) -> int:
        """Remove what killed processes left. Packing takes long, and takes others' history in a shared database."""
        self._refuse_if_reading("(tidy)")
        return self._blobs.clear(before)

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def _open_database(path: str | None, uri: str, conf: str | None, *, reading: bool) -> Database:
    given = [name for name, value in (("path", path), ("uri", uri), ("conf", conf)) if value]
    if len(given) != 1:
        raise SettingError(
            f"the zodb backend takes one of path, uri and conf (such as mypi.storage.path), and has "
            f"{' and '.join(given) or 'none'}"
        )
    if path:
        return by_path(path, reading=reading)
    return by_uri(uri) if uri else by_conf(str(conf))


def _tag(holder: Any) -> Tag:
    return Tag(holder._p_serial.hex())
