"""A mypi index mirrored by bandersnatch: every file byte for byte, and what is published, yanked and removed later.

Seen with bandersnatch 6.8: by default it asks for the list of projects over XML-RPC, which is not served here. With
`api-method = simple` it reads `/simple/` and `/pypi/NAME/json`, passes over projects that have no `_last-serial` in the
list, and takes files from below `/packages` alone.
"""

from __future__ import annotations

import contextlib
import html
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from mypi.model import Actor
from mypi.repository import Repository
from tests import stores
from tests.builders import sdist, wheel
from tests.repository.shorthand import settings, submission

from . import servers
from .clients import Home, Result
from .environments import Environments
from .interpreters import this
from .publishers import Account, Uv
from .servers import Server

BANDERSNATCH = "bandersnatch==6.8.0"
PAGE = Path(__file__).parents[2] / "docs" / "howto" / "mirror.rst"
ACTOR = Actor("tester", "test")
REASON = 'brøken: "a" & <b>'
FILES = [
    wheel("Acme.Lib", "1.0", requires=["beta-tool>=0"]),
    sdist("Acme.Lib", "1.0"),
    sdist("Acme.Lib", "0.9", ending=".zip"),
    wheel("Acme.Lib", "1.1"),
    wheel("Acme.Lib", "1!2.0+ubuntu.1", requires_python=">=3.8,<4"),
    wheel("Acme.Lib", "1!2.0rc1"),
    sdist("beta_tool", "3"),
    wheel("packages", "1"),
    wheel("held", "1"),
]
SAME = ("hashes", "size", "upload-time")
OFFERED = dict(FILES[:-1])
"""Without what is in quarantine."""


def configurations() -> list[str]:
    """The configurations that the documentation shows: without and with a password."""
    found = re.findall(r"(?m)^   \[mirror\]\n(?:   .+\n)+", PAGE.read_text(encoding="utf-8"))
    return [re.sub(r"(?m)^   ", "", each) for each in found]


class Mirror:
    """A mirror in a folder, as bandersnatch keeps it."""

    def __init__(self, environments: Environments, home: Home, folder: Path, configuration: str) -> None:
        self._tool = environments.need(this(), BANDERSNATCH).script("bandersnatch")
        self._home = home
        self._conf = home.folder / "bandersnatch.conf"
        self._conf.write_text(configuration.replace("/srv/mirror", str(folder)))
        self.folder = folder

    def run(self, *words: str) -> Result:
        return self._home.run(self._tool, "-c", self._conf, *words)

    def update(self, *words: str) -> list[str]:
        """Mirror; return the names of the files that were brought."""
        output = self.run(*words or ["mirror"]).succeeded().output
        assert "ERROR" not in output and "WARNING" not in output, output
        return sorted(re.findall(r"Downloading: \S+/(\S+)", unquote(output)))

    @property
    def files(self) -> dict[str, bytes]:
        """The bytes of each file, by its name."""
        found = [path for path in self.folder.glob("web/packages/**/*") if path.is_file()]
        held = {path.name: path.read_bytes() for path in found}
        assert len(held) == len(found)
        return held

    def page(self, project: str) -> dict[str, dict[str, Any]]:
        """What its page says of each file of a project, by file name."""
        page = json.loads((self.folder / "web" / "simple" / project / "index.v1_json").read_text())
        return {file["filename"]: file for file in page["files"]}


Seeded = tuple[Server, Repository]


@pytest.fixture
def seeded(tmp_path: Path) -> Iterator[Callable[..., Seeded]]:
    """Start a mypi with a few projects, one release of which is yanked, and hand out its repository too."""
    store = stores.make("filesystem", tmp_path)
    repository = Repository(store, store, settings())
    for name, content in FILES:
        repository.publish(submission(name, content), ACTOR)
    repository.yank("acme-lib", [FILES[3][0]], REASON, ACTOR)
    repository.set_status("held", "quarantined", "", ACTOR)
    chosen = {f"mypi.{name}": value for name, value in stores.settings("filesystem", tmp_path).items()}
    with contextlib.ExitStack() as stack:

        def start(**more: Any) -> Seeded:
            given = chosen | more.pop("settings", {})
            return stack.enter_context(servers.running(tmp_path / "server", settings=given, **more)), repository

        yield start


def same(mirror: Mirror, server: Server, *projects: str) -> None:
    """Compare what the pages of both say."""
    for project in projects:
        said, seen = server.files(project), mirror.page(project)
        assert seen.keys() == said.keys()
        for name, file in seen.items():
            assert file["yanked"] == bool(said[name]["yanked"]), name
            assert file["requires-python"] == said[name].get("requires-python"), name
            assert {key: file[key] for key in SAME} == {key: said[name][key] for key in SAME}, name


def test_a_mirror_holds_every_file_and_follows_every_change(
    environments: Environments, home: Home, tmp_path: Path, seeded: Callable[..., Seeded]
) -> None:
    server, repository = seeded()
    conf = configurations()[0].replace("http://127.0.0.1:6543", server.url)
    mirror = Mirror(environments, home, tmp_path / "mirror", conf)
    assert mirror.update() == sorted(OFFERED)
    assert mirror.files == OFFERED
    same(mirror, server, "acme-lib", "beta-tool", "packages")
    page = (mirror.folder / "web/simple/acme-lib/index.html").read_text(encoding="utf-8")
    assert f'data-yanked="{html.escape(REASON)}"' in page

    new = dict([wheel("acme_lib", "1!2.1"), sdist("gamma", "0")])
    dist = tmp_path / "next" / "dist"
    dist.mkdir(parents=True)
    for name, content in new.items():
        (dist / name).write_bytes(content)
    Uv("uv").publish(None, home, dist.parent, Account(f"{server.url}/legacy/")).succeeded()
    repository.yank("beta-tool", [FILES[6][0]], "", ACTOR)
    repository.remove("acme-lib", [FILES[5][0]], ACTOR)
    repository.set_status("packages", "quarantined", "", ACTOR)
    assert mirror.update() == sorted(new)
    assert mirror.files == OFFERED | new  # the bytes of what left the pages stay
    same(mirror, server, "acme-lib", "beta-tool", "gamma")
    assert list(mirror.page("packages")) == [FILES[7][0]]  # and so does what went into quarantine
    assert mirror.update("sync", "acme-lib") == []

    # The mirror is an index: pip takes the newest that is not yanked from its folder.
    pip = environments.need(this(), "pip==26.3", "setuptools==79.0.1").python
    words = ["-m", "pip", "download", "--no-deps", "-i", (mirror.folder / "web" / "simple").as_uri(), "-d", tmp_path]
    home.run(pip, *words, "acme-lib").succeeded()
    [(name, content), _] = new.items()
    assert (tmp_path / name).read_bytes() == content


def test_an_index_that_asks_for_a_password_is_mirrored_too(
    environments: Environments, home: Home, tmp_path: Path, seeded: Callable[..., Seeded]
) -> None:
    server, _ = seeded(settings={"mypi.read": "users"}, users={"alice": "secret"})
    address = server.url.removeprefix("http://")
    conf = configurations()[1].replace("https:", "http:").replace("pypi.example.com", address)
    mirror = Mirror(environments, home, tmp_path / "mirror", f"{conf}allow-non-https = true\njson = true\n")
    assert mirror.update() == sorted(OFFERED)
    assert mirror.files == OFFERED
    pages = [path for path in mirror.folder.rglob("*") if path.is_file() and path.suffix not in (".whl", ".gz", ".zip")]
    assert [path for path in pages if b"secret" in path.read_bytes()] == []
