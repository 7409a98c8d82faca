"""Numbers for Prometheus: one registry per application, labels of few values, and the store that is watched."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from mypi.backends.memory import MemoryStore
from mypi.metrics import METHODS, Metrics, Watched
from mypi.metrics.watched import outcome
from mypi.settings import Settings
from mypi.store import Conflict, Full, NotFound, Sealed, Store, StoreError, Truncated, Unavailable
from mypi.testing import StoreContract
from mypi.testing.doubles import FaultyStore, Point

Called = list[tuple[str, str]]


class TestWatched(StoreContract):
    """A watched store keeps the contract of a store."""

    swaps, objects = 20, 20
    headroom = 2**40  # it is kept in memory

    @pytest.fixture
    def factory(self) -> Callable[[], Store]:
        store = MemoryStore()
        return lambda: Watched(store, lambda operation, ended, seconds: None)


@pytest.fixture
def called() -> Called:
    return []


@pytest.fixture
def inner() -> FaultyStore:
    return FaultyStore(MemoryStore())


@pytest.fixture
def watched(inner: FaultyStore, called: Called) -> Watched:
    def told(operation: str, ended: str, seconds: float) -> None:
        assert seconds >= 0
        called.append((operation, ended))

    return Watched(inner, told)


def test_each_call_of_a_store_is_told_with_its_outcome(watched: Watched, called: Called):
    tag = watched.swap("a", b"{}", None)
    watched.add("f", io.BytesIO(b"x"), 1)
    watched.copy("f", "g")
    watched.read("f")
    assert len(list(watched.list())) == 3
    assert list(watched.list("nothing/")) == []
    with pytest.raises(Conflict):
        watched.swap("a", b"[]", None)
    with pytest.raises(StoreError, match="unchanged"):
        watched.read("a", unless=tag)
    watched.delete("f")
    with pytest.raises(NotFound):
        watched.read("f")
    assert called == [
        ("swap", "ok"),
        ("add", "ok"),
        ("copy", "ok"),
        ("open", "ok"),
        ("list", "ok"),
        ("list", "ok"),
        ("swap", "conflict"),
        ("open", "unchanged"),
        ("delete", "ok"),
        ("open", "absent"),
    ]


def test_what_is_still_the_same_is_told_as_the_call_that_it_saved(called: Called):
    memory = MemoryStore()
    watched = Watched(memory, lambda operation, ended, seconds: called.append((operation, ended)))
    tag = memory.swap("a", b"{}", None)
    assert watched.still("a", tag)
    assert called == [("open", "unchanged")]
    memory.swap("a", b"[]", tag)
    assert not watched.still("a", tag)
    assert called == [("open", "unchanged")]


def test_what_is_no_operation_is_passed_on(watched: Watched, called: Called):
    watched.check()
    watched.probe()
    assert (watched.maintain(0), watched.tidy(0)) == (0, 0)
    assert watched.url("f", "f") is None
    with watched.spool() as spool:
        spool.write(b"x")
    watched.close()
    assert called == [("probe", "ok"), ("maintain", "ok"), ("tidy", "ok")]


def test_a_fault_is_told_and_comes_through(watched: Watched, inner: FaultyStore, called: Called):
    inner.fail(Point("before", 1, "open"), Unavailable("a", "away"))
    with pytest.raises(Unavailable, match="away"):
        watched.read("a")
    inner.fail(Point("before", 2, "open"), KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        watched.read("a")
    assert called == [("open", "unavailable"), ("open", "error")]


@pytest.mark.parametrize(
    ("exc", "word"),
    [
        (Sealed("a", ""), "sealed"),
        (Full("a", ""), "full"),
        (Truncated("a", ""), "truncated"),
        (StoreError("a", ""), "error"),
        (ValueError(), "error"),
    ],
)
def test_outcomes_are_a_few_words(exc: Exception, word: str):
    assert outcome(exc) == word


def test_the_stores_that_settings_open_are_watched_by_their_role():
    metrics = Metrics()
    given = {"mypi.storage": "memory", "mypi.catalogue": "memory"}
    settings = Settings.load(given, {}).watched(metrics.around)
    assert settings.catalogue is not None
    for chosen in (settings.storage, settings.catalogue):
        store = chosen.open()
        store.swap("a", b"{}", None)
        store.close()
    shown = metrics.text().decode()
    for role in ("storage", "catalogue"):
        assert f'mypi_store_calls_total{{operation="swap",outcome="ok",role="{role}"}} 1.0' in shown
        assert f'mypi_store_seconds_count{{operation="swap",role="{role}"}} 1.0' in shown
    assert Settings.load({"mypi.storage": "memory"}, {}).watched(metrics.around).catalogue is None


def test_requests_are_counted():
    metrics = Metrics()
    metrics.request("file", "GET", 200, 0.002, 0, 100)
    metrics.request("file", "GET", 200, 0.002, 7, 100)
    shown = metrics.text().decode()
    assert 'mypi_requests_total{kind="file",method="GET",status="200"} 2.0' in shown
    assert 'mypi_request_seconds_count{kind="file"} 2.0' in shown
    assert 'mypi_received_bytes_total{kind="file"} 7.0' in shown
    assert 'mypi_sent_bytes_total{kind="file"} 200.0' in shown
    assert "_created" not in shown


def test_threat_8_no_method_that_a_client_makes_up_is_a_label():
    metrics = Metrics()
    for number in range(50):
        metrics.request("other", f"BREW{number}", 405, 0.001, 0, 0)
    shown = metrics.text().decode()
    assert 'mypi_requests_total{kind="other",method="other",status="405"} 50.0' in shown
    assert "BREW" not in shown
    assert "BREW" not in METHODS


def test_numbers_of_others_are_asked_for_at_each_scrape(caplog: pytest.LogCaptureFixture):
    metrics, numbers = Metrics(), {("good",): 1}
    metrics.counts("mypi_x", "Counted.", ("outcome",), lambda: numbers)
    metrics.gauge("mypi_y", "Measured.", lambda: numbers["good",] / 2)
    assert 'mypi_x_total{outcome="good"} 1.0' in metrics.text().decode()
    numbers["good",] = 3
    shown = metrics.text().decode()
    assert 'mypi_x_total{outcome="good"} 3.0' in shown
    assert "\nmypi_y 1.5\n" in shown
    numbers.clear()
    with caplog.at_level(logging.ERROR, "mypi.metrics"):
        shown = metrics.text().decode()
    assert "mypi_y" not in shown
    assert "mypi_info" in shown, "one that fails keeps the others from being shown"
    assert "mypi_y cannot be told" in caplog.text


def test_no_two_numbers_have_one_name():
    metrics = Metrics()
    metrics.gauge("mypi_y", "Measured.", lambda: 1)
    with pytest.raises(ValueError, match="mypi_y"):
        metrics.gauge("mypi_y", "Measured.", lambda: 1)


def test_two_applications_of_a_process_share_nothing():
    one, other = Metrics(), Metrics()
    one.refused("taken")
    assert 'mypi_uploads_refused_total{reason="taken"} 1.0' in one.text().decode()
    assert "taken" not in other.text().decode()
    assert not any(metric.name.startswith("mypi") for metric in REGISTRY.collect())
