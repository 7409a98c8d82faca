"""``python -m benchmarks [PART …]``: measure, and write RESULTS.md, results.json and charts."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from . import results
from .bench import Bench
from .parts import PARTS


def main() -> None:
    reads = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    reads.add_argument("parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)} (all)")
    reads.add_argument("--rounds", type=int, default=5, help="how often each subject is measured (5)")
    reads.add_argument("--seconds", type=float, default=1, help="how long each time (1)")
    reads.add_argument("--small", action="store_true", help="tiny corpora, to see that everything works")
    reads.add_argument("--output", type=Path, default=Path("benchmarks"), help="where the results go (benchmarks)")
    given = reads.parse_args()
    unknown = set(given.parts) - set(PARTS)
    if unknown:
        reads.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="mypi-bench-", dir="build" if Path("build").is_dir() else None))
    with tqdm(unit="", desc="starting", dynamic_ncols=True) as bar:
        bench = Bench(folder, given.rounds, given.seconds, given.small, bar)
        try:
            for name in given.parts or PARTS:
                PARTS[name](bench)
                results.write(bench.tables, given.output, time.monotonic() - began)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"wrote {given.output}/RESULTS.md")


if __name__ == "__main__":
    main()
