"""What each thing costs in calls of the store, the same in an index of ten projects and in one of ten thousand.

No time is measured: a count is the same on every machine, and one call too many is what makes an index slow. What a
publish and a page cost on the wire of S3 is counted in ``backends/test_s3_requests``.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from webob import Request

from mypi.backends.memory import MemoryStore
from mypi.views import rendered
from tests.accounts import PASSWORDS, add_token, add_users, basic, bearer
from tests.builders import wheel
from tests.functional.conftest import Index
from tests.functional.people import Browser
from tests.functional.support import BROWSER, HTML, JSON, PIP, UV
from tests.performance.calls import NAMES, PROJECT, Calls, full, started

PAGE = "/simple/acme-1/"
SIZES = (10, 10_000)


@pytest.fixture(scope="module", params=SIZES)
def size(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(scope="module")
def served(size: int) -> Iterator[tuple[Index, Calls, list[tuple[str, str]]]]:
    """An index of so many projects, the calls of its store, and those of its start."""
    store = full(size)
    index, calls = started(store)
    yield index, calls, calls.told()
    store.close()


@pytest.fixture
def few() -> Iterator[MemoryStore]:
    """A store of ten projects, for what has an application of its own."""
    store = full(10)
    yield store
    store.close()


@pytest.fixture
def index(served) -> Index:
    return served[0]


@pytest.fixture
def calls(served) -> Calls:
    served[1].told()
    return served[1]


def test_a_start_lists_nothing_and_reads_nothing_of_the_projects(served) -> None:
    at_start = served[2]
    assert at_start
    assert len(at_start) <= 6
    assert {operation for operation, _ in at_start} <= {"absent", "read", "swap"}
    assert not any(key.startswith("indexes/") for _, key in at_start)


@pytest.mark.parametrize("accept", [JSON, HTML, BROWSER, PIP, UV])
def test_a_page_costs_one_look_at_one_document_which_is_not_read_again(index, calls, accept) -> None:
    index.get(PAGE, headers={"Accept": accept})
    calls.told()
    answer = index.get(PAGE, headers={"Accept": accept})
    assert calls.told() == [("unchanged", PROJECT)]
    index.get(PAGE, headers={"Accept": accept, "If-None-Match": answer.headers["ETag"]}, status=304)
    assert calls.told() == [("unchanged", PROJECT)]


def test_the_first_page_of_a_project_reads_its_document_and_no_other(index, calls) -> None:
    index.get("/simple/acme-7/")
    assert calls.told() == [("read", PROJECT.replace("acme-1", "acme-7"))]


def test_the_list_of_all_projects_costs_one_look_at_one_document(index, calls) -> None:
    answer = index.get("/simple/", headers={"Accept": JSON})
    calls.told()
    index.get("/simple/", headers={"Accept": JSON})
    assert calls.told() == [("unchanged", NAMES)]
    index.get("/simple/", headers={"Accept": JSON, "If-None-Match": answer.headers["ETag"]}, status=304)
    assert calls.told() == [("unchanged", NAMES)]


def test_a_project_that_is_not_there_costs_one_look(index, calls) -> None:
    index.get("/simple/nothing/", status=404)
    assert calls.told() == [("absent", PROJECT.replace("acme-1", "nothing"))]


def test_a_file_and_its_metadata_cost_one_look_and_their_bytes(index, calls) -> None:
    name, content = wheel("acme-1", "9.0")
    index.publish(name, content, status=(200, 409))
    link = index.url("acme-1", name)
    calls.told()
    for ending in ("", ".metadata"):
        index.get(link + ending)
        looked, read = calls.told()
        assert looked == ("unchanged", PROJECT)
        assert read[0] == "read"
        assert read[1].endswith(f"/{name}{ending}")
    etag = index.get(link).headers["ETag"]
    calls.told()
    index.get(link, headers={"If-None-Match": etag}, status=304)
    assert calls.told() == [("unchanged", PROJECT)]


def test_a_publish_costs_one_look_two_files_and_one_swap(index, calls, size) -> None:
    index.publish(*wheel("acme-2", "9.0"))
    calls.told()
    index.publish(*wheel("acme-2", "9.1"))
    asked = calls.told()
    assert [operation for operation, _ in asked] == ["unchanged", "add", "add", "swap"]
    assert asked[-1] == ("swap", PROJECT.replace("acme-1", "acme-2"))


def test_the_first_publish_of_a_project_also_lists_its_name(index, calls) -> None:
    index.get("/simple/")
    calls.told()
    index.publish(*wheel("acme-new", "1.0"))
    asked = [operation for operation, _ in calls.told()]
    assert asked == ["absent", "add", "add", "swap", "swap"]


def test_pages_are_drawn_and_packed_once_for_each_form_and_not_per_request(index, calls, monkeypatch) -> None:
    packed, dumped = [], []
    compress, as_json = gzip.compress, rendered.as_json
    monkeypatch.setattr(rendered.gzip, "compress", lambda *given, **more: packed.append(1) or compress(*given, **more))
    monkeypatch.setattr("mypi.views.simple.as_json", lambda value: dumped.append(1) or as_json(value))
    index.publish(*wheel("acme-3", "9.0"))  # a new document, that nobody has asked for
    drawn = index.app.registry["mypi.pages"].counts
    before = drawn["drawn"]
    for _ in range(3):
        for accept in (JSON, HTML):
            for encoding in ("gzip, deflate", "gzip, deflate, br", "identity"):
                # Past WebTest, which unpacks what it gets.
                asked = Request.blank("/simple/acme-3/", headers={"Accept": accept, "Accept-Encoding": encoding})
                answer = asked.get_response(index.app)
                assert ("Content-Encoding" in answer.headers) == encoding.startswith("gzip")
    assert drawn["drawn"] - before == 4  # two forms, each packed and plain
    assert (len(packed), len(dumped)) == (2, 2)


@pytest.mark.parametrize("kind", ["password", "token", "session"])
def test_who_logs_in_costs_one_more_look_at_the_accounts(few, kind) -> None:
    index, calls = started(few, read="users")
    add_users(index.repository, "alice")
    token = bearer(add_token(index.repository, "alice", ["read"]))
    headers = {"password": basic("alice"), "token": token, "session": {}}[kind]
    if kind == "session":
        jar = Browser(index, ("alice", PASSWORDS["alice"])).jar
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
    for page in (PAGE, "/simple/"):
        index.get(page, headers=headers)
        calls.told()
        index.get(page, headers=headers)
        assert calls.told() == [("unchanged", "accounts.json"), ("unchanged", PROJECT if page == PAGE else NAMES)]


def test_within_cache_seconds_a_page_costs_nothing(few) -> None:
    index, calls = started(few, cache_seconds="3600")
    for page in (PAGE, "/simple/"):
        index.get(page)
        calls.told()
        for _ in range(3):
            index.get(page)
        assert calls.told() == []
