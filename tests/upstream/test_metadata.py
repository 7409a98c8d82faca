"""Metadata of upstream files: the upstream's own, verified, or read from the wheel, of which little has to come."""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import os
import zipfile
from dataclasses import replace
from io import BytesIO

import pytest

from mypi.repository import Repository
from mypi.settings import Settings
from mypi.store import Unavailable
from mypi.testing import FaultyStore, Point
from mypi.upstream import Upstream
from tests import stores, upstreams
from tests.builders import metadata, sdist, wheel, zip_of
from tests.upstream.support import CONTENT, NAME, PROJECT, Halves, address, indexed, kept
from tests.waiting import until

OWN = metadata()
BULKY, BULK = wheel(version="3.0", files={"acme_lib/data.bin": os.urandom(2_000_000)})
BULK_METADATA = metadata(version="3.0")


def of(filename: str = NAME, content: bytes = CONTENT) -> str:
    return f"{address(filename, content)}.metadata"


def paths(upstream) -> list[str]:
    return [request.path for request in upstream.requests if request.path.startswith("/files/")]


def ranges(upstream) -> list[str]:
    return [request.headers.get("range", "") for request in upstream.requests if request.path.startswith("/files/")]


def test_the_upstreams_own_is_verified_kept_and_served_as_ours_is(index, upstream):
    upstream.add(PROJECT, NAME, CONTENT, metadata=OWN)
    answer = index.get(of())
    assert (answer.body, answer.content_type) == (OWN, "application/octet-stream")
    assert answer.headers["ETag"] == f'"{hashlib.sha256(OWN).hexdigest()}"'
    until(lambda: kept(index) == {f"{NAME}.metadata": len(OWN)})
    upstream.down()
    assert index.get(of()).body == OWN
    assert index.get(of(), headers={"Range": "bytes=2-9"}, status=206).body == OWN[2:10]
    assert index.get(of(), headers={"If-None-Match": answer.headers["ETag"]}, status=304)
    assert index.head(of()).content_length == len(OWN)
    assert paths(upstream) == [f"/files/{NAME}.metadata"]


@pytest.mark.parametrize("fault", [upstreams.wrong_bytes, upstreams.status(500), upstreams.huge(20_000_000)])
def test_wrong_metadata_is_a_502_and_never_kept(fault, index, upstream):
    upstream.add(PROJECT, NAME, CONTENT, metadata=OWN)
    upstream.faults[f"/files/{NAME}.metadata"] = fault
    index.get(of(), status=502)
    assert kept(index) == {}


@pytest.mark.parametrize("size", ["known", "unknown"])
def test_A6_1_of_a_large_wheel_only_the_end_is_read(size, index, upstream):
    upstream.add(PROJECT, BULKY, BULK, said={} if size == "known" else {"size": None})
    assert index.get(of(BULKY, BULK)).body == BULK_METADATA
    assert len(ranges(upstream)) == 1
    until(lambda: kept(index) == {f"{BULKY}.metadata": len(BULK_METADATA)})
    assert index.get(of(BULKY, BULK)).body == BULK_METADATA
    assert len(ranges(upstream)) == 1


def test_metadata_that_stands_first_and_a_directory_beyond_the_tail(index, upstream):
    folder = "acme_lib-1.0.dist-info/"
    members = {f"{folder}METADATA": OWN, "acme_lib/data.bin": os.urandom(500_000)}
    members |= {f"acme_lib/{'x' * 60}{number}.py": b"" for number in range(2000)}
    content = zip_of(members)
    upstream.add(PROJECT, NAME, content)
    assert index.get(of(content=content)).body == OWN
    assert 2 <= len(ranges(upstream)) <= 4
    assert all(ranges(upstream))


def test_fifty_who_want_it_are_one_search(index, upstream):
    gate = upstreams.Gate()
    upstream.faults[f"/files/{NAME}"] = gate
    with concurrent.futures.ThreadPoolExecutor(50) as clients:
        asked = [clients.submit(index.get, of()) for _ in range(50)]
        gate.wait_for()
        gate.open()
        assert {each.result().body for each in asked} == {OWN}
    assert len(paths(upstream)) == 1


def test_who_comes_while_it_is_looked_for_gets_what_is_found(upstream, store):
    settings = Settings.load({f"mypi.{key}": said for key, said in upstream.settings(storage="memory").items()}, {})
    repository = Repository(store, store, settings)
    with contextlib.closing(repository):
        found = Upstream.of(settings, repository)
        (site,) = found.sites
        served = found.page(PROJECT)
        file = served.page.file(NAME)
        search = found._metadata._searches[site.name, NAME, file.digest] = concurrent.futures.Future()
        search.set_result(b"what the first one finds")
        assert found._metadata.get(site, served.cached, file) == b"what the first one finds"
    assert paths(upstream) == []


def test_what_somebody_kept_a_moment_ago_is_not_looked_for_again(upstream, store):
    settings = Settings.load({f"mypi.{key}": said for key, said in upstream.settings(storage="memory").items()}, {})
    repository = Repository(store, store, settings)
    with contextlib.closing(repository):
        found = Upstream.of(settings, repository)
        served = found.page(PROJECT)
        file = served.page.file(NAME)
        assert found.metadata(PROJECT, file) == OWN
        assert found._metadata.get(found.sites[0], served.cached, file) == OWN
        for _ in range(2):
            with contextlib.closing(found.files.open(found.sites[0], served.cached, file).pieces) as pieces:
                assert b"".join(pieces) == CONTENT
            until(lambda: served.cached != found.page(PROJECT).cached)
    assert paths(upstream) == [f"/files/{NAME}"] * 2


def test_it_is_read_from_a_wheel_that_is_kept(index, upstream):
    index.get(address())
    until(lambda: kept(index))
    upstream.down()
    assert index.get(of()).body == OWN


def test_a_kept_wheel_that_cannot_be_read_is_gone_around(upstream, tmp_path):
    made = stores.make("filesystem", tmp_path / "index")
    with contextlib.closing(made), indexed(upstream, made) as index:
        index.get(address())
        until(lambda: kept(index))
        next((tmp_path / "index").rglob(NAME)).write_bytes(b"damaged")
        assert index.get(of()).body == OWN


@pytest.mark.parametrize("own", [OWN, OWN + b"\n" * 2 * 2**20], ids=["small", "large"])
def test_damage_of_kept_metadata_is_found(own, upstream, tmp_path):
    upstream.add(PROJECT, NAME, CONTENT, metadata=own)
    made = stores.make("filesystem", tmp_path / "index")
    with contextlib.closing(made), indexed(upstream, made) as index:
        assert index.get(of()).body == own
        next((tmp_path / "index").rglob(f"{NAME}.metadata")).write_bytes(own[:-1] + b"?")
        assert index.get(of()).body == own
        assert index.get(of()).body == own
    assert upstream.count(f"/files/{NAME}.metadata") == 2


def test_without_ranges_the_wheel_is_fetched_and_kept(index, upstream):
    upstream.ranges = False
    assert index.get(of(BULKY, BULK), status=404)
    assert index.get(of()).body == OWN
    until(lambda: kept(index) == {NAME: len(CONTENT), f"{NAME}.metadata": len(OWN)})
    assert index.get(address()).body == CONTENT
    assert [bool(asked) for asked in ranges(upstream)] == [True, False]


def test_a_wheel_that_has_to_come_whole_keeps_nobody_waiting_longer_than_clients_do(upstream, store):
    upstream.add(PROJECT, BULKY, BULK)
    halves = upstream.faults[f"/files/{BULKY}"] = Halves(BULK)
    with indexed(upstream, store, **{"upstream.timeout": "2"}) as index:
        answer = index.get(of(BULKY, BULK), status=503)
        assert "has to come whole" in answer.text
        assert answer.headers["Retry-After"] == "10"
        halves.rest()
        until(lambda: BULKY in kept(index))
        assert index.get(of(BULKY, BULK)).body == BULK_METADATA


def test_where_nothing_is_kept_one_waits_for_the_whole_and_others_come_again(upstream, store):
    upstream.add(PROJECT, BULKY, BULK)
    halves = upstream.faults[f"/files/{BULKY}"] = Halves(BULK)
    with indexed(upstream, store, **{"upstream.timeout": "2", "upstream.limit": "0"}) as index:
        with concurrent.futures.ThreadPoolExecutor(2) as clients:
            asked = [clients.submit(index.get, of(BULKY, BULK), status="*") for _ in range(2)]
            done, _ = concurrent.futures.wait(asked, 30, concurrent.futures.FIRST_COMPLETED)
            assert "is being looked for" in done.pop().result().text
            halves.rest()
            answers = {each.result().status_int: each.result() for each in asked}
        assert answers[200].body == BULK_METADATA
        assert 503 in answers


def test_metadata_without_a_digest_is_taken_from_the_upstream(index, upstream):
    upstream.add(PROJECT, NAME, CONTENT, metadata=OWN, said={"core-metadata": True})
    assert index.get(of()).body == OWN
    assert paths(upstream) == [f"/files/{NAME}.metadata"]


@pytest.mark.parametrize("said", [True, {"sha256": hashlib.sha256(OWN).hexdigest()}])
def test_metadata_that_the_upstream_promises_and_lacks_is_read_from_the_wheel(said, index, upstream):
    upstream.add(PROJECT, NAME, CONTENT, said={"core-metadata": said})
    assert index.get(of()).body == OWN


def test_metadata_of_the_wheel_that_is_not_what_the_page_promises_is_garbage(index, upstream):
    upstream.add(PROJECT, NAME, CONTENT, said={"core-metadata": {"sha256": "0" * 64}})
    assert "has another sha256" in index.get(of(), status=502).text


def test_A6_1_an_sdist_has_none_whatever_its_index_serves(index, upstream):
    name, content = sdist(version="4.0")
    upstream.add(PROJECT, name, content, metadata=OWN)
    index.get(of(name, content), status=404)
    assert paths(upstream) == []


def test_other_bytes_under_a_name_have_their_own_metadata(index, upstream):
    assert index.get(of()).body == OWN
    other = wheel(requires=["six"])[1]
    upstream.add("acme-lib", NAME, other)
    document = index.repository.outside
    document.edit("pypi", PROJECT, lambda known: replace(known, fresh_until=0))
    assert index.get(of(content=other)).body == metadata(requires=["six"])


def part(content: bytes, said: str, length: int | None = None):
    def send(exchange: upstreams.Exchange) -> None:
        exchange.answer(206, {"Content-Range": said} if said else {}, content, length=length)
        exchange.close_connection = True

    return send


SIZE = len(CONTENT)


@pytest.mark.parametrize(
    "fault",
    [
        part(CONTENT, ""),
        part(CONTENT, "bytes 0-9/*"),
        part(CONTENT, f"bytes 1-{SIZE - 1}/{SIZE}"),
        part(CONTENT, f"bytes 0-{SIZE}/{SIZE + 1}"),
        part(CONTENT[:-5], f"bytes 0-{SIZE - 1}/{SIZE}"),
        part(CONTENT + b"more", f"bytes 0-{SIZE - 1}/{SIZE}"),
        part(CONTENT[:-5], f"bytes 0-{SIZE - 1}/{SIZE}", length=SIZE),
        part(bytes(SIZE), f"bytes 0-{SIZE - 1}/{SIZE}"),
        upstreams.status(403),
        upstreams.status(500),
        upstreams.reset,
        upstreams.redirect("http://127.0.0.2/"),
    ],
)
def test_a_part_that_is_not_the_one_asked_for_is_a_502(fault, index, upstream):
    upstream.faults[f"/files/{NAME}"] = fault
    index.get(of(), status=502)
    assert kept(index) == {}


def test_parts_that_drip_end_with_the_time_limit(upstream, store):
    def drips(exchange: upstreams.Exchange) -> None:
        exchange.head(206, {"Content-Range": f"bytes 0-{SIZE - 1}/{SIZE}"}, SIZE)
        for byte in CONTENT:
            if exchange.wait(0.1):
                return
            exchange.wfile.write(bytes([byte]))

    upstream.faults[f"/files/{NAME}"] = drips
    with indexed(upstream, store, **{"upstream.timeout": "1"}) as index:
        index.get(of(), status=502)


def test_a_range_beyond_a_small_file_may_be_refused(index, upstream):
    upstream.add(PROJECT, NAME, CONTENT, said={"size": None})
    usual = upstreams.Exchange.usual
    upstream.faults[f"/files/{NAME}"] = lambda exchange: (
        exchange.answer(416, {}, b"") if exchange.headers.get("Range") else usual(exchange)
    )
    assert index.get(of()).body == OWN


def test_a_store_that_fails_while_metadata_is_kept_costs_only_that(upstream, store):
    faulty = FaultyStore(store)
    with indexed(upstream, faulty) as index:
        index.get(f"/simple/{PROJECT}/")
        faulty.fail(Point("before", 1, "add"), Unavailable("x", "away"))
        assert index.get(of()).body == OWN
        assert kept(index) == {}


# Wheels that nobody vouches for.


def with_duplicate() -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("acme_lib-1.0.dist-info/METADATA", OWN)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("acme_lib-1.0.dist-info/METADATA", OWN)
    return target.getvalue()


def deflated(data: bytes) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("acme_lib-1.0.dist-info/METADATA", data)
    return target.getvalue()


def patched(content: bytes, at: bytes, offset: int, fresh: bytes) -> bytes:
    place = content.index(at) + offset
    return content[:place] + fresh + content[place + len(fresh) :]


def stored() -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("acme_lib-1.0.dist-info/METADATA", OWN)
    return target.getvalue()


STORED = stored()


def lzma() -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("acme_lib-1.0.dist-info/METADATA", OWN)
    return target.getvalue()


def commented() -> bytes:
    target = BytesIO(STORED)
    with zipfile.ZipFile(target, "a") as archive:
        archive.comment = b"made by PKZIP"
        member = zipfile.ZipInfo("acme_lib/\u00e9.py")
        member.comment = b"a comment"
        archive.writestr(member, b"")
    return target.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        with_duplicate(),
        commented(),
        b"#!/bin/sh\n" + STORED,
        STORED + b"\n",
        patched(STORED, b"PK\x05\x06", 8, (60000).to_bytes(2, "little") * 2),
        zip_of({"acme-lib-1.0.dist-info/METADATA": OWN, "acme_lib/__init__.py": b""}),
    ],
    ids=["duplicate", "comments", "prefix", "suffix", "count", "hyphen"],
)
def test_A6_1_the_metadata_of_an_odd_wheel_is_what_pip_reads_in_it(content, index, upstream):
    """The page promises it, and pip gives up at a 404 or 502 for what was promised."""
    upstream.add(PROJECT, NAME, content)
    assert index.get(of(content=content)).body == OWN
    index.repository.outside.edit("pypi", PROJECT, lambda known: replace(known, kept={}))
    upstream.ranges = False
    assert index.get(of(content=content)).body == OWN


def test_an_upstream_that_forbids_parts_or_metadata_sends_the_whole(index, upstream):
    upstream.add(PROJECT, NAME, CONTENT, said={"core-metadata": True})
    usual = upstreams.Exchange.usual
    upstream.faults[f"/files/{NAME}.metadata"] = upstreams.status(403)
    upstream.faults[f"/files/{NAME}"] = lambda exchange: (
        exchange.answer(403, {}, b"") if exchange.headers.get("Range") else usual(exchange)
    )
    assert index.get(of()).body == OWN


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no zip at all",
        zip_of({"acme_lib/__init__.py": b""}),
        zip_of({"other-1.0.dist-info/METADATA": OWN}),
        zip_of({"-.dist-info/METADATA": OWN}),
        zip_of({"a/acme_lib-1.0.dist-info/METADATA": OWN}),
        zip_of({"acme_lib-1.0.dist-info/METADATA": OWN, "acme_lib-2.0.dist-info/METADATA": OWN}),
        lzma(),
        deflated(b"x" * 9 * 2**20),
        patched(deflated(b"x" * 9000), b"PK\x01\x02", 24, (100).to_bytes(4, "little")),
        patched(STORED, OWN, 0, b"?"),
        patched(STORED, b"PK\x03\x04", 30, b"b"),
        patched(STORED, b"PK\x05\x06", 12, (2**31).to_bytes(4, "little")),
        patched(STORED, b"PK\x01\x02", 42, (10**6).to_bytes(4, "little")),
        STORED[:-30],
        bytes(2**23) + b"PK\x05\x06" + bytes(8) + (2**23).to_bytes(4, "little") + bytes(6),
    ],
)
def test_a_wheel_that_is_none_or_lies_is_garbage(content, index, upstream):
    upstream.add(PROJECT, NAME, content)
    answer = index.get(of(content=content), status=502)
    assert "no metadata that can be read" in answer.text
    upstream.ranges = False
    assert "no metadata that can be read" in index.get(of(content=content), status=502).text
    assert f"{NAME}.metadata" not in kept(index)
