"""Uploading in a browser, with and without scripts (issue 5, point 7; threats 10, 11, 36)."""

from __future__ import annotations

import pytest

from tests.builders import sdist, wheel
from tests.functional.people import ALICE, BOB, Browser, populate
from tests.functional.support import BROWSER, basic, one_store

NAME, CONTENT = wheel()


store = one_store
"""What a page does, the others do with every store; one is enough here."""


@pytest.fixture
def index(make_index):
    made = make_index(upload="users", manage="group:admins owners", **{"upload.foo-1-0": "user:alice"})
    populate(made.repository)
    return made


def send(browser, name, content, status=200, *, token="", script=False, field="content"):
    """Send the form as a browser does, or as the script on the page does."""
    token = browser.token("/+upload") if token == "" else token
    headers = {"Accept": "application/json" if script else BROWSER}
    if script and token:
        headers["X-CSRF-Token"] = token
    headers["Cookie"] = "; ".join(f"{key}={value}" for key, value in browser.jar.items())
    fields = {} if script or token is None else {"csrf_token": token}
    browser.index.reset()
    return browser.index.post(
        "/+upload",
        fields,
        upload_files=[(field, name, content)],
        headers=headers,
        extra_environ=browser.environ,
        status=status,
    )


def published(index):
    held = index.repository.names()
    return set(held.value.projects) if held else set()


def test_a_plain_form_publishes_and_says_where(index):
    browser = Browser(index, BOB)
    answer = send(browser, NAME, CONTENT)
    assert f"<strong>{NAME}</strong> is published" in answer.text
    assert 'href="./project/acme-lib/"' in answer.text
    (event,) = index.repository.project("acme-lib").value.history
    assert (event.did, event.by, event.file) == ("publish", "bob", NAME)
    assert index.repository.project("acme-lib").value.owners == ("bob",)


def test_a_script_reads_json(index):
    answer = send(Browser(index, BOB), *sdist(), script=True)
    assert answer.json == {"filename": sdist()[0], "project": "acme-lib", "version": "1.0"}


@pytest.mark.parametrize(
    ("name", "content", "status", "said"),
    [
        ("notes.txt", b"x", 400, "ends in none of"),
        ("<script>.whl", b"x", 400, "is not allowed"),
        (NAME, b"no archive", 400, NAME),
        ("", b"", 400, "Choose a file"),
        (wheel("other")[0], CONTENT, 400, "other"),
    ],
)
@pytest.mark.parametrize("script", [False, True])
def test_what_cannot_be_published_comes_back_with_the_reason(index, name, content, status, said, script):
    answer = send(Browser(index, BOB), name, content, status, script=script)
    assert said in (answer.json["message"] if script else answer.text)
    assert "<script>.whl" not in answer.text or script
    assert published(index) == set()


def test_a_name_that_is_taken_is_409(index):
    browser = Browser(index, BOB)
    send(browser, NAME, CONTENT)
    send(browser, NAME, CONTENT)
    assert "File already exists" in send(browser, NAME, wheel(summary="other")[1], 409).text


def test_another_field_is_no_file(index):
    browser = Browser(index, BOB)
    send(browser, NAME, CONTENT, 400, field="file")
    token = browser.token("/+upload")
    assert "Should be a file" in browser.post("/+upload", {"content": "x"}, 400, token=token).text


@pytest.mark.parametrize("token", [None, "x.y"])
@pytest.mark.parametrize("script", [False, True])
def test_threat_10_without_the_token_nothing_is_published(index, token, script):
    answer = send(Browser(index, BOB), NAME, CONTENT, 403, token=token, script=script)
    assert "too old" in answer.text
    assert published(index) == set()


def test_threat_10_a_wrong_header_is_not_mended_by_the_form(index):
    browser = Browser(index, BOB)
    token = browser.token("/+upload")
    browser.post("/+upload", {"x": "y"}, 403, token=token, **{"X-CSRF-Token": "x.y"})


def test_threat_11_neither_basic_nor_nobody_uploads_here(index):
    stranger = Browser(index)
    assert stranger.get("/+upload", 303).headers["Location"] == "./+login?next=%2Bupload"
    token = stranger.token("/+login")
    stranger.environ = {"HTTP_AUTHORIZATION": basic(*BOB)["Authorization"]}
    answer = send(stranger, NAME, CONTENT, 403, token=token)
    assert "not logged in" in answer.text
    assert published(index) == set()


def test_threat_36_the_right_is_asked_for_on_the_project_that_the_archive_names(index):
    name, content = sdist("foo-1-0", "1", filename="foo-1.0-1.tar.gz")
    assert "bob has no right to upload on foo-1-0" in send(Browser(index, BOB), name, content, 403).text
    assert published(index) == set()
    assert "foo-1-0" in send(Browser(index, ALICE), name, content).text


def test_threat_36_a_tools_form_reaches_no_other_project_than_it_names(index):
    name, content = sdist("foo-1-0", "1", filename="foo-1.0-1.tar.gz")
    index.extra_environ = {"HTTP_AUTHORIZATION": basic(*BOB)["Authorization"]}
    answer = index.publish(name, content, name="foo", version="1.0-1", status=400)
    index.publish(name, content, name="foo-1-0", version="1", status=403)
    index.extra_environ = {}
    assert "its archive is foo-1-0 1" in answer.text
    assert published(index) == set()


def test_an_open_index_takes_uploads_of_everyone(make_index):
    made = make_index()
    send(Browser(made), NAME, CONTENT)
    assert published(made) == {"acme-lib"}


def test_uploads_that_are_switched_off_say_so(make_index):
    made = make_index(upload="nobody")
    assert "switched off" in Browser(made).get("/+upload", 403).text


def test_a_body_that_is_no_form_is_refused(make_index):
    made = make_index()
    browser = Browser(made)
    token = browser.token("/+upload")
    headers = {"Accept": BROWSER, "X-CSRF-Token": token, "Cookie": f"mypi-csrf={browser.jar['mypi-csrf']}"}
    for body, kind in ((b"x", "text/plain"), (b"--", "multipart/form-data; boundary=x"), (b"", "multipart/form-data")):
        answer = made.request(
            "/+upload", method="POST", body=body, headers={**headers, "Content-Type": kind}, status=400
        )
        assert "Nothing was published" in answer.text
