"""Project pages, metadata and small files, beside other indexes and beside what the machine can do."""

from __future__ import annotations

import contextlib
import html
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import urljoin

from .. import baselines, corpora, load
from ..bench import Bench
from ..peers import Devpi, Mypi, Peer, Pypiron, Pypiserver
from ..results import MACHINE, Table
from ..running import Process

Served = dict[str, tuple[Peer, Process]]

HTML = "text/html"
DEVPI = 200
"""Files of the large project that devpi gets: it takes ten uploads a second, and fewer the more a project has."""

WANTED = {MACHINE: 0.65, "devpi": 5, "pypiserver": 100}


def measure(bench: Bench) -> None:
    """Serve the same packages by all of them, and ask for the same things in turns."""
    load.need_wrk()
    packages = list(corpora.packages(bench.of(1000), 5, bench.of(1000)))
    asked = [each for each in packages if each.project == corpora.FEW]
    asked += [each for each in packages if each.project == corpora.MANY][:DEVPI]
    peers: list[Peer] = [Mypi(), Mypi("zodb"), Pypiserver(), Pypiron(), Devpi()]
    with contextlib.ExitStack() as held:
        served: Served = {}
        fills: list[Callable[[], None]] = []
        for peer in filter(lambda peer: bench.takes(peer.name), peers):
            bench.say(f"installing and starting {peer.name}")
            peer.install()
            folder = bench.folder / "pages" / peer.name.replace(" ", "-")
            process = held.enter_context(peer.serving(folder))
            served[peer.name] = peer, process
            fills.append(partial(peer.fill, process, folder, asked if isinstance(peer, Devpi) else packages))
        bench.say("filling all of them")
        _at_once(fills)
        pages = [(corpora.FEW, 5, load.JSON), (corpora.FEW, 5, HTML)]
        pages += [(corpora.MANY, bench.of(1000), form) for form in (load.JSON, HTML)]
        for project, count, form in pages[:1] if bench.small else pages:
            _page(bench, served, project, count, form)
        _unchanged(bench, served)
        _small(bench, served)


def _at_once(fills: list[Callable[[], None]]) -> None:
    """Let all be filled at the same time, as one alone does not keep two cores busy.

    Whoever is interrupted does not wait for them here. They fail when the servers are ended.
    """
    workers = ThreadPoolExecutor(len(fills))
    try:
        for each in [workers.submit(fill) for fill in fills]:
            each.result()
    finally:
        workers.shutdown(wait=False, cancel_futures=True)


def _page(bench: Bench, served: Served, project: str, count: int, form: str) -> None:
    name = "JSON" if form == load.JSON else "HTML"
    table = bench.table("pages", f"page of {count:,} files, {name}", "answers a second", wanted=WANTED)
    urls = {name: f"http://127.0.0.1:{process.port}{peer.page(project)}" for name, (peer, process) in served.items()}
    if count > DEVPI and "devpi" in served:
        table.notes.append(f"The page of devpi has {DEVPI} files, as it would take minutes to upload more.")
    _with_machine(bench, table, urls, {"Accept": form})


def _unchanged(bench: Bench, served: Served) -> None:
    peer, process = served["mypi"]
    url = f"http://127.0.0.1:{process.port}{peer.page(corpora.FEW)}"
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": load.JSON})) as answer:
        etag = answer.headers["ETag"]
    title = "page that the client has (304)"
    table = bench.table("pages", title, "answers a second", wanted={MACHINE: 0.7})
    table.notes.append("The others send the page whole.")
    _with_machine(bench, table, {"mypi": url}, {"Accept": load.JSON}, {"If-None-Match": etag})


def _small(bench: Bench, served: Served) -> None:
    files = {name: _file(peer, process) for name, (peer, process) in served.items()}
    for title, ending in (("metadata", ".metadata"), ("small file", "")):
        urls = {name: url + ending for name, url in files.items() if not ending or _is_there(url + ending)}
        table = bench.table("pages", title, "answers a second", wanted={MACHINE: 0.55, "devpi": 5})
        left = ", ".join(name for name in files if name not in urls)
        table.notes += [f"Not served by {left}."] if left else []
        _with_machine(bench, table, urls, {})


def _with_machine(
    bench: Bench,
    table: Table,
    urls: Mapping[str, str],
    headers: Mapping[str, str],
    more: Mapping[str, str] | None = None,
) -> None:
    """Measure addresses beside the machine's own speed with the bytes that mypi answers.

    ``more`` are headers that are sent besides, but not when those bytes are fetched.
    """
    place = bench.folder / "machine" / "".join(c if c.isalnum() else "-" for c in table.title)
    baselines.save(place, urls["mypi"], headers)
    with contextlib.ExitStack() as held:
        everybody = dict(urls)
        for kind in (MACHINE, "bare Pyramid", "nginx"):
            everybody[kind] = f"http://127.0.0.1:{held.enter_context(baselines.serving(kind, place)).port}/"
        sent = {**headers, **(more or {})}
        measures: dict[str, Callable[[], float]] = {
            name: partial(load.requests, address, bench.seconds, sent) for name, address in everybody.items()
        }
        bench.in_turns(table, measures)


def _file(peer: Peer, process: Process) -> str:
    """Return the address of the first file that a page names."""
    page = f"http://127.0.0.1:{process.port}{peer.page(corpora.FEW)}"
    with urllib.request.urlopen(urllib.request.Request(page, headers={"Accept": HTML})) as answer:
        text = answer.read().decode()
    found = next(link for link in re.findall(r"""href=["']([^"']+)["']""", text) if ".whl" in link)
    return urljoin(page, html.unescape(found).partition("#")[0])


def _is_there(url: str) -> bool:
    try:
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False
