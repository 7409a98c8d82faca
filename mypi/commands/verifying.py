"""``mypi verify``: read and hash everything again, and say precisely what is wrong."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from tqdm import tqdm

from .configuration import repository


def add_to(commands: Any) -> None:
    text = "read and hash every file again and name what is damaged; the exit code says whether anything is"
    command = commands.add_parser("verify", help=text, description=text.capitalize() + ".")
    command.set_defaults(run=verify)


def verify(arguments: argparse.Namespace) -> int:
    objects = problems = size = 0
    with (
        repository(arguments, reading=True) as index,
        tqdm(unit="B", unit_scale=True, desc="verify", disable=not sys.stderr.isatty()) as bar,
    ):
        for finding in index.verify():
            objects, size = objects + 1, size + finding.size
            bar.update(finding.size)
            if finding.problem:
                problems += 1
                tqdm.write(f"{finding.subject}: {finding.problem}", file=sys.stdout)
    print(f"{objects} objects, {size:,} bytes: {f'{problems} damaged' if problems else 'all is well'}")
    return 1 if problems else 0
