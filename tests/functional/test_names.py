"""Ours or theirs, never both: nothing about a name of ours is asked at another index (issue 6, point 2; threat 28)."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from mypi import metadata
from mypi.backends.memory import MemoryStore
from mypi.model import Actor
from mypi.repository import Repository, keys
from mypi.store import Unavailable
from mypi.testing.doubles import WrappedStore
from mypi.upstream import Theirs
from tests import builders, stores, upstreams
from tests.functional.conftest import Index
from tests.functional.people import ALICE, Browser, populate
from tests.functional.support import BROWSER
from tests.repository.shorthand import publish, submission, sweep

BOSS = Actor("boss", "command")
NAME, CONTENT = builders.wheel("acme-lib", "9.0", files={"acme.py": b"stolen = True"})
TOKEN = hashlib.sha256(CONTENT).hexdigest()[:16]
OURS, _ = builders.wheel("acme-lib", "1.0")

SPELLINGS = ("acme-lib", "Acme-Lib", "ACME_LIB", "acme.lib", "acme--lib", "Acme_.-Lib")

ADDRESSES = (
    "/simple/{name}/",
    "/simple/{name}",
    "/{name}/",
    "/{name}",
    "/+simple/{name}/",
    f"/files/{{name}}/{TOKEN}/{NAME}",
    f"/files/{{name}}/{TOKEN}/{NAME}.metadata",
    f"/files/{{name}}/{TOKEN}/{NAME}.asc",
    f"/files/{{name}}/{TOKEN}/{NAME}.provenance",
    f"/packages/{{name}}/{TOKEN}/{NAME}",
    f"/files/{{name}}/{'0' * 16}/acme_lib-1.0-py3-none-any.whl",
    f"/integrity/{{name}}/9.0/{NAME}/provenance",
    "/pypi/{name}/json",
    "/pypi/{name}/9.0/json",
    "/project/{name}/",
    "/project/{name}/9.0/",
    f"/project/{{name}}/9.0/{NAME}/",
    "/+search?q={name}",
    "/+why/{name}",
    "/+why/{name}/9.0",
    "/+feed?project={name}",
)
"""Everything under which a client may ask for a project or a part of it."""

JSON = "application/vnd.pypi.simple.v1+json"
FORMS = (f"{JSON}, application/json, */*;q=0.1", BROWSER)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Another index, on which somebody has registered our name, with a higher version."""
    with upstreams.running(tmp_path_factory.mktemp("elsewhere")) as upstream:
        upstream.add("acme-lib", NAME, CONTENT, metadata=b"Metadata-Version: 2.1\nName: acme-lib\nVersion: 9.0\n")
        upstream.add("theirs", "theirs-1.0-py3-none-any.whl", builders.wheel("theirs", "1.0")[1])
        yield upstream


@pytest.fixture(autouse=True)
def quiet(elsewhere):
    """Nobody has asked yet, and nothing is wrong."""
    elsewhere.faults.clear()
    elsewhere.requests.clear()


@pytest.fixture
def store():
    """What the tests of stores prove of all, one is enough for here."""
    made = MemoryStore()
    yield made
    made.close()


@pytest.fixture
def index(make_index, elsewhere) -> Index:
    return make_index(**elsewhere.settings())


def claim(index: Index) -> None:
    """Let names begin unasked, as they were when there was no other index yet."""
    index.repository.before_begin(lambda name, display: None)


def yanked(repository: Repository) -> None:
    publish(repository)
    repository.yank("acme-lib", [OURS], "bad", BOSS)


def removed(repository: Repository) -> None:
    publish(repository)
    repository.remove("acme-lib", [OURS], BOSS)


def purged(repository: Repository) -> None:
    removed(repository)
    assert sweep(repository, trash_days=0)["acme-lib"].purged


def quarantined(repository: Repository) -> None:
    publish(repository)
    repository.set_status("acme-lib", "quarantined", "looked into", BOSS)


def archived(repository: Repository) -> None:
    publish(repository)
    repository.set_status("acme-lib", "archived", "", BOSS)


def registered(repository: Repository) -> None:
    form = {"metadata_version": ["2.1"], "name": ["acme-lib"], "version": ["1.0"]}
    repository.register(metadata.from_form(form), BOSS)


def taken_over(repository: Repository) -> None:
    repository.take_over("acme-lib", "Acme-Lib", "squatted", BOSS)


def lost(repository: Repository) -> None:
    """The name is listed, and its document was deleted by a mistake, or was never written."""
    publish(repository)
    repository.catalogue.store.delete(keys.project("main", "acme-lib"))


def ask_everything(index: Index, name: str = "acme-lib") -> list[tuple[str, int, str]]:
    """Ask for all of a project in every form; return the addresses, the answers and what they hold."""
    answers = []
    for address in ADDRESSES:
        for form in FORMS:
            answer = index.get(address.format(name=name), headers={"Accept": form}, status="*")
            for _ in range(3):
                if answer.status_int in (301, 302, 303, 307, 308):
                    answer = answer.follow(headers={"Accept": form}, status="*")
            answers.append((address, answer.status_int, repr(answer.body)))
    return answers


@pytest.mark.parametrize(
    "state", [publish, yanked, removed, purged, quarantined, archived, registered, taken_over, lost]
)
def test_nothing_of_a_project_of_ours_is_asked_whatever_became_of_it(index, elsewhere, state):
    claim(index)
    state(index.repository)
    for address, code, body in ask_everything(index):
        assert code in (200, 404, 406), (address, code)
        # But for the address that was asked, to which the link to log in leads back.
        assert TOKEN not in body.replace(f"{TOKEN}/", "").replace(f"{TOKEN}%2F", ""), address
        assert "stolen" not in body, address
    assert elsewhere.requests == []
    index.get("/simple/theirs/")
    assert elsewhere.count("/simple/theirs/") == 1


@pytest.mark.parametrize(
    ("spelling", "private"),
    [*((each, "acme-*") for each in SPELLINGS), ("acme.lib", "Acme_Lib"), ("acme-lib", "other *-lib")],
)
def test_nothing_of_a_private_name_is_asked_though_there_is_no_project(make_index, elsewhere, spelling, private):
    index = make_index(**elsewhere.settings(private=private))
    for address, code, body in ask_everything(index, spelling):
        assert code in (404, 406) or address.startswith("/+"), (address, code)
        assert "stolen" not in body
    assert elsewhere.requests == []


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_name_of_ours_is_ours(index, elsewhere, spelling):
    claim(index)
    publish(index.repository)
    for _, _, body in ask_everything(index, spelling):
        assert "stolen" not in body
    assert elsewhere.requests == []
    page = index.get(f"/simple/{spelling}/", headers={"Accept": JSON})
    page = page.follow(headers={"Accept": JSON}) if page.status_int != 200 else page
    assert [file["filename"] for file in page.json["files"]] == [OURS]


def test_damaged_document_is_503_and_nothing_is_asked(index, elsewhere, store):
    claim(index)
    publish(index.repository)
    key = keys.project("main", "acme-lib")
    _, tag = store.read(key)
    store.swap(key, b"{}", tag)
    codes = {address: code for address, code, _ in ask_everything(index)}
    assert elsewhere.requests == []
    assert codes["/simple/{name}/"] == codes["/{name}/"] == codes["/pypi/{name}/json"] == 503
    assert codes[ADDRESSES[5]] == 503
    assert not any(code == 200 for address, code in codes.items() if not address.startswith("/+"))


class Away(WrappedStore):
    """A store that is away when it is told to be."""

    def __init__(self, store):
        super().__init__(store)
        self.away = False

    def _open(self, key, start, stop, unless):
        if self.away:
            raise Unavailable(key, "the store is away")
        return super()._open(key, start, stop, unless)


@pytest.mark.parametrize("known", [True, False])
def test_store_that_is_away_is_503_and_nothing_is_asked(make_index, elsewhere, store, known):
    away = Away(store)
    index = make_index(over=away, **elsewhere.settings())
    claim(index)
    if known:
        publish(index.repository)
    away.away = True
    codes = {address: code for address, code, _ in ask_everything(index)}
    assert elsewhere.requests == []
    assert codes["/simple/{name}/"] == codes["/{name}/"] == codes[ADDRESSES[5]] == 503


def test_unmounted_disk_is_503_and_nothing_is_asked(tmp_path, elsewhere):
    with closing(stores.make("filesystem", tmp_path)) as store:
        index = Index.over(store, **elsewhere.settings())
        claim(index)
        publish(index.repository)
        (tmp_path / "store").rename(tmp_path / "elsewhere")
        (tmp_path / "store").mkdir()
        codes = {address: code for address, code, _ in ask_everything(index)}
        (tmp_path / "store").rmdir()
        (tmp_path / "elsewhere").rename(tmp_path / "store")
    assert elsewhere.requests == []
    assert codes["/simple/{name}/"] == codes["/{name}/"] == codes[ADDRESSES[5]] == 503


@pytest.mark.parametrize("kind", ["memory", "filesystem"])
def test_names_are_kept_apart_from_the_first_to_the_last(kind, tmp_path, elsewhere):
    with closing(stores.make(kind, tmp_path)) as store:
        index = Index.over(store, **elsewhere.settings())
        with pytest.raises(Theirs, match="pypi has a project acme-lib"):
            publish(index.repository)
        taken_over(index.repository)
        elsewhere.requests.clear()
        publish(index.repository)
        assert [file["filename"] for file in index.json("acme-lib")["files"]] == [OURS]
        assert elsewhere.requests == []
        assert [file["filename"] for file in index.json("theirs")["files"]] == ["theirs-1.0-py3-none-any.whl"]


def test_listing_and_searching_ask_nothing(index, elsewhere):
    for address in ("/", "/simple/", "/+search?q=acme", "/+search?q=", "/+feed", "/pypi"):
        index.get(address, headers={"Accept": BROWSER}, status="*")
    assert "acme-lib" not in index.get("/simple/").text
    assert elsewhere.requests == []


SENTENCE = "pypi has a project acme-lib, and a name is either ours or theirs; choose another"


@pytest.mark.parametrize("url", ["/", "/legacy/", "/simple/"])
def test_publishing_a_name_that_another_index_has_is_refused(index, elsewhere, store, url):
    before = len(list(store.list("files/")))
    answer = index.publish(*builders.wheel("Acme_Lib", "1.0"), url=url, status=403)
    assert SENTENCE in answer.status
    assert "mypi takeover acme-lib, or mypi.private" in answer.text
    assert index.repository.names() is None
    assert len(list(store.list("files/"))) == before
    assert elsewhere.count("/simple/acme-lib/") == 1


def test_the_page_that_is_kept_is_answer_enough(index, elsewhere):
    index.get("/simple/acme-lib/")
    elsewhere.requests.clear()
    index.publish(*builders.wheel("acme-lib", "1.0"), status=403)
    assert elsewhere.requests == []
    elsewhere.faults["*"] = upstreams.status(500)
    index.publish(*builders.wheel("acme-lib", "1.0"), status=403)


def test_registering_is_refused_alike(index):
    fields = {":action": "submit", "metadata_version": "2.1", "name": "acme-lib", "version": "1.0"}
    assert SENTENCE in index.post("/", fields, status=403).text
    assert index.repository.names() is None
    index.post("/", fields | {"name": "new-lib"})
    index.post("/", fields | {":action": "verify"})  # nothing is kept of it


def test_uploading_in_a_browser_is_refused_alike(make_index, elsewhere):
    index = make_index(**elsewhere.settings(upload="users", manage="group:admins"))
    populate(index.repository)
    browser = Browser(index, ALICE)
    token = browser.token("/+upload")
    headers = {"Accept": BROWSER, "Cookie": "; ".join(f"{key}={value}" for key, value in browser.jar.items())}
    files = [("content", *builders.wheel("acme-lib", "1.0"))]
    index.reset()
    answer = index.post("/+upload", {"csrf_token": token}, upload_files=files, headers=headers, status=403)
    assert SENTENCE in answer.text
    headers["X-CSRF-Token"], headers["Accept"] = token, "application/json"
    index.reset()
    answer = index.post("/+upload", {}, upload_files=files, headers=headers, status=403)
    assert SENTENCE in answer.json["message"]
    assert index.repository.names() is None


@pytest.mark.parametrize("fault", [upstreams.status(500), upstreams.page(b"<html>log in</html>", "text/html")])
def test_publishing_a_new_name_while_nobody_can_tell_is_503_and_stores_nothing(index, elsewhere, store, fault):
    elsewhere.faults["*"] = fault
    answer = index.publish(*builders.wheel("new-lib", "1.0"), status=503)
    assert "Whether another index has a project new-lib cannot be asked now" in answer.text
    assert "mypi takeover new-lib, or mypi.private" in answer.text
    assert index.repository.names() is None
    assert list(store.list("files/")) == []


def test_a_name_that_nobody_has_can_be_published_and_is_ours_from_then_on(index, elsewhere):
    index.publish(*builders.wheel("new-lib", "1.0"))
    assert elsewhere.count("/simple/new-lib/") == 1
    elsewhere.add("new-lib", "new_lib-9.0-py3-none-any.whl", b"stolen")
    try:
        index.publish(*builders.wheel("new-lib", "1.1"))
        assert len(index.json("new-lib")["files"]) == 2
    finally:
        del elsewhere.projects["new-lib"]
    assert elsewhere.count("/simple/new-lib/") == 1


@pytest.mark.parametrize("setting", ["private", "upstream"])
def test_private_names_and_those_of_an_index_without_an_upstream_are_published_unasked(make_index, elsewhere, setting):
    elsewhere.faults["*"] = upstreams.status(500)
    index = make_index(**({"private": "acme-*"} if setting == "upstream" else elsewhere.settings(private="acme-*")))
    index.publish(*builders.wheel("acme-lib", "1.0"))
    assert elsewhere.requests == []


def test_a_bad_upload_is_refused_before_anybody_is_asked(index, elsewhere):
    index.publish(OURS, b"no archive", status=400)
    assert elsewhere.requests == []


def test_a_project_that_exists_is_never_asked_about(index, elsewhere):
    taken_over(index.repository)
    elsewhere.faults["*"] = upstreams.status(500)
    index.publish(*builders.wheel("acme-lib", "1.0"))
    index.publish(*builders.wheel("acme-lib", "1.1"))
    assert elsewhere.requests == []


def test_of_two_nodes_the_document_decides(elsewhere):
    """While one node asks, another takes the name over: the upload goes into that project, or fails, and loses none."""
    store = MemoryStore()
    one, other = (Index.over(store, **elsewhere.settings()) for _ in range(2))
    gate = upstreams.Gate()
    elsewhere.faults["/simple/race/"] = gate
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(one.repository.publish, submission(*builders.wheel("race", "1.0")), BOSS)
        gate.wait_for()
        other.repository.take_over("race", "race", "", BOSS)
        gate.open()
        waiting.result()
    project = other.repository.project("race").value
    assert [event.did for event in project.history] == ["takeover", "publish"]
    store.close()


def test_a_name_of_theirs_is_theirs_until_it_is_taken_over(index, elsewhere):
    assert [file["filename"] for file in index.json("acme-lib")["files"]] == [NAME]
    taken_over(index.repository)
    elsewhere.requests.clear()
    assert index.json("acme-lib")["files"] == []
    assert index.json("acme-lib")["versions"] == []
    assert "acme-lib" in index.get("/simple/").text
    page = index.get("/project/acme-lib/", headers={"Accept": BROWSER})
    assert "Acme-Lib" in page.text
    index.get("/pypi/acme-lib/json", status="*")
    assert elsewhere.requests == []


def test_rights_to_read_hold_before_anybody_is_asked(make_index, elsewhere):
    index = make_index(**elsewhere.settings(**{"read.acme-*": "users"}))
    index.get("/simple/acme-lib/", status=401)
    index.get(ADDRESSES[5].format(name="acme-lib"), status=401)
    assert elsewhere.requests == []
