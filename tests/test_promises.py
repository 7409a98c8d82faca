"""The ten promises of mypi: what "trusted" means. A test for each, and a control that shows that the test can fail.

For each promise a function looks for what would break it and returns that. The test looks at mypi and finds nothing;
the control breaks mypi on purpose, looks in the same way, and finds it. What is proved here in short is proved at
length in the modules that each test names; `docs/reference/threats.rst` leads from every threat to its test.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import logging
import random
import socket
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyramid.authorization import ACLAllowed
from pyramid.config import Configurator
from pyramid_jinja2 import IJinja2Environment
from webob import Request

from mypi import metadata
from mypi.backends.filesystem import FilesystemStore
from mypi.backends.filesystem.disk import Disk
from mypi.backends.memory import MemoryStore
from mypi.model import Actor, Project
from mypi.repository import Finding, Repository, publishing
from mypi.security import Policy
from mypi.store import NotFound, Store
from mypi.upstream.names import Names
from tests import builders, stores, upstreams
from tests.accounts import PASSWORDS, add_token, add_users, basic, bearer
from tests.backends.powerloss import Recorder, crashes
from tests.backends.test_power_loss import ForgetfulDisk
from tests.builders import Entry
from tests.functional import test_no_500
from tests.functional.conftest import Index
from tests.functional.doors import ACME, DOORS, GUESTS, OTHER, settle
from tests.functional.people import Browser
from tests.functional.support import JSON, anchors, path_of, served
from tests.functional.test_authorisation import knock
from tests.functional.test_names import ask_everything
from tests.repository.shorthand import problems, sweep
from tests.repository.test_faults import failed_at_each
from tests.repository.test_verify import DAMAGES, put
from tests.tally import Tally

BOSS = Actor("boss", "command")
NAME, CONTENT = builders.wheel(files={"acme.py": b"x = 1\n"})
_, ANOTHER = builders.wheel(files={"acme.py": b"x = 2\n"})


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    """An empty store."""
    made = MemoryStore()
    yield made
    made.close()


@pytest.fixture
def index(store: MemoryStore) -> Index:
    """An index over it that is open to everyone."""
    return Index.over(store)


# 1. A 2xx upload is never lost: not by kill -9, power loss, full disk, restart or race.


def lost(folder: Path, monkeypatch: pytest.MonkeyPatch, disk: Disk) -> set[str]:
    """Upload to an index in a folder, cut the power at each moment, and return what was answered 200 and is gone."""
    store = FilesystemStore(str(folder))
    store.check()
    store._disk = disk
    recorder = Recorder(monkeypatch, folder)
    index = Index.over(store)
    uploads = [builders.wheel(version=f"{number}.0") for number in range(3)]
    for name, content in uploads:
        index.publish(name, content)  # which asserts that it is answered 200
        recorder.note("answered 200", name, content)
    found = set()
    for past, survivors in crashes(recorder, variants=4):
        document = survivors.get("indexes/main/acme-lib.json", b"")
        for _, name, content in (event for event in past if event[0] == "answered 200"):
            whole = any(key.endswith(f"/{name}") and data == content for key, data in survivors.items())
            if name.encode() not in document or not whole:
                found.add(name)
    recorder.close()
    return found


def test_promise_1_an_acknowledged_upload_is_never_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At length: system/test_kill, system/test_nodes, system/test_full_disk, backends/test_power_loss and _crashes."""
    assert lost(tmp_path, monkeypatch, Disk(tmp_path)) == set()


def test_control_of_promise_1_a_disk_that_syncs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lost(tmp_path, monkeypatch, ForgetfulDisk(tmp_path, "file"))


# 2. A listed file is always complete and matches its advertised sha256.


def torn(store: Store) -> list[str]:
    """Return the files that the pages list and that do not come back with the size and the sha256 that they say."""
    index, found = Index.over(store), []
    for project in index.get("/simple/", headers={"Accept": JSON}).json["projects"]:
        page = index.get(f"/simple/{project['name']}/", headers={"Accept": JSON}, status="*")
        for file in page.json["files"] if page.status_int == 200 else ():
            answer = index.get(path_of(f"/simple/{project['name']}/", file["url"]), status="*")
            said = (200, file["size"], file["hashes"]["sha256"])
            if (answer.status_int, len(answer.body), hashlib.sha256(answer.body).hexdigest()) != said:
                found.append(file["filename"])
    return found


def killed_anywhere(folder: Path) -> list[list[str]]:
    """Kill publishing before and after each call of the store, and return what is torn after each."""
    makes = lambda: stores.make("memory", folder)  # noqa: E731
    stories = [failed_at_each(makes, story, "killed") for story in ("first publish", "later publish")]
    return [torn(store) for story in stories for store, _ in story]


def test_promise_2_a_listed_file_is_complete_and_has_its_sha256(tmp_path: Path) -> None:
    """At length: repository/test_faults and test_state_machine, system/test_kill, repository/test_concurrency."""
    found = killed_anywhere(tmp_path)
    assert len(found) > 20
    assert not any(found)


def test_control_of_promise_2_a_publisher_that_lists_before_it_has_the_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing.Publisher, "_add", lambda *_: None)
    assert any(killed_anywhere(tmp_path))


# 3. A released file name never changes bytes and is never free again after removal.


def taken_twice(index: Index) -> list[str]:
    """Publish a file, remove it, sweep it away; return when other bytes, or the removed ones, got its name."""
    found = []

    def tries(when: str, *contents: bytes) -> None:
        for content in contents:
            if index.publish(NAME, content, status="*").status_int != 409:
                found.append(when)

    index.publish(NAME, CONTENT)
    tries("while it is on offer", ANOTHER)
    index.repository.yank("acme-lib", [NAME], "", BOSS)
    tries("while it is yanked", ANOTHER)
    index.repository.remove("acme-lib", [NAME], BOSS)
    tries("when it was removed", ANOTHER, CONTENT)
    sweep(index.repository, trash_days=0)
    tries("when it was swept away", ANOTHER, CONTENT)
    return found


def test_promise_3_a_file_name_means_the_same_bytes_for_ever(index: Index) -> None:
    """At length: functional/test_uploads, repository/test_state_machine, repository/test_concurrency."""
    assert taken_twice(index) == []


def test_control_of_promise_3_a_project_that_forgets_removed_files(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgets = lambda project, name: next((f for f in project.live if f.filename == name), None)  # noqa: E731
    monkeypatch.setattr(Project, "find", forgets)
    assert taken_twice(index)


# 4. A private name never resolves to somebody else's package.


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[upstreams.Upstream]:
    """Another index, on which somebody has registered our name, with a higher version."""
    with upstreams.running(tmp_path_factory.mktemp("elsewhere")) as upstream:
        upstream.add("acme-lib", *builders.wheel("acme-lib", "9.0", files={"acme.py": b"stolen = True"}))
        yield upstream


def confused(store: Store, elsewhere: upstreams.Upstream) -> list[str]:
    """Ask for all of a name of ours, of which no file is left; return what another index was asked for."""
    elsewhere.requests.clear()
    index = Index.over(store, **elsewhere.settings())
    with contextlib.closing(index.repository):
        index.repository.before_begin(lambda name, display: None)
        index.publish(NAME, CONTENT)
        index.repository.remove("acme-lib", [NAME], BOSS)
        answers = ask_everything(index)
    return [request.path for request in elsewhere.requests] + [path for path, _, body in answers if "stolen" in body]


def test_promise_4_a_name_of_ours_is_never_somebody_elses(store: MemoryStore, elsewhere: upstreams.Upstream) -> None:
    """At length: functional/test_names, system/test_names."""
    assert confused(store, elsewhere) == []


def test_control_of_promise_4_names_that_are_ours_only_while_they_have_files(
    store: MemoryStore, elsewhere: upstreams.Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Repository.project

    def while_there_are_files(repository: Repository, name: str) -> Any:
        if not ours(repository, name).value.live:
            raise NotFound(name)
        return ours(repository, name)

    monkeypatch.setattr(Repository, "project", while_there_are_files)
    monkeypatch.setattr(Names, "theirs", lambda names, name: True)
    assert confused(store, elsewhere)


# 5. No upload can hurt an installer that a careful index could have protected.


def hostile() -> dict[str, tuple[str, bytes]]:
    """Return packages that are right but for one thing, each of which has hurt somebody."""
    wheel, sdist = builders.wheel, builders.sdist
    info = "acme_lib-1.0.dist-info"
    link = zipfile.ZipInfo("acme_lib/passwd")
    link.external_attr = 0o120777 << 16
    doubled, linked = io.BytesIO(CONTENT), io.BytesIO(CONTENT)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(doubled, "a") as archive:
        archive.writestr("acme.py", b"x = 'the second'\n")
    with zipfile.ZipFile(linked, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    outside = tarfile.TarInfo("acme_lib-1.0/../../outside")
    escape = io.BytesIO()
    with tarfile.open(fileobj=escape, mode="w:gz") as tar:
        for member, data in ((tarfile.TarInfo("acme_lib-1.0/PKG-INFO"), builders.metadata()), (outside, b"x")):
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return {
        "a member above the folder": wheel(files={"../evil.py": b"x"}),
        "an absolute member": wheel(files={"/etc/evil": b"x"}),
        "a member of Windows": wheel(files={"C:\\evil": b"x"}),
        "a link out": (NAME, linked.getvalue()),
        "two members of one name": (NAME, doubled.getvalue()),
        "something behind the archive": (NAME, CONTENT + b"#!/bin/sh\n"),
        "something before the archive": (NAME, b"#!/bin/sh\n" + CONTENT),
        "a RECORD of other bytes": wheel(files={"a.py": b"x"}, info={"RECORD": b"a.py,sha256=aa,1\n"}),
        "a file that RECORD does not know": wheel(info={"RECORD": f"{info}/RECORD,,\n".encode()}),
        "a script that is a path": wheel(info={"entry_points.txt": b"[console_scripts]\n../../bin/ls = a:b\n"}),
        "another project's name": (NAME, wheel("evil-lib")[1]),
        "an sdist that climbs out": (sdist()[0], escape.getvalue()),
        "an sdist without end": (sdist()[0], sdist()[1][:-9]),
        "a bomb": wheel(files={"zeros": bytes(80 * 2**20)}),
        "a wrong checksum": (NAME, builders.zip_file([Entry(b"a", b"x", local={"crc": 1}, central={"crc": 1})])),
    }


def hurtful(index: Index) -> list[str]:
    """Return which of the hostile packages are taken."""
    tried = hostile()
    return [what for what, package in tried.items() if index.publish(*package, status="*").status_int == 200]


def test_promise_5_no_upload_hurts_an_installer(index: Index) -> None:
    """At length: unit/test_hostile_zips, test_zips, test_tars, test_wheels, test_sdists, test_differential."""
    assert hurtful(index) == []
    index.publish(NAME, CONTENT)


def test_control_of_promise_5_an_inspection_that_believes_the_form(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    believed = lambda content, filename, **_: SimpleNamespace(  # noqa: E731
        filename=filename, metadata=builders.metadata(), core=metadata.read(builders.metadata())
    )
    monkeypatch.setattr(publishing, "inspect", believed)
    monkeypatch.setattr(publishing.rules, "violations", lambda *_: [])
    assert hurtful(index)


# 6. No uploader can act outside their projects, or in a reader's browser.


def trespasses(index: Index) -> list[str]:
    """Knock at every door of a project as everybody who may not change it; return who changed it first."""
    for name, version in ((ACME, "1.0"), (OTHER, "1.0")):
        index.publish(*builders.wheel(name, version), headers=basic("mona"))
    index.repository.add_owner(ACME, "olga", BOSS)
    before = index.repository.project(OTHER).value
    for guest in (guest for guest in GUESTS if guest.user != "mona" or "acme" in guest.title):
        given = guest.headers(index)
        for door in (door for door in DOORS if OTHER in door.places and not door.is_safe):
            knock(index, door, OTHER, dict(given))
        index.publish(*builders.wheel(OTHER, "9.0"), headers=given, status="*")
        if index.repository.project(OTHER).value != before:
            return [guest.title]
    return []


class Members(Index):
    """An index whose uploads bring headers."""

    def publish(self, filename: str, content: bytes, *, headers: Any = None, **more: Any) -> Any:
        self.authorization = None
        self.extra_environ["HTTP_AUTHORIZATION"] = (headers or {}).get("Authorization", "")
        try:
            return super().publish(filename, content, **more)
        finally:
            del self.extra_environ["HTTP_AUTHORIZATION"]


@pytest.fixture
def members(store: MemoryStore) -> Index:
    """An index of owners: each may publish to their own projects, and mona to all."""
    made = Members.over(store, read="everyone", upload="user:mona owners", manage="user:mona owners")
    settle(made.repository)
    return made


EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def runs_in_a_browser(index: Index, user: str) -> list[str]:
    """Publish what is all script, and return what a browser would run of the pages."""
    name, content = builders.wheel(
        "evil-lib", "1.0", summary=EVIL, author=EVIL, home_page="javascript:alert(1)", description=EVIL, keywords=EVIL
    )
    index.publish(name, content, headers=basic(user))
    found = []
    for path in ("/", "/project/evil-lib/", "/project/evil-lib/1.0/", "/simple/evil-lib/", f"/+search?q={EVIL}"):
        answer = index.get(path, headers={"Accept": "text/html"})
        if "<script>" in answer.text or "<img src=x" in answer.text:
            found.append(f"{path}: markup")
        found += [f"{path}: {link['href']}" for link, _ in anchors(answer) if "script:" in (link.get("href") or "")]
        if "script-src 'self'" not in answer.headers.get("Content-Security-Policy", ""):
            found.append(f"{path}: no policy")
    answer = index.get(index.url("evil-lib", name))
    if not answer.headers["Content-Disposition"].startswith("attachment"):
        found.append("a file is shown")
    return found


def test_promise_6_an_uploader_acts_in_their_own_projects_and_in_no_browser(members: Index) -> None:
    """At length: functional/test_authorisation, test_people_csrf, test_pages_projects, browser/*."""
    assert trespasses(members) == []
    assert runs_in_a_browser(members, "mona") == []


def test_control_of_promise_6_a_policy_that_permits_everything(members: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = lambda policy, request, context, permission: ACLAllowed("all", [], permission, [], context)  # noqa: E731
    monkeypatch.setattr(Policy, "permits", allowed)
    assert trespasses(members)


def test_control_of_promise_6_pages_that_escape_nothing(members: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = members.app.registry.queryUtility(IJinja2Environment, name=".jinja2")
    monkeypatch.setattr(environment, "autoescape", False)
    assert runs_in_a_browser(members, "mona")


# 7. No request answers 5xx because of what it contains.


def answered_5xx(app: Any, seed: int = 7, number: int = 400) -> list[str]:
    """Send requests whose parts are odd, and return those that were answered 5xx, or made the application raise."""
    chance, found = random.Random(seed), []
    for _ in range(number):
        path = "/" + "/".join(chance.choices(test_no_500.SEGMENTS, k=chance.randint(0, 4)))
        request = Request.blank("/", method=chance.choice(test_no_500.METHODS), body=b"".join(_parts(chance)))
        for name in chance.sample(sorted(test_no_500.VALUES), 3):
            request.headers[name] = chance.choice(test_no_500.VALUES[name])
        request.environ["PATH_INFO"] = Request.blank(path).environ["PATH_INFO"]
        query = f"{chance.choice(test_no_500.QUERIES)}={chance.choice(test_no_500.ACTIONS)}"
        request.environ["QUERY_STRING"] = query
        try:
            status = request.get_response(app).status_int
        except Exception as exc:
            status = f"raised {exc!r}"
        if isinstance(status, str) or status >= 500:
            found.append(f"{request.method} {path}?{query}: {status}")
    return found


def _parts(chance: random.Random) -> list[bytes]:
    return chance.choices(test_no_500.PARTS, k=chance.randint(0, 6))


def test_promise_7_no_request_is_answered_5xx_for_what_it_contains(index: Index, tally: Tally) -> None:
    """At length: functional/test_no_500, unit/test_forms, unit/test_server."""
    index.publish(NAME, CONTENT)
    assert answered_5xx(index.app) == []
    tally.add("requests with odd parts", 400)


def test_control_of_promise_7_a_bare_application() -> None:
    config = Configurator()
    config.add_route("any", "/*path")
    config.add_view(lambda request: request.response, route_name="any")
    assert answered_5xx(config.make_wsgi_app(), number=100)


# 8. One client cannot take the service from the others.


def starved(port: int, connections: int = 300) -> bool:
    """Hold connections that never finish a request, and tell whether somebody else is served beside them."""
    with ExitStack() as held:
        for _ in range(connections):
            with suppress(OSError):
                mine = held.enter_context(socket.create_connection(("127.0.0.1", port), 30))
                mine.sendall(b"GET / HT")
        with socket.create_connection(("127.0.0.1", port), 30) as other:
            other.sendall(b"GET /simple/ HTTP/1.0\r\n\r\n")
            answer = b""
            with suppress(ConnectionError):
                while piece := other.recv(65536):
                    answer += piece
    return not answer.startswith(b"HTTP/1.0 200")


def test_promise_8_one_client_takes_the_service_from_nobody(index: Index) -> None:
    """At length: system/test_server_hardening, system/test_memory, torture/test_crowds."""
    with served(index.app) as port:
        assert not starved(port)


def test_control_of_promise_8_a_server_with_few_places(index: Index) -> None:
    with served(index.app, connection_limit="100") as port:
        assert starved(port)


# 9. Damage is detected and named: a wrong size never gets a 200, a wrong digest is found and withdrawn.


def unnoticed(store: MemoryStore, index: Index) -> list[str]:
    """Damage a file in each way, and return what nobody notices."""
    index.publish(NAME, CONTENT)
    [key] = [entry.key for entry in store.list("files/") if entry.key.endswith(".whl")]
    found, url = [], index.url("acme-lib", NAME)
    for what, (damage, _) in DAMAGES.items():
        damaged = damage(CONTENT)
        put(store, key, damaged)
        if [finding.subject for finding in problems(index.repository)] != [key]:
            found.append(f"{what}: not named")
        if len(damaged) != len(CONTENT) and Request.blank(url).get_response(index.app).status_int == 200:
            found.append(f"{what}: served")
        put(store, key, CONTENT)
    return found


def test_promise_9_damage_is_detected_and_named(store: MemoryStore, index: Index) -> None:
    """At length: repository/test_verify, repository/test_scrub, functional/test_files."""
    assert unnoticed(store, index) == []


def test_control_of_promise_9_an_index_that_believes_its_store(
    store: MemoryStore, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing: Callable[[Repository], Iterator[Finding]] = lambda repository: iter(())  # noqa: E731
    monkeypatch.setattr(Repository, "verify", nothing)
    monkeypatch.setattr(
        Repository, "open_file", lambda r, project, file, *part: r._files.open(r._key(project, file), *part)
    )
    found = unnoticed(store, index)
    assert "cut short: served" in found
    assert "a bit flipped: not named" in found


# 10. Secrets never leave: not in logs, URLs, errors or backups.


def leaks(store: MemoryStore, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Use a password, a wrong one, a token and a session in every place; return where one of them can be read."""
    index = Index.over(store, read="users", upload="users", manage="user:alice")
    add_users(index.repository, "alice")
    token = add_token(index.repository, "alice", ["read", "upload"])
    answers = []
    with caplog.at_level(logging.DEBUG):
        for given in (basic("alice"), basic("alice", "hunter2 is wrong"), basic("x", token), bearer(token)):
            for path in ("/", "/simple/", "/simple/nothing/", "/%ff", "/+log", "/+users", "/+account"):
                index.reset()  # WebTest's cookies cannot go to every address
                answers.append(index.get(path, headers=given, status="*"))
            index.extra_environ["HTTP_AUTHORIZATION"] = given["Authorization"]
            answers.append(index.publish(NAME, b"no wheel", status="*"))
            answers.append(index.publish(NAME, CONTENT, status="*"))
            del index.extra_environ["HTTP_AUTHORIZATION"]
        browser = Browser(index)
        answers.append(browser.login("alice", "hunter2 is wrong", status="*"))
        answers.append(browser.login("alice", PASSWORDS["alice"]))
        answers += [browser.get(path, "*") for path in ("/+account", "/+users", "/+log", "/nothing")]
    pairs = [base64.b64encode(f"{name}:{word}".encode()).decode() for name, word in (("alice", PASSWORDS["alice"]),)]
    secrets = [PASSWORDS["alice"], "hunter2 is wrong", token, *pairs, *browser.jar.values()]
    kept = b"".join(store.read(entry.key)[0] for entry in store.list())  # what a backup copies
    places = {
        "the log": caplog.text,
        "the store": kept.decode("latin-1"),
        "an answer": "".join(f"{answer.status}{answer.headers.get('Location')}{answer.text}" for answer in answers),
    }
    return [f"{secret[:4]}... in {place}" for place, text in places.items() for secret in secrets if secret in text]


def test_promise_10_secrets_never_leave(store: MemoryStore, caplog: pytest.LogCaptureFixture) -> None:
    """At length: functional/test_people_login, test_rights, commands/test_tokens, unit/test_tokens."""
    assert leaks(store, caplog) == []


def test_control_of_promise_10_a_policy_that_logs_what_it_reads(
    store: MemoryStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    identify = Policy._identify

    def talkative(policy: Policy, request: Any, *, needed: bool) -> Any:
        logging.getLogger("mypi").info("%s", json.dumps(dict(request.headers)))
        return identify(policy, request, needed=needed)

    monkeypatch.setattr(Policy, "_identify", talkative)
    assert leaks(store, caplog)
