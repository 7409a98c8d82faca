"""``mypi list`` and ``mypi show``: what the index holds."""

from __future__ import annotations

import argparse
import json
from fnmatch import fnmatchcase
from typing import Any

from packaging.version import Version

from .. import names
from ..model import File, Project
from .configuration import add_project, repository
from .history import described
from .people import printable


def add_to(commands: Any) -> None:
    listed = commands.add_parser("list", help="list the projects", description="List the projects of the index.")
    listed.add_argument("pattern", nargs="?", default="*", help="only names that match, such as 'acme-*'")
    listed.add_argument("--json", action="store_true", help="print JSON")
    listed.set_defaults(run=show_list)
    shown = commands.add_parser("show", help="show a project", description="Show a project: status, files, history.")
    add_project(shown)
    shown.add_argument("--json", action="store_true", help="print the whole project document as JSON")
    shown.set_defaults(run=show_project)


def show_list(arguments: argparse.Namespace) -> int:
    with repository(arguments, reading=True) as index:
        held = index.names()
    projects = sorted(held.value.projects.items()) if held else []
    chosen = [display for name, display in projects if fnmatchcase(name, arguments.pattern.lower())]
    if arguments.json:
        print(json.dumps(chosen, ensure_ascii=False, indent=2))
    else:
        print("\n".join(chosen) if chosen else "no projects")
    return 0


def show_project(arguments: argparse.Namespace) -> int:
    with repository(arguments, reading=True) as index:
        project = index.project(names.project(arguments.project)).value
    if arguments.json:
        print(json.dumps(json.loads(project.dump()), ensure_ascii=False, indent=2))
        return 0
    reason = f" ({printable(project.status_reason)})" if project.status_reason else ""
    print(f"{project.display}: {project.status}{reason}")
    if project.owners:
        print(f"  owned by {', '.join(project.owners)}")
    for version, summary in sorted(project.releases.items(), key=lambda release: Version(release[0])):
        print(f"  {version}  registered  {printable(summary)}")
    for file in sorted(project.files.values(), key=lambda f: (Version(f.version), f.filename)):
        print(f"  {file.filename}  {file.size:,} bytes  {printable(_state(file))}\n    sha256 {file.sha256}")
    print(f"history, {len(project.history)} changes, the last ten:")
    for event in project.history[-10:]:
        print(f"  {described(event)}")
    return 0


def _state(file: File) -> str:
    if file.purged:
        return "purged"
    if file.removed:
        return f"removed {file.removed[:10]}, can be restored"
    if file.damage:
        wrong = "; ".join(f"{file.filename}{ending} {problem}" for ending, problem in file.damage.items())
        return f"damaged: {wrong}; restore it from a backup"
    if file.yanked is not None:
        return f"yanked: {file.yanked}" if file.yanked else "yanked"
    return f"uploaded {file.uploaded[:10]} by {file.uploader or 'anonymous'}"


def describe(project: Project, filenames: list[str]) -> str:
    """Name files with their sizes, one a line, for a person who must decide."""
    return "\n".join(f"  {name}  {project.files[name].size:,} bytes" for name in filenames)
