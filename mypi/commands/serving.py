"""``mypi init`` and ``mypi serve``: from an installed mypi to a running index."""

from __future__ import annotations

import argparse
from importlib.resources import files
from pathlib import Path
from typing import Any

from pyramid.scripts import pserve

from .configuration import CommandError, given_in, ini


def add_to(commands: Any) -> None:
    init = commands.add_parser("init", help="write a ready .ini file", description="Write a ready .ini file.")
    init.add_argument("file", nargs="?", default="mypi.ini", help="where to write it (mypi.ini)")
    init.add_argument("--production", action="store_true", help="one for a server that others use, with users")
    init.set_defaults(run=write_ini)
    serve = commands.add_parser("serve", help="run the server", description="Run the server until it is stopped.")
    serve.set_defaults(run=run_server)


def write_ini(arguments: argparse.Namespace) -> int:
    target = Path(arguments.file)
    kind = "production" if arguments.production else "development"
    text = files("mypi").joinpath(f"scaffold/{kind}.ini").read_text(encoding="utf-8")
    try:
        with target.open("x", encoding="utf-8") as fresh:
            fresh.write(text)
    except OSError as exc:
        raise CommandError(f"{target} cannot be written: {exc.strerror}; name another file, or remove it") from exc
    print(f"{target} is written. Everything will be kept in {target.absolute().parent / 'var'}.")
    if arguments.production:
        print(f"Next: read it through, make a user: `mypi -c {target} user add NAME --group admins`,")
    print(f"{'then' if arguments.production else 'Now'} run `mypi -c {target} serve`.")
    return 0


def run_server(arguments: argparse.Namespace) -> int:
    path = ini(arguments)
    given_in(path)  # of a file that cannot be read pserve shows a traceback, and values that may be secret
    code: int = pserve.main(["pserve", path]) or 0
    return code
