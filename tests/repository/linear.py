"""What many did to one file at the same time, and whether they could have done it one after the other.

``Attempts`` writes down when each deed began and ended and what came of it; ``explained`` looks for an order of the
deeds that fits both the times and the rules of a file (Wing and Gong, 1993; Lowe, 2017 remembers where it has been).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class State:
    """A file: absent until it is published, with the content that it has for ever."""

    content: str | None = None
    yanked: bool = False
    removed: bool = False


@dataclass(frozen=True)
class Deed:
    """What somebody did: ``answer`` is True if it was done, False if it was refused, or what was read."""

    what: str
    given: str
    answer: Any
    began: float
    ended: float


class Attempts:
    """Collects deeds from many threads."""

    def __init__(self) -> None:
        self.deeds: list[Deed] = []
        self._lock = threading.Lock()

    def note(self, what: str, given: str, act: Callable[[], Any]) -> None:
        began = time.monotonic()
        answer = act()
        ended = time.monotonic()
        with self._lock:
            self.deeds.append(Deed(what, given, answer, began, ended))


def applied(state: State, deed: Deed) -> State | None:
    """Return the state after a deed, or None if it would not have been answered like that."""
    there = state.content is not None
    if deed.what == "read":
        seen = (state.content, state.yanked) if there and not state.removed else None
        return state if deed.answer == seen else None
    if deed.what == "publish":
        possible = not there or (state.content == deed.given and not state.removed)
        after = replace(state, content=deed.given)
    else:
        possible = there
        changes = {"yank": {"yanked": True}, "unyank": {"yanked": False}, "remove": {"removed": True}}
        after = replace(state, **changes.get(deed.what, {"removed": False}))
    if deed.answer != possible:
        return None
    return after if possible else state


def explained(deeds: list[Deed], state: State | None = None) -> bool:
    """Tell whether some order explains the deeds in which none comes before one that had ended when it began."""
    ordered = sorted(deeds, key=lambda deed: deed.began)
    seen: set[tuple[frozenset[int], State]] = set()
    stack = [(frozenset(range(len(ordered))), state or State())]
    while stack:
        left, now = stack.pop()
        if not left:
            return True
        if (left, now) in seen:
            continue
        seen.add((left, now))
        soonest = min(ordered[number].ended for number in left)
        for number in left:
            if ordered[number].began <= soonest:
                after = applied(now, ordered[number])
                if after is not None:
                    stack.append((left - {number}, after))
    return False
