"""The code itself: style, types, documents, examples, and the layers of the design."""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

LAYERS = (
    ("commands", "wsgi", "application", "mypi"),
    ("views",),
    ("resources", "places", "security", "forms", "cookies"),
    ("upstream",),
    ("repository", "accounts", "overview", "readiness", "scrub"),
    (
        "model",
        "metadata",
        "artifacts",
        "attestations",
        "rules",
        "store",
        "settings",
        "contents",
        "upstreams",
        "metrics",
    ),
    (
        "archives",
        "directory",
        "locks",
        "logs",
        "readme",
        "names",
        "fields",
        "options",
        "policies",
        "publishers",
        "rights",
        "times",
    ),
)
"""Components of `mypi`, outermost first; each may import those of its own layer and of the layers below."""

APART = {
    "server": {"options", "settings"},
    "testing": {"store", "options"},
    "backends": {"store", "options"},
}
"""Components beside the layers, with all that each may import; nothing imports them but what INTO says."""

INTO = {("commands", "server")}
"""The command that writes the configuration of a proxy reads the server's options as the server does."""

LONGEST_MODULE, LONGEST_FUNCTION = 300, 50


def _sources() -> dict[str, Path]:
    """Return the module names of mypi, and where each stands."""
    found = {}
    for folder, package in ((ROOT / "mypi", "mypi"), (ROOT / "backends", "mypi.backends")):
        for path in folder.rglob("*.py"):
            inside = path.relative_to(folder).with_suffix("").parts
            if folder.name == "mypi" and inside[0] == "backends":
                continue  # the symlink
            parts = inside[:-1] if inside[-1] == "__init__" else inside
            found[".".join((package, *parts))] = path
    return found


SOURCES = _sources()
PACKAGES = {name for name, path in SOURCES.items() if path.name == "__init__.py"}


def _imports(module: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield every module of mypi that a module imports anywhere: at its head, in functions, for type checkers."""
    package = module if module in PACKAGES else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(SOURCES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            heads = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
            found = next((head for head in heads if head in SOURCES), module)
            if found != module:
                yield found, node


def _component(module: str) -> str:
    return "mypi" if module == "mypi" else module.split(".")[1]


def _rank(component: str) -> int:
    return next(rank for rank, layer in enumerate(LAYERS) if component in layer)


def _run(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_component_has_its_place_in_the_layers() -> None:
    known = {component for layer in LAYERS for component in layer} | APART.keys()
    assert {_component(module) for module in SOURCES} == known


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_imports_run_one_way(module: str) -> None:
    component = _component(module)
    for name, node in _imports(module):
        target = _component(name)
        line = f"{SOURCES[module].relative_to(ROOT)}:{node.lineno}: imports {name}"  # type: ignore[attr-defined]
        if target == component:
            continue
        if component in APART:
            assert target in APART[component], line
        elif (component, target) not in INTO:
            assert target not in APART, line
            assert _rank(target) >= _rank(component), line


def test_no_import_cycles_not_even_hidden_ones() -> None:
    graph: dict[str, set[str]] = {}
    for module in SOURCES:
        # A package's own name, as in `from . import keys`, is where its modules hang, not a use of what it defines.
        graph[module] = {
            name for name, node in _imports(module) if not (module.startswith(f"{name}.") and _only_modules(name, node))
        }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        pytest.fail(" → ".join(reversed(exc.args[1])))


def _only_modules(package: str, node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and all(f"{package}.{alias.name}" in SOURCES for alias in node.names)


def test_a_backend_is_imported_only_when_chosen() -> None:
    code = "import sys, mypi.application, mypi.commands; print([m for m in sys.modules if 'backends.' in m])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_modules_are_short_and_say_what_they_are_for(module: str) -> None:
    text = SOURCES[module].read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert text.count("\n") <= LONGEST_MODULE
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno and node.end_lineno - node.lineno < LONGEST_FUNCTION, node.name


@pytest.mark.parametrize("module", sorted(SOURCES.keys() - {"mypi.wsgi"}))
def test_examples_in_docstrings_run(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_ruff_finds_nothing() -> None:
    _run("ruff", "check", "--no-cache")


def test_ruff_would_format_nothing_otherwise() -> None:
    _run("ruff", "format", "--check", "--no-cache")


def test_bandit_finds_nothing() -> None:
    _run("bandit", "-q", "-ll", "-c", "pyproject.toml", "-r", "mypi", "backends", "client")


def test_mypy_finds_nothing() -> None:
    _run("mypy")


def test_each_of_the_ten_promises_has_a_test_and_a_control_that_shows_that_it_can_fail() -> None:
    tree = ast.parse((ROOT / "tests" / "test_promises.py").read_text(encoding="utf-8"))
    tests = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    for number in range(1, 11):
        assert any(name.startswith(f"test_promise_{number}_") for name in tests), f"no test of promise {number}"
        assert any(name.startswith(f"test_control_of_promise_{number}_") for name in tests), f"no control: {number}"


def test_documents_build_without_a_warning(tmp_path: Path) -> None:
    if not (ROOT / "docs" / "conf.py").exists():
        pytest.skip("docs/conf.py is not written yet")
    _run("sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", str(tmp_path / "html"))
