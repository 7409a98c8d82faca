"""The rules that an index of Python packages follows, each with an id, and the tests that carry these ids.

A test is named after the rules that it proves: ``test_A2_5_poetry_gets_json``, ``test_B1_16_B2_exists_other_bytes``. A
rule without a test has a reason. `tests/test_conformance.py` checks both, ``docs/conformance.rst`` shows them.
Nothing here imports more than the standard library: the documentation is built without the tests' requirements.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from .checks import CHECKS
from .clients import CLIENTS
from .rule import TAGS, Rule
from .simple import SIMPLE
from .upload import UPLOAD

__all__ = ["RULES", "SECTIONS", "TAGS", "Rule", "carriers", "collect", "problems", "split"]

SECTIONS: dict[str, tuple[Rule, ...]] = {
    "The Simple API": SIMPLE,
    "Uploading": UPLOAD,
    "What PyPI checks of an upload": CHECKS,
    "Clients that install": CLIENTS,
}
RULES = tuple(rule for rules in SECTIONS.values() for rule in rules)

_LIKE_AN_ID = re.compile(r"[A-H][0-9]|[A-H]_")


def collect(folder: Path) -> list[str]:
    """Return the name of each test function in the sources below a folder; nothing is imported."""
    return sorted(
        node.name
        for path in folder.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def split(name: str, slugs: Iterable[str]) -> tuple[list[str], str]:
    """Take the ids from the head of a test's name; return them, and the rest.

    >>> split("test_A6_4_A6_5_a_range", ["A6_4", "A6_5"])
    (['A6_4', 'A6_5'], 'a_range')
    """
    longest_first = sorted(slugs, key=len, reverse=True)
    found, rest = [], name.removeprefix("test_")
    while slug := next((slug for slug in longest_first if f"{rest}_".startswith(f"{slug}_")), None):
        found.append(slug)
        rest = rest[len(slug) + 1 :]
    return found, rest


def carriers(rules: Iterable[Rule], names: Iterable[str]) -> Counter[str]:
    """Count the tests that carry each rule, by the rule's slug."""
    slugs = [rule.slug for rule in rules]
    return Counter(slug for name in names for slug in split(name, slugs)[0])


def problems(rules: Iterable[Rule], names: Iterable[str]) -> Iterator[str]:
    """Say what is wrong with a list of rules and the names of tests."""
    rules, names = tuple(rules), tuple(names)
    tests = carriers(rules, names)
    for slug, count in Counter(rule.slug for rule in rules).items():
        if count > 1:
            yield f"{slug} is there {count} times"
    for rule in rules:
        if not tests[rule.slug] and not rule.reason:
            yield f"{rule.id} has neither a test nor a reason"
        if tests[rule.slug] and rule.reason:
            yield f"{rule.id} has a test, and a reason why it has none"
    for name in names:
        rest = split(name, [rule.slug for rule in rules])[1]
        if _LIKE_AN_ID.match(rest):
            yield f"{name} names a rule that is not in the list: {rest}"
