"""One run: where it works, how long it measures, and what it has found so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .results import Table


class Progress:
    """The bar: a share of the time that all parts are expected to take, and what is measured now.

    A part that takes longer than expected stays at its end, one that is quicker jumps there.
    """

    def __init__(self, bar: tqdm[Any]) -> None:
        self._bar = bar
        self._base = 0.0
        self._expected = 0.0
        self._began = time.monotonic()

    def begin(self, seconds: float) -> None:
        """Go on to a part that is expected to take so long."""
        self._base, self._expected, self._began = self._base + self._expected, seconds, time.monotonic()
        self.update()

    def update(self) -> None:
        """Show how far it is."""
        self._bar.n = self._base + min(time.monotonic() - self._began, self._expected)
        self._bar.refresh()

    def say(self, text: str) -> None:
        """Show what is measured now."""
        self._bar.set_description_str(text[:70], refresh=False)
        self.update()

    def end(self) -> None:
        """Show that all is done."""
        self._base, self._expected = float(self._bar.total or 0), 0.0
        self.say("done")


@dataclass
class Bench:
    """``rounds`` is how often each subject is measured, ``seconds`` how long each time.

    ``small`` makes everything tiny, to see that it works; nothing can be read from the numbers then. ``peers`` are the
    indexes that take part, all of them if it is empty.
    """

    folder: Path
    rounds: int
    seconds: float
    small: bool
    bar: Progress
    peers: Collection[str] = ()
    tables: list[Table] = field(default_factory=list)

    def table(self, part: str, title: str, unit: str, **more: object) -> Table:
        """Begin a table."""
        made = Table(part, title, unit, **more)  # type: ignore[arg-type] # the fields of Table
        self.tables.append(made)
        return made

    def in_turns(self, table: Table, subjects: Mapping[str, Callable[[], float]]) -> None:
        """Measure each subject once in each round; one that fails is said to, and left out."""
        left = dict(subjects)
        for number in range(self.rounds):
            for name, measure in list(left.items()):
                self.say(f"{table.title}: {name} ({number + 1} of {self.rounds})")
                try:
                    table.add(name, measure())
                except Exception as exc:
                    table.notes.append(f"{name} failed: {str(exc)[:300]}")
                    table.rows.pop(name, None)
                    del left[name]
                self.bar.update()

    def takes(self, name: str) -> bool:
        """Tell whether an index takes part."""
        return not self.peers or name in self.peers

    def say(self, text: str) -> None:
        """Show what is measured now."""
        self.bar.say(text)

    def of(self, size: int) -> int:
        """Return a size, or a tiny one where everything is."""
        return min(size, 20) if self.small else size
