"""The list of rules and the tests agree: each rule is proven or has a reason, and no test names a rule that is not."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from tests import conformance
from tests.conformance import RULES, TAGS, Rule, rule

NAMES = conformance.collect(Path(__file__).parent)


def test_every_rule_has_a_test_or_a_reason_and_every_test_names_a_rule() -> None:
    assert list(conformance.problems(RULES, NAMES)) == []


def test_every_rule_is_one_sentence_with_tags() -> None:
    for each in RULES:
        assert each.sentence.endswith("."), each.id
        assert not each.reason or each.reason.endswith("."), each.id
        assert each.tags and set(each.tags.split()) <= set(TAGS), each.id


@pytest.mark.parametrize("module", [conformance, rule])
def test_examples_run(module) -> None:
    assert doctest.testmod(module) == (0, 1)


def test_reasons_are_few() -> None:
    """A list that explains everything away proves nothing."""
    assert sum(1 for each in RULES if each.reason) <= 20


PROVEN, LEFT_OUT = Rule("A9.1", "MUST", "It is."), Rule("A9.2 odd-one", "MAY", "It may be.", "It need not be.")


@pytest.mark.parametrize(
    ("rules", "names", "said"),
    [
        ((PROVEN, LEFT_OUT), ["test_A9_1_it_is", "test_anything_else"], []),
        ((PROVEN,), ["test_A9_10_is_another"], ["A9.1 has neither", "test_A9_10_is_another names a rule"]),
        ((PROVEN, LEFT_OUT), ["test_A9_1_A9_2_odd_one_both"], ["A9.2 odd-one has a test, and a reason"]),
        ((PROVEN,), ["test_A9_1_B9_a_second_id_is_read_too"], ["test_A9_1_B9_a_second_id_is_read_too names a rule"]),
        ((PROVEN,), ["test_A9_1_x", "test_E_nobody_knows"], ["test_E_nobody_knows names a rule"]),
        ((PROVEN, PROVEN), ["test_A9_1"], ["A9_1 is there 2 times"]),
        (RULES, [name for name in NAMES if "A2_5" not in name], ["A2.5 has neither a test nor a reason"]),
    ],
)
def test_control_what_is_missing_unknown_or_both_is_found(rules, names, said) -> None:
    found = list(conformance.problems(rules, names))
    assert len(found) == len(said), found
    assert all(problem.startswith(start) for problem, start in zip(found, said, strict=True)), found


def test_control_names_are_read_from_sources_that_cannot_even_be_imported(tmp_path: Path) -> None:
    source = "import nothing_of_this_name\n\n\nclass TestX:\n    def test_A9_1_x(self): ...\n\n\ndef helper(): ...\n"
    (tmp_path / "test_x.py").write_text(source)
    (tmp_path / "builders.py").write_text("def test_A9_2_is_no_test(): ...\n")
    assert conformance.collect(tmp_path) == ["test_A9_1_x"]
