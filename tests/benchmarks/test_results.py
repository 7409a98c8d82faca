"""What the bench makes of its numbers: medians, ratios within rounds, verdicts, the page and the charts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.results import Row, Table, Verdict


def table(**more) -> Table:
    made = Table("pages", "page of 5 files", "answers a second", **more)
    for mine, theirs in ((100, 200), (90, 100), (130, 200)):
        made.add("mypi", mine)
        made.add("bare waitress", theirs)
    return made


def test_a_row_tells_its_median_and_how_far_its_values_lie_apart() -> None:
    row = Row("mypi", [90.0, 100.0, 130.0])
    assert (row.median, row.spread) == (100, 0.4)
    assert Row("nothing", [0.0]).spread == 0


def test_a_ratio_is_the_median_of_those_within_each_round() -> None:
    assert table().ratio("bare waitress") == 0.65  # of 0.5, 0.9 and 0.65; that of the medians would be 0.5


def test_where_less_is_better_the_ratio_is_turned_so_that_more_is_better() -> None:
    assert table(better="less").ratio("bare waitress") == pytest.approx(200 / 130)


def test_a_ratio_to_nothing_is_none() -> None:
    made = table()
    made.add("idle", 0)
    assert made.ratio("idle") == 0


def test_verdicts_say_what_was_wanted_and_what_came_of_it() -> None:
    wanted = {"bare waitress": 0.65, "not measured": 5}
    assert list(table(wanted=wanted).verdicts()) == [
        Verdict("page of 5 files, beside bare waitress", "≥ 0.65", "0.65", True)
    ]
    assert not any(verdict.met for verdict in table(wanted={"bare waitress": 0.66}).verdicts())


def test_bounds_are_kept_from_above_or_from_below() -> None:
    few = Table("s3", "requests", "requests", better="less", bounds={"page": 1, "publish": 3, "not measured": 1})
    few.add("page", 1)
    few.add("publish", 4)
    assert [(verdict.what, verdict.wanted, verdict.met) for verdict in few.verdicts()] == [
        ("requests: page", "≤ 1 requests", True),
        ("requests: publish", "≤ 3 requests", False),
    ]
    (verdict,) = table(bounds={"mypi": 99}).verdicts()
    assert verdict == Verdict("page of 5 files", "≥ 99 answers a second", "100 answers a second", True)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.01234, "0.0123"), (1.5, "1.5"), (99.94, "99.9"), (12345.6, "12,346")]
)
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert results.number(value) == text


def test_the_page_begins_with_what_was_wanted_and_leads_to_each_part() -> None:
    made = table(wanted={"bare waitress": 0.7})
    made.notes.append("devpi failed: gone")
    lines = results.page([made], 90, {"pages": "Pages of all."}, {"s3": "RuntimeError: no"}).splitlines()
    assert "0 of 1 reached." in lines
    assert "| [page of 5 files, beside bare waitress](#pages) | ≥ 0.7 | 0.65 | **no** |" in lines
    assert "- s3: RuntimeError: no" in lines
    order = [lines.index(each) for each in ("## Wanted and reached", '<a id="pages"></a>', "## Pages", "Pages of all.")]
    assert order == sorted(order)
    assert "![pages](charts/pages.svg)" in lines
    assert "| mypi | 100 | 40% |  |" in lines
    assert "| bare waitress | 200 | 50% | 0.65 |" in lines
    assert "devpi failed: gone" in lines


def test_a_page_of_what_nothing_was_wanted_of_says_so_and_needs_no_subject_of_ours() -> None:
    made = Table("servers", "page", "answers a second")
    made.add("gunicorn", 5)
    text = results.page([made], 1)
    assert "Nothing was wanted" in text
    assert "| gunicorn | 5 | 0% |  |" in text


def test_all_is_written_and_charts_are_the_same_for_the_same_values(tmp_path: Path) -> None:
    empty = Table("empty", "nothing came", "ms")
    for name in ("one", "two"):
        results.write([table(), empty], tmp_path / name, 1)
    (held, _) = json.loads((tmp_path / "one" / "results.json").read_text())
    assert held["rows"] == {"mypi": [100, 90, 130], "bare waitress": [200, 100, 200]}
    assert [path.name for path in (tmp_path / "one" / "charts").iterdir()] == ["pages.svg"]
    charts = [(tmp_path / name / "charts" / "pages.svg").read_bytes() for name in ("one", "two")]
    assert charts[0] == charts[1]
    assert charts[0].lstrip().startswith(b"<?xml")
