"""The scrub: what it finds wrong is withdrawn and told, in counts; an outage is none, and nothing waits for it."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mypi import scrub
from mypi.backends.filesystem import FilesystemStore
from mypi.backends.memory import MemoryStore
from mypi.backends.s3 import S3Store
from mypi.repository import Repository
from mypi.scrub import Scrub
from mypi.store import Full, NotFound, Reader, Store, Tag, Unavailable
from mypi.testing.doubles import WrappedStore
from tests.repository.shorthand import ALICE, filename, live, problems, publish, settings, sweep
from tests.repository.test_mending import Once, key_of, rot
from tests.repository.test_verify import BadSector, put
from tests.waiting import until

FAST = 10**12
WHEEL = filename()


@pytest.fixture
def store() -> Iterator[Store]:
    made = MemoryStore()
    yield made
    made.close()


@pytest.fixture
def filled(store: Store) -> Repository:
    repository = Repository(store, store, settings())
    publish(repository)
    publish(repository, version="2.0")
    publish(repository, "other", "1.0", content="o")
    return repository


@pytest.fixture
def running() -> Iterator[Callable[..., Scrub]]:
    """Start a scrub that begins at once; it ends with the test."""
    started: list[Scrub] = []

    def start(repository: Repository, rate: int = FAST, **given: float) -> Scrub:
        made = Scrub(repository, rate, **{"first": 0, "every": 3600, "pause": 0.01, **given})  # type: ignore[arg-type]
        started.append(made)
        made.start()
        return made

    yield start
    for each in started:
        each.close()


def said(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level and record.name == "mypi.scrub"]


def test_a_round_over_a_whole_index_says_so(filled: Repository, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made = Scrub(filled, FAST, clock=lambda: 0.0)
    made.round()
    state = made.state
    assert (state.rounds, state.objects, state.damaged, state.unread) == (1, 6, 0, 0)
    assert state.began == state.finished == "1970-01-01T00:00:00.000000Z"
    assert state.size == sum(finding.size for finding in filled.verify())
    assert said(caplog, logging.INFO) == [
        f"scrub: a round over 6 objects, {state.size} bytes is finished: 0 damaged, 0 could not be read"
    ]


@pytest.mark.parametrize("damage", ["flipped", "truncated", "appended", "deleted"])
def test_promise_9_what_the_scrub_finds_wrong_is_withdrawn(
    store: Store, filled: Repository, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    key = key_of(filled)
    rot(store, key, damage)
    made = Scrub(filled, FAST)
    made.round()
    assert live(filled) == [filename(version="2.0")]
    event = filled.project("acme-lib").value.history[-1]
    assert (event.did, event.by, event.origin) == ("damage", None, "scrub")
    (line,) = said(caplog, logging.ERROR)
    assert line.startswith(f"scrub: {key} ")
    assert line.endswith("it is marked as damaged: run mypi verify --repair")
    # A second round counts it and does not tell it again.
    made.round()
    assert (made.state.damaged, len(said(caplog, logging.ERROR))) == (1, 1)
    publish(filled)
    made.round()
    assert made.state.damaged == 0


def test_promise_9_control_a_scrub_that_marks_nothing_is_caught(
    store: Store, filled: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filled.mender, "withdraw", lambda finding, event: "")
    rot(store, key_of(filled), "flipped")
    Scrub(filled, FAST).round()
    assert live(filled) != [filename(version="2.0")]


def test_state_names_nothing_only_counts(store: Store, filled: Repository) -> None:
    rot(store, key_of(filled), "flipped")
    made = Scrub(filled, FAST)
    made.round()
    assert "acme" not in str(made.mapping())
    assert made.mapping().keys() == {
        *("state", "rate", "rounds", "began", "finished", "objects", "size", "unread", "damaged", "found")
    }


def test_a_reading_that_is_not_confirmed_withdraws_nothing(
    store: Store, filled: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    noisy = Once(store, key_of(filled), b"noise")
    repository = Repository(noisy, noisy, settings())
    Scrub(repository, FAST).round()
    assert len(live(filled)) == 2
    assert "was read twice, and the second time it is as it should be" in said(caplog, logging.WARNING)[0]


def test_what_is_right_again_is_told_and_left_to_a_person(
    store: Store, filled: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    key, whole = key_of(filled), store.read(key_of(filled))[0]
    rot(store, key, "flipped")
    Scrub(filled, FAST).round()
    put(store, key, whole)
    Scrub(filled, FAST).round()
    assert "is right again" in said(caplog, logging.WARNING)[0]
    assert len(live(filled)) == 1


def test_one_object_that_cannot_be_read_stops_nothing(
    store: Store, filled: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    bad = BadSector(store)
    repository = Repository(bad, bad, settings())
    bad.bad = key_of(filled)
    made = Scrub(repository, FAST)
    made.round()
    assert (made.state.objects, made.state.unread, made.state.damaged) == (6, 1, 0)
    assert said(caplog, logging.WARNING) == [f"scrub: {bad.bad} could not be read now: bad sector"]
    assert len(live(filled)) == 2


class Away(WrappedStore):
    """A store that is away for as long as it is told, once it was asked for ``after`` objects more."""

    away = False
    after = 0

    def _open(self, key: str, start: int, stop: int | None, unless: Tag | None) -> Reader:
        if self.away and self.after <= 0:
            raise Unavailable(key, "connection refused")
        self.after -= 1
        return super()._open(key, start, stop, unless)


def test_an_outage_pauses_it_and_withdraws_nothing(
    store: Store, filled: Repository, running: Callable[..., Scrub], caplog: pytest.LogCaptureFixture
) -> None:
    rot(store, key_of(filled), "flipped")
    away = Away(store)
    repository = Repository(away, away, settings())
    away.away, away.after = True, 4
    made = running(repository)
    until(lambda: made.state.state == "paused")
    assert live(filled) in ([WHEEL, filename(version="2.0")], [filename(version="2.0")])
    away.away = False
    until(lambda: made.state.rounds)
    # What was read before the outage and again after it counts once.
    assert (made.state.objects, made.state.damaged, made.state.unread) == (6, 1, 0)
    assert live(filled) == [filename(version="2.0")]
    assert live(filled, "other")
    assert any("connection refused" in line for line in said(caplog, logging.WARNING))


def test_a_disk_that_is_gone_pauses_it(store: Store, filled: Repository, running: Callable[..., Scrub]) -> None:
    store.delete(key_of(filled))
    whole = store.read("store.json")[0]
    put(store, "store.json", b'{"id":"other","format":1}')
    made = running(filled)
    until(lambda: made.state.state == "paused")
    assert len(live(filled)) == 2
    put(store, "store.json", whole)
    until(lambda: made.state.rounds)
    assert len(live(filled)) == 1


def test_a_document_that_is_damaged_or_gone_stops_nothing(
    store: Store, filled: Repository, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.swap("indexes/main/blank.json", b'{"name":"blank","display":"blank","files":{},"history":[]}', None)
    put(store, "indexes/main/acme-lib.json", b"{")
    made = Scrub(filled, FAST)
    monkeypatch.setattr(made, "_names", lambda: ["gone", "acme-lib", "blank", "other"])
    made.round()
    assert (made.state.objects, made.state.damaged) == (2, 1)
    assert said(caplog, logging.ERROR) == [
        "scrub: indexes/main/acme-lib.json: the document is damaged; restore it from a backup (mypi verify lists all)"
    ]


def test_what_cannot_be_marked_is_told_and_the_rest_is_read(
    store: Store, filled: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    rot(store, key_of(filled), "flipped")
    kept = MemoryStore()
    list(filled.copy(Repository(kept, kept, settings()), catch_up=True))
    made = Scrub(filled, FAST)
    made.round()
    assert (made.state.objects, made.state.damaged) == (6, 1)
    assert "cannot be marked: " in said(caplog, logging.WARNING)[0]


class NoRoom(WrappedStore):
    """A store that takes no documents any more."""

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        raise Full(key, "no room")


def test_a_full_disk_holds_it_not_up(store: Store, filled: Repository) -> None:
    rot(store, key_of(filled), "flipped")
    full = NoRoom(store)
    made = Scrub(Repository(full, full, settings()), FAST)
    made.round()
    assert (made.state.objects, made.state.damaged) == (6, 1)


class Broken(WrappedStore):
    """A store with a mistake in it."""

    broken = True

    def _list(self, prefix: str):  # type: ignore[no-untyped-def]
        if self.broken:
            raise ZeroDivisionError
        return super()._list(prefix)


def test_a_mistake_of_ours_ends_a_round_and_not_the_scrub(
    store: Store, filled: Repository, running: Callable[..., Scrub], caplog: pytest.LogCaptureFixture
) -> None:
    broken = Broken(store)
    made = running(Repository(broken, broken, settings()), every=0.01)
    until(lambda: said(caplog, logging.ERROR))
    broken.broken = False
    until(lambda: made.state.rounds)


# Beside the server


def test_it_ends_with_the_repository_in_the_middle_of_a_file(filled: Repository, running: Callable[..., Scrub]) -> None:
    made = running(filled, rate=1)
    until(lambda: made.state.size)
    assert made.state.state == "reading"
    filled.close()
    assert made.state.state == "off"
    assert made._thread
    assert not made._thread.is_alive()


def test_a_sweep_does_not_wait_for_it(filled: Repository, store: Store, running: Callable[..., Scrub]) -> None:
    made = running(filled, rate=1)
    until(lambda: made.state.size)
    store.add(f"files/main/acme-lib/0123456789abcdef/{WHEEL}", io.BytesIO(b"rubbish"), 7)
    assert [*filled.sweep(ALICE, trash_days=0, grace=0)]
    filled.remove("acme-lib", [WHEEL], ALICE)
    sweep(filled, trash_days=0)
    with pytest.raises(NotFound):
        store.read(f"files/main/acme-lib/0123456789abcdef/{WHEEL}")
    assert made.state.state == "reading"
    assert not problems(filled)


def test_it_reads_no_faster_than_it_may(filled: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(max(0.0, seconds))
        now[0] += max(0.0, seconds)

    monkeypatch.setattr(scrub.time, "monotonic", lambda: now[0])
    made = Scrub(filled, 1000)
    monkeypatch.setattr(made, "_wait", wait)
    made.round()
    assert sum(waited) == pytest.approx((made.state.size + made.state.objects * scrub.OPENING) / 1000)


def test_it_reads_round_after_round(filled: Repository, running: Callable[..., Scrub]) -> None:
    made = running(filled, every=0)
    until(lambda: made.state.rounds > 1)


def test_a_rate_of_0_starts_nothing(filled: Repository, running: Callable[..., Scrub]) -> None:
    made = running(filled, rate=0)
    assert made.state.state == "off"
    made.close()
    assert made._thread is None


def test_it_is_started_once(filled: Repository, running: Callable[..., Scrub]) -> None:
    made = running(filled, rate=1)
    thread = made._thread
    made.start()
    assert made._thread is thread


@pytest.mark.parametrize(
    ("given", "rate"), [({}, scrub.RATE), ({"scrub.rate": "0"}, 0), ({"scrub.rate": "5 MiB"}, 5 * 2**20)]
)
def test_its_rate_is_a_setting(filled: Repository, given: dict[str, str], rate: int) -> None:
    assert Scrub.of(settings(**given), filled).state.rate == rate


def test_a_store_whose_reads_cost_money_is_not_read_unasked(filled: Repository) -> None:
    given = {"storage": "s3", "storage.bucket": "packages"}
    assert S3Store.metered
    assert Scrub.of(settings(**given), filled).state.rate == 0
    assert Scrub.of(settings(**given, **{"scrub.rate": "1 MiB"}), filled).state.rate == 2**20


def test_a_process_that_ends_does_not_wait_for_it(tmp_path: Path) -> None:
    store = FilesystemStore(str(tmp_path / "store"))
    store.check()
    publish(Repository(store, store, settings()))
    code = (
        "import sys, time\n"
        "from mypi.application import from_ini\n"
        "from mypi import scrub\n"
        "scrub.Scrub.__init__.__kwdefaults__['first'] = 0\n"
        "app = from_ini({'mypi.storage.path': sys.argv[1], 'mypi.upload': 'everyone'})\n"
        "while not app.registry['mypi.scrub'].state.size:\n"
        "    time.sleep(0.01)\n"
        "print(app.registry['mypi.scrub'].state.state)\n"
    )
    given = [sys.executable, "-c", code, str(tmp_path / "store")]
    environ = {**os.environ, "MYPI_SCRUB_RATE": "1"}
    done = subprocess.run(given, capture_output=True, text=True, timeout=30, check=False, env=environ)
    assert (done.returncode, done.stdout) == (0, "reading\n"), done.stderr
