"""``mypi takeover``: makes a name ours, whatever other indexes have under it."""

from __future__ import annotations

import argparse
from typing import Any

from .. import names
from ..repository import Repository
from ..rights import OWNERS, matches
from ..settings import Settings
from ..store import NotFound
from ..upstream import kept
from .configuration import CommandError, actor, add_project, repository, settings
from .history import described


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "takeover",
        help="make a name ours that another index has",
        description="Make a name ours: from then on nothing about it is asked elsewhere, and uploads may begin it. "
        "There is no way back.",
    )
    add_project(command)
    command.add_argument("-r", "--reason", default="", help="why; the log shows it")
    command.set_defaults(run=take_over)


def take_over(arguments: argparse.Namespace) -> int:
    own, name = settings(arguments), names.project(arguments.project)
    with repository(arguments) as index:
        known = _known(index, own, name)
        if known:
            print(known)
            return 0
        index.take_over(name, arguments.project, arguments.reason, actor())
        freed = kept.forget(index.outside, name)
    print(f"{arguments.project} is ours from now on")
    if freed:
        print(f"{freed:,} bytes of other indexes' files of that name were dropped")
    if OWNERS in own.rights.on("upload", name):
        print(f"nobody owns it yet: mypi owner add {name} USER")
    return 0


def _known(index: Repository, own: Settings, name: str) -> str:
    """Return a sentence if a name was taken over before, "" if it can be now. Raises CommandError if it is ours."""
    pattern = next((each for each in own.private if matches((each,), name)), None)
    if pattern:
        raise CommandError(f"{name} is ours already, by mypi.private = {pattern}; nothing was changed")
    try:
        project = index.project(name).value
    except NotFound:
        return ""
    if not project.taken_over:
        raise CommandError(f"{project.display} is a project of this index already; nothing was changed")
    return f"{project.display} is ours already; nothing was changed\n  {described(project.history[0])}"
