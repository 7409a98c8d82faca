"""What a run has tried, in numbers: tests say it to the fixture ``tally``, and the run ends with one table of all.

The numbers travel with the reports of the tests, so that they arrive from every process of pytest-xdist.
"""

from __future__ import annotations

import pytest

_MARK = "tally "


class Tally:
    """Takes the numbers of one test. What has the same name is added up over all tests."""

    def __init__(self, kept: list[tuple[str, object]]) -> None:
        self._kept = kept

    def add(self, what: str, number: int = 1) -> None:
        """Count something, such as archives that were read."""
        name = _MARK + what
        at = next((at for at, (known, _) in enumerate(self._kept) if known == name), None)
        if at is None:
            self._kept.append((name, number))
        else:
            self._kept[at] = (name, int(str(self._kept[at][1])) + number)

    def most(self, what: str, number: float, unit: str) -> None:
        """Note a measurement, such as a peak of memory; of several the largest is shown."""
        self._kept.append((_MARK + what, (float(number), unit)))


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Where a test says how much it has tried."""
    return Tally(request.node.user_properties)


def summed(properties: list[tuple[str, object]]) -> dict[str, str]:
    """Put the numbers of many tests together, as they are shown."""
    counts: dict[str, int] = {}
    peaks: dict[str, tuple[float, str]] = {}
    for name, value in properties:
        if not name.startswith(_MARK):
            continue
        what = name.removeprefix(_MARK)
        if isinstance(value, int):
            counts[what] = counts.get(what, 0) + value
        else:
            number, unit = value  # type: ignore[misc] # a list once it came from another process
            peaks[what] = max(peaks.get(what, (number, unit)), (number, unit))
    shown = {what: f"{number:,}" for what, number in counts.items()}
    return dict(sorted((shown | {what: f"{number:,.1f} {unit}" for what, (number, unit) in peaks.items()}).items()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, [])]
    found = summed([pair for report in reports for pair in report.user_properties])
    if found:
        terminalreporter.write_sep("=", "what was tried")
        width = max(map(len, found))
        for what, number in found.items():
            terminalreporter.write_line(f"{what:<{width}}  {number:>14}")
