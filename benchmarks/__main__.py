"""``python -m benchmarks [PART …]``: measure, and write RESULTS.md, results.json and charts."""

from __future__ import annotations

import argparse
import atexit
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from . import results
from .bench import Bench, Progress
from .parts import PARTS


def main() -> int:
    """Measure; return how many parts could not be."""
    given = _given()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell began it in the background
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)  # as Ctrl-C does: what was started is ended on the way out
    began = time.monotonic()
    chosen = {name: PARTS[name] for name in given.parts or PARTS}
    folder = Path(tempfile.mkdtemp(prefix="mypi-bench-", dir="build" if Path("build").is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # once threads that were interrupted write no more
    length = {name: part.seconds * given.rounds / 5 for name, part in chosen.items()}
    failed: dict[str, str] = {}
    shape = "{percentage:3.0f}% |{bar:20}| {elapsed} {desc}"
    with tqdm(total=sum(length.values()), bar_format=shape, dynamic_ncols=True) as bar:
        progress = Progress(bar)
        bench = Bench(folder, given.rounds, given.seconds, given.small, progress, given.peers)
        about = {name: part.about for name, part in chosen.items()}
        for name, part in chosen.items():
            progress.begin(length[name])
            try:
                part.measure(bench)
            except Exception as exc:
                failed[name] = f"{type(exc).__name__}: {exc}"
            results.write(bench.tables, given.output, time.monotonic() - began, about, failed)
        progress.end()
    for name, why in failed.items():
        print(f"{name} could not be measured: {why}", file=sys.stderr)
    print(f"wrote {given.output}/RESULTS.md")
    return len(failed)


def _given() -> argparse.Namespace:
    reads = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    reads.add_argument("parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)} (all)")
    reads.add_argument("--rounds", type=int, default=5, help="how often each subject is measured (5)")
    reads.add_argument("--seconds", type=float, default=1, help="how long each time (1)")
    reads.add_argument("--small", action="store_true", help="tiny corpora, to see that everything works")
    reads.add_argument("--peers", type=lambda text: text.split(","), default=(), help="such as mypi,devpi (all)")
    reads.add_argument("--output", type=Path, default=Path("benchmarks"), help="where the results go (benchmarks)")
    given = reads.parse_args()
    unknown = set(given.parts) - set(PARTS)
    if unknown:
        reads.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return given


def _end(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; all that was started is ended")
