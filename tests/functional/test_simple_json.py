"""The Simple API's JSON: A5 and A7 of the conformance list, with the traps that break one client or another."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from mypi.model import Actor
from tests.attested import of as attestation_of
from tests.builders import metadata, sdist, wheel
from tests.functional.support import JSON, Anchors, anchors, last_segment, path_of

ACTOR = Actor("tester", "test")
WHEEL = "acme_lib-1.0-py3-none-any.whl"


@pytest.fixture
def entry(index):
    """The entry of a wheel that says which Pythons it is for."""
    index.publish(*wheel(requires_python=">=3.8,<4"))
    return index.json("acme-lib")["files"][0]


@pytest.mark.parametrize("page", ["/simple/", "/simple/acme-lib/"])
def test_A5_1_an_object_that_names_the_version_of_the_api(index, page):
    index.publish(*wheel())
    answer = index.get(page, headers={"Accept": JSON})
    assert answer.headers["Content-Type"] == JSON
    assert answer.json["meta"] == {"api-version": "1.4"}


def test_A5_2_the_root_names_every_project(index):
    index.publish(*sdist("Beta"))
    index.publish(*sdist("acme_lib"))
    assert index.get("/simple/", headers={"Accept": JSON}).json == {
        "meta": {"api-version": "1.4"},
        "projects": [{"name": "acme_lib", "_last-serial": 0}, {"name": "Beta", "_last-serial": 0}],
    }


def test_A5_3_a_project_has_its_normalised_name_and_its_status(index):
    index.publish(*sdist("Acme.Lib"))
    page = index.json("acme-lib")
    assert page.keys() == {"name", "meta", "files", "versions", "project-status"}
    assert page["name"] == "acme-lib"
    assert page["project-status"] == {"status": "active"}
    index.repository.set_status("acme-lib", "deprecated", "use beta", ACTOR)
    assert index.json("acme-lib")["project-status"] == {"status": "deprecated", "reason": "use beta"}


def test_A5_4_versions_are_normalised_unique_and_oldest_first(index):
    for version in ("1.10", "1.9", "1.0"):
        index.publish(*sdist(version=version))
    index.publish(*wheel(version="1.9"))
    fields = {":action": "submit", "metadata_version": "1.0", "name": "acme-lib", "version": "2.0-beta1"}
    index.post("/", fields)
    page = index.json("acme-lib")
    assert page["versions"] == ["1.0", "1.9", "1.10", "2.0b1"]
    assert {name["filename"] for name in page["files"]} == {
        "acme_lib-1.0.tar.gz",
        "acme_lib-1.9.tar.gz",
        "acme_lib-1.9-py3-none-any.whl",
        "acme_lib-1.10.tar.gz",
    }


def test_A5_5_url_is_relative_without_a_query_and_ends_in_the_file_name(index, entry):
    assert entry["filename"] == WHEEL == last_segment(entry["url"])
    assert not set("?#") & set(entry["url"])
    index.get(path_of("/simple/acme-lib/", entry["url"]))


def test_A5_5_hashes_are_a_lower_case_sha256_alone(index, entry):
    content = index.get(path_of("/simple/acme-lib/", entry["url"])).body
    assert entry["hashes"] == {"sha256": hashlib.sha256(content).hexdigest()}


def test_A5_5_size_is_a_number(index, entry):
    assert entry["size"] == len(wheel(requires_python=">=3.8,<4")[1])
    assert type(entry["size"]) is int


def test_A5_5_upload_time_is_in_the_one_form_that_every_client_reads(entry):
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", entry["upload-time"])


def test_A5_5_requires_python_is_there_as_it_was_written_or_not_at_all(index, entry):
    assert entry["requires-python"] == ">=3.8,<4"
    index.publish(*sdist("beta"))
    assert "requires-python" not in index.json("beta")["files"][0]


def test_A5_5_core_metadata_A5_5_dist_info_metadata_is_told_of_wheels_and_never_under_the_old_name(index, entry):
    index.publish(*sdist("beta"))
    assert entry["core-metadata"].keys() == {"sha256"}
    assert index.json("beta")["files"][0]["core-metadata"] is False
    assert "dist-info-metadata" not in index.get("/simple/acme-lib/", headers={"Accept": JSON}).text


def test_A5_5_yanked_is_a_boolean_or_a_reason_and_never_null_or_empty(index, entry):
    assert entry["yanked"] is False
    index.repository.yank("acme-lib", [WHEEL], "", ACTOR)
    assert index.json("acme-lib")["files"][0]["yanked"] is True
    index.repository.yank("acme-lib", [WHEEL], "broken", ACTOR)
    assert index.json("acme-lib")["files"][0]["yanked"] == "broken"


def test_A5_5_gpg_sig_is_told_where_there_is_one(index, entry):
    assert "gpg-sig" not in entry
    index.publish(*sdist(), gpg_signature="-----BEGIN PGP SIGNATURE-----\n")
    told = {each["filename"]: each.get("gpg-sig") for each in index.json("acme-lib")["files"]}
    assert told == {WHEEL: None, "acme_lib-1.0.tar.gz": True}


def test_A5_5_project_status_and_nothing_else_in_a_page_is_null(index):
    index.publish(*wheel())
    index.publish(*sdist())
    assert "null" not in index.get("/simple/acme-lib/", headers={"Accept": JSON}).text


def test_A5_6_files_are_in_the_order_of_versions_and_the_text_is_compact_sorted_utf8(index):
    for version in ("1.10", "1.9"):
        index.publish(*wheel(version=version))
        index.publish(*sdist(version=version))
    index.repository.set_status("acme-lib", "deprecated", "ünï", ACTOR)
    answer = index.get("/simple/acme-lib/", headers={"Accept": JSON})
    assert [file["filename"] for file in answer.json["files"]] == [
        "acme_lib-1.9-py3-none-any.whl",
        "acme_lib-1.9.tar.gz",
        "acme_lib-1.10-py3-none-any.whl",
        "acme_lib-1.10.tar.gz",
    ]
    compact = json.dumps(answer.json, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert answer.body == compact.encode() + b"\n"


def test_A5_7_the_metadata_hash_is_of_the_bytes_that_are_served(index):
    odd = metadata(description="Zeile eins\r\nZeile zwei ünï")
    index.publish(*wheel(info={"METADATA": odd}))
    entry = index.json("acme-lib")["files"][0]
    served = index.get(path_of("/simple/acme-lib/", entry["url"]) + ".metadata").body
    assert served == odd
    assert entry["core-metadata"]["sha256"] == hashlib.sha256(served).hexdigest()


def test_A7_archived_refuses_uploads_and_serves_what_is_there(index):
    name, content = wheel()
    index.publish(name, content)
    index.repository.set_status("acme-lib", "archived", "", ACTOR)
    assert "archived" in index.publish(*wheel(version="2.0"), status=403).status
    assert index.get(index.url("acme-lib", name)).body == content


def test_A7_quarantined_refuses_uploads_and_offers_no_files(index):
    name, content = wheel()
    index.publish(name, content)
    url = index.url("acme-lib", name)
    index.repository.set_status("acme-lib", "quarantined", "malware", ACTOR)
    assert "quarantined" in index.publish(*wheel(version="2.0"), status=403).status
    assert index.json("acme-lib")["files"] == []
    assert anchors(index.html("acme-lib")) == []
    for sidecar in ("", ".metadata", ".asc"):
        index.get(url + sidecar, status=404)
    index.repository.set_status("acme-lib", "active", "", ACTOR)
    assert index.get(url).body == content


def test_A7_deprecated_is_active_with_a_mark(index):
    index.publish(*wheel())
    index.repository.set_status("acme-lib", "deprecated", "", ACTOR)
    index.publish(*wheel(version="2.0"))
    assert len(index.json("acme-lib")["files"]) == 2


@pytest.mark.parametrize("status", ["archived", "quarantined"])
def test_A7_archived_A7_quarantined_take_none_of_any_kind(index, status):
    name, content = wheel()
    index.publish(name, content)
    index.repository.set_status("acme-lib", status, "", ACTOR)
    before = index.repository.project("acme-lib").value
    for refused in (wheel(version="2.0"), sdist(), (name, content)):
        assert status in index.publish(*refused, status=403).status
    fields = {":action": "submit", "metadata_version": "1.0", "name": "acme-lib", "version": "3.0"}
    assert status in index.post("/", fields, status=403).status
    assert index.repository.project("acme-lib").value == before


@pytest.mark.parametrize("status", ["active", "archived", "deprecated", "quarantined"])
def test_A7_archived_A7_quarantined_A7_deprecated_each_is_told_in_both_forms_and_to_people_and_can_be_taken_back(
    index, status
):
    name, content = wheel()
    given = json.dumps([attestation_of(name, content)])
    index.publish(name, content, gpg_signature="-----BEGIN PGP SIGNATURE-----\n", attestations=given)
    url = index.url("acme-lib", name)
    index.repository.set_status("acme-lib", status, "for a while", ACTOR)
    assert index.json("acme-lib")["project-status"] == {"status": status, "reason": "for a while"}
    metas = Anchors(index.html("acme-lib").text).metas
    assert metas["pypi:project-status"] == status
    assert metas["pypi:project-status-reason"] == "for a while"
    assert (f"This project is {status}." in index.get("/project/acme-lib/").text) == (status != "active")
    offered = status != "quarantined"
    assert [entry["filename"] for entry in index.json("acme-lib")["files"]] == [name] * offered
    assert [text for _, text in anchors(index.html("acme-lib"))] == [name] * offered
    for sidecar in ("", ".metadata", ".asc", ".provenance"):
        index.get(url + sidecar, status=200 if offered else 404)
    # The root page names it in any case: it is one document, which knows of no status (A7 asks for no more).
    listed = index.get("/simple/", headers={"Accept": JSON}).json["projects"]
    assert [project["name"] for project in listed] == ["acme-lib"]
    index.repository.set_status("acme-lib", "active", "", ACTOR)
    assert index.json("acme-lib")["project-status"] == {"status": "active"}
    assert index.get(url).body == content
