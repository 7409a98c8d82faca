"""``mypi yank``, ``unyank``, ``remove``, ``restore`` and ``status``: changes to a project."""

from __future__ import annotations

import argparse
from typing import Any

from packaging.version import InvalidVersion, Version

from .. import names
from ..model import STATUSES, File, Missing, Project
from ..repository import Repository
from .configuration import actor, add_dry_run, add_project, confirmed, repository
from .listing import describe
from .moving import add_jobs, restore_backup

_HELP = {
    "yank": "mark files so that installers pass them over unless a version is pinned",
    "unyank": "take the mark of being yanked away",
    "remove": "withdraw files; they can be restored until a sweep purges them",
    "restore": "bring removed files back; or, given a folder or tar alone, take in a backup",
}


def add_to(commands: Any) -> None:
    for name, text in _HELP.items():
        command = commands.add_parser(name, help=text, description=text.capitalize() + ".")
        if name == "restore":
            command.add_argument(
                "project", metavar="PROJECT|BACKUP", help="a project's name, in any spelling; or a backup"
            )
            add_jobs(command)
        else:
            add_project(command)
        several = "*" if name == "restore" else "+"
        command.add_argument("what", nargs=several, metavar="VERSION|FILE", help="a version, or the name of one file")
        if name == "yank":
            command.add_argument("-r", "--reason", default="", help="why; installers show it")
        add_dry_run(command)
        command.set_defaults(run=restore if name == "restore" else change)
    status = commands.add_parser(
        "status", help="set a project's status", description="Set a project's status (PEP 792)."
    )
    add_project(status)
    status.add_argument(
        "status", choices=STATUSES, help="archived takes no uploads, quarantined offers no files either"
    )
    status.add_argument("-r", "--reason", default="", help="why; pages and some installers show it")
    status.set_defaults(run=set_status)


def restore(arguments: argparse.Namespace) -> int:
    """Bring removed files back; a project alone is none, but the name of a backup."""
    return change(arguments) if arguments.what else restore_backup(arguments)


def change(arguments: argparse.Namespace) -> int:
    with repository(arguments) as index:
        name = names.project(arguments.project)
        project = index.project(name).value
        filenames = choose(project, arguments.what, removed=arguments.command == "restore")
        print(f"{arguments.command} {len(filenames)} of {project.display}:\n{describe(project, filenames)}")
        if arguments.dry_run:
            print("nothing was done: --dry-run")
            return 0
        if not confirmed(arguments):
            return 1
        _apply(index, name, filenames, arguments)
    print("done")
    return 0


def _apply(index: Repository, name: str, filenames: list[str], arguments: argparse.Namespace) -> None:
    if arguments.command == "yank":
        index.yank(name, filenames, arguments.reason, actor())
    else:
        {"unyank": index.unyank, "remove": index.remove, "restore": index.restore}[arguments.command](
            name, filenames, actor()
        )


def choose(project: Project, wanted: list[str], *, removed: bool) -> list[str]:
    """Return the names of the files that versions and file names mean: the live ones, or the removed ones.

    A version leaves out what was purged; a file name does not, so that the repository says why it cannot come back.
    Raises Missing for a word that means none.
    """
    chosen: list[str] = []
    for word in wanted:
        found = [f.filename for f in project.files.values() if bool(f.removed) is removed and _means(word, f)]
        if not found:
            kind = "removed" if removed else "live"
            raise Missing(f"{project.display} has no {kind} file or version {word}; `mypi show` lists what it has")
        chosen += [name for name in found if name not in chosen]
    return sorted(chosen)


def _means(word: str, file: File) -> bool:
    if word == file.filename:
        return True
    try:
        return Version(word) == Version(file.version) and not file.purged
    except InvalidVersion:
        return False


def set_status(arguments: argparse.Namespace) -> int:
    with repository(arguments) as index:
        name = names.project(arguments.project)
        project = index.set_status(name, arguments.status, arguments.reason, actor())
    print(f"{project.display} is {project.status}")
    return 0
