"""What each client was seen to do, compared with what it is expected to do; `make clients` writes it into the docs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from .clients import Result
from .deviations import CANNOT, DEVIATIONS, REFUSALS, SCENARIOS, Deviation

_TELLING = re.compile(
    r"\b(401|403|404|429|\w*error|failed|failure|wrong|right|expired|switched off|denied|not found|could not|"
    r"credentials?|authorization|unable|matching|match)\b",
    re.I,
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LOCAL = ((re.compile(r"127\.0\.0\.1:\d+"), "pypi.example.com"), (re.compile(r"/[^\s'\"]*/(?=[^\s/])"), ".../"))
_MOST = 8


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
        self.said: dict[tuple[str, str], str] = {}
        """What a client printed about a refusal, by client and scenario."""

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

    def heard(self, client: str, scenario: str, result: Result) -> None:
        """Note what a client printed about a refusal."""
        self.said[client, scenario] = excerpt(result.output)

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


def excerpt(output: str) -> str:
    """Return the lines of what a client printed that tell of a refusal, without what names this machine."""
    lines = [line.strip() for line in _COLOUR.sub("", output).splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(('File "', "raise ")) and ".log" not in line]
    told = [line for line in lines if _TELLING.search(line)] or lines
    text = "\n".join(dict.fromkeys(told[-_MOST:]))
    url = re.compile(r"https?://[^\s'\"]*")
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(_LOCAL[0][0].sub(_LOCAL[0][1], re.sub(r"//[^@/\s]*@", "//", found[0])))
        return f"\0{len(kept) - 1}\0"

    text = _LOCAL[1][0].sub(_LOCAL[1][1], url.sub(keep, text))
    return re.sub(r"\0(\d+)\0", lambda found: kept[int(found[1])], text)


def errors_page(seen: Seen, clients: Mapping[str, Iterable[str]]) -> str:
    """Write the page of the docs with the words of each client, for each part and each refusal of it."""
    lines = [*ERRORS_HEAD]
    for part, scenarios in REFUSALS.items():
        lines += ["", part, "-" * len(part)]
        for scenario in scenarios:
            title = f"{part}: {SCENARIOS[scenario].title}"
            lines += ["", title, "~" * len(title), "", SCENARIOS[scenario].sentence.capitalize()]
            for client in clients[part]:
                if text := seen.said.get((client, scenario)):
                    lines += ["", f"**{client}** {seen.rows[client].version}::", ""]
                    lines += [f"    {line}" for line in text.splitlines()]
    return "\n".join(lines) + "\n"


ERRORS_HEAD = (
    ".. Written by `make clients`; change tests/system/seen.py instead.",
    "",
    "What clients print when they are refused",
    "========================================",
    "",
    "``make clients`` refuses every client for real and writes down here what its user reads: the lines that tell of",
    "the refusal. Publishing, the server's own sentence reaches the user of every client, for it stands in the reason",
    "and in the body of the answer. Installing, most clients show the status, others only that nothing was found.",
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
