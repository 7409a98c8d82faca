"""What was measured: medians, spread and ratios within one run, as a page, as JSON and as charts."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Verdict:
    """Something that was wanted of mypi, and what came of it."""

    what: str
    wanted: str
    reached: str
    met: bool


@dataclass
class Table:
    """Subjects measured in turns, so that what else the machine does falls on all of them.

    ``wanted`` maps a subject that ``ours`` is compared with to the ratio that it is to reach; ``bounds`` maps one of
    ours to the value that its median must keep to. ``better`` says whether more or less is better.
    """

    part: str
    title: str
    unit: str
    ours: str = "mypi"
    better: str = "more"
    wanted: Mapping[str, float] = field(default_factory=dict)
    bounds: Mapping[str, float] = field(default_factory=dict)
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

    def verdicts(self) -> Iterator[Verdict]:
        """Yield what was wanted of what was measured."""
        for subject, wanted in self.wanted.items():
            if subject in self.rows and self.ours in self.rows and subject != self.ours:
                reached = self.ratio(subject)
                what = f"{self.title}, beside {subject}"
                yield Verdict(what, f"≥ {number(wanted)}", number(reached), reached >= wanted)
        for subject, bound in self.bounds.items():
            if subject in self.rows:
                reached, least = self.rows[subject].median, self.better == "more"
                what = self.title if subject == self.ours else f"{self.title}: {subject}"
                wanted_text = f"{'≥' if least else '≤'} {number(bound)} {self.unit}"
                met = reached >= bound if least else reached <= bound
                yield Verdict(what, wanted_text, f"{number(reached)} {self.unit}", met)


INTRODUCTION = """\
Each subject is measured once in every round, one after the other, so that what else the machine does falls on all of
them. A value is the median of the rounds; the spread is from the least to the most, as a part of it. A ratio is the
median of the ratios within each round, of mypi to the subject, so that more is always better. Seconds of two machines
do not compare, ratios do. What is compared, and how it is run, is told in `docs/benchmarks.rst`.
"""


def page(
    tables: Sequence[Table],
    took: float,
    about: Mapping[str, str] | None = None,
    failed: Mapping[str, str] | None = None,
) -> str:
    """Write RESULTS.md; ``about`` has a sentence on each part, ``failed`` why one could not be measured."""
    parts = list(dict.fromkeys(table.part for table in tables))
    lines = [
        "# What `make bench` measured",
        "",
        f"{time.strftime('%Y-%m-%d')}, {platform.system()} {platform.machine()}, {_processor()}, "
        f"CPython {platform.python_version()}; {took / 60:.0f} minutes. "
        f"{' · '.join(f'[{_heading(part)}](#{part})' for part in parts)}",
        "",
        INTRODUCTION,
        *_summary(tables),
    ]
    if failed:
        lines += ["## What could not be measured", "", *(f"- {part}: {why}" for part, why in failed.items()), ""]
    for part in parts:
        lines += [f'<a id="{part}"></a>', "", f"## {_heading(part)}", "", *_said((about or {}).get(part))]
        lines += [f"![{part}](charts/{part}.svg)", ""]
        for table in tables:
            if table.part == part:
                lines += _shown(table)
    return "\n".join(lines)


def _heading(part: str) -> str:
    return part[0].upper() + part[1:]


def _said(text: str | None) -> list[str]:
    return [text, ""] if text else []


def _summary(tables: Sequence[Table]) -> list[str]:
    found = [(table.part, verdict) for table in tables for verdict in table.verdicts()]
    short = sum(not verdict.met for _, verdict in found)
    said = f"{len(found) - short} of {len(found)} reached." if found else "Nothing was wanted of what was measured."
    rows = [
        f"| [{verdict.what}](#{part}) | {verdict.wanted} | {verdict.reached} | {'yes' if verdict.met else '**no**'} |"
        for part, verdict in found
    ]
    head = ["| | wanted | reached | |", "|---|--:|--:|---|"] if rows else []
    return ["## Wanted and reached", "", said, "", *head, *rows, ""]


def _shown(table: Table) -> list[str]:
    lines = [f"### {table.title}", "", f"| | {table.unit} | spread | {table.ours} to it |", "|---|--:|--:|--:|"]
    for row in table.rows.values():
        compared = row.subject != table.ours and table.ours in table.rows
        ratio = number(table.ratio(row.subject)) if compared else ""
        lines.append(f"| {row.subject} | {number(row.median)} | {row.spread:.0%} | {ratio} |")
    return [*lines, "", *(part for note in table.notes for part in (note, ""))]


def number(value: float) -> str:
    """Write a number with three digits that count.

    >>> number(12345.6), number(0.01234)
    ('12,346', '0.0123')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def write(
    tables: Sequence[Table],
    folder: Path,
    took: float,
    about: Mapping[str, str] | None = None,
    failed: Mapping[str, str] | None = None,
) -> None:
    """Write the page, the values and the charts into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "RESULTS.md").write_text(page(tables, took, about, failed), encoding="utf-8")
    values = [{**asdict(table), "rows": {name: row.values for name, row in table.rows.items()}} for table in tables]
    (folder / "results.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    draw(tables, folder / "charts")


OURS, BARE, THEIRS = "#2a6fb0", "#5f6b75", "#b8c4ce"
"""Colours: of mypi, of what the machine can do, of other indexes."""


def draw(tables: Sequence[Table], folder: Path) -> None:
    """Draw one chart for each part, a field for each table of it."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "mypi"  # the same values, the same file
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    for part in dict.fromkeys(table.part for table in tables):
        mine = [table for table in tables if table.part == part and table.rows]
        if not mine:
            continue
        heights = [0.8 + 0.24 * len(table.rows) for table in mine]
        figure, fields = pyplot.subplots(
            len(mine), squeeze=False, figsize=(8, sum(heights)), height_ratios=heights, layout="constrained"
        )
        for axes, table in zip(fields[:, 0], mine, strict=True):
            _bars(axes, table)
        figure.savefig(folder / f"{part}.svg", metadata={"Date": None})
        pyplot.close(figure)


def _bars(axes: Any, table: Table) -> None:
    """Draw the medians of a table, from the least value to the most of each."""
    rows = list(table.rows.values())[::-1]
    middle = [row.median for row in rows]
    around = [[row.median - min(row.values) for row in rows], [max(row.values) - row.median for row in rows]]
    names = [row.subject for row in rows]
    axes.barh(names, middle, xerr=around, color=[_colour(each) for each in names], ecolor="#222222", height=0.7)
    most = max(max(row.values) for row in rows) or 1.0
    for place, row in enumerate(rows):
        axes.text(max(row.values) + most * 0.01, place, number(row.median), va="center", fontsize=8)
    axes.set_xlim(0, most * 1.12)
    axes.set_title(f"{table.title}: {table.unit}, {table.better} is better", fontsize=9, loc="left")
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _colour(subject: str) -> str:
    if subject.startswith(("bare ", "nginx", "cp ")):
        return BARE
    return THEIRS if subject in ("pypiserver", "devpi", "pypiron") else OURS


def _processor() -> str:
    with Path("/proc/cpuinfo").open() as lines:
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} cores of {names[0]}" if names else "unknown processor"
