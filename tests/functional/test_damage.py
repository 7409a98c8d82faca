"""What is damaged, as clients and people meet it: not listed, told plainly, and back at its own address (promise 9)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from webtest import TestApp

from mypi.model import Actor
from mypi.scrub import Scrub
from mypi.store import Store
from tests import builders
from tests.attested import of as attestation_of
from tests.functional.support import BROWSER, HTML, JSON, one_store

store = one_store

NAME, CONTENT = builders.wheel("acme-lib", "1.0")
NEWER, NEWER_CONTENT = builders.wheel("acme-lib", "2.0")
SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n"
PEOPLE = {"Accept": BROWSER}
CAME_BACK = f"{NAME} was found damaged in this index: restore it from a backup, or upload it again"


@pytest.fixture
def held(make_index: Callable[..., TestApp]) -> TestApp:
    """An index with two releases, of which the first has all that may lie beside a file."""
    index = make_index()
    index.publish(NAME, CONTENT, gpg_signature=SIGNATURE, attestations=json.dumps([attestation_of(NAME, CONTENT)]))
    index.publish(NEWER, NEWER_CONTENT)
    return index


def damage(index: TestApp, store: Store, ending: str = "") -> None:
    """Lose an object, and let the scrub find that."""
    (key,) = [entry.key for entry in store.list("files/") if entry.key.endswith(f"/{NAME}{ending}")]
    store.delete(key)
    Scrub(index.repository, 10**12).round()


def test_a_damaged_file_is_on_no_page_that_installers_read_promise_9(held: TestApp, store: Store) -> None:
    damage(held, store)
    assert [file["filename"] for file in held.json("acme-lib")["files"]] == [NEWER]
    assert held.json("acme-lib")["versions"] == ["2.0"]
    for accept in (HTML, "text/html"):
        assert NAME not in held.get("/simple/acme-lib/", headers={"Accept": accept}).text
    legacy = held.get("/pypi/acme-lib/json").json
    assert list(legacy["releases"]) == ["2.0"]
    assert "acme-lib" in held.get("/simple/", headers={"Accept": JSON}).text


@pytest.mark.parametrize("method", ["get", "head"])
def test_its_address_answers_503_with_a_sentence_and_no_promise_of_when(
    held: TestApp, store: Store, method: str
) -> None:
    url = held.url("acme-lib", NAME)
    damage(held, store)
    for address in (url, f"{url}.metadata", f"{url}.asc"):
        answer = getattr(held, method)(address, status=503)
        assert CAME_BACK in answer.status
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Retry-After" not in answer.headers
    getattr(held, method)("/pypi/acme-lib/1.0/json", status=503)
    getattr(held, method)(f"/integrity/acme-lib/1.0/{NAME}/provenance", status=503)


def test_people_are_told_what_to_do(held: TestApp, store: Store) -> None:
    damage(held, store)
    for page in ("/project/acme-lib/", "/project/acme-lib/2.0/"):
        told = held.get(page, headers=PEOPLE)
        assert f"<strong>{NAME} was found damaged</strong>" in told.text
        assert "restore it from a backup" in told.text
    for page in ("/project/acme-lib/1.0/", f"/project/acme-lib/1.0/{NAME}/"):
        assert CAME_BACK in held.get(page, headers=PEOPLE, status=503).text


def test_a_version_that_never_was_is_still_404(held: TestApp, store: Store) -> None:
    damage(held, store)
    held.get("/project/acme-lib/9.0/", status=404)


def test_the_file_uploaded_again_is_back_at_its_address(held: TestApp, store: Store) -> None:
    url, page = held.url("acme-lib", NAME), held.json("acme-lib")
    damage(held, store)
    other = builders.wheel("acme-lib", "1.0", files={"other.py": b""})[1]
    assert "File already exists" in held.publish(NAME, other, status=409).status
    held.publish(NAME, CONTENT)
    assert held.json("acme-lib") == page
    assert held.get(url).body == CONTENT
    assert held.get(f"{url}.metadata").body
    assert "damaged" not in held.get("/project/acme-lib/", headers=PEOPLE).text


@pytest.mark.parametrize("ending", [".asc", ".provenance", ".metadata"])
def test_what_is_damaged_beside_a_file_is_not_mentioned_and_the_file_is_on_offer(
    held: TestApp, store: Store, ending: str
) -> None:
    damage(held, store, ending)
    url = held.url("acme-lib", NAME)
    assert held.get(url).body == CONTENT
    (listed,) = [file for file in held.json("acme-lib")["files"] if file["filename"] == NAME]
    assert ("gpg-sig" in listed, "provenance" in listed, bool(listed["core-metadata"])) == (
        ending != ".asc",
        ending != ".provenance",
        ending != ".metadata",
    )
    address = f"/integrity/acme-lib/1.0/{NAME}/provenance" if ending == ".provenance" else url + ending
    told = held.get(address, status=503)
    assert f"{NAME}{ending} was found damaged in this index: restore it from a backup" in told.text
    page = held.get(f"/project/acme-lib/1.0/{NAME}/", headers=PEOPLE)
    assert ("OpenPGP signature" in page.text, "Attestations of where" in page.text) == (
        ending != ".asc",
        ending != ".provenance",
    )
    assert ('<h2 id="metadata">' in page.text) == (ending != ".metadata")
    held.get("/project/acme-lib/1.0/", headers=PEOPLE)
    held.get("/pypi/acme-lib/1.0/json", status=200)


def test_health_tells_the_scrub_in_counts_to_who_asks_for_json(held: TestApp, store: Store) -> None:
    assert held.get("/+health").text == "ok\n"
    assert held.get("/+health", headers={"Accept": "text/plain, application/json"}).text == "ok\n"
    told = held.get("/+health", headers={"Accept": "application/json"}).json
    assert told["status"] == "ok"
    assert told["scrub"]["state"] == "off"
    assert {"damaged", "finished", "rounds"} <= told["scrub"].keys()


def test_who_manages_sees_which_file_is_damaged(make_index: Callable[..., TestApp], store: Store) -> None:
    index = make_index(manage="everyone")
    index.publish(NAME, CONTENT)
    badge = "damaged: restore it from a backup"
    assert badge not in index.get("/project/acme-lib/+manage", headers=PEOPLE).text
    damage(index, store)
    assert badge in index.get("/project/acme-lib/+manage", headers=PEOPLE).text
    index.repository.remove("acme-lib", [NAME], Actor("alice", "here"))
    assert badge not in index.get("/project/acme-lib/+manage", headers=PEOPLE).text
    assert "damaged" not in index.get("/project/acme-lib/", headers=PEOPLE).text
