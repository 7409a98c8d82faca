"""S3 with 20 ms added to each of its answers: what a page and a publish cost in requests, and in time."""

from __future__ import annotations

import contextlib
import re
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from tests import proxies, services

from .. import corpora
from ..bench import Bench
from ..peers import Mypi
from ..running import Process

LATENCY = 0.02

MOST = {"publish": 4, "page": 1, "20 pages by 4 clients": 20}
"""Requests that each may cost. Those of pages that are asked for together share a fetch where it suits them."""

S3 = """\
mypi.storage.bucket = {bucket}
mypi.storage.prefix = bench-{seconds}
mypi.storage.endpoint = {endpoint}
mypi.cache_seconds = {seconds}
mypi.metrics = everyone
"""


def measure(bench: Bench) -> None:
    """Count requests by mypi's own numbers."""
    folder = bench.folder / "s3"
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        weed = held.enter_context(services.running(services.Seaweed, folder / "weed"))
        far = held.enter_context(contextlib.closing(proxies.Forwarder(weed.ports[3])))
        far.latency = LATENCY
        wanted = {f"{what}, cache_seconds {seconds}": most for seconds in (0, 60) for what, most in MOST.items()}
        wanted["page, cache_seconds 60"] = wanted["20 pages by 4 clients, cache_seconds 60"] = 0
        calls = bench.table("s3", "requests to the store", "requests", better="less", bounds=wanted)
        times = bench.table("s3", "time, with 20 ms on each answer", "ms", better="less")
        for seconds in (0, 60):
            settings = S3.format(bucket=services.BUCKET, endpoint=far.endpoint, seconds=seconds)
            peer = Mypi("s3", settings=settings, env=dict(services.CREDENTIALS))
            with peer.serving(folder / f"mypi-{seconds}") as mypi:
                _counted(bench, mypi, peer, seconds, (calls, times))


def _counted(bench, mypi, peer, seconds, tables) -> None:  # type: ignore[no-untyped-def]
    calls, times = tables
    with contextlib.closing(peer.publisher(mypi)) as publisher:
        for number in range(bench.rounds + 1):
            package = corpora.wheel(corpora.FEW, f"1.{number}")
            before = _asked(mypi)
            took = publisher.publish(package)
            if number:  # the first finds no project there
                calls.add(f"publish, cache_seconds {seconds}", _asked(mypi) - before)
                times.add(f"publish, cache_seconds {seconds}", took * 1000)
    _read(mypi)
    for _ in range(bench.rounds):
        before, began = _asked(mypi), time.perf_counter()
        _read(mypi)
        times.add(f"page, cache_seconds {seconds}", (time.perf_counter() - began) * 1000)
        calls.add(f"page, cache_seconds {seconds}", _asked(mypi) - before)
        before = _asked(mypi)
        with ThreadPoolExecutor(4) as workers:
            list(workers.map(lambda _: _read(mypi), range(20)))
        calls.add(f"20 pages by 4 clients, cache_seconds {seconds}", _asked(mypi) - before)
        bench.bar.update()


def _read(mypi: Process) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{mypi.port}/simple/{corpora.FEW}/") as answer:
        answer.read()


def _asked(mypi: Process) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{mypi.port}/+metrics") as answer:
        text = answer.read().decode()
    return sum(float(value) for value in re.findall(r"^mypi_store_calls_total\{.*\} ([0-9.e+]+)$", text, re.MULTILINE))
