"""How long the overview of an index of many projects takes, and what it costs: ``python -m benchmarks.overview``.

It publishes nothing: the documents and the metadata are written as publishing would leave them.
"""

from __future__ import annotations

import argparse
import gc
import io
import random
import resource
import secrets
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mypi.model import Actor, Event, File, Names, Project
from mypi.overview import Overview, keeper
from mypi.repository import Repository
from mypi.settings import Settings

WORDS = (
    *("acme", "draws", "reads", "writes", "fast", "small", "charts", "data", "tables", "parses", "checks", "runs"),
    *("cloud", "tests", "plans", "maps", "sends"),
)


def document(number: int, projects: int) -> tuple[Project, bytes]:
    """A project of five releases with a wheel and an sdist each, and metadata with eight requirements."""
    draw = random.Random(number)  # noqa: S311 - the same index each time
    name = f"{draw.choice(WORDS)}-{draw.choice(WORDS)}-{number}"
    summary = " ".join(draw.choice(WORDS) for _ in range(10))
    needs = "".join(f"Requires-Dist: acme-acme-{draw.randrange(projects)}>=1.{n}\n" for n in range(8))
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: 5.0\nSummary: {summary}\nKeywords: {summary[:40]}\n{needs}"
    metadata = f"{head}\n{'It does what it says. ' * 200}".encode()
    files, history = {}, []
    for release in range(1, 6):
        for ending in ("-py3-none-any.whl", ".tar.gz"):
            at = f"2026-{draw.randrange(1, 12):02}-{release + 1:02}T00:00:00.000000Z"
            filename = f"{name.replace('-', '_')}-{release}.0{ending}"
            digest = secrets.token_hex(32)
            files[filename] = File(
                filename, f"{release}.0", secrets.token_hex(8), 10**5, digest, at, "alice", metadata=digest
            )
            history.append(Event(at, "publish", "alice", "127.0.0.1", filename, f"{release}.0"))
    return Project(name, name, secrets.token_hex(8), files=files, history=tuple(history)), metadata


def fill(repository: Repository, projects: int) -> None:
    """Write the documents, the names, and the metadata of each newest release."""
    store = repository.catalogue.store
    names = {}
    for number in range(projects):
        project, metadata = document(number, projects)
        names[project.name] = project.display
        for file in project.files.values():
            if file.version == "5.0":
                key = f"files/main/{project.name}/{file.token}/{file.filename}.metadata"
                store.add(key, io.BytesIO(metadata), len(metadata))
        store.swap(f"indexes/main/{project.name}.json", project.dump(), None)
    store.swap("indexes/main.json", Names(names, "1").dump(), None)


def timed(what: str, work: Callable[[], Any], times: int = 1) -> None:
    """Print the time by the clock and that of the processor, which others on the machine change less."""
    begun, used = time.perf_counter(), time.process_time()
    for _ in range(times):
        work()
    clock, processor = time.perf_counter() - begun, time.process_time() - used
    print(f"{what:50} {clock / times * 1000:10.1f} ms, {processor / times * 1000:10.1f} of the processor", flush=True)


def seen(project: str) -> bool:
    return True


def waited(overview: Overview) -> None:
    while not overview.complete:
        time.sleep(0.01)


def build(repository: Repository) -> Overview:
    overview = Overview(repository)
    overview.counts(seen)
    waited(overview)
    return overview


def measure(kind: str, projects: int, folder: Path) -> None:
    ini = {"mypi.storage": kind} | ({"mypi.storage.path": str(folder / "store")} if kind != "memory" else {})
    repository = Repository.open(Settings.load(ini, {}))
    fill(repository, projects)
    print(f"{kind}, {projects} projects")
    overview = Overview(repository)
    timed("the first page", lambda: overview.counts(seen))
    timed("until everything else is read", lambda: waited(overview))
    timed("a search that finds some", lambda: overview.search("charts draws", seen), 20)
    timed("a search that finds all", lambda: overview.search("", seen), 20)
    timed("recent uploads", lambda: overview.recent(seen), 20)
    timed("counts", lambda: overview.counts(seen), 20)
    timed("dependents", lambda: overview.dependents("acme-acme-7", seen), 20)
    timed("events", lambda: overview.events(seen), 20)
    overview._keeper._due = 0.0
    timed("a page that looks for changes on other nodes", lambda: overview.counts(seen))
    name = overview.search("", seen, 1)[0][0].name
    repository.set_status(name, "archived", "", Actor("alice", "command"))
    timed("a page after an edit", lambda: overview.counts(seen))
    gc.collect()
    tracemalloc.start()
    kept = build(repository)
    gc.collect()
    print(f"{'memory of what is kept':50} {tracemalloc.get_traced_memory()[0] / 2**20:10.1f} MiB")
    tracemalloc.stop()
    assert kept.complete
    print(f"{'largest size of the process':50} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:10.1f} MiB\n")
    repository.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=10_000)
    parser.add_argument("--stores", nargs="+", default=["memory", "filesystem"])
    given = parser.parse_args()
    keeper.INTERVAL = 3600.0
    for kind in given.stores:
        with tempfile.TemporaryDirectory() as folder:
            measure(kind, given.projects, Path(folder))


if __name__ == "__main__":
    main()
