"""Every view by everybody, on open, closed and mixed indexes: the whole matrix of who may do what (E1, B1.11).

The views come from the application's own registry, so that one which is added and not thought of here fails.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mypi.accounts import Throttle
from mypi.backends.memory import MemoryStore
from mypi.model import Actor
from tests.builders import wheel
from tests.functional.conftest import Index
from tests.functional.doors import (
    ACME,
    DOORS,
    GUESTS,
    HOUSES,
    INDEX,
    OTHER,
    Door,
    Guest,
    House,
    page,
    registered,
    settle,
)

TABLES = Path(__file__).parents[2] / "docs" / "reference" / "rights-tables.txt"
WHEELS = {name: wheel(name) for name in (ACME, OTHER)}


@pytest.fixture(scope="module")
def houses(make_house) -> dict[str, Index]:
    """The same store, with two projects and all users, behind each configuration."""
    return {house.title: make_house(house) for house in HOUSES}


@pytest.fixture(scope="module")
def make_house() -> Iterator[Any]:
    store = MemoryStore()
    opened = _index(store, read="everyone", upload="everyone", manage="everyone")
    for filename, content in WHEELS.values():
        opened.publish(filename, content)
    opened.repository.add_owner(ACME, "olga", Actor("tests", "command"))
    settle(opened.repository)
    yield lambda house: _index(store, **house.settings)
    store.close()


def _index(store: MemoryStore, **settings: str) -> Index:
    index = Index.over(store, **settings)
    # Nobody is slowed down: the clock runs on by hours.
    index.app.registry["mypi.policy"].throttle = Throttle(itertools.count(0, 10_000).__next__)
    return index


@pytest.fixture(scope="module")
def headers(houses: dict[str, Index]) -> dict[tuple[str, str], Any]:
    return {(house, guest.title): dict(guest.headers(index)) for house, index in houses.items() for guest in GUESTS}


def knock(index: Index, door: Door, place: str, headers: dict[str, str]) -> Any:
    """Ask for what is behind a door."""
    project = ACME if place == INDEX else place
    filename = WHEELS[project][0]
    [token] = [file.token for file in index.repository.project(project).value.live]
    known = {"project": project, "filename": filename, "file": f"/files/{project}/{token}/{filename}"}
    path = door.path.format(**known)
    form = {name: value.format(**known) for name, value in door.form.items()}
    index.reset()  # no cookie of an earlier guest
    if door.people and not door.is_safe:
        form["csrf_token"] = _csrf(index, headers)
    return index.request(
        path,
        method=door.http,
        headers={**door.headers, **headers},
        expect_errors=True,
        **({"POST": form} if door.http == "POST" else {}),
    )


def _csrf(index: Index, headers: dict[str, str]) -> str:
    """The token of a form, which is another for each session; a page that shows one may be read by everybody."""
    form = re.search(r'name="csrf_token" value="([^"]+)"', index.get("/+account", headers=headers, status="*").text)
    form = form or re.search(r'name="csrf_token" value="([^"]+)"', index.get("/+login", headers=headers).text)
    assert form
    return form[1]


def check(house: House, guest: Guest, door: Door, place: str, answer: Any) -> None:
    """Compare an answer with the table."""
    known = guest.is_known_at(door)
    told = f"{house.title}: {guest.title} at {door.http} {door.path} ({place}): {answer.status}"
    assert answer.status_int < 500, told
    if door.permission is None and door.people:
        return  # it serves whoever the session or the form names
    refused = answer.status_int in (401, 403) or (answer.status_int == 404 and "may read" in answer.text)
    to_login = door.leads_to_login and answer.status_int == 303 and "+login" in answer.headers["Location"]
    assert not to_login or guest.how == "nothing", told
    assert (refused or to_login) != house.allows(guest, door, place), told
    if not refused:
        return
    if door.permission in house.off:
        expected = 403
    elif not known:
        expected = 403 if door.people else 401  # a form of people brings no challenge
    else:
        expected = 404 if door.permission == "read" else 403
    assert answer.status_int == expected, told
    assert ("WWW-Authenticate" in answer.headers) == (expected == 401), told
    assert answer.cache_control.no_store, told


@pytest.mark.parametrize("guest", GUESTS, ids=lambda guest: guest.title)
@pytest.mark.parametrize("house", HOUSES, ids=lambda house: house.title)
def test_E1_B1_11_each_door_lets_in_whom_the_rules_name(houses, headers, house, guest):
    for door in DOORS:
        for place in door.places:
            given = {} if door.name == "+logout" else headers[house.title, guest.title]  # the session is needed longer
            answer = knock(houses[house.title], door, place, given)
            check(house, guest, door, place, answer)


def test_every_view_stands_in_the_matrix(houses):
    for title, index in houses.items():
        views = registered(index.app)
        missing = sorted(map(str, views.keys() - {door.view for door in DOORS}))
        assert not missing, (
            f"{title}: these views are registered, and nobody has said who may see them; add a Door for each to DOORS "
            f"in tests/functional/doors.py, as (resource, name, method, permission): {', '.join(missing)}"
        )
        gone = sorted(map(str, {door.view for door in DOORS} - views.keys()))
        assert not gone, (
            f"{title}: these doors of tests/functional/doors.py lead to no view; the view went, or has another name, "
            f"method or permission now: {', '.join(gone)}"
        )


def test_the_docs_show_this_matrix():
    written = page()
    if os.environ.get("MYPI_WRITE"):
        TABLES.write_text(written, encoding="utf-8")
    assert TABLES.read_text(encoding="utf-8") == written, (
        "the matrix has changed and docs/reference/rights-tables.txt has not; run "
        "MYPI_WRITE=1 pytest tests/functional/test_authorisation.py"
    )


def test_a_view_that_changes_something_needs_a_permission(houses):
    """But for those where somebody logs in or out, or brings a proof of their own."""
    views = registered(houses["team"].app)
    assert {view for view in views if view[2] not in ("GET", "HEAD") and view[3] is None} <= FREE


FREE = {
    ("Root", "+login", "POST", None),
    ("Root", "+logout", "POST", None),
    ("Root", "+account", "POST", None),
    ("Exchange", "mint-token", "any", None),
    ("Exchange", "burn-token", "any", None),
}
"""Changes without a permission: what they do, they do for whoever the session or the proof names."""


LISTINGS = (
    ("/simple/", {}),
    ("/simple/", {"Accept": "application/vnd.pypi.simple.v1+json"}),
    ("/+simple/", {}),
    ("/", {}),
)


@pytest.mark.parametrize("guest", GUESTS, ids=lambda guest: guest.title)
@pytest.mark.parametrize("house", HOUSES, ids=lambda house: house.title)
def test_E1_listings_name_what_the_guest_may_read_and_nothing_else(houses, headers, house, guest):
    index = houses[house.title]
    readable = house.rights[guest.title].get("read", "").split()
    for path, accept in LISTINGS:
        index.reset()
        answer = index.get(path, headers={**accept, **headers[house.title, guest.title]}, expect_errors=True)
        for project in (ACME, OTHER):
            assert (project in answer.text) == (project in readable), f"{path} {answer.status}"
        if house.title in ("closed", "by project") and answer.status_int == 200:
            assert answer.cache_control.private, path
            assert {"Authorization", "Cookie"} <= set(answer.vary), path


@pytest.mark.parametrize("house", ["closed", "by project"])
@pytest.mark.parametrize(
    "door",
    [door for door in DOORS if "{project}" in door.path and door.permission == "read"],
    ids=lambda door: door.path,
)
def test_E1_what_is_absent_is_answered_like_what_may_not_be_read(houses, headers, house, door):
    index = houses[house]
    for guest in ("anonymous", "stranger"):
        given = headers[house, guest]
        index.reset()
        there = knock(index, door, ACME, given)
        absent = index.get(
            door.path.format(project="acme-none", filename=WHEELS[ACME][0].replace("acme_lib", "acme_none")),
            headers={**door.headers, **given},
            expect_errors=True,
        )
        nobody = 303 if door.leads_to_login else 401
        assert there.status_int == absent.status_int == (nobody if guest == "anonymous" else 404)
        assert there.text.replace("lib", "none") == absent.text


def test_a_quarantined_project_is_hidden_from_whom_its_rules_hide_it(houses, headers):
    index, by = houses["closed"], Actor("tests", "command")
    before = index.repository.project(OTHER).value.status
    index.repository.set_status(OTHER, "quarantined", "", by)
    try:
        for guest, status in (("anonymous", 401), ("stranger", 404), ("reader", 404)):
            answer = index.get(f"/pypi/{OTHER}/json", headers=headers["closed", guest], expect_errors=True)
            assert answer.status_int == status
            assert ("quarantined" in answer.text) == (guest == "reader")
    finally:
        index.repository.set_status(OTHER, before, "", by)
