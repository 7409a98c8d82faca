"""PyPI's older JSON: its shape (A7), its addresses, and the tools that read it."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest

from mypi.model import Actor
from tests.builders import metadata, sdist, wheel
from tests.functional.support import basic, last_segment, path_of, told

pytestmark = pytest.mark.parametrize("store", ["memory"], indirect=True)
"""What a store can change is in test_legacy_json_stores.py."""

ACTOR = Actor("tester", "test")
WHEEL = "acme_lib-1.0-py3-none-any.whl"
SDIST = "acme_lib-1.0.tar.gz"

INFO = {
    *("author", "author_email", "bugtrack_url", "classifiers", "description", "description_content_type", "docs_url"),
    *("download_url", "downloads", "dynamic", "home_page", "keywords", "license", "license_expression"),
    *("license_files", "maintainer", "maintainer_email", "name", "package_url", "platform", "project_url"),
    *("project_urls", "provides_extra", "release_url", "requires_dist", "requires_python", "summary", "version"),
    *("yanked", "yanked_reason"),
}
FILE = {
    *("comment_text", "core-metadata", "digests", "downloads", "filename", "has_sig", "md5_digest", "packagetype"),
    *("python_version", "requires_python", "size", "upload_time", "upload_time_iso_8601", "url", "yanked"),
    "yanked_reason",
}
RICH = {
    "summary": "Everything of Acme",
    "author": "Ann Acme",
    "author_email": '"Ann Acme" <ann@acme.example>',
    "maintainer": "Max Acme",
    "maintainer_email": "max@acme.example",
    "home_page": "https://acme.example/",
    "download_url": "https://acme.example/download",
    "keywords": "acme,anvil",
    "license_expression": "MIT",
    "license_file": ["LICENSE", "NOTICE"],
    "classifier": ["Private :: Do Not Upload", "Topic :: Utilities"],
    "platform": ["linux", "macos"],
    "provides_extra": ["dev"],
    "dynamic": ["Requires-Dist"],
    "project_url": ["Source, https://github.com/acme/lib", "Changelog, https://acme.example/changes?a=1,2"],
    "description_content_type": "text/markdown",
}


@pytest.fixture
def held(index):
    """An index with one project: an sdist and a wheel of one release."""
    index.publish(*sdist())
    index.publish(*wheel())
    return index


def latest(index, project="acme-lib"):
    return index.get(f"/pypi/{project}/json").json


def entry(index, filename, project="acme-lib"):
    """The file's entry among the urls of its release."""
    (found,) = [
        file for files in latest(index, project)["releases"].values() for file in files if file["filename"] == filename
    ]
    return found


def register(index, version, **fields):
    index.post("/", {":action": "submit", "metadata_version": "1.0", "name": "acme-lib", "version": version, **fields})


# The shape


def test_A7_json_a_project_has_the_keys_of_pypi(held):
    page = latest(held)
    assert page.keys() == {"info", "last_serial", "releases", "urls", "vulnerabilities"}
    assert page["info"].keys() == INFO
    assert page["vulnerabilities"] == []
    assert [file.keys() for file in page["urls"]] == [FILE, FILE]
    assert page["releases"] == {"1.0": page["urls"]}


def test_A7_json_a_release_has_the_same_without_the_releases(held):
    page = latest(held)
    del page["releases"]
    assert held.get("/pypi/acme-lib/1.0/json").json == page


def test_A7_json_the_info_is_the_core_metadata_of_a_file(index):
    index.publish(*wheel("Acme.Lib", requires=["beta>=1", "gamma; extra == 'dev'"], requires_python=">=3.8,<4", **RICH))
    assert latest(index)["info"] == {
        "author": "Ann Acme",
        "author_email": '"Ann Acme" <ann@acme.example>',
        "bugtrack_url": None,
        "classifiers": ["Private :: Do Not Upload", "Topic :: Utilities"],
        "description": "",
        "description_content_type": "text/markdown",
        "docs_url": None,
        "download_url": "https://acme.example/download",
        "downloads": {"last_day": -1, "last_month": -1, "last_week": -1},
        "dynamic": ["Requires-Dist"],
        "home_page": "https://acme.example/",
        "keywords": "acme,anvil",
        "license": None,
        "license_expression": "MIT",
        "license_files": ["LICENSE", "NOTICE"],
        "maintainer": "Max Acme",
        "maintainer_email": "max@acme.example",
        "name": "Acme.Lib",
        "package_url": "http://localhost/project/acme-lib/",
        "platform": "linux,macos",
        "project_url": "http://localhost/project/acme-lib/",
        "project_urls": {
            "Source": "https://github.com/acme/lib",
            "Changelog": "https://acme.example/changes?a=1,2",
        },
        "provides_extra": ["dev"],
        "release_url": "http://localhost/project/acme-lib/1.0/",
        "requires_dist": ["beta>=1", "gamma; extra == 'dev'"],
        "requires_python": ">=3.8,<4",
        "summary": "Everything of Acme",
        "version": "1.0",
        "yanked": False,
        "yanked_reason": None,
    }


def test_A7_json_what_the_metadata_does_not_say_is_null_and_what_tools_walk_over_is_empty(held):
    info = latest(held)["info"]
    assert info["classifiers"] == []
    assert info["project_urls"] == {}
    assert info["description"] == ""
    lists = ("dynamic", "license_files", "provides_extra", "requires_dist")  # null on PyPI too
    texts = ("author", "home_page", "keywords", "license", "platform", "requires_python", "summary")
    assert {key: info[key] for key in lists + texts} == dict.fromkeys(lists + texts)


def test_A7_json_a_license_and_a_description_keep_their_lines(index):
    text = metadata(license="MIT\n        Second line", description="# Acme\n\nline ünï")
    index.publish(*wheel(info={"METADATA": text}))
    info = latest(index)["info"]
    assert info["description"] == "# Acme\n\nline ünï"
    assert info["license"].splitlines()[0] == "MIT"
    assert "Second line" in info["license"]


def test_a_wheels_metadata_counts_before_an_sdists(index):
    index.publish(*sdist(summary="of the sdist"))
    assert latest(index)["info"]["summary"] == "of the sdist"
    index.publish(*wheel(summary="of the wheel", requires=["beta"]))
    assert latest(index)["info"]["summary"] == "of the wheel"
    assert latest(index)["info"]["requires_dist"] == ["beta"]
    index.publish(*wheel(summary="of a later wheel", tag="cp311-cp311-linux_x86_64"))
    assert latest(index)["info"]["summary"] == "of the wheel"


def test_A7_json_a_wheel_as_pypi_describes_it(index):
    name, content = wheel(requires_python=">=3.8", build="7", tag="py2.py3-none-any")
    index.publish(name, content)
    file = entry(index, name)
    simple = index.json("acme-lib")["files"][0]
    assert file == {
        "comment_text": "",
        "core-metadata": simple["core-metadata"],
        "digests": simple["hashes"],
        "downloads": -1,
        "filename": "acme_lib-1.0-7-py2.py3-none-any.whl",
        "has_sig": False,
        "md5_digest": None,
        "packagetype": "bdist_wheel",
        "python_version": "py2.py3",
        "requires_python": ">=3.8",
        "size": len(content),
        "upload_time": simple["upload-time"][:19],
        "upload_time_iso_8601": simple["upload-time"],
        "url": "http://localhost" + index.url("acme-lib", name).replace("/files/", "/packages/"),
        "yanked": False,
        "yanked_reason": None,
    }


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_A7_json_an_sdist_as_pypi_describes_it(index, ending):
    name, content = sdist(ending=ending)
    index.publish(name, content, gpg_signature="-----BEGIN PGP SIGNATURE-----\n")
    file = entry(index, name)
    assert (file["packagetype"], file["python_version"]) == ("sdist", "source")
    assert file["core-metadata"] is False
    assert file["requires_python"] is None
    assert file["has_sig"] is True


def test_A7_json_times_are_in_both_of_pypis_forms(held):
    file = entry(held, WHEEL)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", file["upload_time"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", file["upload_time_iso_8601"])


def test_A7_json_every_digest_is_of_the_bytes_and_none_is_null(held):
    for file in latest(held)["urls"]:
        assert file["digests"].keys() == {"sha256"}
        assert re.fullmatch("[0-9a-f]{64}", file["digests"]["sha256"])


def test_A7_json_a_yanked_file_says_so_and_a_release_is_yanked_when_all_its_files_are(held):
    held.repository.yank("acme-lib", [WHEEL], "broken wheel", ACTOR)
    page = latest(held)
    assert {file["filename"]: (file["yanked"], file["yanked_reason"]) for file in page["urls"]} == {
        WHEEL: (True, "broken wheel"),
        SDIST: (False, None),
    }
    assert (page["info"]["yanked"], page["info"]["yanked_reason"]) == (False, None)
    held.repository.yank("acme-lib", [SDIST], "", ACTOR)
    info = latest(held)["info"]
    assert (info["yanked"], info["yanked_reason"]) == (True, "broken wheel")
    assert entry(held, SDIST)["yanked_reason"] is None
    held.repository.yank("acme-lib", [WHEEL], "", ACTOR)
    assert latest(held)["info"]["yanked_reason"] is None


def test_A7_json_the_serial_grows_with_every_change_and_stands_in_a_header(held):
    def serial():
        answer = held.get("/pypi/acme-lib/json")
        assert answer.headers["X-PyPI-Last-Serial"] == str(answer.json["last_serial"])
        return answer.json["last_serial"]

    seen = [serial()]
    for change in (
        lambda: held.publish(*wheel(version="2.0")),
        lambda: held.repository.yank("acme-lib", [WHEEL], "", ACTOR),
        lambda: held.repository.set_status("acme-lib", "deprecated", "", ACTOR),
        lambda: held.repository.remove("acme-lib", [WHEEL], ACTOR),
    ):
        change()
        seen.append(serial())
    assert seen == sorted(set(seen))
    assert serial() == seen[-1]


# Which release


@pytest.mark.parametrize(
    ("versions", "yanked", "shown"),
    [
        (["1.9", "1.10"], [], "1.10"),
        (["1.0", "2.0b1", "2.0.dev1"], [], "1.0"),
        (["1.0", "2.0"], ["2.0"], "1.0"),
        (["1.0", "2.0b1"], ["1.0"], "2.0b1"),
        (["1.0a1", "1.0b1"], [], "1.0b1"),
        (["1.0", "2.0"], ["1.0", "2.0"], "2.0"),
        (["1!0.1", "9.0"], [], "1!0.1"),
        (["1.0", "1.0+local.1"], [], "1.0+local.1"),
        (["1.0", "1.0.post1"], [], "1.0.post1"),
    ],
)
def test_the_newest_final_release_that_is_not_yanked_is_shown(index, versions, yanked, shown):
    for version in versions:
        index.publish(*sdist(version=version, summary=f"of {version}"))
    for version in yanked:
        index.repository.yank("acme-lib", [f"acme_lib-{version}.tar.gz"], "", ACTOR)
    page = latest(index)
    assert page["info"]["version"] == shown
    assert page["info"]["summary"] == f"of {shown}"
    assert page["urls"] == page["releases"][shown]
    assert page["releases"].keys() == set(versions)


def test_a_release_without_files_has_its_summary_and_never_stands_for_one_with_files(held):
    register(held, "2.0", summary="to come")
    page = latest(held)
    assert page["info"]["version"] == "1.0"
    assert page["releases"]["2.0"] == []
    alone = held.get("/pypi/acme-lib/2.0/json").json
    assert alone["urls"] == []
    assert alone["info"].keys() == INFO
    assert (alone["info"]["version"], alone["info"]["summary"]) == ("2.0", "to come")
    assert alone["info"]["yanked"] is False
    register(held, "3.0")
    assert held.get("/pypi/acme-lib/3.0/json").json["info"]["summary"] is None


def test_a_project_that_was_only_registered_is_there(index):
    register(index, "1.0", summary="to come")
    assert latest(index)["info"]["name"] == "acme-lib"
    assert latest(index)["releases"] == {"1.0": []}


@pytest.mark.parametrize(
    ("published", "asked"),
    [
        ("1.0", "1.0.0"),
        ("1.0.0", "1"),
        ("1.0rc1", "1.0.0rc1"),
        ("1!2.0", "1!2"),
        ("1!2.0", "1%212.0"),
        ("1.0+acme.1", "1.0+acme.1"),
        ("1.0+acme.1", "1.0%2Bacme.1"),
    ],
)
def test_versions_that_are_equal_are_one_release(index, published, asked):
    index.publish(*sdist(version=published))
    page = index.get(f"/pypi/acme-lib/{asked}/json").json
    assert page["info"]["version"] == published
    assert [file["filename"] for file in page["urls"]] == [f"acme_lib-{published}.tar.gz"]


def test_files_of_equal_versions_are_in_one_release(index):
    index.publish(*wheel(version="1.0.0"))
    index.publish(*sdist(version="1.0"))
    page = latest(index)
    ((version, files),) = page["releases"].items()
    assert {file["filename"] for file in files} == {"acme_lib-1.0.0-py3-none-any.whl", "acme_lib-1.0.tar.gz"}
    for asked in ("1", "1.0", "1.0.0"):
        assert index.get(f"/pypi/acme-lib/{asked}/json").json["info"]["version"] == version


# Addresses


@pytest.mark.parametrize("below", ["json", "1.0/json"])
def test_A1_2_a_slash_at_the_end_makes_no_difference(held, below):
    with_it, without = held.get(f"/pypi/acme-lib/{below}/"), held.get(f"/pypi/acme-lib/{below}")
    assert with_it.body == without.body
    assert with_it.headers["ETag"] == without.headers["ETag"]


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        ("/pypi/Acme.Lib/json", "/pypi/acme-lib/json"),
        ("/pypi/acme_lib/json/", "/pypi/acme-lib/json"),
        ("/pypi/ACME--LIB/1.0/json", "/pypi/acme-lib/1.0/json"),
        ("/pypi/acme-lib/v1.0/json", "/pypi/acme-lib/1.0/json"),
        ("/pypi/acme-lib/%201.0/json", "/pypi/acme-lib/1.0/json"),
        ("/pypi//acme-lib/json", "/pypi/acme-lib/json"),
        ("//pypi/acme-lib//1.0/json", "/pypi/acme-lib/1.0/json"),
        ("/pypi/acme-lib/json//", "/pypi/acme-lib/json"),
    ],
)
def test_A1_3_another_spelling_leads_to_the_canonical_one_under_any_prefix(held, asked, leads_to):
    answer = held.get(f"{asked}?x=1", status=301)
    location = answer.headers["Location"]
    assert held.head(asked, status=301).headers["Location"] == location.removesuffix("?x=1")
    for prefix in ("", "/pypi", "/a/b"):
        assert path_of(prefix + asked, location.removesuffix("?x=1")) == prefix + leads_to


@pytest.mark.parametrize(
    "asked",
    [
        *("/pypi", "/pypi/", "/pypi/acme-lib", "/pypi/acme-lib/", "/pypi/acme-lib/1.0", "/pypi/acme-lib/1.0/"),
        *("/pypi/nothing/json", "/pypi/No.Thing/json", "/pypi/nothing/1.0/json", "/pypi/acme-lib/2.0/json"),
        *("/pypi/Acme.Lib/2.0/json", "/pypi/acme-lib/nonsense/json", "/pypi/acme-lib/1.0/2.0/json"),
        *("/pypi/acme-lib/json/json", "/pypi/acme-lib/json/x", "/pypi/acme-lib/1.0/json/x", "/pypi/-/json"),
        *("/pypi/acme-lib/1.0+local/json", f"/pypi/acme-lib/{'1' * 200}/json", "/pypi/json", "/pypi/json/json"),
    ],
)
def test_A1_4_what_is_not_there_is_404_and_never_a_redirect(held, asked):
    assert held.get(asked, status=404).content_type == "text/plain"
    assert held.head(asked, status=404)


def test_A1_4_the_answer_says_what_is_missing(held):
    assert held.get("/pypi/acme-lib/2.0/json", status=404).text == "The project acme-lib has no 2.0\n"
    held.repository.remove("acme-lib", [WHEEL, SDIST], ACTOR)
    assert held.get("/pypi/acme-lib/json", status=404).text == "The project acme-lib has no release\n"
    held.get("/pypi/acme-lib/1.0/json", status=404)


def test_a_removed_file_is_gone_from_its_release(held):
    held.repository.remove("acme-lib", [WHEEL], ACTOR)
    assert [file["filename"] for file in latest(held)["urls"]] == [SDIST]


def test_a_project_named_json_is_there_too(index):
    index.publish(*sdist("json"))
    assert latest(index, "json")["info"]["name"] == "json"
    assert index.get("/pypi/json/1.0/json").json["urls"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_another_method_is_405(held, method):
    answer = held.request("/pypi/acme-lib/json", method=method, status=405)
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("asked", ["/pypi/acme-lib/json", "/pypi/acme-lib/1.0/json/"])
def test_A1_7_head_has_the_status_and_the_headers_of_get(held, asked):
    got, head = held.get(asked), held.head(asked)
    assert (head.status, told(head)) == (got.status, told(got))
    assert head.body == b""


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/html", "x/y"])
def test_the_type_is_json_whatever_is_asked_for(held, accept):
    answer = held.get("/pypi/acme-lib/json", headers={"Accept": accept} if accept else {})
    assert answer.headers["Content-Type"] == "application/json"


# Whole addresses


@pytest.mark.parametrize("prefix", ["", "/pypi", "/a/b"])
def test_the_addresses_are_whole_and_lead_to_the_bytes(index, prefix):
    name, content = wheel(version="1!1.0+acme.1")
    index.publish(name, content)
    index.extra_environ = {"SCRIPT_NAME": prefix}
    page = index.get(f"{prefix}/pypi/acme-lib/json", headers={"Host": "index.example:8080"}).json
    address = urlsplit(page["urls"][0]["url"])
    assert (address.scheme, address.netloc) == ("http", "index.example:8080")
    assert address.path.startswith(f"{prefix}/packages/")
    assert not address.query + address.fragment
    assert last_segment(page["urls"][0]["url"]) == name
    assert index.get(address.path).body == content
    assert page["info"]["package_url"] == f"http://index.example:8080{prefix}/project/acme-lib/"


def test_the_metadata_of_a_wheel_lies_beside_its_address(held):
    path = urlsplit(entry(held, WHEEL)["url"]).path
    assert held.get(path + ".metadata").body.startswith(b"Metadata-Version")


def test_a_release_has_a_place_on_the_page_for_people(index):
    index.publish(*sdist(version="1!1.0+acme.1"))
    address = urlsplit(latest(index)["info"]["release_url"])
    assert address.path == "/project/acme-lib/1!1.0+acme.1/"
    assert "acme_lib-1!1.0+acme.1.tar.gz" in index.get(address.path, status=200).text


def test_the_public_address_of_the_index_counts_before_the_one_asked(make_index):
    index = make_index(public_url="https://pypi.example.com/team/")
    index.publish(*wheel())
    page = index.get("/pypi/acme-lib/json", headers={"Host": "10.0.0.1"}).json
    assert page["urls"][0]["url"].startswith("https://pypi.example.com/team/packages/acme-lib/")
    assert page["info"]["project_url"] == "https://pypi.example.com/team/project/acme-lib/"


def test_threat_14_nobody_gets_the_addresses_of_another_host(held):
    answers = [held.get("/pypi/acme-lib/json", headers={"Host": host}) for host in ("a.example", "b.example")]
    for host, answer in zip(("a.example", "b.example"), answers, strict=True):
        assert {urlsplit(file["url"]).netloc for file in answer.json["urls"]} == {host}
    tags = {answer.headers["ETag"] for answer in answers}
    assert len(tags) == 2


# Rights


def test_A7_quarantined_a_project_offers_nothing(held):
    register(held, "2.0")
    held.repository.set_status("acme-lib", "quarantined", "malware", ACTOR)
    for below in ("json", "1.0/json", "2.0/json"):
        answer = held.get(f"/pypi/acme-lib/{below}", status=404)
        assert "quarantined" in answer.text
        assert "packages/" not in answer.text
    held.repository.set_status("acme-lib", "active", "", ACTOR)
    assert len(latest(held)["urls"]) == 2


@pytest.mark.parametrize("asked", ["/pypi/acme-lib/json", "/pypi/acme-lib/1.0/json", "/pypi/Acme.Lib/json"])
def test_E1_reading_needs_the_right_to_read(make_index, htpasswd, asked):
    index = make_index(read="user:alice", htpasswd=htpasswd)
    index.publish(*wheel())
    strange = index.get(asked, status=401)
    assert strange.headers["WWW-Authenticate"] == 'Basic realm="pypi"'
    absent = index.get(asked.replace("acme-lib", "nothing").replace("Acme.Lib", "Nothing"), status=401)
    assert absent.body == strange.body
    index.get(asked, headers=basic("bob", "builder"), status=404)
    answer = index.get(asked, headers=basic("alice", "wonder"), status="*")
    assert answer.status_int in (200, 301)


def test_A3_3_a_restricted_index_is_private_and_varies_by_who_asks(make_index, htpasswd):
    index = make_index(read="users", htpasswd=htpasswd)
    index.publish(*wheel())
    answer = index.get("/pypi/acme-lib/json", headers=basic("alice", "wonder"))
    assert "private" in answer.headers["Cache-Control"]
    assert answer.headers["Vary"] == "Accept-Encoding, Authorization, Cookie"


# Hostile metadata

HOSTILE = {
    "markup": {"summary": '<script>alert(1)</script> & "quotes" \\ \' </a>', "author": "<b>Ann</b>"},
    "unicode": {"summary": "ünï \u202e \U0001f40d \u2028 中文", "author": "\ufeff\u0000Å"},
    "long": {"summary": "x" * 100_000, "classifier": ["Private :: " + "y" * 10_000] * 20},
    "many": {"classifier": [f"Private :: {n}" for n in range(5000)], "provides_extra": [f"e{n}" for n in range(1000)]},
    "empty": {"summary": "", "author": "", "keywords": "", "home_page": "", "project_url": [", "], "platform": [""]},
    "unknown": {"summary": "UNKNOWN", "author": "UNKNOWN", "home_page": "UNKNOWN", "license": "UNKNOWN"},
    "controls": {"summary": "a\x01\x1b[31m\x7f\x85b", "author": "\x0c"},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_metadata_stays_data(index, kind):
    index.publish(*wheel(**HOSTILE[kind]))
    answer = index.get("/pypi/acme-lib/json")
    info = json.loads(answer.body.decode())["info"]
    assert info.keys() == INFO
    assert not set(map(chr, [*range(9), *range(11, 32), 127])) & set("".join(map(str, info.values())))
    for field in ("summary", "author"):
        assert info[field] is None or isinstance(info[field], str)


def test_hostile_metadata_markup_arrives_as_it_was_written(index):
    index.publish(*wheel(**HOSTILE["markup"]))
    assert latest(index)["info"]["summary"] == HOSTILE["markup"]["summary"]


def test_hostile_metadata_no_address_runs_anything(index):
    urls = ["Evil, javascript:alert(1)", "Also, data:text/html,x", "Good, https://acme.example/"]
    index.publish(*wheel(home_page="javascript:alert(1)", download_url="file:///etc/passwd", project_url=urls))
    info = latest(index)["info"]
    assert (info["home_page"], info["download_url"]) == (None, None)
    assert info["project_urls"] == {"Good": "https://acme.example/"}


def test_hostile_metadata_that_is_not_utf8_is_still_text(index):
    index.publish(*wheel(info={"METADATA": metadata(author="X").replace(b"X", b"Ren\xe9")}))
    assert latest(index)["info"]["author"] == "René"


def test_hostile_metadata_a_yank_reason_is_text(held):
    reason = '<img src=x onerror="alert(1)"> \U0001f40d'
    held.repository.yank("acme-lib", [WHEEL, SDIST], reason, ACTOR)
    assert latest(held)["info"]["yanked_reason"] == reason


# The tools


def test_pip_audit_finds_a_release_without_known_vulnerabilities_and_skips_what_is_not_there(held):
    # Its PyPI service asks for the canonical name and the version, and reads the list; 404 is a dependency it skips.
    headers = {"Accept": "application/json", "User-Agent": "pip-audit/2.9"}
    answer = held.get("/pypi/acme-lib/1.0/json", headers=headers)
    assert [each["id"] for each in answer.json["vulnerabilities"]] == []
    assert held.get("/pypi/acme-lib/9.9/json", headers=headers, status=404)


def test_poetry_reads_the_requirements_and_the_hashes_of_a_release(index):
    index.publish(*wheel(requires=["beta>=1"], requires_python=">=3.8", summary="Acme"))
    data = index.get("/pypi/acme-lib/1.0/json").json
    assert (data["info"]["requires_dist"], data["info"]["requires_python"]) == (["beta>=1"], ">=3.8")
    assert [(url["packagetype"], url["filename"]) for url in data["urls"]] == [("bdist_wheel", WHEEL)]


def test_pipenv_gathers_the_hashes_of_a_release(held):
    files = latest(held)["releases"]["1.0"]
    found = {f"{kind}:{value}" for file in files for kind, value in file["digests"].items()}
    assert found == {f"sha256:{file['hashes']['sha256']}" for file in held.json("acme-lib")["files"]}


@pytest.mark.parametrize("place", ["/pypi", "/pypi/"])
def test_xml_rpc_is_gone_and_says_where_to_ask_instead(held, place):
    call = "<?xml version='1.0'?><methodCall><methodName>list_packages</methodName></methodCall>"
    answer = held.post(place, call, headers={"Content-Type": "text/xml"}, status=410)
    assert answer.status == "410 mypi speaks no XML-RPC; ask the Simple API, or /pypi/NAME/json"
