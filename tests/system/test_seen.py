"""The table of clients: what is expected of them names what exists, and the page of the docs says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from .deviations import CANNOT, DEVIATIONS, PUBLISHING, SCENARIOS
from .installers import INSTALLERS
from .projects import PROJECTS
from .publishers import PUBLISHERS
from .seen import Seen, can, expected, note, page

PAGE = Path(__file__).parents[2] / "docs" / "clients-seen.rst"
CLIENTS = {client.name for client in (*PUBLISHERS, *INSTALLERS, *PROJECTS)}


def test_deviations_name_what_exists_and_each_cell_once():
    cells = [(scenario, client) for each in DEVIATIONS for scenario in each.scenarios for client in each.clients]

    assert {scenario for scenario, _ in cells} <= SCENARIOS.keys()
    assert {client for _, client in cells} <= CLIENTS
    assert len(cells) == len(set(cells))
    assert [each for each in DEVIATIONS if any(each.seen == SCENARIOS[name].right for name in each.scenarios)] == []


def test_the_page_of_the_docs_holds_what_is_expected():
    text = PAGE.read_text(encoding="utf-8")

    assert [each.cause for each in DEVIATIONS if f". {note(each)}\n" not in text] == []
    assert "**not seen**" not in text
    assert [name for name in CLIENTS if f"   * - {name}\n" not in text and f"- {name}: " not in text] == []


def test_what_is_not_expected_fails_and_stands_out_on_the_page():
    seen = Seen()
    seen.ran("twine-7", "7.0.0", "3.11.7")

    seen.check("twine-7", {"publish": "published"})
    with pytest.raises(AssertionError, match="twine-7"):
        seen.check("twine-7", {"twice": "refused"})

    assert "     - ✓\n     - **refused**\n     - **not seen**\n" in page(seen, {PUBLISHING: ["twine-7"]})


def test_a_client_that_cannot_be_made_is_named_as_not_run():
    seen = Seen()

    with pytest.raises(pytest.skip.Exception), seen.preparing("twine-7"):
        pytest.skip("no environment of Python 3.11.7 with twine can be made here: the network is down")

    written = page(seen, {PUBLISHING: ["twine-7"]})
    assert "- twine-7: no environment of Python 3.11.7 with twine can be made\n" in written
    assert "network" not in written


def test_what_a_client_cannot_do_is_not_asked_of_it():
    assert not can("flit", "hashes")
    assert expected("flit", "hashes") == CANNOT
    assert can("pip-26.3", "hashes")
