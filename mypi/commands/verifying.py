"""``mypi verify``: read and hash everything again, say precisely what is wrong, and mend what can be mended."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from ..repository import Finding, Repository
from .configuration import actor, add_dry_run, confirmed, repository


def add_to(commands: Any) -> None:
    text = "read and hash every file again and name what is damaged; the exit code says whether anything is"
    command = commands.add_parser("verify", help=text, description=text.capitalize() + ".")
    command.add_argument(
        "--repair",
        action="store_true",
        help="mark what is damaged and withdraw it from the pages, offer what is right again, make again what can be "
        "made again, and name what must come from a backup; nothing is deleted",
    )
    add_dry_run(command)
    command.set_defaults(run=verify)


def verify(arguments: argparse.Namespace) -> int:
    repairing = arguments.repair and not arguments.dry_run
    with repository(arguments, reading=not repairing) as index:
        found = _read(index)
        if not (arguments.repair or arguments.dry_run):
            return 1 if found else 0
        proposed = _propose(index, found)
        if arguments.dry_run:
            print("nothing was done: --dry-run")
            return 1 if found else 0
        if proposed and not confirmed(arguments):
            return 1
        return _repair(index, found)


def _read(index: Repository) -> list[Finding]:
    """Read everything, print what is wrong as it is found, and return it."""
    objects = size = 0
    found = []
    with tqdm(unit="B", unit_scale=True, desc="verify", disable=not sys.stderr.isatty()) as bar:
        for finding in index.verify():
            objects, size = objects + 1, size + finding.size
            bar.update(finding.size)
            if finding.problem:
                found.append(finding)
                known = " (marked as damaged)" if finding.marked and finding.kind == "wrong" else ""
                tqdm.write(f"{finding.subject}: {finding.problem}{known}", file=sys.stdout)
    print(f"{objects} objects, {size:,} bytes: {_summary(found)}")
    return found


def _summary(found: list[Finding]) -> str:
    """Count what was found: what cannot be read now is no damage."""
    unread = sum(finding.kind == "unread" for finding in found)
    again = sum(finding.kind == "right again" for finding in found)
    damaged = len(found) - unread - again
    counts = ((damaged, "damaged"), (unread, "could not be read now"), (again, "right again"))
    return ", ".join(f"{count} {what}" for count, what in counts if count) or "all is well"


def _propose(index: Repository, found: Iterable[Finding]) -> bool:
    """Print what would be done; tell whether it is anything."""
    proposals = dict.fromkeys(index.mender.proposal(finding) for finding in found)
    proposals.pop("", None)
    for proposal in proposals:
        print(f"would {proposal}")
    return bool(proposals)


def _repair(index: Repository, found: Iterable[Finding]) -> int:
    """Do it, and print what was done and what is left; return the exit code."""
    left = 0
    listed = False
    for finding in found:
        if finding.names and listed:
            continue
        listed = listed or finding.names
        repair = index.mender.repair(finding, index.event(actor()))
        if repair.done:
            print(f"done: {repair.done}")
        if repair.left:
            left += 1
            print(f"left: {repair.left}")
    print(f"{left} left to do by hand" if left else "all is well now" if found else "nothing to repair")
    return 1 if left else 0
