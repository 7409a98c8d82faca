"""``mypi copy``, ``unseal``, ``backup`` and the restoring of backups: an index in another place, whole."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..options import number
from ..repository import Damaged, NoIndex, Outcome, Progress, Repository, lies_in
from ..settings import Settings, StoreSettings, backend
from ..store import NotFound
from .configuration import CommandError, actor, confirmed, repository, settings, settings_in

TAR = "mypi.backends.tar:TarStore"


def add_to(commands: Any) -> None:
    text = "copy an index to another place, whole and as often as wanted; what is newer there is left alone"
    copy = commands.add_parser("copy", help=text, description=text.capitalize() + ".")
    copy.add_argument("source", metavar="FROM.ini", help="the .ini file that names the index as it is")
    copy.add_argument("target", metavar="TO.ini", help="the .ini file that names its new place")
    copy.add_argument(
        "--catch-up", action="store_true", help="seal the source, so that it takes no more changes, and copy the rest"
    )
    add_jobs(copy)
    copy.set_defaults(run=copy_index)
    text = "take changes again after `mypi copy --catch-up` from here"
    unseal = commands.add_parser("unseal", help=text, description=text.capitalize() + ".")
    unseal.add_argument("-y", "--yes", action="store_true", help="do not ask at a terminal")
    add_jobs(unseal)
    unseal.set_defaults(run=take_seal_off)
    text = "copy the index into a folder, which is a store itself and is brought up to date, or into a new tar of one"
    saved = commands.add_parser("backup", help=text, description=text.capitalize() + ".")
    saved.add_argument("target", metavar="TARGET", help="a folder, or a file that is to be and ends in .tar")
    add_jobs(saved)
    saved.set_defaults(run=back_up)


def add_jobs(command: argparse.ArgumentParser) -> None:
    """Add the option of a command that copies."""
    command.add_argument("--jobs", type=jobs, default=8, metavar="N", help="projects under way at a time (8)")


def jobs(text: str) -> int:
    """Read how many threads are to work."""
    try:
        found = number(text)
    except ValueError:
        found = 0
    if not 1 <= found <= 100:
        raise argparse.ArgumentTypeError(f"from 1 to 100, not {text}")
    return found


def copy_index(arguments: argparse.Namespace) -> int:
    _refuse_environment()
    source, target = settings_in(arguments.source), settings_in(arguments.target)
    sealing: bool = arguments.catch_up
    with (
        closing(Repository.open(source, reading=not sealing, new=False)) as old,
        closing(Repository.open(target)) as new,
    ):
        try:
            code = _copy(old, new, arguments.jobs, catch_up=sealing)
        except BaseException:
            if sealing:
                print(_sealed(arguments.source, "may be sealed by now"), file=sys.stderr)
            raise
    if sealing:
        print(_sealed(arguments.source, "is sealed: it takes no more changes, and was copied as it will stay"))
    print(f"next: `mypi -c {arguments.target} verify` reads every byte there again")
    return code


def _sealed(source: str, what: str) -> str:
    return f"{source} {what}; `mypi -c {source} unseal` takes that back"


def take_seal_off(arguments: argparse.Namespace) -> int:
    with repository(arguments) as index:
        print("this index will take changes again: publish here from now on, and not at its new place")
        if not confirmed(arguments):
            return 1
        count = index.unseal(jobs=arguments.jobs)
    print(f"{_many(count, 'document')} unsealed" if count else "nothing was sealed")
    return 0


def back_up(arguments: argparse.Namespace) -> int:
    own, target = settings(arguments), Path(arguments.target).absolute()
    if outer := next((folder for folder in target.resolve().parents if lies_in(folder)), None):
        # Its documents would be those of the outer store, too: copied by the next backup, and sealed with it.
        raise CommandError(f"{target} lies in {outer}, which is a store itself; name a place outside of it")
    if target.suffix == ".tar":
        return _back_up_tar(own, target, arguments.jobs)
    if target.is_dir() and not lies_in(target) and any(map(_counts, target.iterdir())):
        raise CommandError(f"{target} has something in it, and is no store; name an empty folder, or one to be made")
    with (
        closing(Repository.open(own, reading=True, new=False)) as index,
        closing(Repository.open(_kept_in(own, "filesystem", target))) as kept,
    ):
        code = _copy(index, kept, arguments.jobs)
    print(f"{target} is a store that mypi can serve as it is")
    return code


def _counts(entry: Path) -> bool:
    """Tell whether an entry of a folder is somebody's: a new disk has some of its own."""
    return not entry.name.startswith(".") and entry.name != "lost+found"


def _back_up_tar(own: Settings, target: Path, jobs: int) -> int:
    if target.exists():
        raise CommandError(f"{target} exists; name another file, or remove it first")
    part = target.with_name(target.name + ".part")
    with (
        closing(Repository.open(own, reading=True, new=False)) as index,
        closing(Repository.open(_kept_in(own, TAR, part))) as kept,
    ):
        code = _copy(index, kept, jobs)
        # Renamed while it is open, and so locked: another backup to the same name would begin it anew.
        try:
            _sync(part)
            part.rename(target)
            _sync(target.parent)
        except OSError as exc:
            raise CommandError(f"{target} cannot be finished: {exc.strerror}") from exc
    print(f"{target} is written; it unpacks into a store")
    return code


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def restore_backup(arguments: argparse.Namespace) -> int:
    """Copy a folder or a tar that `mypi backup` wrote, or a copy of a store's folder, into the index."""
    source = Path(arguments.project).absolute()
    if not source.exists():
        raise CommandError(
            f"there is no backup {arguments.project}; to bring removed files back, name a version or a file as well"
        )
    if arguments.dry_run:
        raise CommandError("--dry-run is for removed files; a backup is taken in without taking anything away")
    own = settings(arguments)
    with closing(_backup(own, source)) as kept, closing(Repository.open(own)) as index:
        code = _copy(kept, index, arguments.jobs)
        for name in _put_back(kept, index):
            print(f"put back, and offered again: {name}")
    print("next: `mypi verify` reads every byte again")
    return code


def _put_back(kept: Repository, index: Repository) -> Iterator[str]:
    """Put back what is marked as damaged and whole in the backup, also of projects that are newer than it."""
    for name, _ in index.catalogue.entries():
        with suppress(NotFound, Damaged):
            yield from index.mender.take_from(kept.mender, kept.project(name).value, index.event(actor()))


def _backup(own: Settings, source: Path) -> Repository:
    """Open a backup, and tell it from what is none before anything is written to that."""
    refusal = CommandError(f"{source} is no backup of mypi: it has no store.json of its own; name the folder that has")
    if source.is_dir() and not lies_in(source):
        raise refusal
    try:
        return Repository.open(_kept_in(own, "filesystem" if source.is_dir() else TAR, source), reading=True)
    except NoIndex as exc:
        raise refusal from exc


def _kept_in(own: Settings, name: str, path: Path) -> Settings:
    """Return the settings with all of the index in one place of the local file system."""
    return replace(own, storage=StoreSettings(backend(name), {"path": str(path)}), catalogue=None)


def _refuse_environment() -> None:
    """Refuse variables that stand for a setting of every file: both files would name one store, or half of it."""
    found = [name for name in os.environ if name.startswith(("MYPI_STORAGE", "MYPI_CATALOGUE"))]
    if found:
        raise CommandError(f"{found[0]} is set and would stand for both files; unset it, and write it into the files")


class Bar(Progress):
    """Shows at a terminal how many bytes are done, how fast, and how long it will take."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._lock = threading.Lock()
        self.measured = not bar.disable

    def total(self, size: int) -> None:
        self._bar.reset(total=size)

    def moved(self, size: int) -> None:
        with self._lock:
            self._bar.update(size)

    def spared(self, size: int) -> None:
        # Taken from the whole, so that the rate and the time left are those of the copying.
        if self.measured:
            with self._lock:
                self._bar.total = max(self._bar.n, self._bar.total - size)


def _copy(source: Repository, target: Repository, jobs: int, *, catch_up: bool = False) -> int:
    """Copy, say how far it is and what was wrong, and return the exit code."""
    done: Counter[str] = Counter()
    with tqdm(total=0, unit="B", unit_scale=True, desc="copy", disable=not sys.stderr.isatty()) as bar:
        for outcome in source.copy(target, catch_up=catch_up, jobs=jobs, progress=Bar(bar)):
            for problem in outcome.problems:
                tqdm.write(problem, file=sys.stderr)
            done += _counted(outcome)
        # Rubbish and the sidecars of what was spared are in the total, and nowhere else.
        bar.total = bar.n
        bar.refresh()
    print(_summary(done))
    return 1 if done["problems"] else 0


def _counted(outcome: Outcome) -> Counter[str]:
    """Count projects that were copied or there, with their files, and whatever else has a problem."""
    if outcome.problems:
        return Counter({"problems": 1, outcome.state: 1})
    return Counter({outcome.state: 1, "files": outcome.files, "size": outcome.size} if outcome.project else {})


def _summary(done: Counter[str]) -> str:
    parts = [f"{_many(done['copied'], 'project')}, {_many(done['files'], 'file')}, {done['size']:,} bytes copied"]
    if done["there"]:
        parts.append(f"{_many(done['there'], 'project')} {'was' if done['there'] == 1 else 'were'} there already")
    if done["left"]:
        parts.append(f"{_many(done['left'], 'document')} left alone")
    if done["damaged"]:
        parts.append(f"{_many(done['damaged'], 'document')} left out for damage")
    return "; ".join(parts)


def _many(count: int, what: str) -> str:
    """Write a number of things.

    >>> _many(1, "file"), _many(1200, "file")
    ('1 file', '1,200 files')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"
