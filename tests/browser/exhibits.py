"""An index with one of everything that a page can show, made without a server."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urljoin

from mypi.accounts.passwords import Hasher
from mypi.model import Actor, Event, File, Project
from mypi.repository import Repository, keys
from mypi.settings import Settings
from mypi.times import timestamp
from tests import builders, upstreams
from tests.repository.shorthand import submission

DAY = 86400.0
PASSWORDS = {"alice": "sand and sea 1", "admin": "keys to it all 2", "bob": "only reading 3", "carol": "a new face 44"}
ALICE, ADMIN = Actor("alice", "192.0.2.10", owns=True), Actor("admin", "192.0.2.1", owns=True)

MANY = 5_000
"""The files of `mountain`."""

CROWD = 1_100
"""How many projects begin with `crowd-`."""

RST = """\
Tideline
========

Tideline reads the **tide gauges** of a coast, and says when a boat can leave::

    from tideline import Coast

    coast = Coast.load("brittany.toml")
    print(coast.next_high_water("Roscoff"))

What it does
------------

* reads gauges over HTTP or from a *folder of files*
* fills gaps by harmonics, and says so
* draws nothing: `acme-charts <../acme-charts/>`_ does

======== ============ ==========
Station  High water   Height
======== ============ ==========
Roscoff  05:12        8.70 m
Brest    04:31        7.05 m
======== ============ ==========

.. code-block:: python

   @coast.on_change(metres=0.2)
   def warn(station: str, height: float) -> None:
       print(f"{station}: {height:.2f} m")  # every ten minutes
"""
MARKDOWN = """\
# Acme Charts

Charts of anything that has a *time* and a **height**.

```python
from acme_charts import chart

chart(heights, title="Brest", width=800)
```

## Why another one

1. It draws [SVG](https://www.w3.org/TR/SVG2/) and nothing else.
2. It has no state.

| Backend | Needs    | Since |
|---------|----------|-------|
| `svg`   | nothing  | 1.0   |
| `pdf`   | `cairo`  | 2.0   |

> A chart says one thing.

| Station     | 00:00  | 03:00  | 06:00  | 09:00  | 12:00  | 15:00  | 18:00  | 21:00  |
|-------------|--------|--------|--------|--------|--------|--------|--------|--------|
| Saint-Malo  | 8.70 m | 6.10 m | 2.30 m | 4.90 m | 8.90 m | 6.40 m | 2.50 m | 5.10 m |
"""
HOSTILE = """\
# Hello <script>window.owned = 1</script>

<img src="https://tracker.example/pixel.png" onerror="window.owned = 2">
<iframe src="https://elsewhere.example/"></iframe>
<style>body { display: none }</style>
<form action="https://elsewhere.example/"><input name="password"><button>Log in</button></form>
<a href="javascript:window.owned = 3">a link that is a script</a>
[another](javascript:window.owned%20=%204) [and one with data](data:text/html,<script>window.owned=5</script>)
<div style="position: fixed; inset: 0; background: red">over everything</div>
<a href="https://elsewhere.example/" onclick="window.owned = 6">a real link</a>
<svg><script>window.owned = 7</script></svg>
"""


POLICY = {"policy.min_age_days": "7", "policy.deny": "numeral<1 evil", "policy.prereleases": "hide"}


@dataclass
class Maker:
    """Writes into an empty index, at times of its own."""

    repository: Repository
    at: list[float] = field(default_factory=lambda: [time.time()])

    def ago(self, days: float) -> Maker:
        """Set what follows so many days back."""
        self.at[0] = time.time() - days * DAY
        return self

    def wheel(self, name: str, version: str = "1.0", by: Actor = ALICE, **fields: object) -> File:
        """Publish a wheel with such metadata; `description` stands in its body."""
        return self._publish(builders.wheel(name, version, **fields), by)  # type: ignore[arg-type]

    def sdist(self, name: str, version: str = "1.0", by: Actor = ALICE, **fields: object) -> File:
        return self._publish(builders.sdist(name, version, **fields), by)  # type: ignore[arg-type]

    def _publish(self, made: tuple[str, bytes], by: Actor) -> File:
        return self.repository.publish(submission(*made), by)


def make(var: Path, *, tests: bool = True) -> None:
    """Make the index in a folder of the filesystem backend; without ``tests`` only what is fit for a picture."""
    settings = Settings.load({"mypi.storage": "filesystem", "mypi.storage.path": str(var), "mypi.upload": "users"}, {})
    at = [time.time()]
    repository = Repository(store := settings.storage.open(), store, settings, clock=lambda: at[0])
    try:
        maker = Maker(repository, at)
        _people(repository)
        if tests:
            _crowd(maker)
            _mountain(maker)
            _hostile(maker)
            _for_flows(maker)
        _showpieces(maker)
        _statuses(maker)
    finally:
        repository.close()


def elsewhere(upstream: upstreams.Upstream) -> None:
    """Give another index a project of many versions and platforms, some of which the policy hides."""
    tags = ["cp312-cp312-macosx_14_0_arm64", "cp312-cp312-manylinux_2_28_x86_64", "cp312-cp312-win_amd64"]
    versions = {
        "0.8": 900,
        "0.9": 800,
        "1.0": 400,
        "1.1": 300,
        "1.2": 200,
        "1.3": 90,
        "2.0rc1": 40,
        "2.0": 30,
        "2.1": 2,
    }
    for version, days in versions.items():
        said = {"uploaded": timestamp(datetime.now(timezone.utc) - timedelta(days=days)), "requires_python": ">=3.9"}
        if version == "1.1":
            said["yanked"] = "sums of an empty list are wrong, see https://numeral.example/advisories/2026/0001"
        upstream.add("numeral", f"numeral-{version}.tar.gz", f"sdist {version}".encode() * 9000, **said)
        for tag in tags:
            upstream.add("numeral", f"numeral-{version}-{tag}.whl", f"{tag} {version}".encode() * 90_000, **said)


def bring(url: str) -> None:
    """Have an index keep the page of that project, and one file of it."""
    asked = urllib.request.Request(f"{url}/simple/numeral/", headers={"Accept": upstreams.JSON})
    with urllib.request.urlopen(asked) as answer:
        files = json.load(answer)["files"]
    (link,) = [file["url"] for file in files if file["filename"].endswith("2.0-cp312-cp312-win_amd64.whl")]
    with urllib.request.urlopen(urljoin(f"{url}/simple/numeral/", link)) as answer:
        answer.read()


def _people(repository: Repository) -> None:
    hasher = Hasher()
    for name, password in PASSWORDS.items():
        if name != "carol":  # whom the administrator adds
            hashed = hasher.hash(password)
            repository.members.record(ADMIN, lambda a, event, n=name, h=hashed: a.set_password(n, h, event))
    repository.members.record(ADMIN, lambda accounts, event: accounts.join("admins", ["admin"], event))
    repository.members.record(ADMIN, lambda accounts, event: accounts.join("coast", ["alice", "bob"], event))


def _crowd(maker: Maker) -> None:
    """Many small projects, written past the repository: one by one they would take a minute."""
    event = Event("2026-01-01T00:00:00.000000Z", "register", by="admin", origin="192.0.2.1", version="1.0")
    displays = {f"crowd-{number:04}": f"Crowd-{number:04}" for number in range(CROWD)}
    catalogue = maker.repository._catalogue
    catalogue._names.edit(keys.index("main"), lambda names: replace(names, projects={**names.projects, **displays}))
    for name, display in displays.items():
        project = Project(name, display).register("1.0", f"One of {CROWD}, number {name[-4:]}", event)
        catalogue.edit(name, lambda _, made=project: made, absent=True)


def _mountain(maker: Maker) -> None:
    """A project with 5,000 files; all but one share its bytes, for no page opens them."""
    tags = [
        f"cp3{minor}-cp3{minor}-{where}" for minor in range(9, 14) for where in ("win_amd64", "manylinux_2_28_x86_64")
    ]
    maker.ago(400)
    first = maker.wheel("mountain", "0.1", summary="Very many files", files={"mountain.py": b"HIGH = True\n"})
    files, events = {}, []
    for number in range(MANY - 1):
        version = f"1.{number // len(tags)}"
        name = f"mountain-{version}-{tags[number % len(tags)]}.whl"
        uploaded = f"2026-{1 + number // 500:02}-{1 + number // 20 % 25:02}T12:00:00.000000Z"
        files[name] = replace(first, filename=name, version=version, uploaded=uploaded, sha256=f"{number:064x}")
        events.append(Event(uploaded, "publish", "alice", "192.0.2.10", name, version))
    change = lambda p: replace(p, files={**p.files, **files}, history=(*p.history, *events))  # noqa: E731
    maker.repository._catalogue.edit("mountain", change)


def _showpieces(maker: Maker) -> None:
    maker.ago(300).wheel("acme-units", "1.0", summary="Metres, knots and fathoms")
    markdown = {"description": MARKDOWN, "description_content_type": "text/markdown"}
    maker.ago(250).wheel(
        "acme-charts", "2.1", requires=["acme-units>=1"], summary="Charts as SVG, without state", **markdown
    )
    _tideline(maker)
    maker.ago(12).wheel("harbour-web", "0.4", requires=["tideline>=2", "acme-charts"], summary="The harbour's web page")
    maker.ago(3).wheel("lock-keeper", "3.0.1", ADMIN, requires=["tideline<2.1"], summary="Opens the lock in time")
    plain = {"description": "Notes\n\n  <b>kept</b> as   they are.\n", "description_content_type": "text/plain"}
    maker.ago(2).wheel("plain-notes", "1.0", summary="A README without markup", **plain)


def _tideline(maker: Maker) -> None:
    """Publish what a project of some years has: releases, platforms, dependencies, a yanked release."""
    about = {
        "summary": "Tide gauges, and when a boat can leave",
        "author": "The coast team",
        "author_email": "coast@acme.example",
        "license_expression": "MIT",
        "metadata_version": "2.4",
        "keywords": "tides,coast,boats",
        "project_url": [
            "Source, https://git.example/tideline",
            "Documentation, https://tideline.example/docs",
        ],
        "classifier": [
            "Development Status :: 5 - Production/Stable",
            "Operating System :: OS Independent",
            "Programming Language :: Python :: 3",
            "Programming Language :: Python :: 3.12",
            "Topic :: Scientific/Engineering :: Hydrology",
        ],
        "description": RST,
        "description_content_type": "text/x-rst",
        "requires_python": ">=3.10",
        "provides_extra": ["charts"],
        "requires": ["acme-units>=1.0", "numpy>=2", "acme-charts>=2; extra == 'charts'", "tzdata; os_name == 'nt'"],
    }
    for number, version in enumerate(["0.9", "1.0", "1.1", "1.2", "1.2.1", "2.0rc1", "2.0", "2.1"]):
        maker.ago(200 - 25 * number).sdist("tideline", version, **about)
        maker.wheel("tideline", version, **about)
    for tag in ("cp312-cp312-manylinux_2_28_x86_64", "cp312-cp312-macosx_14_0_arm64", "cp313-cp313-win_amd64"):
        maker.wheel("tideline", "2.1", tag=tag, **about)
    yanked = ["tideline-1.2-py3-none-any.whl", "tideline-1.2.tar.gz"]
    maker.repository.yank("tideline", yanked, "reads the wrong time zone", ALICE)


def _hostile(maker: Maker) -> None:
    """Publish what tries to run a script from every field that a page shows."""
    maker.ago(1).wheel(
        "hostile",
        "6.6.6",
        summary="<script>window.owned = 8</script>",
        author='"><script>window.owned = 9</script>',
        description=HOSTILE,
        description_content_type="text/markdown",
        home_page="javascript:window.owned=10",
        project_url=["<b>Bold</b>, javascript:window.owned=11", "Fine, https://elsewhere.example/"],
        keywords="<script>window.owned = 12</script>",
        license="<img src=x onerror=window.owned=13>",
        requires=["acme-units"],
    )
    maker.repository.add_owner("hostile", "bob", ADMIN)


def _statuses(maker: Maker) -> None:
    for days, name, status, reason in (
        (90, "old-pilot", "deprecated", "use tideline instead"),
        (80, "finished", "archived", "its last boat was sold"),
        (70, "infected", "quarantined", "under examination since Monday"),
    ):
        maker.ago(days).wheel(name, "1.0", summary=f"A project that is {status}")
        maker.repository.set_status(name, status, reason, ADMIN)  # type: ignore[arg-type]
    gone = maker.ago(60).wheel("bygone", "1.0", summary="Something that was removed")
    maker.wheel("bygone", "1.1", summary="Something that is left")
    maker.ago(2)
    maker.repository.remove("bygone", [gone.filename], ADMIN)


def _for_flows(maker: Maker) -> None:
    """Projects that tests change, one for each."""
    for name in ("yank-me", "plain-yank", "trash-me", "plain-trash", "manage-me", "plain-manage", "both-change"):
        maker.ago(20).wheel(name, "1.0", summary="For a test")
        maker.wheel(name, "1.1", summary="For a test")
    maker.ago(10).wheel("needs-yank-me", "2.0", requires=["yank-me>=1"], summary="For a test")
    maker.at[0] = time.time()
