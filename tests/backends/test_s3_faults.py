"""Faults between the store and S3: what is tried again, what is given up, and what is never believed."""

from __future__ import annotations

import contextlib
import io
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mypi.backends.s3 import S3Store
from mypi.repository.documents import Documents
from mypi.store import Conflict, NotFound, Store, Tag, Truncated, Unavailable
from mypi.testing.samples import Zeros
from tests.backends.buckets import DOCUMENT, KEY, MIB, opened
from tests.proxies import HttpProxy

DATA = bytes(range(256)) * 40


@pytest.fixture
def store(proxy: HttpProxy, tmp_path: Path) -> Iterator[S3Store]:
    """A store that tries each request twice, with something in it."""
    store = opened(tmp_path, proxy, attempts=2, timeout=2, part_size=5 * MIB)
    store.add(KEY, io.BytesIO(DATA), len(DATA))
    store.swap(DOCUMENT, b"1", None)
    yield store
    store.close()


# What is done, the method of the request that is harmed, and what is so afterwards


def read(store: Store) -> None:
    assert store.read(KEY)[0] == DATA
    with store.open(KEY, 100, 200) as reader:
        assert reader.read() == DATA[100:200]


def add(store: Store) -> None:
    store.add(KEY + ".new", io.BytesIO(DATA), len(DATA))
    assert store.read(KEY + ".new")[0] == DATA


def make(store: Store) -> None:
    tag = store.swap("once/token/1", b"made", None)
    assert store.read("once/token/1") == (b"made", tag)


def replace_document(store: Store) -> None:
    tag = store.swap(DOCUMENT, b"2", store.read(DOCUMENT)[1])
    assert store.read(DOCUMENT) == (b"2", tag)


def delete(store: Store) -> None:
    store.delete(KEY)
    with pytest.raises(NotFound):
        store.open(KEY)


def listing(store: Store) -> None:
    assert sorted((entry.key, entry.size) for entry in store.list()) == [(KEY, len(DATA)), (DOCUMENT, 1)]


def copy(store: Store) -> None:
    store.copy(KEY, KEY + ".copy")
    assert store.read(KEY + ".copy")[0] == DATA


DEEDS: dict[str, tuple[Callable[[Store], None], str]] = {
    "read": (read, "GET"),
    "add": (add, "PUT"),
    "make": (make, "PUT"),
    "replace": (replace_document, "PUT"),
    "delete": (delete, "DELETE"),
    "list": (listing, "GET"),
    "copy": (copy, "PUT"),
}
FAULTS: dict[str, dict[str, Any]] = {
    "answers 500": {"do": "answer"},
    "answers 503": {"do": "answer", "status": 503, "code": "ServiceUnavailable"},
    "breaks before": {"do": "reset"},
    "breaks after": {"do": "reset", "after": True},
    "answers 500 after": {"do": "answer", "after": True},
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("deed", DEEDS)
def test_one_fault_is_made_good(store: S3Store, proxy: HttpProxy, deed: str, fault: str) -> None:
    act, method = DEEDS[deed]
    proxy.fail(method=method, **FAULTS[fault])
    act(store)
    assert proxy.harmless


@pytest.mark.parametrize("fault", ["answers 500", "breaks before"])
@pytest.mark.parametrize("deed", DEEDS)
def test_as_many_faults_as_attempts_are_unavailable(store: S3Store, proxy: HttpProxy, deed: str, fault: str) -> None:
    act, method = DEEDS[deed]
    proxy.requests.clear()
    proxy.fail(method=method, times=2, **FAULTS[fault])
    with pytest.raises(Unavailable, match=f"127.0.0.1:{proxy.port}"):
        act(store)
    assert proxy.harmless
    assert len([each for each, _ in proxy.requests if each == method]) == 2
    act(store)


@pytest.mark.parametrize("deed", ["read", "replace"])
def test_throttling_is_waited_for(store: S3Store, proxy: HttpProxy, deed: str) -> None:
    act, method = DEEDS[deed]
    proxy.fail("answer", method, status=503, code="SlowDown")
    act(store)
    assert proxy.harmless


def test_throttling_without_end_is_unavailable(store: S3Store, proxy: HttpProxy) -> None:
    proxy.fail("answer", "GET", status=503, code="SlowDown", times=2)
    with pytest.raises(Unavailable, match=r"answered 503 SlowDown \(told to\), 2 times"):
        store.read(KEY)


def test_a_server_that_hangs_is_given_up_in_time(proxy: HttpProxy, tmp_path: Path) -> None:
    with (
        contextlib.closing(opened(tmp_path, proxy, attempts=2, timeout=1)) as store,
        proxy.stalled(),
        pytest.raises(Unavailable, match="did not answer in 1 seconds, 2 times"),
    ):
        store.read(KEY)


def test_a_request_that_hangs_once_is_made_good(proxy: HttpProxy, tmp_path: Path) -> None:
    with contextlib.closing(opened(tmp_path, proxy, timeout=1)) as store:
        proxy.fail("stall", "PUT", after=True)
        make(store)


def test_a_server_that_is_away_is_named_and_found_again(store: S3Store, proxy: HttpProxy) -> None:
    proxy.refuse()
    with pytest.raises(Unavailable, match=f"{proxy.endpoint} cannot be reached; start it, or correct mypi.storage.end"):
        store.read(KEY)
    proxy.accept()
    read(store)


# Documents: what a lost answer leaves in doubt


def test_a_swap_that_was_done_and_never_answered_well_is_perhaps(store: S3Store, proxy: HttpProxy) -> None:
    proxy.fail("answer", "PUT", after=True, times=2)
    with pytest.raises(Unavailable):
        store.swap("once/token/1", b"made", None)
    assert store.read("once/token/1")[0] == b"made"


def test_a_swap_that_is_tried_again_does_not_take_anothers_success_for_its_own(
    store: S3Store, proxy: HttpProxy, tmp_path: Path
) -> None:
    tag = store.read(DOCUMENT)[1]
    with contextlib.closing(opened(tmp_path)) as other:
        other.swap(DOCUMENT, b"theirs", tag)
    proxy.fail("answer", "PUT")
    with pytest.raises(Conflict):
        store.swap(DOCUMENT, b"ours.", tag)
    proxy.fail("answer", "PUT")
    with pytest.raises(Conflict):
        store.swap("indexes/main/other.json", b"made", Tag('"0123"'))
    assert store.read(DOCUMENT)[0] == b"theirs"


def test_a_document_that_is_gone_when_it_is_looked_for_is_a_conflict(store: S3Store, proxy: HttpProxy) -> None:
    proxy.fail("answer", "PUT")
    proxy.fail("answer", "PUT", status=404, code="NoSuchKey")
    with pytest.raises(Conflict):
        store.swap("indexes/main/other.json", b"made", Tag('"0123"'))


def test_a_write_of_another_under_way_is_waited_for(store: S3Store, proxy: HttpProxy) -> None:
    proxy.fail("answer", "PUT", status=409, code="ConditionalRequestConflict")
    replace_document(store)
    assert proxy.harmless
    proxy.fail("answer", "PUT", status=409, code="ConditionalRequestConflict", times=2)
    with pytest.raises(Conflict):
        store.swap(DOCUMENT, b"3", store.read(DOCUMENT)[1])


def test_a_write_of_our_own_under_way_is_recognised(store: S3Store, proxy: HttpProxy) -> None:
    proxy.fail("reset", "PUT", after=True)
    proxy.fail("answer", "PUT", status=409, code="ConditionalRequestConflict")
    make(store)


@dataclass(frozen=True)
class Light:
    """A document that goes back to what it was."""

    colour: str = ""
    revision: str = ""
    sealed: str = ""

    def revised(self, revision: str) -> Light:
        return replace(self, revision=revision)

    def dump(self) -> bytes:
        return f'{{"{self.colour}":"{self.revision}"}}'.encode()


def load(_key: str, data: bytes) -> Light:
    colour, revision = data.decode().strip('{}"').split('":"')
    return Light(colour, revision)


def test_a_document_swapped_a_b_a_is_never_mistaken_for_the_first(store: S3Store) -> None:
    key = "indexes/main/light.json"
    lights: Documents[Light] = Documents(store, load, lambda _: Light(), cache_size=10**6, cache_seconds=0)
    tags, seen = [], []
    for colour in ("red", "green", "red"):
        lights.edit(key, lambda light, colour=colour: replace(light, colour=colour))  # type: ignore[misc]
        seen.append(lights.get(key).value.colour)
        tags.append(store.read(key)[1])
    assert seen == ["red", "green", "red"]
    assert len(set(tags)) == 3
    with pytest.raises(Conflict):
        store.swap(key, b"by who saw the first red", tags[0])
    assert store.read(key, unless=tags[0])[1] == tags[2]


@pytest.mark.parametrize("fault", ["breaks after", "answers 500 after"])
def test_an_edit_whose_answers_were_all_lost_is_recognised_as_done(
    store: S3Store, proxy: HttpProxy, fault: str
) -> None:
    key = "indexes/main/light.json"
    lights: Documents[Light] = Documents(store, load, lambda _: Light(), cache_size=10**6, cache_seconds=0)
    proxy.fail(method="PUT", times=2, **FAULTS[fault])
    assert lights.edit(key, lambda light: replace(light, colour="red")).colour == "red"
    assert proxy.harmless
    assert lights.get(key).value.colour == "red"


# Bytes on their way


@pytest.mark.parametrize("deed", ["add", "make"])
def test_bytes_that_are_damaged_on_their_way_in_are_refused(store: S3Store, proxy: HttpProxy, deed: str) -> None:
    act, _ = DEEDS[deed]
    proxy.fail("corrupt", "PUT")
    with pytest.raises(Unavailable, match="damaged on their way to the server; try again"):
        act(store)
    listing(store)
    act(store)


@pytest.mark.parametrize("length", [0, 1, 5000, len(DATA) - 1])
def test_a_body_that_is_cut_off_is_read_on(store: S3Store, proxy: HttpProxy, length: int) -> None:
    proxy.fail("truncate", "GET", length=length)
    with store.open(KEY) as reader:
        assert reader.read(3) + reader.read() == DATA
    assert [method for method, _ in proxy.requests[-2:]] == ["GET", "GET"]


def test_a_part_of_an_object_that_is_cut_off_is_read_on(store: S3Store, proxy: HttpProxy) -> None:
    proxy.fail("truncate", "GET", length=50)
    with store.open(KEY, 1000, 2000) as reader:
        assert reader.read() == DATA[1000:2000]


def test_a_body_that_is_cut_off_again_and_again_is_unavailable_and_never_short(
    store: S3Store, proxy: HttpProxy
) -> None:
    proxy.fail("truncate", "GET", length=10, times=2)
    with store.open(KEY) as reader:
        assert reader.read(10) == DATA[:10]
        with pytest.raises(Unavailable, match="ended early; try again"):
            reader.read()


def test_a_body_that_stalls_is_read_on(proxy: HttpProxy, tmp_path: Path) -> None:
    with contextlib.closing(opened(tmp_path, proxy, timeout=1)) as store:
        store.add(KEY, io.BytesIO(DATA), len(DATA))
        proxy.fail("hang", "GET", length=10)
        proxy.fail("answer", "GET")
        read(store)
        assert proxy.harmless


@pytest.mark.parametrize("change", ["replaced", "deleted"])
def test_a_body_is_not_read_on_from_another_version(
    store: S3Store, proxy: HttpProxy, tmp_path: Path, change: str
) -> None:
    tag = store.swap(DOCUMENT, DATA, store.read(DOCUMENT)[1])
    key = DOCUMENT if change == "replaced" else KEY
    proxy.fail("truncate", "GET", length=10)
    with store.open(key) as reader, contextlib.closing(opened(tmp_path)) as other:
        assert reader.read(10) == DATA[:10]
        if change == "replaced":
            other.swap(DOCUMENT, DATA[::-1], tag)
        else:
            other.delete(KEY)
        with pytest.raises(Unavailable, match="replaced or deleted while it was read"):
            reader.read()


@pytest.mark.parametrize("length", [0, 1, 200])
def test_a_page_of_a_listing_that_is_cut_off_is_asked_for_again(store: S3Store, proxy: HttpProxy, length: int) -> None:
    # The SDK takes one that was cut off before its first byte for the list of an empty bucket.
    proxy.fail("truncate", "GET", length=length)
    listing(store)
    assert proxy.harmless
    proxy.fail("truncate", "GET", length=length, times=2)
    with pytest.raises(Unavailable):
        list(store.list())
    assert proxy.harmless


@pytest.mark.parametrize("step", ["begin", "complete"])
@pytest.mark.parametrize("length", [0, 30])
def test_an_answer_to_an_upload_in_parts_that_is_cut_off(
    store: S3Store, proxy: HttpProxy, step: str, length: int
) -> None:
    method, path = PARTS[step]
    proxy.fail("truncate", method, path=path, length=length)
    if (step, length) == ("begin", 0):
        with pytest.raises(Unavailable, match="no answer of S3, or a part of one"):
            add_large(store)
    else:
        add_large(store)
    assert uploads(store) == []


def test_connections_are_used_again_and_closed_with_the_store(store: S3Store, proxy: HttpProxy) -> None:
    for _ in range(3):
        with store.open(KEY) as reader:
            reader.read(5)  # closed with bytes to come
        store.read(KEY)
    assert len(proxy._sockets) <= 2
    proxy.connections = 0
    for _ in range(10):
        store.read(KEY)
    assert proxy.connections <= 1
    store.close()
    store.close()


# Files in parts


def uploads(store: S3Store) -> list[str]:
    """The uploads in parts that are under way."""
    found = store._bucket.ask("list_multipart_uploads", "", Prefix=store._bucket.root)
    return [each["Key"] for each in found.get("Uploads", ())]


def add_large(store: S3Store) -> None:
    size = 11 * MIB
    store.add(KEY + ".large", Zeros(size), size)
    (entry,) = [entry for entry in store.list() if entry.key == KEY + ".large"]
    assert entry.size == size


PARTS = {"begin": ("POST", "uploads"), "part": ("PUT", "partNumber=2"), "complete": ("POST", "uploadId")}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", PARTS)
def test_one_fault_of_an_upload_in_parts_is_made_good(store: S3Store, proxy: HttpProxy, step: str, fault: str) -> None:
    method, path = PARTS[step]
    proxy.fail(method=method, path=path, **FAULTS[fault])
    add_large(store)
    assert proxy.harmless
    assert uploads(store) == []


@pytest.mark.parametrize("fault", ["answers 500", "answers 500 after"])
@pytest.mark.parametrize("step", PARTS)
def test_an_upload_in_parts_that_fails_leaves_nothing(store: S3Store, proxy: HttpProxy, step: str, fault: str) -> None:
    method, path = PARTS[step]
    proxy.fail(method=method, path=path, times=2, **FAULTS[fault])
    if (step, fault) == ("complete", "answers 500 after"):
        add_large(store)  # it is there, whole
    else:
        with pytest.raises(Unavailable):
            add_large(store)
        listing(store)
    assert uploads(store) == []


def test_an_upload_whose_completion_was_lost_is_looked_for(store: S3Store, proxy: HttpProxy) -> None:
    # Amazon's servers answer so where the first answer was lost; SeaweedFS answers the second as the first.
    proxy.fail("answer", "POST", path="uploadId", status=404, code="NoSuchUpload", after=True)
    add_large(store)
    proxy.fail("answer", "POST", path="uploadId", status=404, code="NoSuchUpload")
    with pytest.raises(Unavailable, match="ended by somebody else"):
        store.add(KEY + ".other", Zeros(11 * MIB), 11 * MIB)
    assert uploads(store) == []


def test_an_upload_that_cannot_even_be_aborted_waits_for_maintenance(store: S3Store, proxy: HttpProxy) -> None:
    proxy.fail("answer", "PUT", path="partNumber=2", times=2)
    proxy.fail("answer", "DELETE", times=2)
    with pytest.raises(Unavailable):
        add_large(store)
    assert len(uploads(store)) == 1
    assert store.tidy(0) == 0
    assert store.tidy(2**40) == 1
    assert uploads(store) == []


@pytest.mark.parametrize("announced", [11 * MIB - 1, 11 * MIB + 1, 16 * MIB])
def test_a_large_source_of_another_size_leaves_nothing(store: S3Store, announced: int) -> None:
    with pytest.raises(Truncated, match="did not give as many bytes as were announced"):
        store.add(KEY + ".large", Zeros(11 * MIB), announced)
    listing(store)
    assert uploads(store) == []


class Interrupted:
    """A source that ends with the process, in the middle of its second part."""

    def __init__(self) -> None:
        self.zeros = Zeros(6 * MIB)

    def read(self, size: int, /) -> bytes:
        data = self.zeros.read(size)
        if not data:
            raise KeyboardInterrupt
        return data


def test_an_interruption_leaves_nothing(store: S3Store) -> None:
    with pytest.raises(KeyboardInterrupt):
        store.add(KEY + ".large", Interrupted(), 11 * MIB)
    listing(store)
    assert uploads(store) == []


def test_an_upload_that_was_ended_by_somebody_else_is_unavailable(store: S3Store) -> None:
    class Ended(Zeros):
        def read(self, size: int, /) -> bytes:
            if self.left < 5 * MIB:
                store.tidy(2**40)
            return super().read(size)

    with pytest.raises(Unavailable):
        store.add(KEY + ".large", Ended(11 * MIB), 11 * MIB)
    assert uploads(store) == []


class Gulps(io.BytesIO):
    """Gives fewer bytes than were asked for, as a socket does."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(10_007, size or 0))


def test_a_large_source_may_give_few_bytes_at_a_time(store: S3Store) -> None:
    data = secrets.token_bytes(1000) * 5500
    store.add(KEY + ".large", Gulps(data), len(data))
    assert store.read(KEY + ".large")[0] == data


def test_an_upload_that_is_gone_before_it_is_aborted_is_not_counted(store: S3Store, proxy: HttpProxy) -> None:
    upload = store._bucket.call("create_multipart_upload", KEY + ".large")["UploadId"]
    proxy.fail("answer", "DELETE", path=upload, status=404, code="NoSuchUpload")
    assert store.tidy(2**40) == 0
    assert store.tidy(2**40) == 1


def test_maintenance_leaves_uploads_alone_that_may_be_under_way(store: S3Store) -> None:
    class Packed(Zeros):
        def read(self, size: int, /) -> bytes:
            store.maintain(time.time())
            return super().read(size)

    store.add(KEY + ".large", Packed(11 * MIB), 11 * MIB)
    assert store.read(KEY + ".large")[0] == bytes(11 * MIB)
