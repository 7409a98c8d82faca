"""The page of conformance: the rules beside the tests, and how many tests carry each.

`docs/conf.py` puts the folder of the tests on the path; it lies beside the documentation in a checkout and an sdist.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import conformance as rules
from reference import DIRECTIVES, Generated, escape
from sphinx.application import Sphinx

TESTS = Path(rules.__file__).resolve().parents[1]


def conformance() -> Iterator[str]:
    """Describe every rule: its id, why it is there, what is expected, and what proves it."""
    names = rules.collect(TESTS)
    tests = rules.carriers(rules.RULES, names)
    slugs = [rule.slug for rule in rules.RULES]
    carrying = sum(1 for name in names if rules.split(name, slugs)[0])
    left_out = sum(1 for rule in rules.RULES if rule.reason)
    yield f"Of {len(slugs)} rules, {carrying} tests prove {len(slugs) - left_out}, and {left_out} are left out."
    yield ""
    for title, section in rules.SECTIONS.items():
        yield from (title, "-" * len(title), "")
        yield from _table(section, tests)


def _table(section: tuple[rules.Rule, ...], tests: dict[str, int]) -> Iterator[str]:
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 14 14 58 14", "")
    yield from _row("Rule", "From", "What is expected", "Status")
    for rule in section:
        count = tests[rule.slug]
        status = f"{count} test{'s' if count > 1 else ''}" if count else "left out"
        cells = rule.id, rule.tags.replace(" ", ", "), rule.sentence, status
        yield from _row(*cells, below=f"Left out: {rule.reason}" if rule.reason else "")
    yield ""


def _row(*cells: str, below: str = "") -> Iterator[str]:
    """Write a row; ``below`` is a second paragraph of the third cell."""
    for place, cell in enumerate(cells):
        yield f"   {' ' if place else '*'} - {escape(cell)}"
        if place == 2 and below:
            yield from ("", f"       {escape(below)}")


def setup(app: Sphinx) -> dict[str, bool]:
    DIRECTIVES["mypi-conformance"] = conformance
    app.add_directive("mypi-conformance", Generated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
