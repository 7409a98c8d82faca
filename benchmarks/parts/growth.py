"""The same speed at ten projects and at a hundred thousand; how soon the first page comes, and what memory it takes."""

from __future__ import annotations

import contextlib
import time
import urllib.request
from functools import partial

from .. import baselines, corpora, load
from ..bench import Bench
from ..peers import Mypi
from ..results import MACHINE

FILES = 2


def measure(bench: Bench) -> None:
    """Fill stores of growing size in bulk, and ask each for a page of two files."""
    load.need_wrk()
    sizes = (10, 15, 20) if bench.small else (10, 1000, 100_000)
    with contextlib.ExitStack() as held:
        urls = {}
        for size in sizes:
            bench.say(f"writing {size:,} projects")
            folder = bench.folder / "growth" / str(size)
            corpora.bulk(folder / "store", size, FILES, large=bench.of(10_000) if size == sizes[-1] else 0)
            process = held.enter_context(Mypi().serving(folder))
            urls[f"{size:,} projects"] = f"http://127.0.0.1:{process.port}"
        most = f"{sizes[-1]:,} projects"
        title = "page of two files, by the size of the index"
        table = bench.table("growth", title, "answers a second", ours=most, wanted=dict.fromkeys(urls, 0.85))
        bench.in_turns(
            table,
            {
                name: partial(load.requests, f"{url}/simple/acme-1/", bench.seconds, {"Accept": load.JSON})
                for name, url in urls.items()
            },
        )
        _listing(bench, held, urls[most], most)
    _start(bench, sizes[-1])


def _listing(bench: Bench, held: contextlib.ExitStack, url: str, size: str) -> None:
    table = bench.table("growth", f"/simple/ of {size}", "answers a second", wanted={MACHINE: 0.5})
    place = bench.folder / "machine" / "listing"
    headers = {"Accept": load.JSON}
    baselines.save(place, f"{url}/simple/", headers)
    bare = held.enter_context(baselines.serving(MACHINE, place))
    subjects = {"mypi": f"{url}/simple/", MACHINE: f"http://127.0.0.1:{bare.port}/"}
    bench.in_turns(
        table, {name: partial(load.requests, each, bench.seconds, headers) for name, each in subjects.items()}
    )


def _start(bench: Bench, size: int) -> None:
    title = f"first page after the start, {size:,} projects"
    seconds = bench.table("growth", title, "seconds", better="less", bounds={"mypi": 1.0})
    title = f"memory after the first page, {size:,} projects"
    memory = bench.table("growth", title, "MiB", better="less", bounds={"mypi": 120})
    folder = bench.folder / "growth" / str(size)
    for _ in range(bench.rounds):
        with Mypi().serving(folder) as process:
            with urllib.request.urlopen(f"http://127.0.0.1:{process.port}/simple/acme-1/") as answer:
                answer.read()
            seconds.add("mypi", time.monotonic() - process.began)
            memory.add("mypi", process.memory / 2**20)
        bench.bar.update()
