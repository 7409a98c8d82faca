"""``mypi why``: whose a name is, and which rule hides what of it."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..names import InvalidVersion
from ..repository import Repository
from ..upstream import Screen, Upstream
from ..upstream.why import Answer, Finding, Why, read
from .configuration import CommandError, settings
from .people import printable

MOST = 20
"""Versions that are listed without ``--all``."""


def add_to(commands: Any) -> None:
    text = "say whose a name is, and which rule hides what of it"
    command = commands.add_parser("why", help=text, description=f"{text[0].upper()}{text[1:]}.")
    command.add_argument("what", metavar="NAME[==VERSION]", help="a project, or one version of it")
    command.add_argument("--all", action="store_true", help=f"list more than {MOST} hidden versions")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=explain)


def explain(arguments: argparse.Namespace) -> int:
    try:
        name, version = read(arguments.what)
    except InvalidVersion as exc:
        raise CommandError(str(exc)) from exc
    own = settings(arguments)
    repository = Repository.open(own, reading=True)
    try:
        screen = Screen(own.policy)
        answer = Why(repository, Upstream.of(own, repository, screen), screen, own.private).of(name, version)
    finally:
        repository.close()
    if arguments.json:
        print(json.dumps(answer.as_json(), ensure_ascii=False, indent=2))
    else:
        _show(answer, None if arguments.all else MOST)
    return 0


def _show(answer: Answer, most: int | None) -> None:
    for sentence in answer.sentences:
        print(f"{printable(sentence)}.")
    for finding in answer.findings[:most]:
        _show_finding(finding)
    left = len(answer.findings[most:]) if most else 0
    if left:
        print(f"  and {left:,} older versions; --all lists them")
    if answer.shown:
        print(f"{answer.shown:,} {'file is' if answer.shown == 1 else 'files are'} on offer.")


def _show_finding(finding: Finding) -> None:
    hidden, number = finding.hidden, len(finding.files)
    print(f"  {finding.version or 'all versions'}: {printable(hidden.sentence)}.")
    lifts = f"lifts by itself at {hidden.lifts[:16]}Z" if hidden.lifts else "lifts when the setting changes"
    print(f"    {f'{number} files, ' if number > 1 else ''}set by {hidden.setting}; {lifts}")
