"""Documents of one kind, edited by compare-and-swap.

An edit is a function that makes it so, safe to apply twice. Edits that wait for one document inside a process are
applied by one swap, so that a hundred writers of one project cost a few swaps and none of them starves.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable
from typing import Generic, cast
from weakref import WeakValueDictionary

from ..store import Conflict, Full, NotFound, Sealed, Store, Tag, Unavailable
from .reading import D, Damaged, Document, Held, Reading, stamped

__all__ = ["ATTEMPTS", "Damaged", "Document", "Documents", "Held", "Moved", "refuse_if_sealed"]

ATTEMPTS = 40
"""Swaps tried against other processes before giving up; waits grow to half a second, so this is some ten seconds."""


Change = Callable[[D], D]
"""An edit: makes the wanted document of the present one, safe to apply twice."""


class Moved(Unavailable):
    """The document is sealed, for its index has moved: no edit is made to it, and reads go on."""


class _Pending(Generic[D]):
    """An edit that waits to be applied."""

    def __init__(self, change: Callable[[D], D], *, absent: bool) -> None:
        self.change = change
        self.absent = absent
        self.outcome: D | BaseException | None = None

    @property
    def refused(self) -> bool:
        return isinstance(self.outcome, BaseException)

    def apply(self, before: D) -> D:
        """Apply the edit; one that refuses leaves the document to the others."""
        try:
            after = self.change(before)
        except Exception as exc:
            self.outcome = exc
            return before
        self.outcome = after
        return after


class _Gate(Generic[D]):
    """The queue before one document."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.waiting: list[_Pending[D]] = []


class Documents(Generic[D]):
    """The documents of one kind in a store.

    ``load`` reads one from its key and bytes, ``empty`` makes the one that an absent key stands for; for
    ``cache_size`` and ``cache_seconds`` see Reading.
    """

    def __init__(
        self,
        store: Store,
        load: Callable[[str, bytes], D],
        empty: Callable[[str], D],
        *,
        cache_size: int,
        cache_seconds: float,
    ) -> None:
        self._store = store
        self._empty = empty
        self._reading = Reading(store, load, cache_size=cache_size, cache_seconds=cache_seconds)
        self.get = self._reading.get
        self.newest = self._reading.newest
        self.kept = self._reading.kept
        self.passing = self._reading.passing
        self.counts = self._reading.counts
        self._lock = threading.Lock()
        self._gates: WeakValueDictionary[str, _Gate[D]] = WeakValueDictionary()

    def edit(self, key: str, change: Callable[[D], D], *, absent: bool = False) -> D:
        """Make a change so and return the document that has it; when this returns the change is durable.

        ``change`` receives the present document (an empty one for an absent key) and returns the wanted one, or the
        same object if nothing is to do. It may be called several times. Whatever it raises is raised here, with
        nothing changed; besides: Unavailable ("perhaps"), Moved, Full, Sealed, Damaged. Where a document is sealed,
        an edit that has nothing left to do still holds. ``absent`` says that there was no document a moment ago, so
        that the store need not be asked again.
        """
        pending = _Pending(change, absent=absent)
        with self._lock:
            gate = self._gates.setdefault(key, _Gate())
            gate.waiting.append(pending)
        with gate.turn:
            if pending.outcome is None:
                self._lead(key, gate, pending)
        if isinstance(pending.outcome, BaseException):
            raise pending.outcome
        return cast(D, pending.outcome)

    def _lead(self, key: str, gate: _Gate[D], own: _Pending[D]) -> None:
        """Apply all edits that wait."""
        with self._lock:
            batch, gate.waiting = gate.waiting, []
        try:
            self._apply(key, batch)
        except Exception as exc:
            for each in batch:
                each.outcome = exc
        except BaseException:
            # Only who was interrupted stops. The next in turn applies the others' edits, some perhaps a second time.
            for each in batch:
                each.outcome = None
            with self._lock:
                gate.waiting[:0] = [each for each in batch if each is not own]
            raise

    def _apply(self, key: str, batch: list[_Pending[D]]) -> None:
        """Apply a batch by one swap, again and again until it holds.

        The first try builds on what is known, unasked: where each request costs, this saves one, and a document that is
        not the newest is a Conflict. Only the newest may refuse an edit, or have nothing left to do for it.
        """
        sent: set[str] = set()
        known = self._known(key, batch)
        for attempt in range(ATTEMPTS):
            before, tag = known or self._present(key)
            if before.revision in sent:
                return  # our own swap, whose success was told as a failure
            after = _applied(batch, before)
            if known and (after is before or before.sealed or any(each.refused for each in batch)):
                known = None
                continue
            if after is before:
                return
            if before.sealed:
                _excuse(batch, before, _moved(key, before))
                return
            if self._swapped(key, after, tag, sent, batch):
                return
            if known is None:
                time.sleep(random.uniform(0, min(0.5, 0.002 * 2**attempt)))  # noqa: S311 - spreads writers
            known = None
        raise Unavailable(key, f"{ATTEMPTS} attempts met other writers each time; try again")

    def _swapped(self, key: str, after: D, tag: Tag | None, sent: set[str], batch: list[_Pending[D]]) -> bool:
        """Swap in the edited document; tell whether the batch is done with, be it well or not. Raises Full, Sealed."""
        after = cast(D, after.revised(secrets.token_hex(8)))
        sent.add(after.revision)
        data = stamped(after.dump())
        try:
            fresh = self._store.swap(key, data, tag)
        except (Full, Sealed):
            raise  # even if it can be read: the first changed nothing, the second is not durable
        except Conflict:
            return False
        except Unavailable as exc:
            present, _ = self._present(key)
            if present.revision not in sent:
                _excuse(batch, present, exc)
        else:
            self._reading.keep(key, Held(after, fresh), len(data), time.monotonic())
        return True

    def _known(self, key: str, batch: list[_Pending[D]]) -> tuple[D, Tag | None] | None:
        """Return the document that is kept, or an empty one where somebody has just seen none; None: ask the store."""
        held = self._reading.kept(key)
        if held:
            return held.value, held.tag
        return (self._empty(key), None) if any(each.absent for each in batch) else None

    def _present(self, key: str) -> tuple[D, Tag | None]:
        try:
            held = self.newest(key)
        except NotFound:
            return self._empty(key), None
        return held.value, held.tag


def _applied(batch: list[_Pending[D]], before: D) -> D:
    after = before
    for each in batch:
        after = each.apply(after)
    return after


def _excuse(batch: list[_Pending[D]], present: D, error: Unavailable) -> None:
    """Give the error to those edits that do not hold.

    Somebody may have swapped on top of ours: an edit that has nothing left to do holds.
    """
    for each in batch:
        if each.apply(present) is not present:
            each.outcome = error


def refuse_if_sealed(key: str, document: Document) -> None:
    """Raise Moved if the document takes no edits. For who would do much before an edit."""
    if document.sealed:
        raise _moved(key, document)


def _moved(key: str, document: Document) -> Moved:
    return Moved(
        key,
        f"this index was sealed at {document.sealed} for a move; publish at its new place, or run `mypi unseal` to "
        "take writes here again",
    )
