"""Pages of upstream indexes: fresh for a while, revalidated, stale rather than none, fetched once for all who wait."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mypi.backends.memory import MemoryStore
from mypi.model.remote import Cached, Kept, Site
from mypi.repository import Outside
from mypi.store import Full, Store
from mypi.upstream import Away, Garbage, Unknown
from mypi.upstream import pages as pages_module
from mypi.upstream.client import Client, Way
from mypi.upstream.pages import Pages, Served
from tests import stores, upstreams
from tests.issuers import Authority
from tests.repository.shorthand import settings
from tests.upstreams import Upstream
from tests.waiting import until

SIX = "/simple/six/"
WHEEL = "six-1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def upstream(authority: Authority, tmp_path: Path) -> Iterator[Upstream]:
    with upstreams.running(tmp_path, authority=authority) as found:
        found.add("six", WHEEL, b"six")
        yield found


@pytest.fixture
def second(authority: Authority, tmp_path: Path) -> Iterator[Upstream]:
    with upstreams.running(tmp_path, authority=authority) as found:
        yield found


class Node:
    """The pages as one node has them. ``now`` is its clock's."""

    def __init__(self, store: Store, *given: Upstream, seconds: float = 600, timeout: float = 30) -> None:
        self.now = 1_000_000.0
        self.outside = Outside(store, store, settings())
        self.client = Client(Way(timeout=timeout, private_addresses=True, ca=given[0].ca))
        self.sites = [Site(name, each.url) for name, each in zip(("pypi", "other"), given, strict=False)]
        self.pages = Pages(
            self.client, self.outside, self.sites, seconds=seconds, timeout=timeout, clock=lambda: self.now
        )

    def get(self, name: str = "six") -> Served:
        return self.pages.get(name)

    def names(self, name: str = "six") -> list[str]:
        return [file.filename for file in self.get(name).page.files]

    def close(self) -> None:
        self.pages.close()
        self.client.close()


Making = Callable[..., Node]


@pytest.fixture
def make(upstream: Upstream) -> Iterator[Making]:
    """Make a node, over a store and upstreams of the test's choice."""
    with ExitStack() as opened:

        def node(*given: Upstream, over: Store | None = None, **more: Any) -> Node:
            found = Node(over or MemoryStore(), *(given or (upstream,)), **more)
            opened.callback(found.close)
            return found

        yield node
        upstream.ending.set()  # or those who stall would hold up the end


@pytest.fixture
def node(make: Making) -> Node:
    return make()


def test_a_page_is_asked_for_once_while_it_is_fresh(node, upstream):
    first, again = node.get(), node.get()
    assert (first.page, first.stale, first.tag) == (again.page, False, again.tag)
    assert upstream.count(SIX) == 1


def test_A3_1_a_page_is_revalidated_by_its_etag_and_what_is_kept_stays(node, upstream):
    tag = node.get().tag
    node.outside.edit("pypi", "six", lambda cached: Cached(**{**vars(cached), "kept": {"a": Kept("k", 1, "d", "u")}}))
    node.now += 601
    assert node.get().tag == tag
    assert "if-none-match" in upstream.asked(SIX)[1].headers
    assert node.get().cached.kept.keys() == {"a"}
    assert upstream.count(SIX) == 2


def test_a_page_without_etag_is_the_same_as_long_as_its_bytes_are(node, upstream):
    upstream.etags = False
    tag = node.get().tag
    node.now += 601
    assert (node.get().tag, upstream.count(SIX)) == (tag, 2)
    upstream.add("six", "six-2.0.tar.gz", b"two")
    node.now += 601
    assert node.get().tag != tag
    assert node.names() == [WHEEL, "six-2.0.tar.gz"]


def test_a_page_that_was_read_by_another_form_is_asked_for_whole(node, upstream, monkeypatch):
    node.get()
    monkeypatch.setattr(pages_module, "FORM", pages_module.FORM + 1)
    node.now += 601
    node.get()
    assert "if-none-match" not in upstream.asked(SIX)[1].headers


@pytest.mark.parametrize(
    ("control", "age", "seconds"),
    [
        (None, None, 600),
        ("max-age=100, public", None, 100),
        ("max-age=100, public", "60", 40),
        ("max-age=100", "600", 0),
        ("max-age=100", "odd", 100),
        ("public, s-maxage=50, max-age=100", None, 50),
        ("max-age=999999", None, 600),
        ("no-cache", None, 0),
        ("private, no-store, max-age=60", None, 0),
        ("garbage", None, 600),
    ],
)
def test_a_page_is_fresh_as_its_index_says_and_no_longer_than_the_operator(node, upstream, control, age, seconds):
    headers = {**({"Cache-Control": control} if control else {}), **({"Age": age} if age else {})}
    body = upstream.page("six", upstreams.JSON)[1]
    upstream.faults[SIX] = upstreams.page(body, **headers)
    assert node.get().cached.fresh_until == node.now + seconds


def test_a_shorter_setting_holds_for_pages_that_are_kept_already(make, upstream):
    store = MemoryStore()
    make(over=store).get()
    later = make(over=store, seconds=10)
    later.now += 11
    later.get()
    assert upstream.count(SIX) == 2


def test_a_clock_that_was_set_back_keeps_no_page_for_ever(node, upstream):
    node.get()
    node.now -= 100_000
    node.get()
    assert upstream.count(SIX) == 2


def test_fifty_who_wait_cause_one_fetch(node, upstream):
    gate = upstream.faults[SIX] = upstreams.Gate()
    with ThreadPoolExecutor(50) as clients:
        waiting = [clients.submit(node.get) for _ in range(50)]
        gate.wait_for()
        gate.open()
        assert {each.result().tag for each in waiting} == {node.get().tag}
    assert upstream.count(SIX) == 1


def test_who_comes_while_a_page_is_fetched_joins(node, upstream):
    gate = upstream.faults[SIX] = upstreams.Gate()
    first, second = (node.pages._fetch(node.sites[0], "six") for _ in range(2))
    assert first is second
    gate.open()
    assert first.result(30).page
    assert upstream.count(SIX) == 1


@pytest.mark.parametrize("fault", [upstreams.status(500), upstreams.status(429), upstreams.status(403)])
def test_an_index_that_fails_is_away_and_an_older_page_is_served_stale(node, upstream, fault):
    upstream.faults["*"] = fault
    with pytest.raises(Away, match="pypi"):
        node.get()
    del upstream.faults["*"]
    node.get()
    upstream.faults["*"] = fault
    node.now += 601
    assert (node.get().stale, node.names()) == (True, [WHEEL])
    del upstream.faults["*"]
    assert not node.get().stale


@pytest.mark.parametrize("fault", [upstreams.LOGIN, upstreams.page(b"{"), upstreams.status(400)])
def test_garbage_replaces_no_page(node, upstream, fault):
    upstream.faults[SIX] = fault
    with pytest.raises(Garbage):
        node.get()
    assert node.pages.kept("six") is None
    del upstream.faults[SIX]
    node.get()
    upstream.faults[SIX] = fault
    node.now += 601
    assert (node.get().stale, node.names()) == (True, [WHEEL])


def html(body: bytes, *, chunked: bool = False) -> upstreams.Fault:
    """Send a page without saying how long it is, or in chunks of which the last is missing, and hang up."""

    def send(exchange: upstreams.Exchange) -> None:
        exchange.send_response(200)
        exchange.send_header("Content-Type", "text/html")
        exchange.send_header("Transfer-Encoding" if chunked else "Connection", "chunked" if chunked else "close")
        exchange.end_headers()
        exchange.wfile.write(b"%x\r\n%s\r\n" % (len(body), body) if chunked else body)
        exchange.close_connection = True

    return send


@pytest.mark.parametrize("chunked", [True, False])
def test_a_page_that_breaks_off_hides_no_file(node, upstream, chunked):
    upstream.add("six", "six-1.0.tar.gz", b"sdist")
    whole = upstream.page("six", upstreams.HTML)[1]
    cut = whole[: whole.index(b"<br>")]
    for broken in (cut, cut[:-3], whole.replace(b"</html>", b"")):
        upstream.faults[SIX] = html(broken, chunked=chunked)
        with pytest.raises(Away, match=r"broke|reached"):
            node.get()
    del upstream.faults[SIX]
    node.get()
    upstream.faults[SIX] = html(cut, chunked=chunked)
    node.now += 601
    assert (node.get().stale, len(node.names())) == (True, 2)


def test_an_index_that_never_closes_its_html_is_taken_at_its_word(node, upstream):
    anchor = b'<a href="/files/%s#sha256=%s">x</a>' % (WHEEL.encode(), b"a" * 64)
    for fault in (upstreams.page(b"<html>" + anchor, "text/html"), html(anchor), html(b"<HTML>" + anchor + b"</HTML>")):
        upstream.faults[SIX] = fault
        assert (node.get().stale, node.names()) == (False, [WHEEL])
        node.now += 601
    upstream.faults[SIX] = upstreams.page(b"<html>" + anchor + b"<a href='/files/six-2.0.tar", "text/html")
    assert node.get().stale, "nobody ends a page within a tag"


def test_an_index_that_is_down_is_not_asked_again_and_again(node, upstream):
    node.get()
    node.now += 601
    upstream.down()
    assert node.get().stale
    upstream.up()
    assert node.get().stale, "it is asked again after a pause"
    assert upstream.count(SIX) == 1
    node.pages._away.clear()  # the pause is over
    assert not node.get().stale


def test_who_has_no_older_page_finds_out_that_it_is_there_again(node, upstream):
    upstream.down()
    with pytest.raises(Away, match="cannot be reached"):
        node.get()
    upstream.up()
    assert node.names() == [WHEEL]


def test_an_index_that_is_slow_keeps_nobody_waiting_who_can_have_an_older_page(make, upstream, monkeypatch):
    monkeypatch.setattr(pages_module, "PATIENCE", 0.1)
    node = make()
    node.get()
    node.now += 601
    gate = upstream.faults[SIX] = upstreams.Gate()
    upstream.add("six", "six-2.0.tar.gz", b"two")
    assert node.get().stale
    monkeypatch.setattr(pages_module, "PATIENCE", 3600.0)
    monkeypatch.setattr(node.pages, "_timeout", 3600.0)
    assert node.get().stale, "the second waits for nothing"
    gate.open()
    until(lambda: not node.get().stale)
    assert (len(node.names()), upstream.count(SIX)) == (2, 2)


def test_an_index_that_stalls_holds_up_one_thread_and_no_more(make, upstream):
    node = make(timeout=2)
    upstream.add("seven", "seven-1.0.tar.gz", b"7")
    upstream.faults[SIX] = upstreams.stall
    began = time.monotonic()
    with pytest.raises(Away):
        node.get()
    assert time.monotonic() - began < 30
    gate = upstream.faults[SIX] = upstreams.Gate()
    until(lambda: not node.pages._fetches)
    with ThreadPoolExecutor() as clients:
        waiting = clients.submit(node.get)
        gate.wait_for()
        with pytest.raises(Away):
            node.get("seven")  # at once: somebody finds out already
        gate.open()
        waiting.result()
    assert node.names("seven") == ["seven-1.0.tar.gz"]


def test_an_index_that_answers_others_is_not_away_for_one_slow_page(make, upstream):
    node = make(timeout=2)
    upstream.add("seven", "seven-1.0.tar.gz", b"7")
    upstream.faults[SIX] = upstreams.stall
    with ThreadPoolExecutor() as clients:
        waiting = clients.submit(node.get)
        until(lambda: upstream.count(SIX) == 1)
        node.get("seven")
        with pytest.raises(Away):
            waiting.result()
    assert node.pages._away == {}


def test_an_answer_comes_in_time_even_if_the_fetch_goes_on(make, upstream, monkeypatch):
    node = make(timeout=0.3)
    going_on = threading.Event()
    monkeypatch.setattr(node.pages, "_asked", lambda site, name: going_on.wait(30))
    with pytest.raises(Away, match="did not answer in time"):
        node.get()
    going_on.set()


def test_a_name_that_is_unknown_costs_no_document_and_may_be_published_later(node, upstream):
    with pytest.raises(Unknown, match="There is no project seven here, nor at pypi"):
        node.get("seven")
    with pytest.raises(Unknown):
        node.get("seven")
    assert upstream.count("/simple/seven/") == 1
    assert list(node.outside.names()) == []
    upstream.add("seven", "seven-1.0.tar.gz", b"7")
    node.now += 61
    assert node.names("seven") == ["seven-1.0.tar.gz"]


def test_a_project_that_is_gone_is_unknown_on_every_node(make, upstream):
    store = MemoryStore()
    here, there = make(over=store), make(over=store)
    here.get()
    upstream.faults[SIX] = upstreams.status(410)
    for node in (here, there):
        node.now += 601
        with pytest.raises(Unknown):
            node.get()
        assert node.pages.kept("six") is None


def test_a_page_that_shrinks(node, upstream):
    upstream.add("six", "six-2.0.tar.gz", b"two")
    assert len(node.names()) == 2
    del upstream.projects["six"].files[WHEEL]
    node.now += 601
    assert node.names() == ["six-2.0.tar.gz"]


def test_A1_3_an_index_that_leads_to_its_own_spelling(node, upstream):
    upstream.faults["/simple/six-pack/"] = upstreams.redirect("/elsewhere/Six_Pack/")
    upstream.add("six-pack", "six_pack-1.0.tar.gz", b"6")
    body = upstream.page("six-pack", upstreams.JSON)[1]
    upstream.faults["/elsewhere/Six_Pack/"] = upstreams.page(body)
    (file,) = node.get("six-pack").page.files
    assert file.url == f"{upstream.origin}/files/six_pack-1.0.tar.gz"


def test_threat_28_an_index_that_is_away_hides_those_after_it(make, upstream, second):
    node = make(upstream, second)
    second.add("six", WHEEL, b"other")
    upstream.faults["*"] = upstreams.status(503)
    with pytest.raises(Away):
        node.get()
    assert second.requests == []


def test_threat_28_who_had_a_name_keeps_it(make, upstream, second):
    node = make(upstream, second)
    second.add("seven", "seven-1.0.tar.gz", b"7")
    assert node.get("seven").cached.site == "other"
    upstream.add("seven", "seven-99.tar.gz", b"evil")
    node.now += 601
    assert node.names("seven") == ["seven-1.0.tar.gz"]
    del second.projects["seven"]
    node.now += 601
    assert node.names("seven") == ["seven-99.tar.gz"], "until it is there no more"


def test_what_is_kept_is_told_without_asking(node, upstream):
    assert node.pages.kept("six") is None
    page = node.get().page
    upstream.down()
    assert (node.pages.kept("six").page, node.pages.kept("six").stale) == (page, False)
    node.now += 601
    assert node.pages.kept("six").stale


class Filled(MemoryStore):
    """A store that takes nothing any more."""

    def _swap(self, key: str, data: bytes, expect: Any) -> Any:
        raise Full(key, "the disk is full")


def test_a_store_that_cannot_take_a_page_costs_only_that(make, upstream):
    node = make(over=Filled())
    assert (node.names(), node.names()) == ([WHEEL], [WHEEL])
    assert upstream.count(SIX) == 2


@pytest.mark.parametrize("damage", [b"garbage", b'{"site":"pypi"}', b'{"sha256":"' + b"0" * 64 + b'","a":1}'])
def test_a_document_that_is_damaged_is_read_anew(make, upstream, damage):
    store = MemoryStore()
    make(over=store).get()
    store.swap("upstream/pypi/six.json", damage, store.read("upstream/pypi/six.json")[1])
    node = make(over=store)
    assert node.names() == [WHEEL]
    assert make(over=store).names() == [WHEEL]
    assert upstream.count(SIX) == 2
    assert json.loads(store.read("upstream/pypi/six.json")[0])["name"] == "six"


@pytest.mark.parametrize("kind", ["memory", "filesystem"])
def test_a_page_survives_a_restart_and_is_shared_by_nodes(kind, make, upstream, tmp_path):
    store = stores.make(kind, tmp_path)
    try:
        here, there = make(over=store), make(over=store)
        assert here.names() == there.names() == [WHEEL]
        upstream.add("six", "six-2.0.tar.gz", b"two")
        there.now += 601
        assert len(there.names()) == 2
        here.now += 602
        assert len(here.names()) == 2
        upstream.down()
        later = make(over=store)
        later.now += 5000
        assert (later.get().stale, len(later.names())) == (True, 2)
        assert upstream.count(SIX) == 2
    finally:
        store.close()


def test_threads_end_with_close(upstream):
    before = set(threading.enumerate())
    node = Node(MemoryStore(), upstream)
    node.get()
    node.close()
    left = {each.name for each in set(threading.enumerate()) - before}
    assert not any(name.startswith("mypi-upstream") for name in left)
