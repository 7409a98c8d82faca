"""Dependency confusion with real clients: a private name never resolves to another index's (threat 28)."""

from __future__ import annotations

import sys

import pytest
import uv

from mypi.backends.memory import MemoryStore
from mypi.model import Actor
from tests import builders, upstreams
from tests.functional.conftest import Index
from tests.functional.support import served
from tests.repository.shorthand import submission

BOSS = Actor("boss", "command")
OURS = builders.wheel("acme-lib", "1.0", requires=["six"])


@pytest.fixture
def elsewhere(tmp_path):
    """Another index, on which somebody has registered our name, with higher versions of every kind."""
    with upstreams.running(tmp_path) as upstream:
        for version in ("2.0", "99.0", "100.0a1"):
            upstream.add("acme-lib", *builders.wheel("acme-lib", version, requires=["six"]))
        upstream.add("six", *builders.wheel("six", "1.16.0"))
        upstream.add("app", *builders.wheel("app", "1.0", requires=["acme-lib>=1"]))
        yield upstream


@pytest.fixture
def resolve(home, elsewhere):
    """Resolve requirements as a client does, over an index with settings and with what is done to it before."""

    def run(client, wanted, prepare=lambda index: None, **given):
        store = MemoryStore()
        index = Index.over(store, **elsewhere.settings(**given))
        prepare(index.repository)
        elsewhere.requests.clear()
        with served(index.app) as port:
            url = f"http://127.0.0.1:{port}/simple/"
            (home.folder / "in.txt").write_text("\n".join(wanted))
            if client == "pip":
                words = ["-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-cache-dir", "-r", "in.txt"]
                done = home.run(sys.executable, *words, "-i", url)
            else:
                words = ["pip", "compile", "--no-header", "--no-annotate", "--index-url", url, "in.txt"]
                done = home.run(uv.find_uv_bin(), *words)
        index.repository.close()
        return done

    return run


def publish(repository):
    repository.take_over("acme-lib", "acme-lib", "", BOSS)
    repository.publish(submission(*OURS), BOSS)


def remove(repository):
    publish(repository)
    repository.remove("acme-lib", [OURS[0]], BOSS)


def asked(elsewhere):
    return {request.path.split("/")[2].partition("-")[0] for request in elsewhere.requests}


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_our_lower_version_is_chosen_and_theirs_never_asked_for(resolve, elsewhere, client):
    done = resolve(client, ["app"], publish).succeeded()
    for wanted in ("acme-lib", "six", "app"):
        assert wanted in done.output
    assert "1.16.0" in done.output
    for never in ("99.0", "100.0a1", "acme-lib==2.0", "acme-lib-2.0"):
        assert never not in done.output
    assert asked(elsewhere) <= {"app", "six"}


@pytest.mark.parametrize("client", ["pip", "uv"])
@pytest.mark.parametrize(
    ("spelling", "prepare", "private"),
    [
        ("acme-lib>=2", remove, ""),
        ("Acme_Lib==99.0", lambda repository: None, "acme-*"),
        ("acme.lib", lambda repository: None, "acme-lib"),
    ],
)
def test_what_we_do_not_offer_fails_though_they_have_it(resolve, elsewhere, client, spelling, prepare, private):
    done = resolve(client, [spelling], prepare, private=private)
    assert done.code != 0
    assert elsewhere.requests == []


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_a_name_of_theirs_is_installed_through_us(resolve, elsewhere, client):
    done = resolve(client, ["acme-lib"]).succeeded()
    assert "99.0" in done.output
