"""What a record of the database may name: containers of ZODB, BTrees and persistent; anything else is refused unrun.

Who can write a record could otherwise name any function, and unpickling would call it.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from BTrees.OOBTree import OOBTree, OOBucket
from persistent import Persistent
from persistent.mapping import PersistentMapping
from ZODB._compat import PersistentUnpickler
from ZODB.blob import Blob

from mypi.store import StoreError

FORMAT = 1
"""How the index lies below its name in the database's root; told by the record itself."""

_OURS: dict[tuple[str, str], type] = {
    (kind.__module__, kind.__name__): kind for kind in (PersistentMapping, OOBTree, OOBucket, Blob)
}


class Refused(Exception):
    """A record names a class that mypi never stores."""


class Foreign(Persistent):  # type: ignore[misc]  # the library has no types
    """Stands for every class that mypi does not store: others' objects can be named, never made or looked into.

    It is a class, so that the root of a database that is shared with others can be read, which names theirs.
    """

    named = "another"

    # That it is there makes ZODB write references to such an object without its class: when the root is written again,
    # with ours in it.
    __getnewargs__ = None

    def __new__(cls, *_: Any) -> Foreign:
        made: Foreign = Persistent.__new__(cls)
        return made

    def __init__(self, *_: Any) -> None:
        raise Refused(self.named)

    def __setstate__(self, state: Any) -> None:
        raise Refused(self.named)


def class_of(_connection: Any, module: str, name: str) -> type:
    """Return the class that a record names, importing nothing: one of ours, or a stand-in that cannot be made."""
    return _OURS.get((module, name)) or type("Foreign", (Foreign,), {"named": f"{module}.{name}"})


def harmless(record: bytes) -> bytes:
    """Return a record that names nothing but our classes. Raises Refused.

    ZODB's resolution of conflicts reads records past the database's own choice of classes, and asks this first.
    """
    unpickler = PersistentUnpickler(_strict, lambda _: None, BytesIO(record))
    unpickler.load()
    unpickler.load()
    return record


def _strict(module: str, name: str) -> type:
    if (module, name) not in _OURS:
        raise Refused(f"{module}.{name}")
    return _OURS[module, name]


def tree_in(connection: Any, name: str) -> Any:
    """Return the tree of an index, None where none was made yet. Raises StoreError if the name is somebody else's."""
    root = connection.root()
    found = root.get(name) if isinstance(root, PersistentMapping) else root
    if found is None:
        return None
    if not isinstance(found, PersistentMapping) or not isinstance(found.get("objects"), OOBTree):
        raise StoreError(
            name, "is the name of something else in this database; name another mypi.storage.root, or another database"
        )
    if found.get("format") != FORMAT:
        raise StoreError(name, f"was written by another mypi (this one reads format {FORMAT}); upgrade")
    return found["objects"]


def make_tree(connection: Any, name: str) -> Any:
    """Return the tree of an index, made if it is absent."""
    found = tree_in(connection, name)
    if found is None:
        found = OOBTree()
        connection.root()[name] = PersistentMapping({"format": FORMAT, "objects": found})
    return found
