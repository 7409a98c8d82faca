"""Each installer's own requests, in its order and with its headers: E of the conformance list.

What the real clients make of the answers is seen in `tests/system`; here it is what they ask for, on every backend.
"""

from __future__ import annotations

import hashlib

import pytest
from webob import Request

from mypi.model import Actor
from tests.builders import metadata, sdist, wheel
from tests.functional.support import JSON, PIP, POETRY, TEXT, UV, anchors, basic, last_segment, path_of

NAME, CONTENT = wheel("Acme.Lib", requires=["beta>=1"], requires_python=">=3.8")
SOURCE, SOURCE_CONTENT = sdist("Acme.Lib")
METADATA = metadata("Acme.Lib", "1.0", ["beta>=1"], ">=3.8")
PAGE = "/simple/acme-lib/"
ALICE = basic("alice", "wonder")
GZIP, AS_IT_IS = {"Accept-Encoding": "gzip, deflate"}, {"Accept-Encoding": "identity"}


@pytest.fixture
def locked(make_index, htpasswd):
    """An index that only users may read, with a wheel and an sdist of one project."""
    index = make_index(read="users", htpasswd=htpasswd)
    index.publish(NAME, CONTENT)
    index.publish(SOURCE, SOURCE_CONTENT)
    return index


def by_anchor(page, name=NAME) -> tuple[str, str, str]:
    """Find a file as readers of HTML do: the path, the algorithm and the digest in its link."""
    (link,) = [attributes["href"] for attributes, _ in anchors(page) if last_segment(attributes["href"]) == name]
    algorithm, _, digest = link.partition("#")[2].partition("=")
    return path_of(PAGE, link), algorithm, digest


def by_json(page, name=NAME):
    """Find a file as readers of JSON do: its path, and all that the page says of it."""
    (entry,) = [entry for entry in page.json["files"] if last_segment(entry["url"]) == name]
    return path_of(PAGE, entry["url"]), entry


def raw(index, path, **headers):
    """Ask past WebTest, which unpacks what it gets; names of headers are written with underscores."""
    asked = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request.blank(path, headers=asked).get_response(index.app)


def test_E_pip9_reads_plain_html_and_fetches_the_whole_wheel(locked):
    asked = {"Accept": TEXT, "Cache-Control": "max-age=600", **GZIP, **ALICE}
    page = locked.get(PAGE, headers=asked)
    assert page.content_type == TEXT
    assert page.headers["Cache-Control"] == "no-cache, private"
    path, algorithm, digest = by_anchor(page)
    fetched = locked.get(path, headers={**AS_IT_IS, **ALICE})
    assert hashlib.new(algorithm, fetched.body).hexdigest() == digest
    assert fetched.body == CONTENT


def test_E_pip18_takes_a_wheel_in_ranges_after_head(locked):
    page = locked.get(PAGE, headers={"Accept": TEXT, "Cache-Control": "max-age=0", **GZIP, **ALICE})
    assert page.content_type == TEXT
    path, _, _ = by_anchor(page)
    head = locked.head(path, headers={**AS_IT_IS, **ALICE}, status=200)
    assert head.headers["Accept-Ranges"] == "bytes"
    size = int(head.headers["Content-Length"])
    asked = {"Range": f"bytes={size - 100}-{size - 1}", "Cache-Control": "no-cache", **AS_IT_IS, **ALICE}
    part = locked.get(path, headers=asked, status=206)
    assert part.body == CONTENT[-100:]


def test_E_pip22_reads_json_then_metadata_and_resumes_a_download(locked):
    page = locked.get(PAGE, headers={"Accept": PIP, "Cache-Control": "max-age=0", **GZIP, **ALICE})
    assert page.content_type == JSON
    path, entry = by_json(page)
    assert "dist-info-metadata" not in entry
    assert entry["hashes"].keys() == {"sha256"}
    assert entry["hashes"]["sha256"].islower()
    described = locked.get(f"{path}.metadata", headers={**AS_IT_IS, **ALICE}).body
    assert hashlib.sha256(described).hexdigest() == entry["core-metadata"]["sha256"]
    whole = locked.get(path, headers={**AS_IT_IS, **ALICE})
    asked = {"Range": "bytes=200-", "If-Range": whole.headers["ETag"], **AS_IT_IS, **ALICE}
    rest = locked.get(path, headers=asked, status=206)
    assert rest.headers["Content-Range"] == f"bytes 200-{len(CONTENT) - 1}/{len(CONTENT)}"
    assert whole.body[:200] + rest.body == CONTENT


def test_E_pip26_revalidates_the_page_and_compares_the_metadata(locked):
    asked = {"Accept": PIP, **GZIP, **ALICE}
    page = locked.get(PAGE, headers=asked)
    assert "no-cache" in page.headers["Cache-Control"]
    locked.get(PAGE, headers={**asked, "If-None-Match": page.headers["ETag"]}, status=304)
    path, _ = by_json(page)
    assert locked.get(f"{path}.metadata", headers={**AS_IT_IS, **ALICE}).body == METADATA
    assert locked.head(path, headers={**AS_IT_IS, **ALICE}, status=200).headers["Accept-Ranges"] == "bytes"
    locked.publish(*wheel("Acme.Lib", "1.1"))
    again = locked.get(PAGE, headers={**asked, "If-None-Match": page.headers["ETag"]}, status=200)
    assert "1.1" in again.json["versions"]


def test_E_uv_asks_first_without_credentials_and_reads_a_page_without_nulls(locked):
    asked = {"Accept": UV, "Accept-Encoding": "gzip, deflate, zstd"}
    locked.get(PAGE, headers=asked, status=401)
    page = locked.get(PAGE, headers=asked | ALICE)
    assert page.content_type == JSON
    assert "null" not in page.text
    path, entry = by_json(page)
    assert type(entry["size"]) is int
    assert entry["upload-time"].endswith("Z")
    locked.get(f"{path}.metadata", headers=AS_IT_IS, status=401)
    assert locked.get(f"{path}.metadata", headers=AS_IT_IS | ALICE).body == METADATA
    assert locked.head(path, headers=AS_IT_IS | ALICE).headers["Content-Length"] == str(entry["size"])
    assert locked.get(path, headers={"Range": "bytes=0-9", **AS_IT_IS, **ALICE}, status=206).body == CONTENT[:10]
    # 403 would keep it from looking in its next index.
    locked.get("/simple/nothing/", headers=asked | ALICE, status=404)


def test_E_poetry_takes_the_end_of_a_wheel_that_is_shorter_than_it_asks_for(locked):
    path, entry = by_json(locked.get(PAGE, headers={"Accept": POETRY, **GZIP, **ALICE}))
    assert entry["hashes"]["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    end = locked.get(path, headers={"Range": "bytes=-10000", "Accept-Encoding": "Identity", **ALICE}, status=206)
    assert len(CONTENT) < 10000
    assert end.headers["Content-Range"] == f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"
    assert end.body == CONTENT
    locked.get("/simple/nothing/", headers={"Accept": POETRY, **ALICE}, status=404)


def test_E_pdm_gets_an_sdist_as_it_is(locked):
    path, entry = by_json(locked.get(PAGE, headers={"Accept": PIP, **GZIP, **ALICE}), SOURCE)
    fetched = raw(locked, path, Accept_Encoding="gzip, deflate", **ALICE)
    assert "Content-Encoding" not in fetched.headers
    assert hashlib.sha256(fetched.body).hexdigest() == entry["hashes"]["sha256"]


def test_E_pipenv_finds_digests_behind_a_slash_too_many(locked):
    moved = locked.get("/simple//acme-lib/", headers={"Accept": "*/*", **ALICE}, status=301)
    reached = path_of("/simple//acme-lib/", moved.headers["Location"])
    page = locked.get(reached, headers={"Accept": "*/*", **ALICE})
    assert page.content_type == TEXT
    assert by_anchor(page)[1:] == ("sha256", hashlib.sha256(CONTENT).hexdigest())


def test_E_easy_install_finds_a_project_by_its_written_name_or_in_the_list(locked):
    moved = locked.get("/simple/Acme.Lib/", headers=ALICE, status=301)
    assert path_of("/simple/Acme.Lib/", moved.headers["Location"]) == PAGE
    path, algorithm, digest = by_anchor(locked.get(PAGE, headers=ALICE))
    assert hashlib.new(algorithm, locked.get(path, headers=ALICE).body).hexdigest() == digest
    # What it does not find it looks for in the list of all.
    locked.get("/simple/AcmeLib/", headers=ALICE, status=404)
    ((attributes, text),) = anchors(locked.get("/simple/", headers=ALICE))
    assert (path_of("/simple/", attributes["href"]), text) == (PAGE, "Acme.Lib")


def test_E3_files_are_on_the_host_of_the_index_and_want_the_same_credentials(locked):
    page = locked.get(PAGE, headers={"Accept": PIP, **ALICE})
    for path in (by_json(page)[0], by_json(page, SOURCE)[0], by_anchor(locked.get(PAGE, headers=ALICE))[0]):
        for beside in ("", ".metadata"):
            locked.get(path + beside, status=401)
            locked.get(path + beside, headers=ALICE)


def test_E4_the_only_file_of_a_project_stays_listed_when_it_is_yanked(index):
    index.publish(NAME, CONTENT)
    index.repository.yank("acme-lib", [NAME], "eats data", Actor("tester", "test"))
    path, entry = by_json(index.get(PAGE, headers={"Accept": PIP}))
    assert entry["yanked"] == "eats data"
    ((attributes, _),) = anchors(index.get(PAGE))
    assert attributes["data-yanked"] == "eats data"
    assert index.get(path).body == CONTENT
