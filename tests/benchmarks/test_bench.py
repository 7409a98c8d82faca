"""The bench itself: its parts run, it says what failed, and it ends whatever it has started."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import load, running
from benchmarks.bench import Bench, Progress
from benchmarks.parts import PARTS
from tests.system.processes import ROOT
from tests.waiting import until

SERVER = "import http.server as it, sys; it.test(it.SimpleHTTPRequestHandler, bind='127.0.0.1', port=int(sys.argv[1]))"
ALONE = ("--small", "--rounds", "1", "--seconds", "0.1", "--peers", "mypi")


class Silent:
    """A bar that shows nothing."""

    total = 100.0
    n = 0.0

    def refresh(self) -> None:
        """Show nothing."""

    def set_description_str(self, text: str, *, refresh: bool) -> None:
        """Show nothing."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, 3, 0.1, True, Progress(Silent()))  # type: ignore[arg-type]


def need_wrk() -> None:
    if not shutil.which("wrk"):
        pytest.skip("wrk is not here; on Debian: apt-get install wrk")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# What it starts


def test_a_server_and_what_it_started_end_with_an_exception(tmp_path: Path) -> None:
    port = running.free_port()
    program = f"import subprocess, sys; subprocess.Popen(['sleep', '600']); sys.argv = ['x', '{port}']; {SERVER}"
    with (
        pytest.raises(KeyboardInterrupt),
        running.running([sys.executable, "-c", program], port, tmp_path / "log") as process,
    ):
        family = running._family(process.popen.pid)
        raise KeyboardInterrupt
    assert len(family) == 2
    until(lambda: not any(map(alive, family)))


def test_a_server_that_ends_at_once_is_told_with_what_it_said(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no luck')"]
    with pytest.raises(RuntimeError, match="no luck"), running.running(command, 1, tmp_path / "log"):
        pass


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_bench_that_is_interrupted_ends_what_it_has_started_and_leaves_no_folder(tmp_path: Path, sign: int) -> None:
    need_wrk()
    (tmp_path / "build").mkdir()
    words = ["pages", *ALONE[:-4], "--seconds", "60", "--peers", "mypi", "--output", str(tmp_path / "out")]
    bench = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: any("wrk" in name for name in map(command_of, running._family(bench.pid))))
        family = running._family(bench.pid)
        assert len(family) >= 3  # itself, mypi, the load
        bench.send_signal(sign)
        assert bench.wait(30) != 0
    finally:
        bench.kill()
        bench.wait()
    until(lambda: not any(map(alive, family)))
    assert list((tmp_path / "build").iterdir()) == []


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


# What it measures


def test_a_subject_that_fails_is_left_out_and_said_to_and_the_others_go_on(bench: Bench) -> None:
    values = iter([1.0, 2.0])

    def failing() -> float:
        if (value := next(values, None)) is None:
            raise load.LoadError("gone")
        return value

    table = bench.table("pages", "a page", "answers a second")
    bench.in_turns(table, {"mypi": lambda: 5.0, "devpi": failing})
    assert {name: row.values for name, row in table.rows.items()} == {"mypi": [5.0] * 3}
    assert table.notes == ["devpi failed: gone"]
    assert bench.tables == [table]


def test_the_bar_shows_a_share_of_the_time_that_all_parts_may_take() -> None:
    bar = Silent()
    progress = Progress(bar)  # type: ignore[arg-type]
    progress.begin(60)
    progress.say("a page")
    assert 0 <= bar.n < 60
    progress.begin(40)
    assert 60 <= bar.n < 100
    progress.end()
    assert bar.n == 100


def test_load_counts_answers_and_refuses_those_that_are_no_success(tmp_path: Path) -> None:
    need_wrk()
    (tmp_path / "page").write_text("hello")
    port = running.free_port()
    with running.running([sys.executable, "-c", SERVER, str(port)], port, tmp_path / "log", cwd=tmp_path):
        assert load.requests(f"http://127.0.0.1:{port}/page", 0.1, {"Accept": "text/html"}) > 0
        with pytest.raises(load.LoadError, match="Non-2xx"):
            load.requests(f"http://127.0.0.1:{port}/nothing", 0.1, {})


def test_every_part_says_what_it_is_and_how_long_it_takes() -> None:
    assert sum(part.seconds for part in PARTS.values()) <= 20 * 60
    assert all(part.about.endswith(".") for part in PARTS.values())


def test_parts_that_need_nothing_from_the_registry_run(tmp_path: Path) -> None:
    """Pages of mypi beside the machine, growth, transfers and S3: a change of mypi that breaks the bench is seen."""
    need_wrk()
    parts = ("pages", "growth", "transfers", "s3")
    command = [sys.executable, "-m", "benchmarks", *parts, *ALONE, "--output", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    tables = json.loads((tmp_path / "results.json").read_text())
    assert {table["part"] for table in tables} == set(parts)
    for table in tables:
        assert table["rows"], table
        assert not [note for note in table["notes"] if "failed" in note], table
    assert "/s3.svg" in (tmp_path / "RESULTS.md").read_text()


def test_a_part_that_there_is_not_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "page"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "there is no part page; there are pages, growth" in done.stderr
