"""A mypi index mirrored by bandersnatch: every file byte for byte, and what is published, yanked and removed later.

Seen with bandersnatch 6.8: by default it asks for the list of projects over XML-RPC, which is 410 here. With
`api-method = simple` it reads `/simple/` and `/pypi/NAME/json`, passes over projects that have no `_last-serial` in the
list, and takes files from below `/packages` alone.
"""

from __future__ import annotations

import json
import re
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
CONF = """\
[mirror]
directory = {folder}
master = {url}
{more}allow-non-https = true
json = true
"""
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


class Mirror:
    """A mirror in a folder, as bandersnatch keeps it."""

    def __init__(self, environments: Environments, home: Home, folder: Path, server: Server) -> None:
        self._tool = environments.need(this(), BANDERSNATCH).script("bandersnatch")
        self._home = home
        self._server = server
        self.folder = folder

    def run(self, *words: str, more: str = "api-method = simple\n") -> Result:
        conf = self._home.folder / "bandersnatch.conf"
        conf.write_text(CONF.format(folder=self.folder, url=self._server.url, more=more))
        return self._home.run(self._tool, "-c", conf, *words)

    def update(self) -> list[str]:
        """Mirror; return the names of the files that were brought."""
        output = self.run("mirror").succeeded().output
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


@pytest.fixture
def server(tmp_path: Path) -> Any:
    """A running mypi with a few projects, one release of which is yanked."""
    store = stores.make("filesystem", tmp_path)
    repository = Repository(store, store, settings())
    for name, content in FILES:
        repository.publish(submission(name, content), ACTOR)
    repository.yank("acme-lib", [FILES[3][0]], REASON, ACTOR)
    repository.set_status("held", "quarantined", "", ACTOR)
    chosen = {f"mypi.{name}": value for name, value in stores.settings("filesystem", tmp_path).items()}
    with servers.running(tmp_path / "server", settings=chosen) as running:
        yield running


def test_a_mirror_holds_every_file_and_follows_every_change(
    environments: Environments, home: Home, tmp_path: Path, server: Server
) -> None:
    mirror = Mirror(environments, home, tmp_path / "mirror", server)
    published = dict(FILES[:-1])  # what is in quarantine is not on offer
    assert mirror.update() == sorted(published)
    assert mirror.files == published
    for project in ("acme-lib", "beta-tool", "packages"):
        said = server.files(project)
        seen = mirror.page(project)
        assert seen.keys() == said.keys()
        for name, file in seen.items():
            assert bool(said[name]["yanked"]) == file["yanked"], name
            for key in ("hashes", "size", "upload-time"):
                assert said[name][key] == file[key], (name, key)
            assert said[name].get("requires-python") == file["requires-python"], name
    assert "data-yanked=\"brøken: &quot;a&quot; &amp; &lt;b&gt;\"" in (mirror.folder / "web/simple/acme-lib/index.html").read_text()

    assert mirror.update() == []
    dist = tmp_path / "next" / "dist"
    dist.mkdir(parents=True)
    new = dict([wheel("acme_lib", "1!2.1"), sdist("gamma", "0")])
    for name, content in new.items():
        (dist / name).write_bytes(content)
    Uv("uv").publish(None, home, dist.parent, Account(f"{server.url}/legacy/")).succeeded()
    assert "exit code 0" in server.command("yank", "beta-tool", "3")
    assert "exit code 0" in server.command("remove", "--yes", "acme-lib", "1!2.0rc1")
    assert mirror.update() == sorted(new)
    assert mirror.files == published | new  # bandersnatch keeps the bytes of what left the pages
    assert mirror.page("acme-lib").keys() == server.files("acme-lib").keys()
    assert [file["yanked"] for file in mirror.page("beta-tool").values()] == [True]

    # The mirror is an index: pip takes the newest that is not yanked from its folder.
    pip = environments.need(this(), "pip==26.3", "setuptools==79.0.1").python
    words = ["-m", "pip", "download", "--no-deps", "-i", (mirror.folder / "web" / "simple").as_uri(), "-d", tmp_path]
    home.run(pip, *words, "acme-lib").succeeded()
    [(name, content), _] = new.items()
    assert (tmp_path / name).read_bytes() == content
