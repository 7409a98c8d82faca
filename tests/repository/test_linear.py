"""What many do to one file at once could have been done one after the other: its history is linearisable."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mypi.model import ModelError
from mypi.repository import Repository
from mypi.store import NotFound, Store
from tests import stores
from tests.repository.linear import Attempts, Deed, State, explained
from tests.repository.shorthand import ALICE, TORTURE, filename, package, problems, publish, settings
from tests.tally import Tally

KINDS = sorted(stores.STORES) if TORTURE else ["filesystem", "memory"]
ROUNDS = 20 if TORTURE else 3
WRITERS, EACH = 6, 5
NAME = filename()


def done(act: Callable[[], object]) -> Callable[[], bool]:
    """Say whether it was done or refused; any other error is none that a client may meet."""

    def tried() -> bool:
        try:
            act()
        except (ModelError, NotFound):
            return False
        return True

    return tried


def read(repository: Repository) -> tuple[str, bool] | None:
    """Return what is on offer: the content, and whether it is yanked."""
    try:
        file = repository.project("acme-lib").value.live_file(NAME)
    except (ModelError, NotFound):
        return None
    with repository.open_file(repository.project("acme-lib").value, file) as reader:
        data = reader.read()
    [text] = [text for text in "xy" if package(content=text)[1] == data]
    return text, file.yanked is not None


def raced(reposit: Callable[[], Repository], seed: int) -> list[Deed]:
    """Let several do at once what comes to their minds; each has a node of its own."""
    attempts = Attempts()

    def work(number: int) -> None:
        chance, mine = random.Random(seed * 100 + number), reposit()
        for _ in range(EACH):
            what = chance.choice(["publish", "publish", "yank", "unyank", "remove", "restore", "read", "read"])
            given = chance.choice("xy") if what == "publish" else ""
            change = getattr(mine, what, None)
            acts: dict[str, Callable[[], object]] = {
                "read": lambda: read(mine),
                "publish": done(lambda: publish(mine, content=given)),  # noqa: B023 - called at once
                "yank": done(lambda: mine.yank("acme-lib", [NAME], "", ALICE)),
            }
            attempts.note(what, given, acts.get(what) or done(lambda: change("acme-lib", [NAME], ALICE)))  # noqa: B023

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(work, range(WRITERS)))
    return attempts.deeds


@pytest.mark.parametrize("kind", KINDS)
def test_what_happens_to_a_file_happens_in_one_order(kind: str, tmp_path: Path, tally: Tally) -> None:
    for seed in range(ROUNDS):
        store = stores.make(kind, tmp_path / str(seed))
        deeds = raced(lambda store=store: Repository(store, store, settings()), seed)  # type: ignore[misc]
        assert explained(deeds), sorted(deeds, key=lambda deed: deed.began)
        assert not problems(Repository(store, store, settings()))
        tally.add(f"deeds in races that one order explains, {kind}", len(deeds))
        store.close()


def test_control_a_node_that_reads_what_is_over_is_caught(tmp_path: Path) -> None:
    """The positive control: a reader that shows an older page after a newer one."""
    store: Store = stores.make("memory", tmp_path)
    repository, attempts = Repository(store, store, settings()), Attempts()
    attempts.note("publish", "x", done(lambda: publish(repository)))
    stale = read(repository)
    attempts.note("remove", "", done(lambda: repository.remove("acme-lib", [NAME], ALICE)))
    assert explained(attempts.deeds)
    attempts.note("read", "", lambda: stale)
    assert not explained(attempts.deeds)


def test_control_two_winners_of_one_name_are_caught() -> None:
    both = [Deed("publish", text, True, 0, 1) for text in "xy"]
    assert not explained(both)
    assert explained([both[0], Deed("publish", "y", False, 0, 1)])
    assert explained([Deed("read", "", ("x", False), 0, 1)], State("x"))
