"""What real clients install where the policy hides releases, and what they print where they ask for a hidden one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from mypi.backends.memory import MemoryStore
from tests import builders, upstreams
from tests.functional.conftest import Index
from tests.functional.support import served
from tests.upstreams import Upstream

from .clients import ALL, Home
from .environments import Environments
from .installers import INSTALLERS, Installer, Pip, Uv, installed

CLIENTS = [
    each
    for each in INSTALLERS
    # Older ones take the newest release that suits and look for no other where it needs what is not there.
    if (isinstance(each, Uv) or (isinstance(each, Pip) and each.version >= (22,))) and (ALL or each.always)
]
DAY = 86400.0


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    """An index where lib 2.0 is of yesterday, app 2.0 needs it, app 1.0 does not, and evil is evil."""
    with upstreams.running(tmp_path) as found:
        for name, version, days, needs in (
            ("lib", "1.0", 8, ()),
            ("lib", "2.0", 1, ()),
            ("app", "1.0", 100, ("lib>=1.0",)),
            ("app", "2.0", 50, ("lib>=2.0",)),
            ("bad", "1.0", 100, ()),
            ("bad", "2.0", 50, ("evil",)),
            ("evil", "1.0", 100, ()),
        ):
            moment = datetime.fromtimestamp(time.time() - days * DAY, timezone.utc)
            uploaded = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
            found.add(name, *builders.wheel(name, version, needs), uploaded=uploaded)
        yield found


@pytest.fixture
def index(upstream: Upstream) -> Iterator[Index]:
    given = {"policy.min_age_days": "7", "policy.deny": "evil"}
    found = Index.over(MemoryStore(), **upstream.settings(), **given)
    yield found
    found.repository.close()


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_the_newest_release_that_is_old_enough_is_installed_and_the_sentence_is_printed(
    client: Installer, index: Index, upstream: Upstream, environments: Environments, home: Home, tmp_path: Path
) -> None:
    env = client.fresh(environments, tmp_path / "env")
    with served(index.app) as port:
        url = f"http://127.0.0.1:{port}/simple/"
        # The newest of what is shown, and of what needs a hidden or a denied one, an older that does not.
        client.install(env, home, url, "app", "bad").succeeded()
        assert {name: version for name, version in installed(env).items() if name in ("app", "lib", "bad", "evil")} == {
            "app": "1.0",
            "lib": "1.0",
            "bad": "1.0",
        }
        # A page says nothing of what is not on it: the client names what there is, and the operator knows the rest.
        missing = client.install(env, home, url, "lib==2.0").failed()
        assert "lib" in missing.output
        denied = client.install(env, home, url, "evil").failed()
        assert "evil" in denied.output
        if isinstance(client, Uv):
            assert "403" in denied.output
        # From a lock file or by its address the file itself is asked for.
        entry = next(file for file in upstream.projects["lib"].files.values() if "2.0" in file.filename)
        digest = str(upstream.described(entry)["hashes"]["sha256"])
        address = f"http://127.0.0.1:{port}/files/lib/{digest[:16]}/{entry.filename}"
        hidden = client.install(env, home, url, f"lib @ {address}").failed()
        assert f"{entry.filename} is hidden until " in hidden.output
        assert f"mypi.policy.min_age_days = 7. See http://127.0.0.1:{port}/+why/lib" in hidden.output
        index.app.registry["mypi.screen"].clock = lambda: time.time() + 7 * DAY
        client.upgrade(env, home, url, "app").succeeded()
        assert installed(env)["lib"] == "2.0"
