"""The identity of a store: ``store.json``, one random id and the version of the format, in both roles.

It tells an empty folder, an unmounted disk or somebody else's bucket from the store that mypi was given.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from pathlib import Path

from ..store import Conflict, NotFound, Store, StoreError
from . import keys

FORMAT = 1
"""The layout that this code reads and writes. A store of a newer one is refused."""


_NO_PAIR = "mypi.storage and mypi.catalogue belong to different indexes; name a pair"


class WrongStore(StoreError):
    """The store is not the one it should be, or is of a newer format; the message says what to do."""


class NoIndex(WrongStore):
    """There is no index in a place where one must be."""


def establish(files: Store, catalogue: Store, *, new: bool = True) -> str:
    """Return the id that both roles share, giving one to stores that are empty unless ``new`` is false.

    Raises WrongStore, Unavailable.
    """
    if not new or catalogue.read_only or files.read_only:
        return _recognised(files, catalogue)
    known = _identity(catalogue)
    if known is None:
        roles = {"mypi.storage": files} if catalogue is files else {"mypi.catalogue": catalogue, "mypi.storage": files}
        used = [role for role, store in roles.items() if _used(store)]
        known = _adopt(catalogue, secrets.token_hex(16), used)
    if catalogue is files:
        return known
    there = _identity(files)
    if there is None:
        there = _adopt(files, known, ["mypi.storage"] if _used(files) else [])
    if there != known:
        raise WrongStore(keys.STORE, _NO_PAIR)
    return known


def _recognised(files: Store, catalogue: Store) -> str:
    """Return the id of stores that are not given one."""
    known = _identity(catalogue)
    if known is None:
        raise NoIndex(
            keys.STORE,
            "is missing, so there is no index in this place; is the right place named, or its disk mounted? To begin a "
            "new one, start the server once, which makes an index of an empty store",
        )
    if _identity(files) != known:
        raise WrongStore(keys.STORE, _NO_PAIR)
    return known


def lies_in(folder: Path) -> bool:
    """Tell whether a folder of the local file system is that of a store."""
    return (folder / keys.STORE).is_file()


def confirm(files: Store, catalogue: Store, known: str) -> None:
    """Refuse to go on if a store is not the one that was established, before anything is deleted from it."""
    for store in (files, catalogue):
        if _identity(store) != known:
            raise WrongStore(
                keys.STORE, "is absent or different from what it was at the start; is the right disk mounted?"
            )


def _identity(store: Store) -> str | None:
    try:
        data, _ = store.read(keys.STORE)
    except NotFound:
        return None
    try:
        document = json.loads(data)
        found, version = str(document["id"]), int(document["format"])
    except (ValueError, KeyError, TypeError) as exc:
        raise WrongStore(keys.STORE, "is damaged; restore it from a backup") from exc
    if version > FORMAT:
        raise WrongStore(
            keys.STORE, f"was written by a newer mypi (format {version}, this one reads {FORMAT}); upgrade"
        )
    return found


def _adopt(store: Store, fresh: str, used: list[str]) -> str:
    """Give an id to a store that had none, unless another process that starts for the first time was quicker.

    What it did may be all that is in the stores, so they are looked at before the id is looked for again.
    """
    found = _identity(store)
    if found is None and used:
        raise WrongStore(
            keys.STORE,
            f"is missing although there is something in {used[0]}, which is no store of mypi or has lost a part; name "
            "an empty place, or restore store.json from a backup",
        )
    if found is None:
        with contextlib.suppress(Conflict):
            store.swap(keys.STORE, json.dumps({"id": fresh, "format": FORMAT}).encode(), None)
        found = _identity(store)
    return found or fresh


def _used(store: Store) -> bool:
    return any(True for _ in store.list())
