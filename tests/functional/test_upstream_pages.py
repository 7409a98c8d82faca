"""Pages of upstream projects at our addresses: what their index says, by our own rules (A4, A5, issue 6 point 3)."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version
from pypi_simple import ProjectPage

from mypi.backends.memory import MemoryStore
from mypi.model import Actor
from mypi.store import Store, Unavailable
from mypi.upstream import pages as pages_module
from tests import upstreams
from tests.builders import wheel
from tests.functional.conftest import Index
from tests.functional.support import BROWSER, HTML, JSON, PIP, TEXT, anchors, basic
from tests.functional.test_peers import BASE, JUDGES, Seen, told
from tests.issuers import Authority
from tests.upstreams import Upstream

SIX = "/simple/six/"
WHEEL, SDIST = "six-1.0-py3-none-any.whl", "six-1.0.tar.gz"
ACTOR = Actor("tester", "test")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def upstream(authority: Authority, tmp_path: Path) -> Iterator[Upstream]:
    with upstreams.running(tmp_path, authority=authority) as found:
        found.add("six", WHEEL, b"wheel", metadata=b"Name: six", requires_python=">=3.8,<4")
        found.add("six", SDIST, b"sdist", yanked='broken "badly" & <truly>')
        yield found


Making = Callable[..., Index]


@pytest.fixture
def make(upstream: Upstream) -> Iterator[Making]:
    """Make an index before the upstream, over a memory store unless the test says another."""
    made = []

    def index(*, over: Store | None = None, **settings: str) -> Index:
        made.append(Index.over(over or MemoryStore(), **upstream.settings(), **settings))
        return made[-1]

    yield index
    upstream.ending.set()
    for each in made:
        each.repository.close()


@pytest.fixture
def index(make: Making) -> Index:
    return make()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def ask(index: Index, accept: str = JSON, path: str = SIX, **more: Any) -> Any:
    return index.get(path, headers={"Accept": accept}, **more)


def test_json_says_all_that_the_upstream_says(index, upstream):
    upstream.projects["six"].status, upstream.projects["six"].reason = "deprecated", "use seven"
    upstream.projects["six"].files[WHEEL].said["provenance"] = "https://index.example/p"
    page = ask(index).json
    link = f"../../files/six/{sha256(b'wheel')[:16]}/{WHEEL}"
    assert page["files"] == [
        {
            "filename": WHEEL,
            "url": link,
            "hashes": {"sha256": sha256(b"wheel")},
            "size": 5,
            "upload-time": upstreams.UPLOADED,
            "requires-python": ">=3.8,<4",
            "yanked": False,
            "core-metadata": {"sha256": sha256(b"Name: six")},
            "provenance": "https://index.example/p",
        },
        {
            "filename": SDIST,
            "url": f"../../files/six/{sha256(b'sdist')[:16]}/{SDIST}",
            "hashes": {"sha256": sha256(b"sdist")},
            "size": 5,
            "upload-time": upstreams.UPLOADED,
            "yanked": 'broken "badly" & <truly>',
            "core-metadata": False,
        },
    ]
    assert (page["name"], page["versions"], page["meta"]) == ("six", ["1.0"], {"api-version": "1.4"})
    assert page["project-status"] == {"status": "deprecated", "reason": "use seven"}


@pytest.mark.parametrize("form", [upstreams.JSON, upstreams.HTML])
@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("accept", [JSON, TEXT])
def test_peers_read_from_us_what_the_upstream_said_in_either_form(index, upstream, form, judge, accept):
    upstream.form = form
    page = ask(index, accept)
    seen = told(JUDGES[judge](page, "six", f"{BASE}six/"))
    wheel_url = f"http://localhost/files/six/{sha256(b'wheel')[:16]}/{WHEEL}"
    assert seen[WHEEL] == Seen(WHEEL, wheel_url, sha256(b"wheel"), ">=3.8,<4", None, sha256(b"Name: six"))
    assert (seen[SDIST].yanked, seen[SDIST].sha256) == ('broken "badly" & <truly>', sha256(b"sdist"))


def test_what_the_upstream_does_not_say_is_left_out(index, upstream):
    upstream.form = upstreams.HTML
    upstream.projects["six"].files[WHEEL].metadata = None
    wheel_entry, sdist_entry = ask(index).json["files"]
    assert "size" not in wheel_entry and "upload-time" not in wheel_entry
    assert (wheel_entry["core-metadata"], sdist_entry["core-metadata"]) == (True, False), "it is read from the wheel"
    (attributes, _), _ = anchors(ask(index, TEXT))
    assert attributes["data-core-metadata"] == attributes["data-dist-info-metadata"] == "true"


def test_a_yank_without_a_reason(index, upstream):
    upstream.projects["six"].files[SDIST].yanked = True
    assert ask(index).json["files"][1]["yanked"] is True
    assert anchors(ask(index, TEXT))[1][0]["data-yanked"] == ""


def test_A4_4_a_stronger_hash_alone(index, upstream):
    upstream.projects["six"].files[WHEEL].said["hashes"] = {"sha512": "c" * 128}
    assert ask(index).json["files"][0]["hashes"] == {"sha512": "c" * 128}
    assert anchors(ask(index, TEXT))[0][0]["href"].endswith(f"{WHEEL}#sha512={'c' * 128}")


def test_of_a_project_in_quarantine_nothing_is_on_offer(index, upstream):
    upstream.projects["six"].status = "quarantined"
    page = ask(index).json
    assert (page["files"], page["versions"], page["project-status"]["status"]) == ([], ["1.0"], "quarantined")


def test_A3_1_a_page_is_told_apart_by_what_the_upstream_said(index, upstream):
    answer = ask(index)
    assert (answer.headers["Cache-Control"], answer.vary) == ("no-cache", ("Accept", "Accept-Encoding"))
    known = {"Accept": JSON, "If-None-Match": answer.headers["ETag"]}
    index.repository.outside.edit("pypi", "six", lambda cached: type(cached)(**{**vars(cached), "fetched": 0}))
    assert index.get(SIX, headers=known).status_int == 304, "the document changed, and the page did not"
    upstream.add("six", "six-2.0.tar.gz", b"two")
    index.repository.outside.edit("pypi", "six", lambda cached: type(cached)(**{**vars(cached), "fetched": 0}))
    assert index.get(SIX, headers=known).status_int == 200


def test_an_older_page_comes_with_a_warning(index, upstream):
    assert "Warning" not in ask(index).headers
    upstream.down()
    index.repository.outside.edit("pypi", "six", lambda cached: type(cached)(**{**vars(cached), "fetched": 0}))
    answer = ask(index)
    assert answer.headers["Warning"] == '110 - "Response is Stale"'
    upstream.up()


def test_a_page_is_at_the_root_too_and_under_one_spelling(index):
    assert ask(index, PIP, "/six/").json["files"][0]["url"].startswith("../files/six/")
    moved = ask(index, path="/simple/Six", status=301)
    assert moved.headers["Location"] == "six/"
    assert ask(index, "text/plain", status=406)


def test_A1_4_a_name_that_nobody_has_is_404_with_a_sentence(index):
    answer = ask(index, path="/simple/nothing/", status=404)
    assert "There is no project nothing here, nor at pypi" in answer.text


@pytest.mark.parametrize("fault", [upstreams.status(500), upstreams.LOGIN, upstreams.reset, upstreams.stall])
def test_an_upstream_that_fails_is_502_in_time_and_says_why(make, upstream, fault):
    index = make(**{"upstream.timeout": "1"})
    upstream.faults["*"] = fault
    answer = ask(index, PIP, status=502)
    assert answer.headers["Retry-After"] == "10"
    assert (answer.status != "502 Bad Gateway" and "127.0.0.1" in answer.text) or "pypi" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_threat_28_nothing_is_asked_about_what_is_ours(index, upstream):
    name, content = wheel()
    index.publish(name, content)
    index.repository.remove("acme-lib", [name], ACTOR)
    upstream.add("acme-lib", "acme_lib-99.0-py3-none-any.whl", b"evil")
    upstream.requests.clear()
    for path in ("/simple/acme-lib/", "/acme-lib/"):
        assert ask(index, path=path).json["files"] == []
    index.get("/project/acme-lib/", headers={"Accept": BROWSER})
    index.get("/pypi/acme-lib/json", status="*")
    assert upstream.requests == []


def test_threat_28_nothing_is_asked_about_private_names_nor_while_the_store_fails(make, upstream):
    class Failing(MemoryStore):
        fails = False

        def _open(self, key: str, *more: Any) -> Any:
            if self.fails and key.startswith("indexes/"):
                raise Unavailable(key, "is away")
            return super()._open(key, *more)

    store = Failing()
    index = make(over=store, private="acme-*")
    for path in ("/simple/acme-lib/", "/acme-lib/", "/project/acme-lib/", "/pypi/acme-lib/json"):
        index.get(path, status=404)
    store.fails = True
    ask(index, status=503)
    assert upstream.requests == []


def test_rights_to_read_come_before_anything_is_asked(make, upstream, htpasswd):
    index = make(read="users", htpasswd=htpasswd)
    ask(index, status=401)
    assert upstream.requests == []
    index.get(SIX, headers={"Accept": JSON, **basic("alice", "wonder")})
    assert upstream.count(SIX) == 1


def test_only_ours_are_listed(index):
    ask(index)
    assert ask(index, path="/simple/").json["projects"] == []


# For people, who never cause a question.


def test_a_project_of_theirs_is_shown_as_far_as_it_is_kept(index, upstream):
    page = index.get("/project/six/", headers={"Accept": BROWSER}, status=404)
    assert "pip install -i http://localhost six brings it" in page.text
    assert upstream.requests == []
    ask(index)
    page = index.get("/project/six/", headers={"Accept": BROWSER})
    for text in ("from pypi", WHEEL, SDIST, "0 kept here", "2020-01-02", "broken &#34;badly&#34; &amp; &lt;truly&gt;"):
        assert text in page.text
    assert index.get("/six/", headers={"Accept": BROWSER}).text.count(WHEEL)
    assert index.get("/project/Six/", headers={"Accept": BROWSER}).headers["Location"] == "../six/"
    assert upstream.count(SIX) == 1


def test_what_is_kept_is_marked(index, upstream):
    index.get(f"/simple/six/{ask(index).json['files'][0]['url']}".replace("/simple/six/../../", "/"))
    end = time.monotonic() + 30
    while "1 kept here" not in (page := index.get("/project/six/?file=WHL", headers={"Accept": BROWSER})).text:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert '<span class="badge success">kept</span>' in page.text
    assert SDIST not in page.text
    nothing = index.get("/project/six/?file=nothing", headers={"Accept": BROWSER})
    assert "name has “nothing” in it" in nothing.text


def test_a_project_of_theirs_without_files(index, upstream):
    upstream.projects["six"].files.clear()
    upstream.projects["six"].status = "archived"
    ask(index)
    page = index.get("/project/six/", headers={"Accept": BROWSER}).text
    assert "This project has no files on offer" in page and "pypi says that it is archived" in page


def test_a_search_tells_of_a_name_that_is_kept_and_asks_nobody(make, upstream, htpasswd):
    index = make(read="users", htpasswd=htpasswd)
    alice = {**basic("alice", "wonder"), "Accept": BROWSER}
    assert "comes through here" not in index.get("/+search?q=six", headers=alice).text
    index.get(SIX, headers={**alice, "Accept": JSON})
    assert "comes through here" in index.get("/+search?q=Six", headers=alice).text
    assert "comes through here" not in index.get("/+search?q=si+x", headers=alice).text
    index.get("/", headers=alice)
    assert upstream.count(SIX) == 1 and len(upstream.requests) == 1


def test_the_older_json_leads_to_the_simple_api(index, upstream):
    answer = index.get("/pypi/six/json", status=404)
    assert "http://localhost/simple/six/" in answer.text
    assert upstream.requests == []


def test_versions_are_in_order_and_those_without_files_stay(index, upstream):
    body = json.loads(upstream.page("six", upstreams.JSON)[1])
    body["versions"] = ["10.0", "9.0", "1.0"]
    upstream.faults[SIX] = upstreams.page(json.dumps(body).encode())
    page = ProjectPage.from_json_data(ask(index, JSON).json, f"{BASE}six/")
    assert page.versions == sorted(["1.0", "9.0", "10.0"], key=Version)


def test_a_slow_upstream_does_not_keep_an_older_page_back(index, upstream, monkeypatch):
    monkeypatch.setattr(pages_module, "PATIENCE", 0.05)
    ask(index)
    upstream.faults[SIX] = upstreams.Gate()
    index.repository.outside.edit("pypi", "six", lambda cached: type(cached)(**{**vars(cached), "fetched": 0}))
    assert "Warning" in ask(index, HTML).headers
