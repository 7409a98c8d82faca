"""``mypi import``: take in folders of sdists and wheels; what cannot be taken is named, the rest is in."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .. import names
from ..artifacts import RELAXABLE, ArtifactError
from ..attestations import AttestationError
from ..fields import text
from ..model import ModelError
from ..names import InvalidName, InvalidVersion
from ..repository import Refused, Repository, Submission
from ..store import CHUNK
from ..upstream import Theirs, Unasked, Upstream
from .configuration import CommandError, actor, repository, settings

REFUSALS = (ArtifactError, AttestationError, InvalidName, InvalidVersion, ModelError, Refused, Theirs, Unasked, OSError)

ATTESTATIONS = (".publish.attestation", ".slsa.attestation")
"""What signing tools add to a file's name, where they write an attestation of it."""

BESIDE = (".asc", ".attestation")


def add_to(commands: Any) -> None:
    what = "publish every sdist and wheel of folders, and files"
    command = commands.add_parser("import", help=what, description=what.capitalize() + ".")
    command.add_argument("paths", nargs="+", metavar="PATH", help="a folder (with all below it) or a file")
    command.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=sorted(RELAXABLE),
        help="take history that breaks this check: " + "; ".join(f"{k}: {v}" for k, v in sorted(RELAXABLE.items())),
    )
    command.add_argument(
        "--takeover",
        action="store_true",
        help="make names ours that another index has, or that cannot be asked there; see mypi takeover",
    )
    command.add_argument("-n", "--dry-run", action="store_true", help="only name the files that would be tried")
    command.set_defaults(run=import_all)


def import_all(arguments: argparse.Namespace) -> int:
    found, refused = _files(arguments.paths)
    if arguments.dry_run:
        for path in sorted(found):
            print(path)
        print(f"{len(found)} files would be tried: --dry-run")
        return 0
    for unread in refused:
        print(f"refused {unread}", file=sys.stderr)
    imported = 0
    bar = tqdm(total=sum(found.values()), unit="B", unit_scale=True, desc="import", disable=not sys.stderr.isatty())
    with repository(arguments) as index, bar:
        _look_elsewhere(index, arguments)
        for path, size in sorted(found.items()):
            try:
                import_file(index, path, frozenset(arguments.allow))
                imported += 1
            except REFUSALS as exc:
                refused.append(str(path))
                tqdm.write(f"refused {path}: {exc}", file=sys.stderr)
            bar.update(size)
    print(f"{imported} imported, {len(refused)} refused")
    return 1 if refused else 0


def _look_elsewhere(index: Repository, arguments: argparse.Namespace) -> None:
    """Begin no project whose name another index has, unless the names are to be taken over."""
    upstream = Upstream.of(settings(arguments), index)
    if upstream is None or not arguments.takeover:
        return

    def take_over(name: str, display: str) -> None:
        try:
            upstream.check_new(name)
        except (Theirs, Unasked):
            index.take_over(name, display, "import --takeover", actor())

    index.before_begin(take_over)


def import_file(index: Repository, path: Path, allow: frozenset[str]) -> None:
    """Publish one file with the signature and the attestations beside it. Raises one of REFUSALS, StoreError."""
    filename = names.filename(path.name)
    signature, *attestations = (path.with_name(path.name + ending) for ending in (".asc", *ATTESTATIONS))
    attested = [text(each.read_bytes()) for each in attestations if each.is_file()]
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
            attestations=f"[{','.join(attested)}]" if attested else None,
            allow=allow,
        )
        index.publish(submission, actor())


def _files(paths: list[str]) -> tuple[dict[Path, int], list[str]]:
    """Return the files to try with their sizes, and what cannot be read.

    All that are named are tried, and below folders all but hidden ones and what lies beside others. CommandError.
    """
    found: dict[Path, int] = {}
    unread: list[OSError] = []
    for named in map(Path, paths):
        if named.is_dir():
            for folder, folders, files in os.walk(named, onerror=unread.append):
                folders[:] = [name for name in folders if not name.startswith(".")]
                below = [Path(folder, name) for name in files if not name.startswith(".") and not name.endswith(BESIDE)]
                found |= {path: path.stat().st_size for path in below if path.is_file()}
        elif named.is_file():
            found[named] = named.stat().st_size
        else:
            raise CommandError(f"{named} is neither a file nor a folder")
    return found, [f"{exc.filename}: {exc.strerror}" for exc in unread]
