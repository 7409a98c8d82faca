"""Projects whose names, versions and metadata are odd and legal: the same ones for the same seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.builders import metadata, sdist, wheel

NAMES = [
    *("a", "Z", "0", "9z", "A.b_c-D", "zope...interface", "x__y", "X" * 100, "none", "null", "true", "con", "python"),
    *("simple", "files", "project", "pypi", "json", "legacy", "integrity", "index", "metadata", "static", "login"),
    *("0.0", "1e5", "1-0", "foo-1.0", "a-b-1", "whl", "tar.gz", "zip", "INF", "nan"),
]
VERSIONS = [
    *("0", "0.0", "1", "1.0.0", "2026.11.5", "1!2.0", "99999!0", "1.0a1", "1.0b2.dev3", "1.0rc1", "1.0.post4"),
    *("1.0.dev0", "0.0.0.0.0.1", "9" * 40, "1.0+local", "1.0+ubuntu.1.2", "7!1.0rc1.post2.dev3+a.b.c.4"),
]
TEXTS = [
    *("", " ", "plain", "<script>alert('x')</script>", '"><a href="x">y</a>', "a & b &amp; &lt;c&gt; &#x41;", "'; --"),
    *(
        "ünï çødé",
        "中文的包",
        "\U0001f40d\U0001f480",
        "עברית \u202eabc",
        "e\u0301\u200b\u2028",
        "]]> --> <!--",
        "{{ 7*7 }} {% x %}",
    ),
    *("false", "true", "null", "None", "UNKNOWN", "0", "{}", "[]", "\\n \\ \\u0041", "%s %(x)s %2F %00", "x" * 20_000),
    *(
        "C:\\path",
        "a\ttab",
        "=cmd|' /C calc'!A0",
        "line, with: colon; semi",
        "#sha256=0",
        "data-yanked",
        "</body></html>",
    ),
]
PYTHONS = [
    *(">=3.8", ">=3.8,<4", "<4", "<=3.99", ">2.7", "!=3.0.*,!=3.1.*,>=2.7", "~=3.9", "==3.*", "==3.11.4", "===3.11.4"),
    *(">= 3.8, < 4", "!=3.9.0", ">=3.8.0rc1", "~=3.8.1,!=3.8.5", "<4,>=3.6,!=3.7.*", ">=3,<3.100"),
]
URLS = [
    "https://acme.example/?a=1&b=<2>",
    "http://[::1]:80/x",
    "https://пример.example/ü#f",
    "https://a.example/" + "y" * 900,
]


@dataclass
class Published:
    """A file, and what was said with it. ``yanked`` is the reason or None."""

    name: str
    content: bytes
    version: str
    requires_python: str | None
    yanked: str | None = None
    signature: bytes | None = None


@dataclass
class Project:
    """A project as it was published: its name as it is written, its files by name, and its status."""

    display: str
    status: str = "active"
    reason: str = ""
    files: dict[str, Published] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return canonicalize_name(self.display)


def projects(seed: int, number: int) -> list[Project]:
    """Make projects; each odd name, version, text and specifier is in some of them."""
    chance = random.Random(seed)
    fresh = (f"{chance.choice('aBc9')}{chance.choice('-_.')}gen{n}" for n in count())
    displays = {canonicalize_name(name): name for name in NAMES}
    while len(displays) < number:
        display = next(fresh)
        displays.setdefault(canonicalize_name(display), display)
    made = [Project(display) for display in displays.values()]
    for place, project in enumerate(made):
        for chosen in {version(chance), VERSIONS[place % len(VERSIONS)]}:
            _release(chance, project, chosen, PYTHONS[place % len(PYTHONS)], TEXTS[place % len(TEXTS)])
        if chance.random() < 0.3:
            project.status = chance.choice(["deprecated", "archived", "deprecated"])
            project.reason = chance.choice(TEXTS)
    return made


def version(chance: random.Random) -> str:
    """Make up a version, as it is written canonically."""
    text = ".".join(str(chance.choice([0, 1, 7, 10, 2026])) for _ in range(chance.randint(1, 5)))
    parts = [("", "3!"), ("", "a1", "b22", "rc0"), ("", ".post1"), ("", ".dev9"), ("", "+x.1", "+2026.abc")]
    epoch, pre, post, dev, local = (chance.choice(each) for each in parts)
    return str(Version(f"{epoch}{text}{pre}{post}{dev}{local}"))


def described(chance: random.Random) -> dict[str, Any]:
    """Make up what metadata says for people."""
    return {
        "summary": chance.choice(TEXTS).replace("\t", " "),
        "author": chance.choice(TEXTS),
        "author_email": chance.choice(TEXTS),
        "keywords": chance.choice(TEXTS),
        "license": chance.choice(TEXTS),
        "home_page": chance.choice([*URLS, *TEXTS]),
        "classifier": [f"Private :: {chance.choice(TEXTS)}" for _ in range(chance.randint(0, 5))],
        "project_url": [f"{chance.choice(TEXTS)[:30]}, {chance.choice([*URLS, *TEXTS])}" for _ in range(3)],
    }


def _release(chance: random.Random, project: Project, version: str, python: str, text: str) -> None:
    requires = chance.sample(["beta>=1", "gamma[x]; extra == 'dev'", "delta @ https://d.example/d.whl"], 2)
    fields = {**described(chance), "requires": requires}
    for kind in chance.sample(["wheel", "sdist"], chance.randint(1, 2)):
        requires_python = chance.choice([python, None])
        told = metadata(project.display, version, requires_python=requires_python, **fields)
        # The name in a file name is the canonical one: what it may be is for the rules of file names.
        if kind == "wheel":
            filename, content = wheel(project.name, version, info={"METADATA": told})
        else:
            # A plain tar header has no room for the longest names.
            ending = ".zip" if len(project.name + version) > 60 else chance.choice([".tar.gz", ".zip"])
            filename, content = sdist(project.name, version, pkg_info=told, ending=ending)
        yanked = text if chance.random() < 0.4 else None
        signature = b"-----BEGIN PGP SIGNATURE-----\n" if chance.random() < 0.2 else None
        project.files[filename] = Published(filename, content, version, requires_python, yanked, signature)
