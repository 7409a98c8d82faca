"""Publishing: until the answer, until the page lists it, and how many a second."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections.abc import Callable, Iterator

from .. import corpora, load
from ..bench import Bench
from ..peers import Devpi, Mypi, Peer, Pypiron
from ..running import Process


def measure(bench: Bench) -> None:
    """Upload small wheels to mypi, pypiron and devpi on the same disk, in turns."""
    peers: list[Peer] = [
        each for each in (Mypi(), Mypi("zodb"), Pypiron(), Devpi()) if each.name == "mypi" or bench.takes(each.name)
    ]
    with contextlib.ExitStack() as held:
        served = {}
        for peer in peers:
            peer.install()
            folder = bench.folder / "publish" / peer.name.replace(" ", "-")
            served[peer.name] = peer, held.enter_context(peer.serving(folder))
        _visible(bench, served)
        for clients, wanted in ((1, {"pypiron": 0.8, "devpi": 20}), (8, {"pypiron": 0.5, "devpi": 20})):
            _rate(bench, served, clients, wanted)
        _crowded(bench, served["mypi"])


def _visible(bench: Bench, served: dict[str, tuple[Peer, Process]]) -> None:
    table = bench.table(
        *("publish", "from upload to visible on the page", "ms"), better="less", wanted={"pypiron": 20, "devpi": 20}
    )
    numbers = itertools.count()

    def once(peer: Peer, process: Process) -> float:
        package = corpora.wheel(f"acme-seen-{next(numbers)}", "1.0")
        publisher = peer.publisher(process)
        with contextlib.closing(publisher):
            began = time.perf_counter()
            publisher.publish(package)
            publisher.wait_for(peer.page(package.project), package.filename)
            return (time.perf_counter() - began) * 1000

    def several(peer: Peer, process: Process) -> float:
        return statistics.median(once(peer, process) for _ in range(bench.of(10)))

    bench.in_turns(table, {name: _call(several, *each) for name, each in served.items()})


def _rate(bench: Bench, served: dict[str, tuple[Peer, Process]], clients: int, wanted: dict[str, float]) -> None:
    who = "one client" if clients == 1 else f"{clients} clients"
    table = bench.table("publish", f"small wheels, {who}", "uploads a second", wanted=wanted)
    slowest = bench.table(
        *("publish", f"the slowest of a hundred beside the middle one (p99/p50), {who}", "times"),
        better="less",
        bounds={"mypi": 10},
    )
    numbers = itertools.count()

    def once(peer: Peer, process: Process) -> float:
        count = bench.of(20 if isinstance(peer, Devpi) else 200)
        name = f"acme-rate-{clients}-{next(numbers)}"
        took, whole = load.publish_all(_series(name, count), lambda: peer.publisher(process), clients)
        took.sort()
        slowest.add(peer.name, took[int(len(took) * 0.99)] / statistics.median(took))
        return count / whole

    bench.in_turns(table, {name: _call(once, *each) for name, each in served.items()})
    table.notes += [f"{name}: {peer.note}." for name, (peer, _) in served.items() if peer.note]


def _crowded(bench: Bench, mypi: tuple[Peer, Process]) -> None:
    """Add a file to a project that has ten thousand."""
    size = bench.of(10_000)
    title = f"one more file in a project of {size:,}"
    table = bench.table("publish", title, "ms", better="less", bounds={"mypi": 300})
    folder = bench.folder / "publish" / "crowded"
    corpora.bulk(folder / "store", 1, 1, large=size)
    peer = Mypi()
    with peer.serving(folder) as process, contextlib.closing(peer.publisher(process)) as publisher:
        bench.say(table.title)
        publisher.lists(peer.page("acme-huge"), "none")
        for number in range(bench.rounds):
            table.add("mypi", publisher.publish(corpora.wheel("acme-huge", f"2.{number}")) * 1000)
            bench.bar.update()


def _series(name: str, count: int) -> Iterator[corpora.Package]:
    """Yield wheels of several projects: of one, uploads would wait for each other."""
    for number in range(count):
        yield corpora.wheel(f"{name}-{number % 20}", f"1.{number}")


def _call(work: Callable[[Peer, Process], float], peer: Peer, process: Process) -> Callable[[], float]:
    return lambda: work(peer, process)
