"""Reference pages made from the tables that the code itself reads, so that nothing is typed twice.

Each directive writes reStructuredText and has it parsed in place; see `DIRECTIVES` at the end.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import entry_points

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from mypi import directory, settings
from mypi.artifacts import RELAXABLE
from mypi.commands import parser
from mypi.options import Option, variable
from mypi.rules import RULES
from mypi.server import options as server
from mypi.testing import StoreContract

Lines = Iterator[str]

_ID = re.compile(r" \(C[0-9]+\)")  # rows of a list that readers do not have


def escape(text: str) -> str:
    """Keep text from being taken for markup.

    >>> print(escape("'acme-*'"))
    'acme-\\*'
    """
    return re.sub(r"([\\*`|_])", r"\\\1", text)


def option(entry: Option, key: str, *, environment: bool = True, indexed: bool = True) -> Lines:
    """Describe one option: what it takes, its default, how the environment says it."""
    shown = "required" if entry.default is None else f"``{entry.default}``" if entry.default else "empty"
    yield f".. confval:: {key}"
    yield f"   :type: {kind(entry.convert)}"
    yield f"   :default: {shown}"
    if not indexed:
        yield "   :no-index:"
    yield ""
    secret = " It is a secret: better in the environment than in the file." if entry.secret else ""
    yield f"   {escape(entry.sentence)}{secret}"
    if environment:
        yield f"   Environment: ``{variable(key)}``."
    yield ""


def kind(convert: Callable[[str], object]) -> str:
    """Name a converter in words, such as "size or nothing"."""
    return convert.__name__.replace("_", " ")


def kinds() -> Lines:
    """Say what each kind of value is, by the first sentence of its converter."""
    found = {entry.convert for entry in (*settings.TABLE, *directory.TABLE, *server.OWN, *server.WAITRESS)}
    found |= {entry.convert for _, backend in backends() for entry in backend.options}
    for convert in sorted(found, key=kind):
        yield f"{kind(convert)}"
        yield f"    {_first_line(convert)}"
        yield ""


def _first_line(thing: object) -> str:
    return (thing.__doc__ or "").partition("\n")[0]


def backends() -> list[tuple[str, type]]:
    """Find every backend that is installed, by its entry point."""
    return [(point.name, point.load()) for point in sorted(entry_points(group=settings.GROUP), key=lambda p: p.name)]


def table() -> Lines:
    for entry in settings.TABLE:
        yield from option(entry, f"mypi.{entry.name}")


def ldap() -> Lines:
    for entry in directory.TABLE:
        yield from option(entry, f"{directory.PREFIX}{entry.name}")


def backend_options() -> Lines:
    seen: set[str] = set()  # a link leads to the first of several backends that have an option of one name
    for name, backend in backends():
        yield f"``{name}``: {_first_line(backend)} {_reach(backend)}"
        yield ""
        for entry in backend.options:
            yield from option(entry, f"mypi.storage.{entry.name}", indexed=entry.name not in seen)
            seen.add(entry.name)
        if not backend.options:
            yield "    It has no options."
            yield ""


def _reach(backend: type) -> str:
    if backend.nodes:
        return "Several hosts may share it."
    return "Several processes of one host may share it." if backend.processes else "It serves one process."


def own_server() -> Lines:
    for entry in server.OWN:
        yield from option(entry, entry.name, environment=False)


def waitress() -> Lines:
    for entry in server.WAITRESS:
        yield from option(entry, entry.name, environment=False)


def commands() -> Lines:
    """Describe the command line, a section for each command."""
    top = parser()
    yield from _usage(top)
    yield from _arguments(top, "mypi")
    yield from _commands_of(top, "mypi", "-~")


def _commands_of(parent: argparse.ArgumentParser, program: str, underlines: str) -> Lines:
    """Describe the commands of a parser, and the actions that these have, each under a title one level deeper."""
    for action in parent._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                title = f"{program} {name}"
                yield from (title, underlines[0] * len(title), "")
                yield from (escape(command.description or ""), "")
                yield from _usage(command)
                yield from _arguments(command, title)
                yield from _commands_of(command, title, underlines[1:])


def _usage(command: argparse.ArgumentParser) -> Lines:
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "78"  # argparse folds its lines at the width of the terminal
    try:
        usage = command.format_usage()
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    yield from (".. code-block:: text", "")
    yield from (f"   {line}".rstrip() for line in usage.removeprefix("usage: ").splitlines())
    yield ""


def _arguments(command: argparse.ArgumentParser, program: str) -> Lines:
    yield from (f".. program:: {program}", "")
    for action in command._actions:
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            continue
        value = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
        if action.choices and not action.metavar:
            value = "{" + ",".join(map(str, action.choices)) + "}"
        takes = action.nargs != 0
        names = [f"{name} {value}" if takes else name for name in action.option_strings] or [str(value)]
        yield f".. option:: {', '.join(names)}"
        yield ""
        help_text = escape((action.help or "").strip())
        yield f"   {help_text[:1].upper()}{help_text[1:]}{'' if help_text[-1:] in ('', '.') else '.'}"
        yield ""


def rules() -> Lines:
    for name, rule in RULES.items():
        yield f"``{name}``"
        yield f"    {escape(_ID.sub('', rule.sentence))}"
        yield ""


def relaxable() -> Lines:
    for name, sentence in RELAXABLE.items():
        yield f"``{name}``"
        yield f"    {escape(sentence)}"
        yield ""


def contract() -> Lines:
    """List the sentences that the suite proves: the names of its tests."""
    for name in sorted(name for name in dir(StoreContract) if name.startswith("test_")):
        yield f"- {name.removeprefix('test_').replace('_', ' ')}"
    yield ""


DIRECTIVES: dict[str, Callable[[], Iterable[str]]] = {
    "mypi-settings": table,
    "mypi-ldap": ldap,
    "mypi-backends": backend_options,
    "mypi-server": own_server,
    "mypi-waitress": waitress,
    "mypi-kinds": kinds,
    "mypi-commands": commands,
    "mypi-rules": rules,
    "mypi-relaxable": relaxable,
    "mypi-contract": contract,
}


class Generated(SphinxDirective):
    """A directive without arguments, whose name says what it writes."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()  # what it is made from are no documents, whose changes Sphinx would see
        text = "\n".join(DIRECTIVES[self.name]())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    for name in DIRECTIVES:
        app.add_directive(name, Generated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
