"""The table at the end of a run adds up what tests say that they tried."""

from __future__ import annotations

from tests.tally import Tally, summed


def test_counts_are_added_and_of_measurements_the_largest_is_shown():
    kept = [("something else", "of another plugin")]
    first, second = Tally(kept), Tally(kept)
    first.add("archives", 1_200)
    first.most("memory", 12.5, "MiB")
    second.add("archives")
    second.most("memory", 9, "MiB")
    assert summed(kept) == {"archives": "1,201", "memory": "12.5 MiB"}
