"""``mypi why``: whose a name is, which rule hides what of it, who set it, and when it lifts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from mypi.model import Actor
from mypi.repository import Repository
from tests import builders, upstreams
from tests.repository.shorthand import submission
from tests.upstreams import Upstream

from .conftest import Run


def ago(days: float) -> str:
    moment = datetime.fromtimestamp(time.time() - days * 86400, timezone.utc)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


@pytest.fixture
def configure(ini: Path) -> Callable[..., None]:
    """Add settings to the ``.ini`` file."""

    def add(**settings: str) -> None:
        lines = [f"mypi.{name.replace('policy_', 'policy.')} = {value}\n" for name, value in settings.items()]
        ini.write_text(ini.read_text() + "".join(lines))

    return add


@pytest.fixture
def upstream(tmp_path: Path, configure: Callable[..., None]) -> Iterator[Upstream]:
    with upstreams.running(tmp_path) as found:
        for version, days in (("1.0", 100.0), ("2.0", 1.0)):
            found.add("lib", *builders.wheel("lib", version), uploaded=ago(days))
        found.add("lib", *builders.sdist("lib", "2.0"), uploaded=ago(0.5))
        configure(**found.settings())
        yield found


def test_it_explains_what_of_theirs_is_hidden_and_asks_once(run: Run, configure, upstream: Upstream) -> None:
    configure(policy_min_age_days="7")
    lifts = ago(-6.5)[:13]
    for _ in range(2):
        done = run("why", "Lib")
        assert done.code == 0, done.err
        said = done.out.splitlines()
        assert said[0] == "lib is not ours: it comes from pypi, of mypi.upstream."
        assert said[1].startswith("  2.0: lib-2.0.tar.gz is hidden until ")
        assert said[2].startswith(f"    2 files, set by mypi.policy.min_age_days = 7; lifts by itself at {lifts}")
        assert said[3:] == ["1 file is on offer."]
    assert upstream.count("/simple/lib/") == 1


def test_of_one_version_and_as_json(run: Run, configure, upstream: Upstream) -> None:
    configure(policy_deny="lib<2")
    assert run("why", "lib==2.0").out.splitlines()[1:] == ["No rule hides lib 2.0.", "2 files are on offer."]
    found = json.loads(run("why", "lib==1", "--json").out)
    assert (found["whose"], found["version"], found["shown"]) == ("theirs", "1", 0)
    assert [each["setting"] for each in found["hidden"]] == ["mypi.policy.deny = lib<2"]
    said = run("why", "lib==1").out
    assert "  1.0: lib 1.0 is hidden: it is denied by mypi.policy.deny = lib<2.\n" in said
    assert "    set by mypi.policy.deny = lib<2; lifts when the setting changes\n" in said


def test_a_name_that_is_denied_whole(run: Run, configure, upstream: Upstream) -> None:
    configure(policy_deny="evil")
    said = run("why", "evil").out
    assert "evil is hidden: it is denied by mypi.policy.deny = evil; no other index is asked about it.\n" in said
    assert "  all versions: " in said
    assert upstream.requests == []


def test_of_ours(run: Run, configure, index: Repository) -> None:
    index.publish(submission(*builders.sdist("mine", "1.0")), Actor("tester", "test"))
    assert run("why", "mine").out.splitlines() == [
        "mine is ours: it was published here, and no other index is asked about it.",
        "1 file is on offer.",
    ]
    assert "There is no project other here." in run("why", "other").out


def test_many_versions_are_cut_unless_all_are_wished(run: Run, configure, upstream: Upstream) -> None:
    for minor in range(25):
        upstream.add("many", *builders.wheel("many", f"1.{minor}"), uploaded=ago(1))
    configure(policy_min_age_days="7")
    said = run("why", "many").out
    assert "  1.24: " in said
    assert "  1.4: " not in said
    assert "  and 5 older versions; --all lists them\n" in said
    assert "  1.0: " in run("why", "many", "--all").out


@pytest.mark.parametrize(("what", "says"), [("-x-", "is not a project name"), ("lib==x.y", "is not a version")])
def test_what_is_no_name_or_version_is_refused(run: Run, what: str, says: str) -> None:
    done = run("why", "--", what)
    assert done.code == 1
    assert says in done.err
