"""Messages in the status line (B1.13), and that every error of ours has its one status."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mypi import store
from mypi.views import errors


@given(st.text())
def test_B1_13_any_text_becomes_one_line_of_latin_1(text):
    line = errors.reason(text)
    assert line.encode("latin-1").decode("latin-1") == line
    assert all(character == " " or character.isprintable() for character in line)
    assert len(line) <= 300


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nb", "a b"),
        ("  a \t b ", "a b"),
        ("\u20ac", "?"),
        ("caf\u00e9", "caf\u00e9"),
        ("\x00\x7f", "??"),
        ("", ""),
    ],
)
def test_B1_13_examples(text, line):
    assert errors.reason(text) == line


def test_every_error_of_a_store_has_a_status_and_faults_are_5xx():
    kinds = [kind for kind in vars(store).values() if isinstance(kind, type) and issubclass(kind, store.StoreError)]
    status = {kind.__name__: next(code for base, code in errors.STATUS if issubclass(kind, base)) for kind in kinds}
    assert status.pop("NotFound") == 404
    assert status.pop("Full") == 507
    assert set(status.values()) == {503}
