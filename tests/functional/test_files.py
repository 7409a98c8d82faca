"""The bytes of files: A6 of the conformance list, and what may be tried with their addresses (threats 1, 2, 3, 13)."""

from __future__ import annotations

import hashlib
import io
import random
from pathlib import Path
from wsgiref.util import FileWrapper

import pytest

from mypi.backends.filesystem import FilesystemStore
from mypi.model import Actor
from mypi.store import Unavailable
from mypi.testing import FaultyStore, Point, RecordingStore
from tests.builders import metadata, sdist, wheel
from tests.functional.support import told

ACTOR = Actor("tester", "test")
NAME, CONTENT = wheel()
SIZE = len(CONTENT)
_, LARGE = wheel(files={"acme_lib/data.bin": random.Random(1).randbytes(100_000)})
SIGNATURE = "-----BEGIN PGP SIGNATURE-----\r\n\r\nabc=\r\n-----END PGP SIGNATURE-----\r\n"


@pytest.fixture
def held(index):
    """An index that holds a signed wheel."""
    index.publish(NAME, CONTENT, gpg_signature=SIGNATURE)
    return index


@pytest.fixture
def url(held):
    return held.url("acme-lib", NAME)


def stored(store, suffix: str) -> str:
    """The key in the store that ends so."""
    (key,) = [entry.key for entry in store.list() if entry.key.endswith(suffix)]
    return key


def test_A6_1_metadata_is_the_exact_bytes_of_the_wheel(index):
    odd = metadata(description="Zeile eins\r\nünï \u2028")
    index.publish(*wheel(info={"METADATA": odd}))
    answer = index.get(index.url("acme-lib", NAME) + ".metadata")
    assert answer.body == odd
    assert answer.content_type == "application/octet-stream"


def test_A6_1_metadata_has_a_strong_etag_and_ranges_too(held, url):
    whole = held.get(f"{url}.metadata")
    assert whole.headers["ETag"] == f'"{hashlib.sha256(whole.body).hexdigest()}"'
    assert held.get(f"{url}.metadata", headers={"Range": "bytes=2-9"}, status=206).body == whole.body[2:10]
    assert held.get(f"{url}.metadata", headers={"If-None-Match": whole.headers["ETag"]}, status=304)


def test_A6_2_the_signature_stands_beside_the_file(held, url):
    assert held.get(f"{url}.asc").body == SIGNATURE.encode()


def test_A6_2_no_signature_is_404(held):
    held.publish(*sdist())
    held.get(held.url("acme-lib", "acme_lib-1.0.tar.gz") + ".asc", status=404)


@pytest.mark.parametrize("made", [wheel(), sdist(), sdist(ending=".zip", version="2.0")])
def test_A6_3_artifacts_are_octet_streams_that_nobody_unpacks(index, made):
    name, content = made
    index.publish(name, content)
    for encoding in ("identity", "gzip, deflate", "gzip, deflate, zstd"):
        answer = index.get(index.url("acme-lib", name), headers={"Accept-Encoding": encoding})
        assert answer.body == content
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert "Content-Encoding" not in answer.headers
        assert answer.headers["Content-Length"] == str(len(content))


def test_A1_7_A6_4_head_tells_the_size_and_that_ranges_are_served(held, url):
    answer = held.head(url)
    assert answer.headers["Content-Length"] == str(SIZE)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert told(answer) == told(held.get(url))
    assert answer.body == b""


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        (f"bytes=0-{SIZE - 1}", 0, SIZE),
        (f"bytes=10-{SIZE + 1000}", 10, SIZE),
        ("bytes=10-", 10, SIZE),
        ("bytes=-10", SIZE - 10, SIZE),
        ("bytes=-100000", 0, SIZE),  # A6.5: longer than the file
        ("Bytes = 5 - 9", 5, 10),
    ],
)
def test_A6_4_A6_5_a_range_is_answered_with_exactly_that_part(held, url, asked, start, stop):
    answer = held.get(url, headers={"Range": asked}, status=206)
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer.body == CONTENT[start:stop]
    assert answer.headers["Content-Length"] == str(stop - start)
    head = held.head(url, headers={"Range": asked}, status=206)
    assert told(head) == told(answer)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=999999-", "bytes=-0"])
def test_A6_4_a_range_beyond_the_file_is_416_with_its_size(held, url, asked):
    answer = held.get(url, headers={"Range": asked}, status=416)
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
    assert answer.body == b""


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-1,5-6", "bytes=-", "bytes=", "bytes=9-5", "bytes=a-b", "items=0-5", "bytes 0-5", f"bytes={'9' * 5000}-"],
)
def test_A6_4_what_is_no_single_range_gets_the_whole_file(held, url, asked):
    assert held.get(url, headers={"Range": asked}, status=200).body == CONTENT


def test_A6_4_a_resumed_download_goes_on_if_the_file_is_the_same(held, url):
    tag = held.get(url).headers["ETag"]
    assert held.get(url, headers={"Range": "bytes=10-", "If-Range": tag}, status=206).body == CONTENT[10:]


@pytest.mark.parametrize("condition", ['"other"', 'W/"{tag}"', "Wed, 21 Oct 2026 07:28:00 GMT", "nonsense"])
def test_A6_4_a_resumed_download_of_another_file_begins_anew(held, url, condition):
    tag = held.get(url).headers["ETag"].strip('"')
    asked = {"Range": "bytes=10-", "If-Range": condition.format(tag=tag)}
    assert held.get(url, headers=asked, status=200).body == CONTENT


def test_A6_6_the_etag_is_the_sha256_and_the_answer_is_kept_for_ever(held, url):
    answer = held.get(url)
    assert answer.headers["ETag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    assert answer.headers["Cache-Control"] == "max-age=365000000, immutable"


@pytest.mark.parametrize("condition", ["{tag}", 'W/{tag}, "x"', "*", '"x", {tag}'])
def test_A6_6_a_file_that_the_client_has_is_304(held, url, condition):
    tag = held.get(url).headers["ETag"]
    answer = held.get(url, headers={"If-None-Match": condition.format(tag=tag)}, status=304)
    assert answer.body == b""
    assert answer.headers["ETag"] == tag
    assert not {"Content-Type", "Content-Length"} & set(answer.headers)
    assert held.get(url, headers={"If-None-Match": '"other"'}).body == CONTENT


def test_A6_6_a_file_of_a_restricted_index_is_private(make_index, htpasswd):
    index = make_index(read="users", htpasswd=htpasswd)
    index.publish(NAME, CONTENT)
    index.authorization = ("Basic", ("alice", "wonder"))
    url = index.url("acme-lib", NAME)
    answer = index.get(url)
    assert {"private", "immutable", "max-age=365000000"} == set(answer.headers["Cache-Control"].split(", "))
    assert answer.headers["Vary"] == "Authorization, Cookie"
    index.authorization = None
    for sidecar in ("", ".metadata", ".asc"):
        assert index.get(url + sidecar, status=401).headers["Cache-Control"].startswith("no-store")


def test_A6_7_the_file_is_saved_under_its_own_name(held, url):
    assert held.get(url).headers["Content-Disposition"] == f'attachment; filename="{NAME}"'


def test_threat_8_no_browser_shows_a_file_as_a_page(held, url):
    headers = held.get(url).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_a_removed_file_is_gone_at_once_and_back_when_restored(held, url):
    held.repository.remove("acme-lib", [NAME], ACTOR)
    for sidecar in ("", ".metadata", ".asc"):
        answer = held.get(url + sidecar, status=404)
        assert NAME in answer.text
    held.repository.restore("acme-lib", [NAME], ACTOR)
    assert held.get(url).body == CONTENT


def test_A7_yank_leaves_the_file_where_it_is(held, url):
    held.repository.yank("acme-lib", [NAME], "broken", ACTOR)
    assert held.get(url).body == CONTENT


@pytest.mark.parametrize("change", ["token", "name", "project", "case", "deeper", "folder"])
def test_another_address_than_the_files_own_is_404(held, url, change):
    folder, _, name = url.rpartition("/")
    asked = {
        "token": f"/files/acme-lib/{'0' * 16}/{name}",
        "name": f"{folder}/acme_lib-1.1-py3-none-any.whl",
        "project": url.replace("acme-lib", "beta"),
        "case": f"{folder}/{name.upper()}",
        "deeper": f"{url}/METADATA",
        "folder": folder,
    }[change]
    held.get(asked, status=404)


@pytest.mark.parametrize("damage", ["shorter", "longer", "gone"])
@pytest.mark.parametrize("method", ["get", "head"])
def test_a_damaged_file_is_503_before_the_headers(held, store, url, damage, method):
    key = stored(store, NAME)
    store.delete(key)
    if damage != "gone":
        bad = CONTENT[:-1] if damage == "shorter" else CONTENT + b"\0"
        spool = store.spool()
        spool.write(bad)
        spool.seek(0)
        store.add(key, spool, len(bad))
        spool.close()
    answer = getattr(held, method)(url, status=503)
    assert answer.headers["Retry-After"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert "files/" not in answer.status + answer.text


@pytest.mark.parametrize("sidecar", [".metadata", ".asc"])
def test_a_lost_sidecar_is_503_too(held, store, url, sidecar):
    store.delete(stored(store, sidecar))
    held.get(url + sidecar, status=503)


def test_what_lies_beside_a_file_is_read_once(store, make_index):
    recording = RecordingStore(store)
    index = make_index(over=recording)
    index.publish(NAME, CONTENT)
    url = f"{index.url('acme-lib', NAME)}.metadata"
    answers = {index.get(url).body for _ in range(3)}
    assert len(answers) == 1
    assert [key for what, key in recording.log if what == "open"].count(stored(store, ".metadata")) == 1


def test_what_lies_beside_a_file_and_is_not_as_it_was_published_is_503_until_it_is(held, store, url):
    key = stored(store, ".metadata")
    with store.open(key) as reader:
        right = reader.read()
    store.delete(key)
    store.add(key, io.BytesIO(right.replace(b"1.0", b"6.6")), len(right))
    answer = held.get(f"{url}.metadata", status=503)
    assert "mypi verify" in answer.text
    store.delete(key)
    store.add(key, io.BytesIO(right), len(right))
    assert held.get(f"{url}.metadata").body == right


def test_a_store_that_cannot_answer_is_503(store, make_index):
    faulty = FaultyStore(store)
    index = make_index(over=faulty)
    index.publish(NAME, CONTENT)
    url = index.url("acme-lib", NAME)
    nth = faulty.calls["open"] + 1
    faulty.fail(Point("before", nth, "open"), Unavailable("a/key", "connection refused by 10.0.0.7"))
    answer = index.get(url, status=503)
    assert answer.headers["Retry-After"]
    assert "10.0.0.7" not in answer.status + answer.text
    assert index.get(url).body == CONTENT


class Wrapper(FileWrapper):
    """What a server offers as ``wsgi.file_wrapper``; remembers the files that it was given."""

    given: list = []

    def __init__(self, file, size=8192):
        super().__init__(file, size)
        self.given.append(file)


@pytest.fixture
def wrapper():
    Wrapper.given = []
    return Wrapper


def through(index, url, wrapper, **headers):
    return index.get(url, headers=headers, extra_environ={"wsgi.file_wrapper": wrapper})


def test_a_local_file_is_handed_to_the_server_and_others_are_streamed(index, store, wrapper):
    index.publish(NAME, LARGE)
    answer = through(index, index.url("acme-lib", NAME), wrapper)
    assert answer.body == LARGE
    with store.open(stored(store, NAME)) as reader:
        assert len(wrapper.given) == (reader.path is not None)
    assert all(file.closed for file in wrapper.given)


def test_a_small_file_is_read_at_once_which_costs_less_than_handing_it_over(held, url, wrapper):
    answer = through(held, url, wrapper)
    assert answer.body == CONTENT
    assert answer.headers["Content-Length"] == str(SIZE)
    assert wrapper.given == []


def test_a_part_is_streamed(index, wrapper):
    # A wrapper knows no end: some servers would send the file's rest too, and pyruvate the file from its beginning.
    index.publish(NAME, LARGE)
    url = index.url("acme-lib", NAME)
    assert through(index, url, wrapper, Range="bytes=10-19").body == LARGE[10:20]
    assert through(index, url, wrapper, Range="bytes=10-").body == LARGE[10:]
    assert wrapper.given == []


def test_head_closes_the_file_that_it_opened(index, wrapper):
    index.publish(NAME, LARGE)
    index.head(index.url("acme-lib", NAME), extra_environ={"wsgi.file_wrapper": wrapper})
    assert all(file.closed for file in wrapper.given)


def test_a_file_that_is_swept_while_it_is_asked_for_is_sent_from_what_is_open(tmp_path, make_index, wrapper):
    class Sweeping(FilesystemStore):
        def _open(self, key, start, stop, unless):
            reader = super()._open(key, start, stop, unless)
            if key.endswith(".whl"):
                Path(reader.path).unlink()
            return reader

    sweeping = Sweeping(str(tmp_path / "sweeping"))
    sweeping.check()
    index = make_index(over=sweeping)
    index.publish(NAME, LARGE)
    assert through(index, index.url("acme-lib", NAME), wrapper).body == LARGE
    assert wrapper.given == []


ESCAPES = [
    "/files/acme-lib/{token}/../../../../etc/passwd",
    "/files/acme-lib/{token}/%2e%2e/%2e%2e/store.json",
    "/files/acme-lib/{token}/..%2f..%2fstore.json",
    "/files/acme-lib/{token}/..%5c..%5cetc%5cpasswd",
    "/files/acme-lib/{token}/%00",
    "/files/acme-lib/{token}/{name}%00.metadata",
    "/files/acme-lib/{token}/{name}%0a",
    "/files/acme-lib/{token}/%e2%80%a5/passwd",
    "/files/acme-lib/{token}/%ef%bc%8fetc",
    "/files/acme-lib/{token}/%c0%ae%c0%ae/passwd",
    "/files/acme-lib/{token}/{name}::$DATA",
    "/files/acme-lib/{token}/.metadata",
    "/files/acme-lib/{token}/.asc",
    "/files/acme-lib/../../store.json",
    "/files/../store.json",
    "/files//etc/passwd",
    "/files/%2Fetc/passwd/x",
    "/%2F%2F..%2F..%2Fetc%2Fpasswd",
    "/%2F%2F%2F..%2F..%2Fetc%2Fpasswd",
    "/+static/../mypi.css",
    "/+static/%2e%2e/settings.py",
    "/+static//etc/passwd",
    "/+static/%2fetc/passwd",
    "/+static/..\\settings.py",
    "/.git/config",
    "/store.json",
    "/indexes/main.json",
    "/accounts.json",
]


@pytest.mark.parametrize("escape", ESCAPES)
def test_threats_2_and_3_no_address_leads_out_of_the_index(held, url, escape):
    token = url.split("/")[3]
    answer = held.get(escape.format(token=token, name=NAME), expect_errors=True)
    assert answer.status_int in (400, 404)
    assert b"root:" not in answer.body


@pytest.mark.parametrize("path", ["//evil.example", "//evil.example/..", "/\\evil.example", "/%09/evil.example"])
def test_threat_13_no_address_redirects_to_another_host(held, path):
    held.publish(*sdist("evil.example"))
    answer = held.get(path, expect_errors=True, extra_environ={"REQUEST_URI": path})
    location = answer.headers.get("Location", "")
    assert "//" not in location
    assert not location.startswith(("/", "\\"))
