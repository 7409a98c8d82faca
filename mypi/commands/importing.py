"""``mypi import``: take in folders of sdists and wheels; what cannot be taken is named, the rest is in."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .. import names
from ..artifacts import RELAXABLE, ArtifactError
from ..model import ModelError
from ..names import InvalidName, InvalidVersion
from ..repository import Refused, Repository, Submission
from ..store import CHUNK
from .configuration import CommandError, actor, repository

REFUSALS = (ArtifactError, InvalidName, InvalidVersion, ModelError, Refused, OSError)


def add_to(commands: Any) -> None:
    text = "publish every sdist and wheel of folders, and files"
    command = commands.add_parser("import", help=text, description=text.capitalize() + ".")
    command.add_argument("paths", nargs="+", metavar="PATH", help="a folder (with all below it) or a file")
    command.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=sorted(RELAXABLE),
        help="take history that breaks this check: " + "; ".join(f"{k}: {v}" for k, v in sorted(RELAXABLE.items())),
    )
    command.add_argument("-n", "--dry-run", action="store_true", help="only name the files that would be tried")
    command.set_defaults(run=import_all)


def import_all(arguments: argparse.Namespace) -> int:
    found = sorted(_files(arguments.paths))
    if arguments.dry_run:
        for path in found:
            print(path)
        print(f"{len(found)} files would be tried: --dry-run")
        return 0
    refused = []
    total = sum(path.stat().st_size for path in found)
    with (
        repository(arguments) as index,
        tqdm(total=total, unit="B", unit_scale=True, desc="import", disable=not sys.stderr.isatty()) as bar,
    ):
        for path in found:
            try:
                import_file(index, path, frozenset(arguments.allow))
            except REFUSALS as exc:
                refused.append(path)
                tqdm.write(f"refused {path}: {exc}", file=sys.stderr)
            bar.update(path.stat().st_size)
    print(f"{len(found) - len(refused)} imported, {len(refused)} refused")
    return 1 if refused else 0


def import_file(index: Repository, path: Path, allow: frozenset[str]) -> None:
    """Publish one file with the signature that lies beside it. Raises one of REFUSALS, StoreError."""
    filename = names.filename(path.name)
    signature = path.with_name(path.name + ".asc")
    hashed = hashlib.sha256()
    with index.spool() as spool, path.open("rb") as source:
        while chunk := source.read(CHUNK):
            hashed.update(chunk)
            spool.write(chunk)
        submission = Submission(
            filename=filename,
            content=spool,
            size=spool.tell(),
            sha256=hashed.hexdigest(),
            signature=signature.read_bytes() if signature.is_file() else None,
            allow=allow,
        )
        index.publish(submission, actor())


def _files(paths: list[str]) -> Iterator[Path]:
    """Yield the files to try: all that are named, and below folders all but signatures and hidden ones."""
    for path in map(Path, paths):
        if path.is_dir():
            for below in path.rglob("*"):
                hidden = any(part.startswith(".") for part in below.relative_to(path).parts)
                if below.is_file() and below.suffix != ".asc" and not hidden:
                    yield below
        elif path.is_file():
            yield path
        else:
            raise CommandError(f"{path} is neither a file nor a folder")
