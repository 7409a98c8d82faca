"""Project pages, metadata and small files, beside other indexes and beside what the machine can do."""

from __future__ import annotations

import contextlib
import urllib.request
from collections.abc import Callable
from functools import partial

from .. import baselines, corpora, load
from ..bench import Bench
from ..peers import Devpi, Mypi, Peer, Pypiron, Pypiserver
from ..results import MACHINE
from ..running import Process

HTML = "text/html"
WANTED = {MACHINE: 0.65, "devpi": 5, "pypiserver": 100}


def measure(bench: Bench) -> None:
    """Serve the same packages by all of them, and ask for the same things in turns."""
    load.need_wrk()
    packages = list(corpora.packages(bench.of(1000), 5, bench.of(1000)))
    # devpi takes ten files a second: it gets the two projects that are asked for, and none to be among.
    asked = [each for each in packages if each.project in (corpora.FEW, corpora.MANY)]
    peers: list[tuple[Peer, list[corpora.Package]]] = [
        *((peer, packages) for peer in (Mypi(), Mypi("zodb"), Pypiserver(), Pypiron())),
        (Devpi(), asked),
    ]
    with contextlib.ExitStack() as held:
        served: dict[str, tuple[Peer, Process]] = {}
        for peer, theirs in peers:
            bench.say(f"filling {peer.name}")
            peer.install()
            folder = bench.folder / "pages" / peer.name.replace(" ", "-")
            process = held.enter_context(peer.serving(folder))
            peer.fill(process, folder, theirs)
            served[peer.name] = peer, process
        for project, count in ((corpora.FEW, 5), (corpora.MANY, bench.of(1000))):
            for form, name in ((load.JSON, "JSON"), (HTML, "HTML")):
                _page(bench, served, project, f"page of {count} files, {name}", {"Accept": form})
        _unchanged(bench, served)
        _small(bench, served)


def _page(
    bench: Bench, served: dict[str, tuple[Peer, Process]], project: str, title: str, headers: dict[str, str]
) -> None:
    table = bench.table("pages", title, "answers a second", wanted=WANTED)
    urls = {name: f"http://127.0.0.1:{process.port}{peer.page(project)}" for name, (peer, process) in served.items()}
    _with_machine(bench, table.title, urls["mypi"], headers, urls, headers, table)


def _unchanged(bench: Bench, served: dict[str, tuple[Peer, Process]]) -> None:
    peer, process = served["mypi"]
    url = f"http://127.0.0.1:{process.port}{peer.page(corpora.FEW)}"
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": load.JSON})) as answer:
        known = {"Accept": load.JSON, "If-None-Match": answer.headers["ETag"]}
    table = bench.table("pages", "page that the client has (304)", "answers a second", wanted={MACHINE: 0.7})
    _with_machine(bench, table.title, url, {"Accept": load.JSON}, {"mypi": url}, known, table)


def _small(bench: Bench, served: dict[str, tuple[Peer, Process]]) -> None:
    peer, process = served["mypi"]
    file = f"http://127.0.0.1:{process.port}{_file(process, peer.page(corpora.FEW))}"
    for title, url in (("metadata", f"{file}.metadata"), ("small file", file)):
        table = bench.table("pages", title, "answers a second", wanted={MACHINE: 0.55})
        _with_machine(bench, title, url, {}, {"mypi": url}, {}, table)


def _with_machine(bench, title, url, as_saved, urls, headers, table) -> None:  # type: ignore[no-untyped-def]
    """Measure addresses beside the machine's own speed with the bytes that one of them answers."""
    place = bench.folder / "machine" / "".join(c if c.isalnum() else "-" for c in title)
    baselines.save(place, url, as_saved)
    with contextlib.ExitStack() as held:
        everybody = dict(urls)
        for kind in (MACHINE, "bare Pyramid", "nginx"):
            everybody[kind] = f"http://127.0.0.1:{held.enter_context(baselines.serving(kind, place)).port}/"
        measures: dict[str, Callable[[], float]] = {
            name: partial(load.requests, address, bench.seconds, headers) for name, address in everybody.items()
        }
        bench.in_turns(table, measures)


def _file(process: Process, page: str) -> str:
    import json
    from urllib.parse import urljoin

    request = urllib.request.Request(f"http://127.0.0.1:{process.port}{page}", headers={"Accept": load.JSON})
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
        found: str = urljoin(page, json.load(answer)["files"][0]["url"])
    return found
