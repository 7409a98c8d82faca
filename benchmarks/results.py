"""What was measured: medians, spread and ratios within one run, as a page, as JSON and as charts."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

MACHINE = "bare waitress"
"""The subject that most are compared with: it sends the same bytes and does nothing else."""


@dataclass
class Row:
    """One subject in one setting: its values, one for each round."""

    subject: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """How far the values lie apart, as a part of the median."""
        return (max(self.values) - min(self.values)) / self.median if self.median else 0.0


@dataclass
class Table:
    """Subjects measured in turns, so that what else the machine does falls on all of them.

    ``wanted`` maps a subject that ``ours`` is compared with to the ratio that it is to reach; ``better`` says whether
    more or less is better.
    """

    part: str
    title: str
    unit: str
    ours: str = "mypi"
    better: str = "more"
    wanted: Mapping[str, float] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, subject: str, value: float) -> None:
        """Note a value of one round."""
        self.rows.setdefault(subject, Row(subject)).values.append(value)

    def ratio(self, subject: str, ours: str | None = None) -> float:
        """Return by how much ours is better than a subject: the median of the ratios within each round."""
        mine, theirs = self.rows[ours or self.ours].values, self.rows[subject].values
        pairs = list(zip(mine, theirs, strict=False))
        return statistics.median((a / b if self.better == "more" else b / a) if a and b else 0.0 for a, b in pairs)

    def verdicts(self) -> Iterable[tuple[str, float, float]]:
        """Yield each subject that a ratio is wanted to, with what was reached and what was wanted."""
        for subject, wanted in self.wanted.items():
            if subject in self.rows and self.ours in self.rows:
                yield subject, self.ratio(subject), wanted


def page(tables: Sequence[Table], took: float) -> str:
    """Write RESULTS.md."""
    lines = [
        "# What `make bench` measured",
        "",
        f"{time.strftime('%Y-%m-%d')}, {platform.system()} {platform.machine()}, {_processor()}, "
        f"CPython {platform.python_version()}; {took / 60:.0f} minutes. Medians of the rounds; the spread is from the "
        "least to the most, as a part of the median. Ratios are medians of the ratios within each round: mypi to the "
        "subject, so that more is better.",
        "",
    ]
    part = ""
    for table in tables:
        if table.part != part:
            part = table.part
            lines += [f"## {part.capitalize()}", "", f"![{part}](charts/{part}.svg)", ""]
        lines += [
            f"### {table.title}",
            "",
            f"| | {table.unit} | spread | {table.ours} to it | wanted |",
            "|---|--:|--:|--:|--:|",
        ]
        for row in table.rows.values():
            wanted = table.wanted.get(row.subject)
            ratio = (
                "" if row.subject == table.ours or table.ours not in table.rows else f"{table.ratio(row.subject):.2f}"
            )
            cells = (row.subject, number(row.median), f"{row.spread:.0%}", ratio, "" if wanted is None else str(wanted))
            lines.append(f"| {' | '.join(cells)} |")
        lines += ["", *table.notes, ""] if table.notes else [""]
    short = [
        f"- {table.title}: {reached:.2f} of {subject}, wanted {wanted}"
        for table in tables
        for subject, reached, wanted in table.verdicts()
        if reached < wanted
    ]
    lines += ["## What falls short", "", *(short or ["Nothing."]), ""]
    return "\n".join(lines)


def number(value: float) -> str:
    """Write a number with three digits that count.

    >>> number(12345.6), number(0.01234)
    ('12,346', '0.0123')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def write(tables: Sequence[Table], folder: Path, took: float) -> None:
    """Write the page, the values and the charts into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "RESULTS.md").write_text(page(tables, took), encoding="utf-8")
    values = [{**asdict(table), "rows": {name: row.values for name, row in table.rows.items()}} for table in tables]
    (folder / "results.json").write_text(json.dumps(values, indent=1), encoding="utf-8")
    draw(tables, folder / "charts")


def draw(tables: Sequence[Table], folder: Path) -> None:
    """Draw one chart for each part, a field for each table of it."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    for part in dict.fromkeys(table.part for table in tables):
        mine = [table for table in tables if table.part == part]
        figure, fields = pyplot.subplots(
            len(mine), squeeze=False, figsize=(8, sum(1 + 0.3 * len(t.rows) for t in mine))
        )
        for axes, table in zip(fields[:, 0], mine, strict=True):
            rows = list(table.rows.values())[::-1]
            middle = [row.median for row in rows]
            around = [[m - min(r.values) for m, r in zip(middle, rows, strict=True)], []]
            around[1] = [max(r.values) - m for m, r in zip(middle, rows, strict=True)]
            colours = ["#2a6fb0" if row.subject.startswith("mypi") else "#b8c4ce" for row in rows]
            axes.barh([row.subject for row in rows], middle, xerr=around, color=colours, ecolor="#555555")
            axes.set_title(f"{table.title} ({table.unit})", fontsize=9, loc="left")
            axes.tick_params(labelsize=8)
        figure.tight_layout()
        figure.savefig(folder / f"{part}.svg", metadata={"Date": None})
        pyplot.close(figure)


def _processor() -> str:
    with Path("/proc/cpuinfo").open() as lines:
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} cores of {names[0]}" if names else "unknown processor"
