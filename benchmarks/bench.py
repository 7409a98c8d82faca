"""One run: where it works, how long it measures, and what it has found so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from .results import Table


@dataclass
class Bench:
    """``rounds`` is how often each subject is measured, ``seconds`` how long each time.

    ``small`` makes everything tiny, to see that it works; nothing can be read from the numbers then.
    """

    folder: Path
    rounds: int
    seconds: float
    small: bool
    bar: tqdm[None]
    tables: list[Table] = field(default_factory=list)

    def table(self, part: str, title: str, unit: str, **more: object) -> Table:
        """Begin a table."""
        made = Table(part, title, unit, **more)  # type: ignore[arg-type] # the fields of Table
        self.tables.append(made)
        return made

    def in_turns(self, table: Table, subjects: Mapping[str, Callable[[], float]]) -> None:
        """Measure each subject once in each round; one that fails is said to, and left out."""
        left = dict(subjects)
        self.expect(self.rounds * len(left))
        for _ in range(self.rounds):
            for name, measure in list(left.items()):
                self.say(f"{table.title}: {name}")
                try:
                    table.add(name, measure())
                except Exception as exc:
                    table.notes.append(f"{name} failed: {str(exc)[:300]}")
                    table.rows.pop(name, None)
                    del left[name]
                self.bar.update()

    def expect(self, count: int) -> None:
        """Let the bar know that so much more is to come."""
        self.bar.total = (self.bar.total or 0) + count
        self.bar.refresh()

    def say(self, text: str) -> None:
        self.bar.set_description(text[:60])

    def of(self, size: int) -> int:
        """Return a size, or a tiny one where everything is."""
        return min(size, 20) if self.small else size
