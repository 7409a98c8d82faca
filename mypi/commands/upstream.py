"""``mypi upstream``: other indexes: what is kept of them is listed, fetched and dropped, and they are checked."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections import Counter
from dataclasses import asdict
from fnmatch import fnmatchcase
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .. import locks, names
from ..locks import Wanted
from ..settings import Settings
from ..upstream import Upstream, checking, kept, warming
from .configuration import CommandError, add_dry_run, confirmed, repository, settings
from .moving import add_jobs
from .people import add_action, add_actions, printable, table


def add_to(commands: Any) -> None:
    actions = add_actions(commands, "upstream", "list, fetch and drop what is kept of other indexes, and check these")
    listed = add_action(actions, "list", "list the names that are known from other indexes, and what is kept", show)
    listed.add_argument("pattern", nargs="?", default="*", help="only names that match, such as 'acme-*'")
    listed.add_argument("--json", action="store_true", help="print JSON")
    warmed = add_action(actions, "warm", "fetch and keep the files that lock files name, for every platform", warm)
    warmed.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="pylock.toml, uv.lock, poetry.lock, or a requirements.txt that pins versions",
    )
    add_jobs(warmed)
    add_action(actions, "check", "ask the other indexes whether they are such", check)
    emptied = add_action(actions, "empty", "drop the pages and files of other indexes that are kept", empty)
    which = emptied.add_mutually_exclusive_group(required=True)
    which.add_argument("project", nargs="?", help="only of this name, in any spelling")
    which.add_argument("--all", action="store_true", help="of all names")
    add_dry_run(emptied)


def show(arguments: argparse.Namespace) -> int:
    with repository(arguments, reading=True) as index:
        found = [each for each in kept.holdings(index.outside) if fnmatchcase(each.name, arguments.pattern.lower())]
    found.sort(key=lambda each: (each.name, each.site))
    if arguments.json:
        print(json.dumps([asdict(each) for each in found], ensure_ascii=False, indent=2))
        return 0
    rows = [
        (
            each.name,
            each.site if each.known else f"not on {each.site}",
            str(each.files),
            f"{each.size:,}",
            each.used or "",
        )
        for each in found
    ]
    print(table(("name", "from", "files", "bytes", "used"), rows, "nothing is known of other indexes yet"))
    return 0


def check(arguments: argparse.Namespace) -> int:
    own = settings(arguments)
    with repository(arguments, reading=True) as index:
        upstream = Upstream.of(own, index)
        if upstream is None:
            raise CommandError("mypi.upstream is not set, so that there is no other index to check")
        found = list(checking.check(upstream.client, upstream.sites))
    for each in found:
        word = {True: "right", False: "wrong", None: "unsure"}[each.right]
        print(f"{word}: {each.site.name}, {each.site.url}: {printable(each.sentence)}")
    return 1 if any(each.right is False for each in found) else 0


def warm(arguments: argparse.Namespace) -> int:
    own = settings(arguments)
    _refuse_useless(own)
    wanted = reduce(add, map(locks.read, arguments.files), Wanted())
    done: Counter[str] = Counter(none=len(wanted.passed))
    problems = list(wanted.wrong)
    with repository(arguments) as index:
        upstream = Upstream.of(own, index)
        assert upstream is not None  # refused before
        tasks: list[warming.Task] = []
        for planned in warming.plan(upstream, wanted.pins, jobs=arguments.jobs):
            tasks += planned.tasks
            problems += planned.problems
            done["ours"] += planned.ours
        problems += _fetch(upstream, tasks, done, arguments.jobs)
    for problem in problems:
        print(f"failed {problem}", file=sys.stderr)
    print(
        f"{done['files']} files, {done['bytes']:,} bytes are kept; passed over: {done['ours']} of ours, "
        f"{done['none']} of no index; {len(problems)} failed"
    )
    return 1 if problems else 0


def _refuse_useless(own: Settings) -> None:
    if own.upstream is None:
        raise CommandError("mypi.upstream is not set, so that there is no other index to fetch from")
    if own.upstream.mode == "redirect":
        raise CommandError("mypi.upstream.mode = redirect: clients fetch files elsewhere, and none is kept here")
    if not own.upstream.limit:
        raise CommandError("mypi.upstream.limit = 0: no file of other indexes is kept")


def _fetch(upstream: Upstream, tasks: list[warming.Task], done: Counter[str], jobs: int) -> list[str]:
    """Fetch files and count what is kept; return sentences about the others."""
    problems: list[str] = []
    came = []
    lock = threading.Lock()
    size = sum(task.file.size or 0 for task in tasks)
    with tqdm(total=size, unit="B", unit_scale=True, desc="warm", disable=not sys.stderr.isatty()) as bar:

        def moved(count: int) -> None:
            with lock:
                bar.update(count)

        for fetched in warming.fetch(upstream, tasks, moved, jobs=jobs):
            if fetched.problem:
                problems.append(fetched.problem)
                continue
            came.append(fetched.task)
            done["bytes"] += fetched.size
    problems += warming.unkept(upstream, came)
    done["files"] = len(tasks) - len(problems)
    return problems


def empty(arguments: argparse.Namespace) -> int:
    name = names.project(arguments.project) if arguments.project else None
    with repository(arguments) as index:
        found = [each for each in kept.holdings(index.outside) if name in (None, each.name)]
        if name and not found:
            raise CommandError(f"nothing of {name} is kept; `mypi upstream list` shows what is")
        print(f"{len(found)} pages, {sum(e.files for e in found)} files, {sum(e.size for e in found):,} bytes")
        if arguments.dry_run:
            print("nothing was done: --dry-run")
            return 0
        if not confirmed(arguments):
            return 1
        freed = kept.forget(index.outside, name)
    print(f"done: {freed:,} bytes freed")
    return 0
