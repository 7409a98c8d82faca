"""Content negotiation of the Simple API: the table A2 of the conformance list, row by row."""

from __future__ import annotations

import time

import pytest

from mypi.views.negotiation import HTML, JSON, TEXT, negotiate
from tests.functional.support import BROWSER, PIP, POETRY, UV

LATEST_JSON = "application/vnd.pypi.simple.latest+json"
LATEST_HTML = "application/vnd.pypi.simple.latest+html"


@pytest.mark.parametrize("accept", [None, "", "*/*", "*/*;q=0.5"])
def test_A2_1_whoever_asks_for_nothing_gets_plain_html(accept):
    assert negotiate(accept) == TEXT


def test_A2_2_old_pip_gets_plain_html():
    assert negotiate("text/html") == TEXT


def test_A2_3_pip_gets_json():
    assert negotiate(PIP) == JSON


def test_A2_4_uv_gets_json():
    assert negotiate(UV) == JSON


def test_A2_5_poetry_gets_json():
    assert negotiate(POETRY) == JSON


@pytest.mark.parametrize("accept", [HTML, f"{TEXT};q=0.5, {HTML};q=0.9", f"{HTML}, */*"])
def test_A2_6_versioned_html_for_who_asks_for_it(accept):
    assert negotiate(accept) == HTML


@pytest.mark.parametrize("accept", [f"{JSON};q=0, */*", f"*/*, {JSON};q=0.0"])
def test_A2_7_never_what_is_excluded(accept):
    assert negotiate(accept) == TEXT


def test_A2_8_browsers_get_plain_html():
    assert negotiate(BROWSER) == TEXT


@pytest.mark.parametrize(
    ("accept", "expected"), [(LATEST_JSON, JSON), (LATEST_HTML, HTML), (LATEST_JSON.upper(), JSON)]
)
def test_A2_9_latest_is_answered_as_version_1(accept, expected):
    assert negotiate(accept) == expected


@pytest.mark.parametrize(
    "accept", ["application/json", "text/plain", "image/*", f"{JSON};q=0", "application/xhtml+xml"]
)
def test_A2_10_nothing_fits(accept):
    assert negotiate(accept) is None


@pytest.mark.parametrize("accept", [JSON.upper(), "Application/Vnd.PyPI.Simple.V1+JSON"])
def test_A2_11_types_are_compared_without_case(accept):
    assert negotiate(accept) == JSON


@pytest.mark.parametrize("accept", [f"{JSON};q=1.5", "garbage", f";;{JSON}", f"{JSON} {HTML}", "\xff/\xff"])
def test_A2_12_an_unreadable_header_counts_as_absent(accept):
    assert negotiate(accept) == TEXT


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (f"{TEXT}, {HTML}, {JSON}", JSON),
        (f"{TEXT}, {HTML}", HTML),
        (f"{TEXT}, */*", TEXT),
        (f"{TEXT};q=0.5, {JSON};q=0.4", TEXT),
        ("application/*", HTML),
    ],
)
def test_A2_13_of_equals_json_wins_only_if_it_is_asked_for_by_name(accept, expected):
    assert negotiate(accept) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [(JSON, JSON), (HTML, HTML), (TEXT, TEXT), (LATEST_JSON, JSON), (JSON.upper(), JSON), ("application/json", None)],
)
def test_A2_14_format_wins_over_the_header(wanted, expected):
    assert negotiate("text/html", wanted) == expected
    assert negotiate("application/json", wanted) == expected


def test_A2_14_a_plus_that_was_read_as_a_space_still_counts():
    assert negotiate(None, JSON.replace("+", " ")) == JSON


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (f"{JSON}; version=1", JSON),
        (f'{JSON}; a="b"; q=0.3, {TEXT}; level=1; q=0.2', JSON),
        (f"{JSON};q=0.1;x=y, {TEXT};charset=utf-8;q=0.2", TEXT),
    ],
)
def test_A2_16_parameters_of_a_type_are_passed_over(accept, expected):
    assert negotiate(accept) == expected


@pytest.mark.parametrize("piece", ["a/b, ", "; ", ';a="', "q  ", '"\\', "a/b;q=0.1,", ",", ";;a=b"])
def test_a_long_header_costs_little(piece):
    began = time.process_time()
    negotiate(piece * (60_000 // len(piece)))
    assert time.process_time() - began < 10
