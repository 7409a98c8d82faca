"""The table of threats is whole, and each test that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "reference" / "threats.rst"
TEXT = PAGE.read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"``([\w/]+)::(\w+)``", TEXT)))


def test_every_threat_has_its_row() -> None:
    rows = [int(number) for number in re.findall(r"(?m)^   \* - (\d+)$", TEXT)]
    assert rows == list(range(1, 47))


@pytest.mark.parametrize("module", sorted({module for module, _ in NAMED}))
def test_the_tests_that_prove_them_exist(module: str) -> None:
    tree = ast.parse((TESTS / f"{module}.py").read_text(encoding="utf-8"))
    there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {name for where, name in NAMED if where == module} <= there


def test_every_row_names_a_test() -> None:
    for row in re.split(r"(?m)^   \* - ", TEXT)[1:]:
        if not row.startswith(("#", "fault")):
            assert "::test_" in row, row
