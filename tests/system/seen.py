"""What each client was seen to do, compared with what it is expected to do; `make clients` writes it into the docs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from .deviations import CANNOT, DEVIATIONS, SCENARIOS, Deviation


@dataclass
class Row:
    """A client of the table: what it is called, its version, the Python that it ran on, and what it did."""

    version: str
    python: str
    cells: dict[str, str] = field(default_factory=dict)


class Seen:
    """Keeps what the tests of this run see."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.missing: dict[str, str] = {}
        """Clients that could not run here, with the reason."""

    @contextlib.contextmanager
    def preparing(self, client: str) -> Iterator[None]:
        """Note a client as not run if the block skips the test."""
        try:
            yield
        except pytest.skip.Exception as exc:
            self.missing[client] = str(exc.msg).partition(" here:")[0]  # what a tool said names this machine
            raise

    def ran(self, client: str, version: str, python: str) -> None:
        """Note that a client is here, with its version and that of its Python."""
        self.rows.setdefault(client, Row(version, python))

    def check(self, client: str, cells: Mapping[str, str]) -> None:
        """Note what a client did in some scenarios; fail the test unless it is what was expected of it."""
        self.rows[client].cells.update(cells)
        assert dict(cells) == {scenario: expected(client, scenario) for scenario in cells}, client


def expected(client: str, scenario: str) -> str:
    """Return what a client should be seen to do: what is right, unless it is known to deviate."""
    found = deviation(client, scenario)
    return found.seen if found else SCENARIOS[scenario].right


def deviation(client: str, scenario: str) -> Deviation | None:
    """Return how a client is known to deviate."""
    return next((each for each in DEVIATIONS if scenario in each.scenarios and client in each.clients), None)


def can(client: str, scenario: str) -> bool:
    """Say whether a client knows a way to do what the scenario asks for."""
    found = deviation(client, scenario)
    return found is None or found.seen != CANNOT


def page(seen: Seen, clients: Mapping[str, Iterable[str]]) -> str:
    """Write the page of the docs: a table for each part, with the clients that it concerns."""
    notes: list[str] = []
    lines = [*HEAD]
    for part, names in clients.items():
        scenarios = [name for name, scenario in SCENARIOS.items() if scenario.part == part]
        lines += ["", part, "-" * len(part), ""]
        lines += [f"- **{SCENARIOS[name].title}**: {SCENARIOS[name].sentence}" for name in scenarios]
        lines += ["", ".. list-table::", "   :header-rows: 1", ""]
        lines += _row(["client", "version", "Python", *(SCENARIOS[name].title for name in scenarios)])
        for name in names:
            if row := seen.rows.get(name):
                lines += _row([name, row.version, row.python, *(_cell(name, row, each, notes) for each in scenarios)])
    lines += ["", "Not green", "---------", "", "Each is a limit of the client."]
    lines += ["", *(f"{number}. {text}" for number, text in enumerate(notes, 1))]
    missing = {name: reason for name, reason in seen.missing.items() if name not in seen.rows}
    lines += ["", "Not run", "-------", ""]
    lines += [f"- {name}: {reason}" for name, reason in missing.items()] or ["Nothing: every client was there."]
    return "\n".join(lines) + "\n"


HEAD = (
    ".. Written by `make clients`; change tests/system/deviations.py instead.",
    "",
    "Clients seen",
    "============",
    "",
    "``make clients`` runs every client for real against a running index and writes down here what it saw. A tick is",
    "what one wishes for. A number leads to the list at the end, which says what was seen instead, and why; in",
    "brackets, the client knows no way to do it. The tests fail when any of it changes.",
)


def _row(cells: Iterable[str]) -> list[str]:
    first, *others = cells
    return [f"   * - {first}", *(f"     - {cell}" for cell in others)]


def _cell(client: str, row: Row, scenario: str, notes: list[str]) -> str:
    """Write a cell, and the note that it leads to; what was not expected stands out."""
    found, got = deviation(client, scenario), row.cells.get(scenario)
    right = SCENARIOS[scenario].right
    if found is None:
        return "✓" if got == right else f"**{got or 'not seen'}**"
    if found.seen not in (got, CANNOT):
        return f"**{got or 'not seen'}**"
    if note(found) not in notes:
        notes.append(note(found))
    number = notes.index(note(found)) + 1
    return f"({number})" if found.seen == CANNOT else str(number)


def note(found: Deviation) -> str:
    """Write what stands on the page about a deviation."""
    titles = ", ".join(SCENARIOS[scenario].title for scenario in found.scenarios)
    return f"{titles}: {found.seen}. {found.cause} ({', '.join(found.clients)})"


seen = Seen()
"""What this run of the tests has seen so far."""
