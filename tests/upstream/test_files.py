"""Files of upstream indexes at our addresses: fetched once, right or not at all, kept, and served without them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import http.client
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mypi.model import Actor
from mypi.store import Full, Unavailable
from mypi.testing import FaultyStore, Point, WrappedStore
from mypi.upstream import Space, flights
from mypi.upstream.files import SEATS
from tests import stores, upstreams
from tests.builders import metadata, wheel
from tests.functional.conftest import Index
from tests.functional.support import basic, served
from tests.upstream.support import (
    BIG,
    CONTENT,
    LARGE,
    NAME,
    PROJECT,
    Halves,
    address,
    fetched,
    indexed,
    kept,
    keys_of,
    token,
)
from tests.waiting import until

# One file, as ours are served.


@pytest.mark.parametrize("kind", sorted(stores.STORES))
def test_a_file_is_fetched_once_and_kept_in_each_store(kind, upstream, tmp_path):
    store = stores.make(kind, tmp_path / "index")
    with contextlib.closing(store), indexed(upstream, store) as index:
        assert index.get(address(LARGE, BIG)).body == BIG
        until(lambda: kept(index) == {LARGE: len(BIG)})
        upstream.down()
        assert index.get(address(LARGE, BIG)).body == BIG
        assert index.get(address(LARGE, BIG), headers={"Range": "bytes=5-1048580"}, status=206).body == BIG[5:1048581]
    assert upstream.count(f"/files/{LARGE}") == 1


def test_headers_are_those_of_our_own_files(index):
    index.publish(*wheel("ours"))
    mine = index.get(index.url("ours", wheel("ours")[0]))
    theirs = index.get(address())
    assert theirs.body == CONTENT
    assert theirs.headers["ETag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    own = ("ETag", "Content-Length", "Content-Disposition", "X-Request-ID")
    assert {k: v for k, v in theirs.headers.items() if k not in own} == {
        k: v for k, v in mine.headers.items() if k not in own
    }
    assert theirs.headers["Content-Disposition"] == f'attachment; filename="{NAME}"'
    assert theirs.content_length == len(CONTENT)


def test_A6_4_head_and_304_need_no_fetch(index, upstream):
    head = index.head(address())
    assert (head.content_length, head.headers["Accept-Ranges"]) == (len(CONTENT), "bytes")
    assert index.get(address(), headers={"If-None-Match": head.headers["ETag"]}, status=304)
    assert index.get(address(), headers={"Range": "bytes=999999-"}, status=416)
    assert upstream.count(f"/files/{NAME}") == 0


@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=100-", "bytes=-100", "bytes=-10000000"])
def test_A6_4_ranges_of_what_is_not_kept_yet(asked, index, upstream):
    first, _, last = asked.removeprefix("bytes=").partition("-")
    wanted = CONTENT[int(first) : int(last) + 1 if last else None] if first else CONTENT[-int(last) :]
    assert index.get(address(), headers={"Range": asked}, status=206).body == wanted
    assert upstream.count(f"/files/{NAME}") == 1


def test_a_url_of_an_unknown_token_or_file_is_404_and_asks_for_no_file(index, upstream):
    index.get(f"/files/{PROJECT}/{'0' * 16}/{NAME}", status=404)
    index.get(f"/files/{PROJECT}/{token(CONTENT)}/other-1.0.tar.gz", status=404)
    index.get(f"/files/unknown/{token(CONTENT)}/{NAME}", status=404)
    index.get(f"{address()}.asc", status=404)
    index.get(f"{address()}.provenance", status=404)
    assert {request.path.split("/")[1] for request in upstream.requests} == {"simple"}


def test_threat_28_of_a_name_of_ours_nothing_is_asked(index, upstream):
    index.repository.take_over(PROJECT, PROJECT, "", Actor(None, "command"))
    index.publish(NAME, CONTENT)
    index.get(f"/files/{PROJECT}/{token(BIG)}/{LARGE}", status=404)
    assert upstream.requests == []


def test_threat_28_nor_of_one_that_is_private(upstream, store):
    with indexed(upstream, store, private="acme-*") as index:
        index.get(address(), status=404)
        index.get(f"{address()}.metadata", status=404)
    assert upstream.requests == []


def test_without_an_upstream_an_unknown_name_is_404(store):
    Index.over(store).get(address(), status=404)


def test_rights_come_before_anything(upstream, store, htpasswd):
    with indexed(upstream, store, htpasswd=htpasswd, read="users", upload="users") as index:
        index.get(address(), status=401)
        index.get(f"{address()}.metadata", status=401)
        assert upstream.requests == []
        assert index.get(address(), headers=basic("alice", "wonder")).body == CONTENT


def test_other_bytes_under_a_name_are_another_url(index, upstream):
    assert index.get(address()).body == CONTENT
    until(lambda: kept(index))
    other = wheel(files={"acme_lib/other.py": b"2"})[1]
    upstream.add(PROJECT, NAME, other)
    space = Space(index.repository.outside, None)
    (first,) = keys_of(index)
    index.repository.outside.edit("pypi", PROJECT, lambda known: replace(known, fresh_until=0))
    assert index.get(address(content=other)).body == other
    until(lambda: [item.kept.digest for item in space.kept()] == [hashlib.sha256(other).hexdigest()])
    until(lambda: len(keys_of(index)) == 1)
    assert keys_of(index) != [first]
    index.get(address(), status=404)


# The way out of redirect mode.


def test_in_redirect_mode_clients_are_sent_to_the_upstream_and_nothing_is_kept(upstream, store):
    upstream.files_at = f"http://who:secret@127.0.0.1:{upstream.port}/files/"
    with indexed(upstream, store, **{"upstream.mode": "redirect"}) as index:
        for method in (index.get, index.head):
            answer = method(address(), status=302)
            assert answer.headers["Location"] == f"{upstream.origin}/files/{NAME}"
            assert answer.headers["Cache-Control"] == "no-store"
            known = {"If-None-Match": f'"{hashlib.sha256(CONTENT).hexdigest()}"'}
            assert "Location" not in method(address(), headers=known, status=304).headers
        assert kept(index) == {}


@pytest.mark.parametrize("files_at", ["https://evil.example/", "http://127.0.0.2/", "http://127.0.0.1@evil.example/"])
def test_threat_38_in_redirect_mode_nobody_is_sent_where_mypi_would_not_ask(files_at, upstream, store):
    upstream.files_at = files_at
    with indexed(upstream, store, **{"upstream.mode": "redirect"}) as index:
        for method in (index.get, index.head):
            answer = method(address(), status=502)
            assert "which mypi does not ask" in answer.status
            assert "Location" not in answer.headers


def test_in_redirect_mode_metadata_still_comes_from_us(upstream, store):
    with indexed(upstream, store, **{"upstream.mode": "redirect"}) as index:
        assert index.get(f"{address()}.metadata").body == metadata()


# Many clients, and such as go away.


def test_fifty_clients_of_one_file_are_one_fetch(index, upstream, monkeypatch):
    monkeypatch.setattr(flights, "QUIET", 30.0)  # however busy the machine is
    gate = upstreams.Gate()
    upstream.faults[f"/files/{LARGE}"] = gate
    with served(index.app, threads="8") as port, concurrent.futures.ThreadPoolExecutor(50) as clients:
        asked = [clients.submit(fetched, port, address(LARGE, BIG)) for _ in range(50)]
        gate.wait_for()
        gate.open()
        answers = [each.result() for each in asked]
    assert {(status, body == BIG) for status, _, body in answers} == {(200, True)}
    assert upstream.count(f"/files/{LARGE}") == 1
    assert len(keys_of(index)) == 1


def test_a_client_that_goes_away_spoils_nothing(index, upstream):
    gate = upstreams.Gate()
    upstream.faults[f"/files/{LARGE}"] = gate
    with served(index.app, threads="4") as port:
        for _ in range(3):
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as client:
                client.request("GET", address(LARGE, BIG))
        gate.wait_for()
        gate.open()
        until(lambda: kept(index) == {LARGE: len(BIG)})
        assert fetched(port, address(LARGE, BIG))[2] == BIG
    assert upstream.count(f"/files/{LARGE}") == 1


def test_two_nodes_that_fetch_at_once_keep_one(upstream, tmp_path):
    first, second = (stores.make("filesystem", tmp_path / "index") for _ in range(2))
    with contextlib.closing(first), contextlib.closing(second):
        with indexed(upstream, first) as one, indexed(upstream, second) as other:
            gate = upstreams.Gate()
            upstream.faults[f"/files/{NAME}"] = gate
            with concurrent.futures.ThreadPoolExecutor(2) as clients:
                asked = [clients.submit(each.get, address()) for each in (one, other)]
                gate.wait_for(2)
                gate.open()
                assert [each.result().body for each in asked] == [CONTENT] * 2
            until(lambda: len(keys_of(one)) == 1 and kept(one) == {NAME: len(CONTENT)})
        assert len(list(first.list("upstream-files/"))) == 1


def test_a_restart_finds_what_was_kept(upstream, tmp_path):
    for _ in range(2):
        store = stores.make("filesystem", tmp_path / "index")
        with contextlib.closing(store), indexed(upstream, store) as index:
            assert index.get(address()).body == CONTENT
            until(lambda: kept(index))
    assert upstream.count(f"/files/{NAME}") == 1


def test_A6_4_a_part_beyond_the_end_of_a_file_whose_page_says_no_size(index, upstream):
    upstream.add(PROJECT, NAME, CONTENT, said={"size": None})
    for beyond in ("bytes=9999999-", "bytes=9999999-99999999"):
        assert (
            index.get(address(), headers={"Range": beyond}, status=416).headers["Content-Range"].startswith("bytes */")
        )
    assert index.get(address(), headers={"Range": "bytes=2-9"}, status=206).body == CONTENT[2:10]
    assert index.head(address()).content_length == len(CONTENT)
    until(lambda: kept(index) == {NAME: len(CONTENT)})


# Faults of the upstream.


def test_a_file_that_the_last_page_of_an_index_lacks_is_a_502_while_it_is_away(index, upstream):
    index.get(address(content=b"other"), status=404)
    index.repository.outside.edit("pypi", PROJECT, lambda known: replace(known, fresh_until=0))
    upstream.down()
    answer = index.get(address(content=b"other"), status=502)
    assert "has no such" in answer.text
    assert index.get(address("acme_lib-9.0.tar.gz"), status=502)


def test_what_is_wrong_with_a_file_is_told_without_the_secrets_of_its_address(index, upstream, caplog):
    upstream.add(PROJECT, NAME, CONTENT, said={"url": f"{upstream.origin}/files/{NAME}?signature=secret"})
    upstream.faults[f"/files/{NAME}"] = upstreams.wrong_bytes
    assert "secret" not in index.get(address(), status=502).text
    assert "another sha256" in caplog.text
    assert "secret" not in caplog.text


def large_fault(upstream, fault) -> None:
    upstream.faults[f"/files/{LARGE}"] = fault


@pytest.mark.parametrize("filename, content", [(NAME, CONTENT), (LARGE, BIG)])
@pytest.mark.parametrize(
    "fault",
    [
        upstreams.status(500),
        upstreams.status(404),
        upstreams.status(206),
        upstreams.reset,
        upstreams.redirect("http://169.254.169.254/latest/"),
        upstreams.huge(40_000_000, "application/octet-stream"),
        upstreams.page(b"<html>log in</html>", "text/html"),
    ],
)
def test_what_is_no_file_is_a_502_and_never_kept(fault, filename, content, index, upstream):
    upstream.faults[f"/files/{filename}"] = fault
    answer = index.get(address(filename, content), status=502)
    assert answer.headers["Cache-Control"] == "no-store"
    assert (kept(index), keys_of(index)) == ({}, [])
    upstream.faults.clear()
    assert index.get(address(filename, content)).body == content


def test_threat_39_wrong_bytes_of_a_small_file_are_a_clean_502(index, upstream):
    upstream.faults["*"] = upstreams.slow(0)
    upstream.faults[f"/files/{NAME}"] = upstreams.wrong_bytes
    answer = index.get(address(), status=502)
    assert "another sha256 than its page says" in answer.text
    assert (kept(index), keys_of(index)) == ({}, [])


@pytest.fixture
def eager(monkeypatch):
    """Large files are passed on at once, however slowly they come."""
    monkeypatch.setattr(flights, "LEAD", 0.0)


WRONG = bytes(byte ^ 1 for byte in BIG)


@pytest.mark.parametrize(
    "content, sent",
    [(WRONG, None), (BIG[:-1] + b"!", None), (BIG, len(BIG) - 1), (BIG, len(BIG) // 2)],
    ids=["wrong", "wrong at its end", "short of a byte", "half"],
)
def test_threat_39_nobody_gets_the_whole_of_a_wrong_large_file(content, sent, index, upstream, eager, caplog):
    halves = upstream.faults[f"/files/{LARGE}"] = Halves(content, sent=sent)
    with served(index.app) as port, pytest.raises(http.client.IncompleteRead) as caught:
        fetched(port, address(LARGE, BIG), halves.rest)
    assert len(caught.value.partial) <= len(BIG) - 64 * 1024
    assert (kept(index), keys_of(index)) == ({}, [])
    caplog.clear()


@pytest.mark.parametrize("content", [WRONG, BIG + b"!"], ids=["wrong", "longer"])
def test_threat_39_nor_where_nobody_says_the_size(content, index, upstream, eager, caplog):
    upstream.form = upstreams.HTML  # which has no sizes
    halves = upstream.faults[f"/files/{LARGE}"] = Halves(content, announced=False)
    with served(index.app) as port, pytest.raises(http.client.IncompleteRead):
        fetched(port, address(LARGE, BIG), halves.rest)
    assert kept(index) == {}
    caplog.clear()


@pytest.fixture
def unsaid(upstream, monkeypatch):
    """Nobody says the size of the large file, and whoever asks waits for all of it, which comes at once."""
    monkeypatch.setattr(flights, "LEAD", 30.0)
    upstream.form = upstreams.HTML
    halves = upstream.faults[f"/files/{LARGE}"] = Halves(BIG, announced=False)
    halves.rest()
    return halves


def test_a_size_that_nobody_says_is_known_when_the_file_is_here(index, upstream, unsaid):
    answer = index.get(address(LARGE, BIG))
    assert (answer.body, answer.content_length) == (BIG, len(BIG))
    until(lambda: kept(index))
    assert index.get(address(LARGE, BIG), headers={"Range": "bytes=-7"}, status=206).body == BIG[-7:]
    assert index.head(address(LARGE, BIG)).content_length == len(BIG)
    assert upstream.count(f"/files/{LARGE}") == 1


def test_A6_4_a_range_beyond_a_size_that_nobody_says_leaves_nothing_open(folder, upstream):
    upstream.form = upstreams.HTML
    folder.repository.outside.edit("pypi", PROJECT, lambda known: replace(known, fresh_until=0))
    folder.get(address(LARGE, BIG), headers={"Range": "bytes=0-3"}, status=206)
    before = files_open()
    answers = [folder.get(address(LARGE, BIG), headers={"Range": "bytes=9999999-"}, status=416) for _ in range(3)]
    assert {answer.headers["Content-Range"] for answer in answers} == {f"bytes */{len(BIG)}"}
    assert files_open() == before


def test_a_file_of_unknown_size_goes_in_chunks(index, upstream, eager):
    upstream.form = upstreams.HTML
    halves = upstream.faults[f"/files/{LARGE}"] = Halves(BIG, announced=False)
    with served(index.app) as port:
        status, headers, body = fetched(port, address(LARGE, BIG), halves.rest)
    assert (status, body == BIG, headers["Transfer-Encoding"]) == (200, True, "chunked")
    assert "Accept-Ranges" not in headers


def test_a_file_of_unknown_size_goes_to_no_client_of_HTTP_1_0_before_it_is_here(index, upstream, eager):
    upstream.form = upstreams.HTML
    halves = upstream.faults[f"/files/{LARGE}"] = Halves(BIG, announced=False)
    answer = index.get(address(LARGE, BIG), extra_environ={"SERVER_PROTOCOL": "HTTP/1.0"}, status=503)
    assert answer.headers["Retry-After"]
    halves.rest()
    until(lambda: kept(index))
    assert index.get(address(LARGE, BIG), extra_environ={"SERVER_PROTOCOL": "HTTP/1.0"}).body == BIG


def test_an_answer_that_announces_nonsense_is_garbage(index, upstream):
    upstream.form = upstreams.HTML

    def nonsense(exchange: upstreams.Exchange) -> None:
        exchange.head(200, {}, "twelve")  # type: ignore[arg-type]
        exchange.close_connection = True

    upstream.faults[f"/files/{NAME}"] = nonsense
    index.get(address(), status=502)


def test_a_stall_ends_within_the_time_limit(upstream, store):
    large_fault(upstream, upstreams.stall)
    upstream.faults[f"/files/{NAME}"] = upstreams.half
    with indexed(upstream, store, **{"upstream.timeout": "1"}) as index:
        began = time.monotonic()
        index.get(address(LARGE, BIG), status=502)
        assert time.monotonic() - began < 30
        index.get(address(), status=502)


def test_a_stall_in_the_middle_breaks_the_connection_off(upstream, store, eager, caplog):
    def stalls(exchange: upstreams.Exchange) -> None:
        exchange.head(200, {}, len(BIG))
        exchange.wfile.write(BIG[: len(BIG) // 2])
        upstreams.stall(exchange)

    large_fault(upstream, stalls)
    with indexed(upstream, store, **{"upstream.timeout": "2"}) as index, served(index.app) as port:
        began = time.monotonic()
        with pytest.raises(http.client.IncompleteRead):
            fetched(port, address(LARGE, BIG))
        assert time.monotonic() - began < 30
    caplog.clear()


def test_clients_of_a_silent_upstream_do_not_starve_ours(upstream, store, monkeypatch):
    monkeypatch.setattr(flights, "QUIET", 0.1)
    monkeypatch.setattr(flights, "CROWDED", 0.1)
    gate = upstreams.Gate()
    for number in range(24):
        upstream.add(PROJECT, f"acme_lib-3.{number}.tar.gz", bytes([number]) * 9)
        upstream.faults[f"/files/acme_lib-3.{number}.tar.gz"] = gate
    with indexed(upstream, store, **{"upstream.timeout": "60"}) as index:
        index.publish(*wheel("ours"))
        mine = index.url("ours", wheel("ours")[0])
        with served(index.app, threads="8") as port, concurrent.futures.ThreadPoolExecutor(24) as clients:
            urls = [address(f"acme_lib-3.{number}.tar.gz", bytes([number]) * 9) for number in range(24)]
            asked = [clients.submit(fetched, port, url) for url in urls]
            until(lambda: sum(each.done() for each in asked) == 24 - SEATS)
            assert fetched(port, mine)[0] == 200
            assert sum(each.done() for each in asked) == 24 - SEATS, "they wait still"
            gate.open()
            answers = [each.result() for each in asked]
        assert sorted(status for status, _, _ in answers) == [200] * SEATS + [503] * (24 - SEATS)
        assert all("Retry-After" in headers for status, headers, _ in answers if status == 503)


def test_closing_ends_a_stalled_fetch_within_its_time_limit(upstream, store):
    large_fault(upstream, upstreams.stall)
    with indexed(upstream, store, **{"upstream.timeout": "1"}) as index:
        thread = threading.Thread(target=lambda: index.get(address(LARGE, BIG), status=502))
        thread.start()
        until(lambda: upstream.count(f"/files/{LARGE}"))
        began = time.monotonic()
    assert time.monotonic() - began < 30
    thread.join(30)
    assert not thread.is_alive()


# Faults of the store.


def test_a_full_store_still_serves(upstream, store, caplog):
    faulty = FaultyStore(store)
    with indexed(upstream, faulty) as index:
        for number in (1, 2):
            faulty.fail(Point("before", number, "add"), Full("x", "full"))
        for number in (1, 2):
            assert index.get(address(LARGE, BIG)).body == BIG
            until(lambda: faulty.calls["add"] == number)  # noqa: B023 - at once
        until(lambda: caplog.text.count("cannot be kept") == 2)
    assert upstream.count(f"/files/{LARGE}") == 2


class Spoolless(WrappedStore):
    """A store with no room for files on their way."""

    def spool(self):
        raise Full("(spool)", "full")


def test_a_store_that_gives_no_spool_still_serves(upstream, store, caplog):
    with indexed(upstream, Spoolless(store)) as index:
        assert index.get(address(LARGE, BIG)).body == BIG
        until(lambda: kept(index))
    assert "gives no room for files on their way" in caplog.text


@pytest.fixture
def folder(upstream, tmp_path):
    """An index in a folder, which keeps both files; and the paths of their bytes."""
    store = stores.make("filesystem", tmp_path / "index")
    with contextlib.closing(store), indexed(upstream, store) as index:
        for filename, content in ((NAME, CONTENT), (LARGE, BIG)):
            assert index.get(address(filename, content)).body == content
        until(lambda: len(kept(index)) == 2)
        index.path = lambda name: next((tmp_path / "index").rglob(f"upstream-files/**/{name}"))
        yield index


def files_open() -> list[str]:
    """What this process has open but connections, which stay for the next request."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(entry.readlink()))
    return sorted(path for path in found if path.startswith("/") and not path.startswith("/proc/"))


def threads(prefix: str) -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith(prefix)]


@pytest.mark.parametrize("filename, content", [(NAME, CONTENT), (LARGE, BIG)])
@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_kept_file_that_is_cut_or_gone_is_fetched_again(harm, filename, content, folder, upstream):
    path = folder.path(filename)
    path.write_bytes(content[:-1]) if harm == "cut" else path.unlink()
    assert folder.get(address(filename, content)).body == content
    until(lambda: len(kept(folder)) == len(keys_of(folder)) == 2)
    assert folder.get(address(filename, content)).body == content
    assert upstream.count(f"/files/{filename}") == 2


def test_damage_of_a_small_kept_file_is_found_at_once(folder, upstream):
    folder.path(NAME).write_bytes(CONTENT[:-1] + b"?")
    assert folder.get(address()).body == CONTENT
    assert upstream.count(f"/files/{NAME}") == 2


def test_damage_of_a_large_kept_file_is_never_served_whole(folder, upstream, caplog):
    folder.path(LARGE).write_bytes(b"?" + BIG[1:])
    with served(folder.app) as port:
        with pytest.raises(http.client.IncompleteRead):
            fetched(port, address(LARGE, BIG))
        assert fetched(port, address(LARGE, BIG))[2] == BIG
    assert upstream.count(f"/files/{LARGE}") == 2
    caplog.clear()


def test_a_store_that_cannot_be_read_here_is_gone_around(upstream, store, caplog):
    faulty = FaultyStore(store)
    with indexed(upstream, faulty) as index:
        assert index.get(address()).body == CONTENT
        until(lambda: kept(index))
        before = faulty.calls["open"]
        index.get(address())
        each = faulty.calls["open"] - before
        # The last one of a request opens the bytes; all before it read documents.
        faulty.fail(Point("before", faulty.calls["open"] + each, "open"), Unavailable("x", "away"))
        assert index.get(address()).body == CONTENT
    assert "cannot be read here and is fetched again" in caplog.text


def test_verify_and_the_sweep_of_ours_do_not_look_at_what_is_kept(folder, upstream):
    folder.path(NAME).write_bytes(b"damaged")
    assert list(folder.repository.verify()) == []
    assert list(folder.repository.sweep(Actor("tester", "test"), trash_days=0, grace=0)) == []
    assert len(kept(folder)) == 2


def test_nothing_is_left_open(upstream, tmp_path):
    store = stores.make("filesystem", tmp_path / "index")
    with contextlib.closing(store), indexed(upstream, store) as index:
        index.get(f"/simple/{PROJECT}/")
        before = files_open()
        for _ in range(3):
            index.get(address(LARGE, BIG))
            index.head(address(LARGE, BIG))
            index.get(address(LARGE, BIG), headers={"Range": "bytes=0-3"}, status=206)
            until(lambda: kept(index))
            Space(index.repository.outside, None).empty()
            upstream.faults["*"] = upstreams.half
            index.get(address(), status=502)
            upstream.faults.clear()
        until(lambda: files_open() == before)
        assert list((tmp_path / "index" / "store" / ".spool").iterdir()) == []
    assert threads("mypi-fetch") == []


# How much is kept.


def test_with_a_limit_of_0_nothing_is_kept(upstream, store):
    with indexed(upstream, store, **{"upstream.limit": "0"}) as index:
        for _ in range(2):
            assert index.get(address(LARGE, BIG)).body == BIG
    assert list(store.list("upstream-files/")) == []


def test_a_file_larger_than_the_limit_goes_through(upstream, store):
    with indexed(upstream, store, **{"upstream.limit": "1 MiB"}) as index:
        assert index.get(address(LARGE, BIG)).body == BIG
        assert index.get(address()).body == CONTENT
        until(lambda: kept(index) == {NAME: len(CONTENT)})
