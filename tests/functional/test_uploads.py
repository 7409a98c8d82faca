"""Publishing over the legacy upload API: B1 of the conformance list, and that a refusal stores nothing."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from mypi.model import Actor
from mypi.store import Full, Unavailable
from mypi.testing import FaultyStore, Point
from tests.builders import sdist, wheel
from tests.functional.support import UV, UV_PUBLISH

ACTOR = Actor("tester", "test")
NAME, CONTENT = wheel()
PLACES = ("/", "/simple", "/simple/", "/legacy", "/legacy/")
ACTIONS = ("file_upload", "submit", "submit_pkg_info", "verify", "doc_upload", "user", "password_reset", "nonsense")
METADATA = {"metadata_version": "1.0", "name": "acme-lib", "version": "1.0", "summary": "x"}


@pytest.fixture
def refusing(index, store):
    """An index of which nothing may be left behind: what the store holds is the same before and after."""
    before = listing(store)
    yield index
    assert listing(store) == before


def listing(store):
    return sorted((entry.key, entry.size) for entry in store.list())


def digests(content: bytes) -> dict[str, str]:
    return {
        "md5_digest": hashlib.md5(content).hexdigest(),
        "sha256_digest": hashlib.sha256(content).hexdigest(),
        "blake2_256_digest": hashlib.blake2b(content, digest_size=32).hexdigest(),
    }


# What is published


@pytest.mark.parametrize("place", PLACES)
def test_B1_1_C27_a_good_upload_is_exactly_200_at_every_address(index, place):
    answer = index.publish(NAME, CONTENT, url=place)
    assert (answer.status, answer.body) == ("200 OK", b"")
    assert [file["filename"] for file in index.json("acme-lib")["files"]] == [NAME]


@pytest.mark.parametrize(
    "made", [wheel(), sdist(), sdist(ending=".zip"), wheel(version="1.0+local.1"), sdist("Acme.Lib")]
)
def test_B1_1_wheels_and_sdists_of_both_kinds_are_published(index, made):
    name, content = made
    index.publish(name, content)
    assert index.get(index.url("acme-lib", name)).body == content


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("where", ["query", "body"])
def test_B1_2_every_action_is_known_at_every_address_in_the_query_and_in_the_body(index, action, where):
    fields = METADATA | ({":action": action} if where == "body" else {})
    query = f"?:action={action}" if where == "query" else ""
    expected = {"file_upload": 400, "nonsense": 400, "doc_upload": 410, "user": 410, "password_reset": 410}
    says = {"file_upload": "has no file", "nonsense": "nonsense is unknown", "doc_upload": "no documentation"}
    for place in PLACES:
        answer = index.post(place + query, fields, expect_errors=True)
        assert answer.status_int == expected.get(action, 200)
        assert says.get(action, "") in answer.text


def test_B1_2_the_file_is_published_with_its_action_in_the_query(index):
    index.publish(NAME, CONTENT, url="/legacy/?:action=file_upload", **{":action": None})
    assert index.json("acme-lib")["files"]


@pytest.mark.parametrize("action", ["submit", "submit_pkg_info"])
def test_B1_2_register_notes_a_release_without_files(index, action):
    index.post("/", METADATA | {":action": action})
    assert index.json("acme-lib")["versions"] == ["1.0"]
    assert index.json("acme-lib")["files"] == []


def test_B1_2_a_registered_release_takes_files_and_needs_no_registration(index):
    index.post("/", METADATA | {":action": "submit"})
    index.publish(NAME, CONTENT)
    index.publish(*wheel(version="2.0"))
    assert index.json("acme-lib")["versions"] == ["1.0", "2.0"]


def test_B1_2_verify_keeps_nothing(refusing):
    assert refusing.post("/", METADATA | {":action": "verify"}).status == "200 OK"


@pytest.mark.parametrize("action", ["submit", "verify"])
@pytest.mark.parametrize("wrong", [{"name": "-"}, {"version": "x y"}, {"name": "UNKNOWN"}, {"metadata_version": "9.0"}])
def test_B1_2_bad_metadata_is_refused(refusing, action, wrong):
    refusing.post("/", METADATA | {":action": action} | wrong, status=400)


def test_B1_2_doc_upload_is_gone_and_keeps_nothing(refusing):
    files = [("content", "acme.zip", b"PK\x05\x06" + bytes(18))]
    answer = refusing.post("/", {":action": "doc_upload", "name": "acme"}, upload_files=files, status=410)
    assert "documentation" in answer.status
    assert "documentation" in answer.text


@pytest.mark.parametrize("place", PLACES)
def test_B1_2_list_classifiers_needs_nobody(make_index, htpasswd, place):
    index = make_index(read="users", upload="users", htpasswd=htpasswd)
    answer = index.get(f"{place}?:action=list_classifiers")
    assert answer.content_type == "text/plain"
    assert "Programming Language :: Python :: 3" in answer.text.splitlines()


def test_B1_3_python_2_7_misspells_the_protocol(index):
    index.publish(NAME, CONTENT, protocol_version=None, protcol_version="1")


def test_B1_3_the_protocol_is_1_where_nothing_is_said(index):
    index.publish(NAME, CONTENT, protocol_version=None)


@pytest.mark.parametrize("spelling", ["protocol_version", "protcol_version"])
def test_B1_3_C3_another_protocol_is_refused(refusing, spelling):
    answer = refusing.publish(NAME, CONTENT, **{"protocol_version": None, spelling: "2"}, status=400)
    assert "protocol" in answer.status


@pytest.mark.parametrize("missing", ["name", "version", "filetype", "metadata_version"])
def test_B1_4_B1_8_a_required_field_that_is_absent_is_named(refusing, missing):
    for value in (None, "", "UNKNOWN", "None"):
        answer = refusing.publish(NAME, CONTENT, **{missing: value}, status=400)
        assert missing in answer.status


def test_B1_4_C6_the_file_is_required(refusing):
    form = METADATA | {":action": "file_upload", "filetype": "sdist"}
    assert "content" in refusing.post("/", form, status=400).status


@pytest.mark.parametrize("pyversion", [None, "", "py3", "3.11", "source"])
def test_B1_4_pyversion_says_nothing_that_the_file_name_does_not(index, pyversion):
    index.publish(*sdist(), pyversion=pyversion)
    index.publish(NAME, CONTENT, pyversion=pyversion)


@pytest.mark.parametrize("filetype", ["bdist_egg", "bdist_wininst", "bdist_dumb", "wheel", "sdist"])
def test_B1_4_C4_a_file_type_that_does_not_fit_is_refused(refusing, filetype):
    answer = refusing.publish(NAME, CONTENT, filetype=filetype, status=400)
    assert filetype in answer.status


@pytest.mark.parametrize("field", ["name", "version", "filetype", ":action", "sha256_digest", "content"])
def test_threat_19_a_repeated_field_is_refused(refusing, field):
    form = METADATA | {":action": "file_upload", "filetype": "bdist_wheel", "sha256_digest": "0" * 64}
    pairs = [*form.items(), *([(field, form[field])] if field in form else [])]
    files = [("content", NAME, CONTENT)] * (2 if field == "content" else 1)
    answer = refusing.post("/", pairs, upload_files=files, status=400)
    assert field in answer.text


@pytest.mark.parametrize("field", ["md5_digest", "sha256_digest", "blake2_256_digest"])
@pytest.mark.parametrize("spelling", [str.lower, str.upper])
def test_B1_5_each_digest_alone_suffices_in_either_case(index, field, spelling):
    index.publish(NAME, CONTENT, **{"sha256_digest": None} | {field: spelling(digests(CONTENT)[field])})


@pytest.mark.parametrize("field", ["md5_digest", "sha256_digest", "blake2_256_digest"])
def test_B1_5_C13_every_digest_that_was_sent_must_match(refusing, field):
    wrong = digests(CONTENT) | {field: digests(b"other")[field]}
    answer = refusing.publish(NAME, CONTENT, **wrong, status=400)
    assert field in answer.status


@pytest.mark.parametrize("field", ["md5_digest", "sha256_digest", "blake2_256_digest"])
def test_B1_5_C4_a_malformed_digest_is_refused(refusing, field):
    for value in ("x", "0" * 63, "z" * 64, "ü" * 32, "1B2M2Y8AsgTpgAmY7PhCfg==", "0" * 1000):
        answer = refusing.publish(NAME, CONTENT, **digests(CONTENT) | {field: value}, status=400)
        assert field in answer.text


def test_B1_5_C4_no_digest_at_all_is_refused(refusing):
    assert "digest" in refusing.publish(NAME, CONTENT, sha256_digest=None, status=400).status


def test_B1_6_distutils_sends_blake2b_512_under_the_name_of_256(index):
    wide = hashlib.blake2b(CONTENT).hexdigest()
    index.publish(NAME, CONTENT, sha256_digest=None, blake2_256_digest=wide)


def test_B1_6_a_wrong_one_is_refused_too(refusing):
    refusing.publish(NAME, CONTENT, blake2_256_digest=hashlib.blake2b(b"other").hexdigest(), status=400)


@pytest.mark.parametrize("kind", [None, "text/plain", "application/octet-stream", "image/png"])
def test_B1_7_the_type_of_the_part_with_the_file_says_nothing(index, kind):
    form = METADATA | digests(CONTENT) | {":action": "file_upload", "filetype": "bdist_wheel"}
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in form.items()]
    head = f'Content-Disposition: form-data; name="content"; filename="{NAME}"\r\n'
    parts.append(f"{head}Content-Type: {kind}\r\n\r\n".encode() if kind else f"{head}\r\n".encode())
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts).removesuffix(b"\r\n") + CONTENT + b"\r\n--b--\r\n"
    index.post("/legacy/", body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert index.get(index.url("acme-lib", NAME)).body == CONTENT


@pytest.mark.parametrize("field", ["name", "summary", "filetype"])
def test_B1_8_C1_a_text_that_is_sent_as_a_file_is_refused(refusing, field):
    form = METADATA | {":action": "file_upload", "filetype": "sdist"}
    del form[field]
    files = [("content", NAME, CONTENT), (field, "x.txt", b"acme")]
    assert "Should not be a file" in refusing.post("/", form, upload_files=files, status=400).status


@pytest.mark.parametrize("wrong", [{"name": "beta"}, {"version": "2.0"}])
def test_B1_9_the_form_may_not_disagree_with_the_file_name(refusing, wrong):
    refusing.publish(NAME, CONTENT, **wrong, status=400)


@pytest.mark.parametrize("inside", [wheel("beta"), wheel(version="2.0"), ("x", b"no archive"), ("x", b"")])
def test_B1_9_C_identity_the_archive_has_the_last_word(refusing, inside):
    answer = refusing.publish(NAME, inside[1], status=400)
    assert answer.status != "400 Bad Request"


def test_B1_9_pages_show_what_the_archive_says_and_not_the_form(index):
    name, content = wheel(requires_python=">=3.8", metadata_version="2.2")
    index.publish(name, content, requires_python=">=9", metadata_version="2.3", requires_dist="other")
    assert index.json("acme-lib")["files"][0]["requires-python"] == ">=3.8"
    described = index.get(index.url("acme-lib", name) + ".metadata").text
    assert "Metadata-Version: 2.2" in described
    assert "other" not in described


def test_B1_10_unknown_fields_and_every_spelling_of_the_known_ones_are_taken(index):
    more = {"import_names": "x", "provides_extras": "y", "license_files": "z", "dynamic": "w", "a_new_field": "v"}
    index.publish(NAME, CONTENT, **more)


def test_B2_requires_python_may_be_empty_as_uv_sends_it(index):
    index.publish(NAME, CONTENT, requires_python="")
    assert "requires-python" not in index.json("acme-lib")["files"][0]


def test_B2_attestations_are_no_obstacle(index):
    subject = {"name": NAME, "digest": {"sha256": hashlib.sha256(CONTENT).hexdigest()}}
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject],
        "predicateType": "https://docs.pypi.org/attestations/publish/v1",
        "predicate": None,
    }
    attestation = {
        "version": 1,
        "verification_material": {"certificate": "MA==", "transparency_entries": [{}]},
        "envelope": {"statement": base64.b64encode(json.dumps(statement).encode()).decode(), "signature": "MA=="},
    }
    index.publish(NAME, CONTENT, attestations=json.dumps([attestation]))
    assert index.get(index.url("acme-lib", NAME)).body == CONTENT


DISTUTILS = {
    ":action": "file_upload",
    "protocol_version": "1",
    "name": "Acme.Lib",
    "version": "1.0",
    "filetype": "sdist",
    "pyversion": "",
    "metadata_version": "1.0",
    "summary": "UNKNOWN",
    "home_page": "UNKNOWN",
    "author": "Zoë",
    "license": "",
    "description": "UNKNOWN",
    "platform": "UNKNOWN",
    "download_url": "None",
    "comment": "built for Linux-6.1-x86_64",
}


@pytest.mark.parametrize("turn", [0, 5, 11])
def test_B3_fields_come_in_any_order_and_may_be_empty(index, turn):
    name, content = sdist("Acme.Lib", metadata_version="1.1")
    many = [
        ("classifiers", "Topic :: Utilities"),
        ("classifiers", "Private :: Acme"),
        ("provides", "a"),
        ("obsoletes", "b"),
    ]
    fields = [*DISTUTILS.items(), *many, ("md5_digest", digests(content)["md5_digest"])]
    index.post("/", fields[turn:] + fields[:turn], upload_files=[("content", name, content)])
    assert index.get(index.url("acme-lib", name)).body == content


@pytest.mark.parametrize("filename", ["Acme.Lib-1.0.tar.gz", "Acme.Lib-1.0.zip", "acme-lib-1.0.tar.gz"])
def test_B3_names_of_old_sdists_are_taken_unless_a_rule_refuses_them(index, make_index, filename):
    ending = ".zip" if filename.endswith(".zip") else ".tar.gz"
    name, content = sdist("Acme.Lib", metadata_version="1.1", filename=filename, ending=ending)
    fields = {"name": "Acme.Lib", "version": "1.0"}
    strict = make_index(refuse="legacy-sdist-names")
    assert "PEP 625" in strict.publish(name, content, **fields, status=400).text
    index.publish(name, content, **fields)
    assert index.get(index.url("acme-lib", name)).body == content


@pytest.mark.parametrize("place", ["/", "/simple", "/simple/", "/legacy", "/legacy/"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_C0_only_post_publishes(refusing, place, method):
    form = METADATA | digests(CONTENT) | {":action": "file_upload", "filetype": "bdist_wheel"}
    kind, body = refusing.encode_multipart([*form.items()], [("content", NAME, CONTENT)])
    answer = refusing.request(place, method=method, body=body, headers={"Content-Type": kind}, expect_errors=True)
    assert answer.status_int == 405
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("way", ["file", "field", "two fields"])
def test_B2_signature_is_kept_however_it_is_sent(index, way):
    armour = "-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n"
    form = METADATA | digests(CONTENT) | {":action": "file_upload", "filetype": "bdist_wheel"}
    pairs, files = [*form.items()], [("content", NAME, CONTENT)]
    if way == "file":
        files.append(("gpg_signature", f"{NAME}.asc", armour.encode()))
    else:
        pairs += [("gpg_signature", f"{NAME}.asc")] * (way == "two fields") + [("gpg_signature", armour)]
    index.post("/", pairs, upload_files=files)
    assert index.get(index.url("acme-lib", NAME) + ".asc").text == armour


# What is there already


def test_B1_15_C14_the_same_file_again_is_200_and_changes_nothing(index, store):
    index.publish(NAME, CONTENT)
    before, page = listing(store), index.json("acme-lib")
    assert index.publish(NAME, CONTENT).status == "200 OK"
    assert listing(store) == before
    assert index.json("acme-lib") == page


def test_B1_16_B2_exists_other_bytes_under_a_taken_name_are_409_in_the_words_that_clients_look_for(index, store):
    index.publish(NAME, CONTENT)
    before = listing(store)
    answer = index.publish(*wheel(requires=["other"]), status=409)
    assert "File already exists" in answer.status
    assert "File already exists" in answer.text
    assert listing(store) == before
    assert index.get(index.url("acme-lib", NAME)).body == CONTENT


def test_C14_the_same_file_is_recognised_before_a_rule_refuses_it(index, make_index):
    name, content = sdist("Acme.Lib", filename="Acme.Lib-1.0.tar.gz")
    fields = {"name": "Acme.Lib", "version": "1.0"}
    index.publish(name, content, **fields)
    strict = make_index(refuse="pypi")
    assert strict.publish(name, content, **fields).status == "200 OK"
    strict.publish(*sdist("Acme.Lib", "2.0", filename="Acme.Lib-2.0.tar.gz"), **fields | {"version": "2.0"}, status=400)


def test_B2_check_url_shows_uv_the_digest_before_and_after(index):
    page = {"Accept": UV, "Accept-Encoding": "gzip, deflate, zstd"}
    index.get("/simple/acme-lib/", headers=page, status=404)
    index.publish(NAME, CONTENT)
    for changed in (CONTENT, wheel(requires=["other"])[1]):
        index.publish(NAME, changed, status=200 if changed == CONTENT else 409)
        (entry,) = index.get("/simple/acme-lib/", headers=page).json["files"]
        assert (entry["filename"], entry["hashes"]) == (NAME, {"sha256": hashlib.sha256(CONTENT).hexdigest()})


EXISTS = ("already exist", "updating asset", "cannot be updated", "already been taken", "overwrite artifact")
"""How poetry and pdm, and twine for the first, recognise a file that exists."""


def test_B2_words_of_other_refusals_are_others(index, make_index):
    said = [
        index.publish(NAME, CONTENT, **{field: value}, status=400)
        for field, value in (
            *(("name", "beta"), ("version", "2.0"), ("filetype", "sdist"), ("protocol_version", "2")),
            *(
                ("sha256_digest", "0" * 64),
                ("sha256_digest", None),
                (":action", "nonsense"),
                ("metadata_version", None),
            ),
        )
    ]
    said.append(
        index.publish(*wheel(filename="acme_lib-1.0-py3-none-any.whl", version="2.0"), version="1.0", status=400)
    )
    said.append(make_index(upload_limit="10").publish(NAME, CONTENT, status=413))
    said.append(make_index(upload="nobody").publish(NAME, CONTENT, status=403))
    index.publish(NAME, CONTENT)
    index.repository.set_status("acme-lib", "archived", "", ACTOR)
    said.append(index.publish(*wheel(version="1.1"), status=403))
    index.repository.set_status("acme-lib", "active", "", ACTOR)
    taken = index.publish(*wheel(requires=["other"]), status=409)
    for answer in said:
        text = f"{answer.status} {answer.text}".lower()
        assert not any(words in text for words in EXISTS), text
    for answer in (*said, taken):
        # poetry would register the project, and send the file again.
        assert "was ever registered" not in answer.status + answer.text


def test_B1_16_a_name_that_differs_only_in_case_is_taken(index):
    index.publish(*sdist("acme"))
    answer = index.publish(*sdist("Acme"), status=409)
    assert "only in case" in answer.text


def test_C15_a_removed_file_is_restored_and_not_uploaded_again(index):
    index.publish(NAME, CONTENT)
    index.repository.remove("acme-lib", [NAME], ACTOR)
    answer = index.publish(NAME, CONTENT, status=409)
    assert "File already exists" in answer.status
    assert "restore" in answer.text
    assert "stays taken" in index.publish(*wheel(requires=["other"]), status=409).text


# How a refusal is told


def test_B1_12_the_message_stands_in_the_reason_and_in_the_body(refusing):
    answer = refusing.publish(NAME, CONTENT, version="2.0", status=400)
    assert answer.status.removeprefix("400 ") == answer.text.strip()
    assert answer.content_type == "text/plain"


def test_B1_12_uv_gets_json_with_a_code_and_exactly_that_type(refusing):
    form = METADATA | digests(CONTENT) | {":action": "file_upload", "filetype": "bdist_wheel", "version": "2.0"}
    files = [("content", NAME, CONTENT)]
    answer = refusing.post("/", form, upload_files=files, headers={"Accept": UV_PUBLISH}, status=400)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["code"].startswith("400")
    assert answer.json["message"] in answer.status


TEXTS = ["a\r\nX-Evil: 1", "a\nb", "\u0142\u00f3d\u017a", "caf\u00e9", "\U0001f600", "\x00", "\x85\u2028", "x" * 5000]


@pytest.mark.parametrize("field", ["name", "version", "filetype", ":action"])
def test_B1_13_no_text_breaks_the_status_line(refusing, field):
    for text in TEXTS:
        form = METADATA | digests(CONTENT) | {":action": "file_upload", "filetype": "bdist_wheel", field: text}
        answer = refusing.post("/", form, upload_files=[("content", NAME, CONTENT)], status=400)
        assert answer.status.encode("latin-1")
        assert not any(ord(character) < 32 or ord(character) == 127 for character in answer.status)
        assert "X-Evil" not in answer.headers
        assert len(answer.status) < 400


@pytest.mark.parametrize("path", ["../evil", "a/b", "..\\x", "/etc/passwd", "a\x00b", "\u2025/x", "\uff0fx", "x" * 300])
def test_C10_threat_1_no_file_name_leads_out_of_the_index(refusing, path):
    for ending, filetype in (("-1.0.tar.gz", "sdist"), ("-1.0-py3-none-any.whl", "bdist_wheel")):
        form = METADATA | digests(CONTENT) | {":action": "file_upload", "filetype": filetype}
        refusing.post("/", form, upload_files=[("content", path + ending, CONTENT)], status=400)


@pytest.mark.parametrize("place", PLACES)
def test_B1_14_B2_redirect_an_upload_is_never_redirected(index, place):
    for version, status in (("2.0", 400), ("1.0", 200)):
        answer = index.publish(NAME, CONTENT, url=place, version=version, status=status)
        assert "Location" not in answer.headers


@pytest.mark.parametrize("excess", ["a little", "more than any form"])
def test_B1_17_B2_too_large_C12_a_file_over_the_limit_is_413(store, make_index, excess):
    index = make_index(upload_limit="1000")
    before = listing(store)
    content = CONTENT + bytes(10_000 if excess == "a little" else 7_000_000)
    answer = index.publish(NAME, content, status=413)
    assert "bytes" in answer.status
    assert listing(store) == before


def test_B1_17_a_file_at_the_limit_is_taken(make_index):
    make_index(upload_limit=str(len(CONTENT))).publish(NAME, CONTENT)


@pytest.mark.parametrize("kept", [0, 1, 50, 300, -30, -1])
def test_a_body_that_was_cut_short_is_refused(refusing, kept):
    kind, body = refusing.encode_multipart(
        [*METADATA.items(), (":action", "file_upload")], [("content", NAME, CONTENT)]
    )
    headers = {"Content-Type": kind, "Content-Length": str(len(body))}
    environ = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(body))}
    answer = refusing.request(
        "/", method="POST", body=body[:kept], headers=headers, environ=environ, expect_errors=True
    )
    assert answer.status_int == 400


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/json", "multipart/form-data", "multipart/mixed; boundary=a"]
)
def test_a_body_that_is_no_form_is_refused(refusing, kind):
    answer = refusing.post("/", b"--a\r\n\r\n", headers={"Content-Type": kind}, status=400)
    assert answer.status != "400 Bad Request"


def test_no_action_is_refused_and_told_what_to_send(refusing):
    assert ":action=file_upload" in refusing.publish(NAME, CONTENT, **{":action": None}, status=400).text


# What the store may do


@pytest.mark.parametrize("operation", ["add", "swap"])
def test_B2_fault_a_full_store_is_507_and_a_retry_succeeds(store, make_index, operation):
    faulty = FaultyStore(store)
    index = make_index(over=faulty)
    faulty.fail(
        Point("before", faulty.calls[operation] + 1, operation), Full("files/secret", "No space left on /dev/sda1")
    )
    answer = index.publish(NAME, CONTENT, status=507)
    assert "full" in answer.status
    assert "sda1" not in answer.text + answer.status
    assert index.get("/simple/acme-lib/", expect_errors=True).status_int in (200, 404)
    index.publish(NAME, CONTENT)
    assert len(index.json("acme-lib")["files"]) == 1


@pytest.mark.parametrize("operation", ["open", "add", "swap"])
def test_B2_fault_an_unavailable_store_is_503_with_retry_after(store, make_index, operation, caplog):
    faulty = FaultyStore(store)
    index = make_index(over=faulty)
    faulty.fail(
        Point("before", faulty.calls[operation] + 1, operation), Unavailable("files/secret", "10.0.0.7 refused")
    )
    answer = index.publish(NAME, CONTENT, status=503)
    assert int(answer.headers["Retry-After"]) > 0
    assert "10.0.0.7" not in answer.text + answer.status
    assert "10.0.0.7" in caplog.text
    index.publish(NAME, CONTENT)
    assert len(index.json("acme-lib")["files"]) == 1


def test_C17_versions_that_are_equal_are_one_release(make_index):
    strict = make_index(refuse="one-sdist-per-release")
    strict.publish(*sdist(version="1.0"))
    answer = strict.publish(*sdist(version="1.0.0"), status=400)
    assert "the release has an sdist already, acme_lib-1.0.tar.gz" in answer.text
    strict.publish(*sdist(version="1.0.1"))
