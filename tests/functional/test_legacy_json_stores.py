"""PyPI's older JSON over each store: what it costs, when it is known, and what is damaged."""

from __future__ import annotations

import gzip
import io

import pytest
from webob import Request

from mypi.model import Actor
from mypi.testing.doubles import RecordingStore
from tests.builders import sdist, wheel

ACTOR = Actor("tester", "test")
WHEEL = "acme_lib-1.0-py3-none-any.whl"


@pytest.fixture
def held(index):
    """An index with one project: an sdist and a wheel of one release."""
    index.publish(*sdist())
    index.publish(*wheel(summary="Everything of Acme"))
    return index


def test_A7_json_the_older_json_has_the_files_and_their_metadata(held):
    page = held.get("/pypi/acme-lib/json").json
    assert page["info"]["summary"] == "Everything of Acme"
    assert [file["filename"] for file in page["urls"]] == [WHEEL, "acme_lib-1.0.tar.gz"]
    for file in page["urls"]:
        assert len(held.get(file["url"]).body) == file["size"]


def test_the_next_request_sees_every_change(held):
    def shown():
        return held.get("/pypi/acme-lib/json").json["info"]["version"]

    assert shown() == "1.0"
    held.publish(*wheel(version="2.0"))
    assert shown() == "2.0"
    held.repository.yank("acme-lib", ["acme_lib-2.0-py3-none-any.whl"], "", ACTOR)
    assert shown() == "1.0"


@pytest.mark.parametrize("asked", ["/pypi/acme-lib/json", "/pypi/acme-lib/1.0/json"])
def test_A3_1_what_the_client_has_is_304_until_it_changes(held, asked):
    answer = held.get(asked)
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Vary"] == "Accept-Encoding"
    known = {"If-None-Match": answer.headers["ETag"]}
    same = held.get(asked, headers=known, status=304)
    assert (same.body, same.headers["ETag"]) == (b"", answer.headers["ETag"])
    held.publish(*wheel(version="0.9"))
    held.get(asked, headers=known, status=200)


def test_A3_1_every_page_and_packing_has_an_etag_of_its_own(held):
    tags = [
        held.get(asked, headers={"Accept-Encoding": encoding}).headers["ETag"]
        for asked in ("/pypi/acme-lib/json", "/pypi/acme-lib/1.0/json", "/simple/acme-lib/")
        for encoding in ("gzip", "identity")
    ]
    assert len(set(tags)) == len(tags)


def test_A3_5_it_is_packed_for_whoever_takes_gzip(held):
    plain, packed = (
        Request.blank("/pypi/acme-lib/json", headers={"Accept-Encoding": encoding}).get_response(held.app)
        for encoding in ("identity", "gzip")
    )
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body


def test_it_costs_one_document_and_one_sidecar_and_then_the_document_alone(store, make_index):
    recording = RecordingStore(store)
    index = make_index(over=recording)
    for version in ("1.0", "2.0", "3.0"):
        index.publish(*sdist(version=version))
        index.publish(*wheel(version=version))
    index.get("/pypi/acme-lib/json")
    recording.log.clear()
    index.get("/pypi/acme-lib/2.0/json")
    (document, sidecar) = recording.log
    assert document == ("open", "indexes/main/acme-lib.json")
    assert sidecar[1].endswith("/acme_lib-2.0-py3-none-any.whl.metadata")
    for _ in range(2):
        recording.log.clear()
        index.get("/pypi/acme-lib/2.0/json")
        assert recording.log == [document]


@pytest.mark.parametrize("damage", [None, b"", b"Name: acme-lib\n", b"\xff\xfe"])
def test_metadata_that_is_lost_or_damaged_is_503(held, store, damage, caplog):
    (key,) = [each.key for each in store.list() if each.key.endswith(f"{WHEEL}.metadata")]
    store.delete(key)
    if damage is not None:
        store.add(key, io.BytesIO(damage), len(damage))
    answer = held.get("/pypi/acme-lib/json", status=503)
    assert "mypi verify" in answer.text
    assert key not in answer.text
    assert WHEEL in caplog.text
