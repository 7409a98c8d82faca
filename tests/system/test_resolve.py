"""uv's resolver as a judge: of dozens of odd projects that depend on one another it chooses what must be chosen."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest
import uv

from mypi.model import Actor
from mypi.repository import Repository
from tests import stores
from tests.functional.woven import TRAPS, weave
from tests.repository.shorthand import settings, submission

from . import servers
from .clients import Home

SEEDS = range(20261126, 20261126 + (20 if os.environ.get("MYPI_TORTURE") else 1))
NUMBER = 60
ACTOR = Actor("tester", "test")
_PINNED = re.compile(r"(?m)^(?P<name>\S+)==(?P<version>\S+) \\\n(?P<hashes>(?:    --hash=sha256:\S+(?: \\)?\n)+)")


@pytest.mark.parametrize("seed", SEEDS)
def test_uv_chooses_exactly_what_was_made_to_be_chosen_with_the_hashes_of_its_files(
    seed: int, home: Home, tmp_path: Path
) -> None:
    projects, wanted = weave(seed, NUMBER)
    assert {trap for project in projects for trap in project.traps} == set(TRAPS)
    store = stores.make("filesystem", tmp_path)
    repository = Repository(store, store, settings())
    for project in projects:
        for file in [*project.chosen, *project.others]:
            repository.publish(submission(file.name, file.content), ACTOR)
            if file.yanked is not None:
                repository.yank(project.name, [file.name], file.yanked, ACTOR)
    (tmp_path / "requirements.in").write_text("\n".join(wanted) + "\n")
    chosen = {f"mypi.{name}": value for name, value in stores.settings("filesystem", tmp_path).items()}
    with servers.running(tmp_path / "server", settings=chosen) as server:
        words = ["pip", "compile", "--generate-hashes", "--no-header", "--no-annotate", "--index-url"]
        done = home.run(uv.find_uv_bin(), *words, f"{server.url}/simple/", tmp_path / "requirements.in").succeeded()
    pinned = {each["name"]: each for each in _PINNED.finditer(done.output)}
    assert {name: each["version"] for name, each in pinned.items()} == {each.name: each.version for each in projects}
    for project in projects:
        hashes = [hashlib.sha256(file.content).hexdigest() for file in project.chosen]
        assert sorted(re.findall(r"sha256:(\S+)", pinned[project.name]["hashes"])) == sorted(hashes), project.name
