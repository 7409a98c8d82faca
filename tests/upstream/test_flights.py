"""A file on its way in: who reads it, what a full disk does, who has to wait, and who may not."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from mypi.model.remote import RemoteFile
from mypi.upstream import flights
from mypi.upstream.errors import Away, Busy, Garbage
from mypi.upstream.flights import Crowd, Flight
from tests.waiting import until

CONTENT = bytes(range(256)) * 2048


def file(content: bytes = CONTENT, **said) -> RemoteFile:
    return RemoteFile("a-1.zip", "1", "https://x/a-1.zip", hashlib.sha256(content).hexdigest(), **said)


def flight(content: bytes = CONTENT, *, spool=None, crowd: Crowd | None = None, patience: float = 5, **said) -> Flight:
    return Flight(file(content, **said), spool or tempfile.TemporaryFile(), crowd or Crowd(4), patience)


def read(made: Flight, start: int = 0, stop: int | None = None) -> bytes:
    wanted = made.read(start, stop)
    assert wanted
    try:
        return b"".join(wanted)
    finally:
        wanted.close()


@pytest.mark.parametrize("piece", [1000, 100_000, 10**9])
def test_any_number_of_readers_read_any_part_while_it_comes(piece):
    made = flight()
    parts = [(0, None), (0, 10), (5, 5), (100_000, 400_001), (len(CONTENT) - 3, None), (10**9, None)]
    with ThreadPoolExecutor(12) as readers:
        asked = [(part, readers.submit(read, made, *part)) for part in parts * 2]
        made.fill((CONTENT[at : at + piece] for at in range(0, len(CONTENT), piece)), 10**9)
        made.land()
        for (start, stop), each in asked:
            assert each.result(30) == CONTENT[start:stop]
    assert read(made) == CONTENT
    made.close()
    assert made.read(0, None) is None


def test_who_reads_already_goes_on_after_the_end_and_is_the_last_to_leave():
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - the flight closes it
    made = flight(spool=spool)
    wanted = made.read(0, None)
    assert wanted
    made.fill([CONTENT], 10**9)
    made.land()
    made.close()
    assert not spool.closed
    assert b"".join(wanted) == CONTENT
    wanted.close()
    wanted.close()
    assert spool.closed
    assert list(wanted) == []


def test_a_full_disk_does_not_stop_what_is_on_its_way():
    full = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115, PTH123 - the flight closes it
    made = flight(spool=full)
    made.fill([CONTENT[:1000], CONTENT[1000:]], 10**9)
    made.land()
    assert made.source() is None
    assert read(made) == CONTENT
    assert read(made, 990, 1010) == CONTENT[990:1010]
    made.close()
    assert full.closed


def test_a_disk_that_fills_up_later_does_not_either(tmp_path):
    with (tmp_path / "spool").open("w+b") as spool:
        made = flight(spool=spool)
        made._write(CONTENT[:1000])
        full = os.open("/dev/full", os.O_RDWR)
        first = os.dup(spool.fileno())
        os.dup2(full, spool.fileno())
        made._write(CONTENT[1000:])
        os.dup2(first, spool.fileno())
        for each in (full, first):
            os.close(each)
        made.land()
        assert read(made) == CONTENT
        assert read(made, 990, 1010) == CONTENT[990:1010]
        assert made.source() is None
        made.close()


def test_without_any_room_it_fails(monkeypatch):
    full = [open("/dev/full", "r+b", buffering=0) for _ in range(2)]  # noqa: SIM115, PTH123 - the flight closes them
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: full[1])
    made = flight(spool=full[0])
    with pytest.raises(OSError, match="No space"):
        made.fill([CONTENT], 10**9)
    made.land(OSError(28, "No space left"))
    with pytest.raises(OSError, match="No space"):
        made.lead()
    made.close()
    assert [each.closed for each in full] == [True, True]


@pytest.mark.parametrize(
    "content, limit, announced, said, error, words",
    [
        (CONTENT, 1000, None, {}, Garbage, "more bytes"),
        (CONTENT, 1000, len(CONTENT), {}, Garbage, "at most 1,000"),
        (CONTENT, 10**9, None, {"size": 1000}, Garbage, "the 1,000 that its page says"),
        (CONTENT, 10**9, 999, {"size": len(CONTENT)}, Garbage, "has 999 bytes"),
        (CONTENT[:-1], 10**9, None, {"size": len(CONTENT)}, Away, "ended after"),
        (CONTENT[:-1], 10**9, len(CONTENT), {}, Away, "ended after"),
        (CONTENT[:-1], 10**9, None, {}, Garbage, "another sha256"),
        (CONTENT[:-1] + b"?", 10**9, len(CONTENT), {"size": len(CONTENT)}, Garbage, "another sha256"),
    ],
)
def test_what_is_not_the_file_of_the_page_is_refused(content, limit, announced, said, error, words):
    made = flight(**said)
    with pytest.raises(error, match=words):
        made.fill([content], limit, announced)
    made.close()


def test_the_size_is_known_as_soon_as_anybody_says_it():
    made = flight()
    assert made.size is None
    made.fill([CONTENT], 10**9, len(CONTENT))
    assert made.size == len(CONTENT)
    made.land()
    assert made.size == len(CONTENT)
    made.close()
    unsaid = flight(size=7)
    assert unsaid.size == 7
    unsaid.close()


def test_an_empty_file_is_one():
    made = flight(b"")
    made.fill([], 10**9)
    made.land()
    made.lead()
    assert read(made) == b""
    made.close()


def test_who_waited_for_the_page_already_waits_less_for_the_file(monkeypatch):
    monkeypatch.setattr(flights, "QUIET", 0.1)
    made = flight(patience=3600)
    with pytest.raises(Away, match="nothing of"):
        made.lead(time.monotonic() + 0.2)
    with pytest.raises(Away, match="nothing of"):
        made.lead(time.monotonic() - 5)
    made.close()


@pytest.fixture
def hasty(monkeypatch):
    """Nobody waits at all before he needs a seat."""
    monkeypatch.setattr(flights, "QUIET", 0.0)
    monkeypatch.setattr(flights, "CROWDED", -1.0)


def test_who_waits_for_nothing_is_told_so(hasty):
    crowd = Crowd(1)
    silent = flight(crowd=crowd, patience=0.05)
    with pytest.raises(Away, match=r"nothing of a-1\.zip came within 0\.05 seconds"):
        silent.lead()
    assert crowd.grace == 0.0, "the seat is free again"
    silent.close()


def test_too_many_may_not_wait(hasty):
    crowd = Crowd(2)
    silent = flight(crowd=crowd, patience=30)
    with crowd.seat("a"):
        assert crowd.grace == 0.0
        with crowd.seat("b"):
            # Who finds all seats taken waits even less.
            assert crowd.grace == -1.0
            with pytest.raises(Busy, match=r"a-1\.zip is slow to come"):
                silent.lead()
        assert crowd.grace == 0.0
    silent.close()


def test_news_keeps_a_reader_waiting_without_a_seat(monkeypatch):
    monkeypatch.setattr(flights, "QUIET", 30.0)
    made = flight(crowd=Crowd(0))

    def pieces():
        # Each comes when the reader waits for it; the first two are not enough for him to go on.
        for at in range(0, len(CONTENT), 30_000):
            until(lambda: made._news._waiters or at > 90_000)  # noqa: B023 - at once
            yield CONTENT[at : at + 30_000]

    with ThreadPoolExecutor(1) as clients:
        asked = clients.submit(read, made)
        made.fill(pieces(), 10**9)
        made.land()
        assert asked.result(30) == CONTENT
    made.close()


class Told(Crowd):
    """Seats, of which the first one to sit down has his news at once."""

    def __init__(self, seats: int, news: Callable[[], None]) -> None:
        super().__init__(seats)
        self._tell = news

    @contextmanager
    def seat(self, what: str) -> Iterator[None]:
        with super().seat(what):
            self._tell()
            yield


def test_news_that_comes_late_gives_the_seat_back(hasty):
    crowd = Told(1, lambda: made.fill([CONTENT], 10**9))
    made = flight(crowd=crowd)
    wanted = made.read(0, None)
    assert wanted
    assert next(wanted) == CONTENT[: 256 * 1024]
    assert crowd.grace == 0.0
    wanted.close()
    made.close()


@pytest.mark.parametrize("error", [Away("away"), Garbage("wrong"), OSError("disk"), KeyboardInterrupt()])
def test_everybody_hears_why_there_is_none(error):
    made = flight()
    wanted = made.read(0, None)
    assert wanted
    made.land(error)
    for hear in (made.lead, lambda: next(wanted)):
        with pytest.raises(type(error)):
            hear()
    wanted.close()
    made.close()
