"""Attestations over HTTP: taken with an upload, kept beside the file, announced on the pages, served (PEP 740)."""

from __future__ import annotations

import hashlib
import json

import pytest

from mypi.model import Actor
from mypi.repository import keys
from tests import attested
from tests.attested import GOOGLE, SLSA, of
from tests.builders import sdist, wheel
from tests.functional.support import BROWSER, JSON, PIP, anchors, as_hatch_reads, basic, path_of

ACTOR = Actor("tester", "test")
NAME, CONTENT = wheel()
INTEGRITY = "application/vnd.pypi.integrity.v1+json"
URL = f"/integrity/acme-lib/1.0/{NAME}/provenance"
GIVEN = [of(NAME, CONTENT), of(NAME, CONTENT, SLSA)]


def publish(index, name=NAME, content=CONTENT, given=None, status=200):
    """Publish a file with attestations, those of the file if no others are named."""
    text = given if isinstance(given, str) else json.dumps(given or [of(name, content)])
    return index.publish(name, content, attestations=text, status=status)


@pytest.fixture
def held(index):
    """An index that holds a wheel with two attestations."""
    publish(index, given=GIVEN)
    return index


def stored(store) -> list[str]:
    return sorted(entry.key for entry in store.list())


def test_A7_provenance_holds_the_attestations_as_they_came(held):
    assert held.get(URL).json == {
        "version": 1,
        "attestation_bundles": [{"publisher": {"kind": "unverified", "claims": {}}, "attestations": GIVEN}],
    }


def test_A7_provenance_names_the_uploader_where_there_is_one(make_index, htpasswd):
    index = make_index(upload="users", htpasswd=htpasswd)
    index.authorization = ("Basic", ("alice", "wonder"))
    publish(index)
    (bundle,) = index.get(URL).json["attestation_bundles"]
    assert bundle["publisher"] == {"kind": "unverified", "claims": {}, "uploader": "alice"}


@pytest.mark.parametrize("status", ["", "None", " "])
def test_an_empty_field_is_no_field(index, status):
    index.publish(NAME, CONTENT, attestations=status)
    index.get(URL, status=404)


@pytest.mark.parametrize("way", ["text", "file"])
def test_the_field_may_be_sent_as_text_or_as_a_file(index, way):
    if way == "text":
        publish(index)
    else:
        form = {":action": "file_upload", "name": "acme-lib", "version": "1.0", "filetype": "bdist_wheel"}
        form |= {"metadata_version": "2.1", "sha256_digest": hashlib.sha256(CONTENT).hexdigest()}
        files = [("content", NAME, CONTENT), ("attestations", "a.json", json.dumps([of(NAME, CONTENT)]).encode())]
        index.post("/", form, upload_files=files)
    index.get(URL)


@pytest.mark.parametrize(
    ("given", "status", "reason"),
    [
        ("{}", 400, "The field attestations is no JSON array of attestation objects, or is empty"),
        (json.dumps([of(NAME, b"other")]), 400, "has another sha256 than acme_lib-1.0-py3-none-any.whl"),
        (json.dumps([of("acme_lib-1.1-py3-none-any.whl", CONTENT)]), 400, "speaks of another file"),
        ("[" + " " * 70_000 + "]", 413, "attestations: Has more than 65536 bytes"),
    ],
)
def test_C26_what_is_not_as_it_must_be_is_refused_and_nothing_is_stored(store, index, given, status, reason):
    before = stored(store)
    answer = publish(index, given=given, status=status)
    assert reason in answer.status
    assert reason in answer.text
    assert stored(store) == before


def test_the_same_file_again_changes_nothing_whatever_it_brings_with_it(held, store):
    before = stored(store)
    publish(held, given=[of(NAME, CONTENT)])
    held.publish(NAME, CONTENT)
    held.publish(NAME, CONTENT, attestations="never looked at", gpg_signature="-----BEGIN PGP SIGNATURE-----\n")
    assert stored(store) == before
    assert held.get(URL).json["attestation_bundles"][0]["attestations"] == GIVEN


def test_A7_provenance_lies_beside_the_file_too(held):
    beside = held.get(held.url("acme-lib", NAME) + ".provenance")
    assert beside.body == held.get(URL).body
    assert beside.headers["ETag"] == f'"{hashlib.sha256(beside.body).hexdigest()}"'
    held.publish(*sdist())
    held.get(held.url("acme-lib", "acme_lib-1.0.tar.gz") + ".provenance", status=404)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, INTEGRITY),
        ("*/*", INTEGRITY),
        ("application/*", INTEGRITY),
        (INTEGRITY, INTEGRITY),
        ("application/json", "application/json"),
        (f"application/json, {INTEGRITY};q=0.5", "application/json"),
        (f"application/json, {INTEGRITY}", INTEGRITY),
        (BROWSER, INTEGRITY),
    ],
)
def test_the_type_follows_the_accept_header(held, accept, form):
    answer = held.get(URL, headers={"Accept": accept} if accept else {})
    assert answer.headers["Content-Type"] == form
    assert answer.headers["Vary"] == "Accept"
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("accept", ["text/html", PIP, "application/vnd.pypi.integrity.v2+json", "application/json;q=0"])
def test_a_type_that_is_not_served_is_406(held, accept):
    assert INTEGRITY in held.get(URL, headers={"Accept": accept}, status=406).text


def test_what_the_client_has_is_304_for_each_type_by_itself(held):
    tags = set()
    for form in (INTEGRITY, "application/json"):
        answer = held.get(URL, headers={"Accept": form})
        tags.add(answer.headers["ETag"])
        held.get(URL, headers={"Accept": form, "If-None-Match": answer.headers["ETag"]}, status=304)
        assert held.head(URL, headers={"Accept": form}).headers["ETag"] == answer.headers["ETag"]
    assert len(tags) == 2


@pytest.mark.parametrize(
    "url",
    [
        f"/integrity/Acme.Lib/1.0/{NAME}/provenance",
        f"/integrity/acme-lib/v1.0/{NAME}/provenance",
        f"/integrity//acme-lib/1.0/{NAME}/provenance",
    ],
)
def test_another_spelling_leads_to_the_one_address(held, url):
    assert path_of(url, held.get(url, status=301).headers["Location"]) == URL


def test_an_equal_version_is_the_same_version(held):
    assert held.get(URL.replace("/1.0/", "/1/")).body == held.get(URL).body


@pytest.mark.parametrize(
    "url",
    [
        "/integrity",
        "/integrity/",
        "/integrity/acme-lib/",
        "/integrity/acme-lib/1.0/",
        f"/integrity/acme-lib/1.0/{NAME}",
        f"/integrity/acme-lib/1.0/{NAME}/attestations",
        f"/integrity/acme-lib/2.0/{NAME}/provenance",
        f"/integrity/acme-lib/one/{NAME}/provenance",
        "/integrity/acme-lib/1.0/acme_lib-1.0.tar.gz/provenance",
        f"/integrity/acme--/1.0/{NAME}/provenance",
        f"/integrity/nothing/1.0/{NAME}/provenance",
        f"{URL}/more",
    ],
)
def test_anything_else_is_404(held, url):
    held.publish(*sdist())
    held.get(url, status=404)


def test_a_slash_at_the_end_is_no_fault_and_another_method_is_405(held):
    held.get(f"{URL}/")
    assert held.post(URL, status=405).headers["Allow"] == "GET, HEAD"


def test_A5_5_provenance_is_a_relative_address_in_json_or_absent(held):
    held.publish(*sdist())
    told = {each["filename"]: each.get("provenance") for each in held.json("acme-lib")["files"]}
    assert told["acme_lib-1.0.tar.gz"] is None
    assert path_of("/simple/acme-lib/", told[NAME]) == URL
    for page in ("/acme-lib/", "/+simple/acme-lib/"):
        (found,) = [each["provenance"] for each in held.get(page, headers={"Accept": JSON}).json["files"][:1]]
        assert path_of(page, found) == URL


@pytest.mark.parametrize("version", ["1!2.0", "2.0+local.1"])
def test_A7_provenance_of_every_version_has_an_address(index, version):
    name, content = wheel(version=version)
    publish(index, name, content)
    (entry,) = index.json("acme-lib")["files"]
    assert index.get(path_of("/simple/acme-lib/", entry["provenance"])).json["version"] == 1


def test_A4_10_data_provenance_is_an_absolute_https_address_or_absent(held):
    held.publish(*sdist())
    plain = held.html("acme-lib")
    assert "provenance" not in plain.text
    secure = held.get("/simple/acme-lib/", extra_environ={"wsgi.url_scheme": "https", "HTTP_HOST": "pypi.example.com"})
    told = {text: attributes.get("data-provenance") for attributes, text in anchors(secure)}
    assert told == {NAME: f"https://pypi.example.com{URL}", "acme_lib-1.0.tar.gz": None}
    assert len(as_hatch_reads(secure.text)) == 2
    assert secure.headers["ETag"] != plain.headers["ETag"]
    assert held.html("acme-lib").text == plain.text


def test_A4_10_the_public_address_comes_first(make_index):
    index = make_index(public_url="https://pypi.example.com/team/")
    publish(index)
    ((attributes, _),) = anchors(index.html("acme-lib"))
    assert attributes["data-provenance"] == f"https://pypi.example.com/team{URL}"


@pytest.mark.parametrize("away", ["removed", "quarantined"])
def test_what_is_not_on_offer_has_no_provenance(held, away):
    beside = held.url("acme-lib", NAME) + ".provenance"
    if away == "removed":
        held.repository.remove("acme-lib", [NAME], ACTOR)
    else:
        held.repository.set_status("acme-lib", "quarantined", "", ACTOR)
    for url in (URL, beside):
        held.get(url, status=404)
    assert "provenance" not in held.get("/simple/acme-lib/", headers={"Accept": JSON}).text
    held.repository.restore("acme-lib", [NAME], ACTOR)
    held.repository.set_status("acme-lib", "active", "", ACTOR)
    for url in (URL, beside):
        held.get(url)


def test_reading_needs_the_right(make_index, htpasswd):
    index = make_index(read="user:alice", htpasswd=htpasswd)
    publish(index)
    index.get(URL, status=401)
    index.get(URL, headers=basic("bob", "builder"), status=404)
    answer = index.get(URL, headers=basic("alice", "wonder"))
    assert "private" in answer.headers["Cache-Control"]


def test_provenance_that_was_lost_is_503_and_no_404(held, store):
    file = held.repository.project("acme-lib").value.files[NAME]
    store.delete(keys.beside(keys.file("main", "acme-lib", file.token, NAME), ".provenance"))
    held.get(URL, status=503)
    held.get(held.url("acme-lib", NAME) + ".provenance", status=503)


@pytest.fixture
def verifying(make_index, tmp_path, monkeypatch):
    """An index that verifies who signed what."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return make_index(attesters=f"gcb-* {attested.ATTESTERS[GOOGLE]}")


def test_C26_a_real_attestation_is_verified_and_its_publisher_named(verifying):
    content = (attested.FOLDER / GOOGLE).read_bytes()
    given = [attested.real(GOOGLE)]
    publish(verifying, GOOGLE, content, given)
    (bundle,) = verifying.get(f"/integrity/gcb-attestation-test/0.0.0/{GOOGLE}/provenance").json["attestation_bundles"]
    assert bundle["publisher"]["kind"] == "Google"
    assert bundle["attestations"] == given


def test_C26_what_does_not_verify_is_400_and_nothing_is_stored(verifying, store):
    content = (attested.FOLDER / GOOGLE).read_bytes()
    before = stored(store)
    given = attested.real(GOOGLE)
    given["envelope"]["signature"] = of(GOOGLE, content)["envelope"]["signature"]
    answer = publish(verifying, GOOGLE, content, [given], status=400)
    assert "Attestation 1 is not signed by who may attest gcb_attestation_test-0.0.0.tar.gz" in answer.status
    assert "Nobody may attest files of acme-lib here" in publish(verifying, status=400).status
    assert stored(store) == before
    verifying.publish(NAME, CONTENT)
