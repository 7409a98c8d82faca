"""What a start on S3 refuses, with which sentence, and what it leaves behind."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mypi import options
from mypi.backends.s3 import S3Store, client
from mypi.options import SettingError
from mypi.repository import Repository
from mypi.settings import Settings
from mypi.store import Full, Unavailable
from tests import services, stores
from tests.backends.buckets import DOCUMENT, KEY, opened
from tests.proxies import HttpProxy
from tests.repository.shorthand import content, problems, publish
from tests.services import BUCKET, SECRET, Rclone


@pytest.fixture
def store(proxy: HttpProxy, tmp_path: Path) -> Iterator[S3Store]:
    """A store that tries each request twice."""
    store = opened(tmp_path, proxy, attempts=2)
    yield store
    store.close()


@pytest.fixture
def afresh() -> Iterator[None]:
    """Let the SDK look for its credentials again, before and after the test."""
    client.session.cache_clear()
    yield
    client.session.cache_clear()


def refusal(store: S3Store, *, catalogue: bool = True) -> str:
    """Return the sentence with which a start is refused; it holds no secret."""
    with contextlib.closing(store), pytest.raises(Unavailable) as caught:
        store.check(catalogue=catalogue)
    said = str(caught.value)
    assert SECRET not in said
    return said


# The probe


def test_a_server_that_honours_conditions_is_taken_and_nothing_stays(store: S3Store) -> None:
    store.check()
    store.check(catalogue=False)
    assert list(store.list()) == []
    found = store._bucket.ask("list_objects_v2", "", Prefix=store._bucket.root)
    assert "Contents" not in found


@pytest.fixture(scope="module")
def rclone() -> Rclone:
    """A server that takes conditional writes and does not look at their conditions."""
    return services.shared(Rclone)


def test_a_server_that_ignores_conditions_is_refused_for_documents(rclone: Rclone, tmp_path: Path) -> None:
    store = opened(tmp_path, endpoint=rclone.endpoint)
    assert refusal(store) == (
        "mypi: the server of this bucket does not heed conditions of writes (If-None-Match, If-Match), so that of two "
        "uploads at once one would be lost; keep the documents elsewhere, with mypi.catalogue = filesystem or zodb, "
        "and the files may stay here"
    )
    store = opened(tmp_path, endpoint=rclone.endpoint)
    store.check(catalogue=False)
    assert list(store.list()) == []
    store.close()


def test_the_setting_that_the_refusal_names_helps(rclone: Rclone, tmp_path: Path) -> None:
    given = {
        "mypi.storage": "s3",
        "mypi.storage.bucket": BUCKET,
        "mypi.storage.prefix": "with-catalogue",
        "mypi.storage.endpoint": rclone.endpoint,
        "mypi.upload": "everyone",
    }
    with pytest.raises(Unavailable, match=r"mypi\.catalogue = filesystem"):
        Repository.open(Settings.load(given, {}))
    given |= {"mypi.catalogue": "filesystem", "mypi.catalogue.path": str(tmp_path / "documents")}
    for version in ("1.0", "2.0"):
        repository = Repository.open(Settings.load(given, {}))
        file = publish(repository, version=version)
        assert len(content(repository, file)) == file.size
        assert not problems(repository)
        repository.close()
    assert (tmp_path / "documents" / "indexes" / "main" / "acme-lib.json").is_file()


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (412, "PreconditionFailed")])
def test_a_server_that_refuses_all_conditional_writes_is_refused(
    store: S3Store, proxy: HttpProxy, status: int, code: str
) -> None:
    proxy.fail("answer", "PUT", status=status, code=code, times=9)
    assert "does not heed conditions" in refusal(store)


def test_a_server_that_heeds_one_of_the_conditions_only_is_refused(tmp_path: Path) -> None:
    store = opened(tmp_path)
    tries = []

    def ignored(params: dict[str, Any], **_: Any) -> None:
        tries.append(params["headers"].pop("If-Match", None))

    store._bucket.client.meta.events.register("before-call.s3.PutObject", ignored)
    assert "does not heed conditions" in refusal(store)
    assert len(tries) == 3


def test_a_start_that_meets_its_own_success_goes_on(store: S3Store, proxy: HttpProxy) -> None:
    proxy.fail("reset", "PUT", after=True)
    store.check()
    assert proxy.harmless


def test_a_start_that_fails_leaves_nothing(store: S3Store, proxy: HttpProxy) -> None:
    proxy.fail("answer", "PUT", after=True, times=2)
    assert "answered 500" in refusal(store)
    assert proxy.requests[-1][0] == "DELETE"


# What is wrong outside


def test_an_absent_bucket_is_named_and_not_made(proxy: HttpProxy, tmp_path: Path) -> None:
    for catalogue in (True, False):
        said = refusal(opened(tmp_path, proxy, bucket="absent"), catalogue=catalogue)
        assert f"there is no bucket absent at {proxy.endpoint}; create it, or correct mypi.storage.bucket" in said
    assert {method for method, _ in proxy.requests} == {"GET"}


def test_a_bucket_that_went_away_is_no_missing_file(rclone: Rclone, tmp_path: Path) -> None:
    with contextlib.closing(opened(tmp_path, endpoint=rclone.endpoint, bucket="gone")) as store:
        calls = [
            lambda: store.read(DOCUMENT),
            lambda: store.open(KEY, 0, 0),
            lambda: store.delete(KEY),
            lambda: store.add(KEY, io.BytesIO(b""), 0),
            lambda: store.swap(DOCUMENT, b"", None),
            lambda: store.copy(KEY, KEY + ".copy"),
            lambda: list(store.list()),
        ]
        for call in calls:
            with pytest.raises(Unavailable, match="there is no bucket gone"):
                call()


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("AWS_ACCESS_KEY_ID", "somebody", "does not know the access key; correct AWS_ACCESS_KEY_ID, or the profile"),
        ("AWS_SECRET_ACCESS_KEY", "guessed", "takes the secret key for wrong; correct AWS_SECRET_ACCESS_KEY"),
        ("AWS_SECRET_ACCESS_KEY", None, "the SDK found a part of the credentials only; set AWS_ACCESS_KEY_ID and"),
        (
            "AWS_ACCESS_KEY_ID",
            None,
            "the SDK found no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or",
        ),
        ("AWS_PROFILE", "nobody", "the SDK for S3 cannot do this: The config profile (nobody) could not be found"),
    ],
)
def test_wrong_credentials_are_explained(
    afresh: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str | None, says: str
) -> None:
    if value is None:
        monkeypatch.delenv(variable)
        if variable == "AWS_ACCESS_KEY_ID":
            monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    else:
        monkeypatch.setenv(variable, value)
    with pytest.raises(Unavailable) as caught, contextlib.closing(opened(tmp_path)) as store:
        store.check()
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (
            403,
            "AccessDenied",
            "refuses this (403); check the credentials, and that their policy allows what docs/howto/s3",
        ),
        (403, "RequestTimeTooSkewed", "takes this machine's clock for wrong; set it by NTP"),
        (400, "ExpiredToken", "the session token is not valid any more; renew the credentials"),
        (400, "AuthorizationHeaderMalformed", "lies in another region; set mypi.storage.region"),
        (405, "MethodNotAllowed", "answered 405 MethodNotAllowed (told to), 1 times"),
    ],
)
def test_what_a_server_refuses_is_explained(
    store: S3Store, proxy: HttpProxy, status: int, code: str, says: str
) -> None:
    proxy.fail("answer", "GET", status=status, code=code)
    assert says in refusal(store)


@pytest.mark.parametrize("code", ["AccessDenied", "RequestTimeTooSkewed"])
def test_a_refusal_while_serving_is_unavailable_and_no_missing_file(
    store: S3Store, proxy: HttpProxy, code: str
) -> None:
    for method in ("GET", "PUT", "HEAD"):
        proxy.fail("answer", method, status=403, code=code)
    with pytest.raises(Unavailable):
        store.read(DOCUMENT)
    with pytest.raises(Unavailable):
        store.swap(DOCUMENT, b"1", None)
    with pytest.raises(Unavailable, match="refuses this"):
        store.delete(KEY)


def test_a_full_server_is_full(store: S3Store, proxy: HttpProxy) -> None:
    proxy.fail("answer", "PUT", status=507, code="InsufficientStorage")
    with pytest.raises(Full, match="no room left"):
        store.add(KEY, io.BytesIO(b"1"), 1)
    proxy.fail("answer", "PUT", status=403, code="QuotaExceeded")
    with pytest.raises(Full):
        store.swap(DOCUMENT, b"1", None)


def test_an_endpoint_where_nobody_listens_is_named(tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{services.free_port()}"
    said = refusal(opened(tmp_path, endpoint=endpoint, attempts=2))
    assert f"{endpoint} cannot be reached; start it, or correct mypi.storage.endpoint" in said


def test_an_endpoint_that_speaks_something_else_is_named(tmp_path: Path, proxy: HttpProxy) -> None:
    said = refusal(opened(tmp_path, endpoint=proxy.endpoint.replace("http:", "https:"), attempts=1))
    assert "(TLS); check its certificate, and that it speaks https" in said


def test_a_server_whose_answers_tell_no_version_is_none_of_s3(store: S3Store) -> None:
    store.swap(DOCUMENT, b"1", None)

    def silent(parsed: dict[str, Any], **_: Any) -> None:
        parsed.pop("ETag", None)

    store._bucket.client.meta.events.register("after-call.s3.GetObject", silent)
    with pytest.raises(Unavailable, match="no answer of S3"):
        store.read(DOCUMENT)


def test_a_server_that_ignores_ranges_is_not_believed(store: S3Store) -> None:
    store.swap(DOCUMENT, b"0123456789", None)

    def whole(params: dict[str, Any], **_: Any) -> None:
        params["headers"].pop("Range")

    store._bucket.client.meta.events.register("before-call.s3.GetObject", whole)
    with store.open(DOCUMENT, 0, 4) as reader:
        assert reader.read() == b"0123"
    with pytest.raises(Unavailable, match="ignores ranges"):
        store.open(DOCUMENT, 1, 4)


def test_an_object_that_grew_between_two_answers_is_read_from_where_it_was_asked(
    store: S3Store, tmp_path: Path
) -> None:
    tag = store.swap(DOCUMENT, b"0123", None)

    def grow(**_: Any) -> None:
        with contextlib.closing(opened(tmp_path)) as other:
            other.swap(DOCUMENT, b"0123456789", tag)

    store._bucket.client.meta.events.register("before-call.s3.HeadObject", grow)
    with store.open(DOCUMENT, 6) as reader:
        assert (reader.size, reader.remaining, reader.read()) == (10, 4, b"6789")


# Listings


def test_a_listing_of_many_pages_is_whole(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mypi.backends.s3.PAGE", 3)
    keys = {f"files/{project}/{number}/f" for project in ("a", "a-1", "a.b") for number in range(4)}
    for key in keys:
        store.add(key, io.BytesIO(b"1"), 1)
    assert sorted(entry.key for entry in store.list()) == sorted(keys)
    assert len(list(store.list("files/a/"))) == 4


def test_what_is_no_key_of_a_store_is_not_listed(store: S3Store) -> None:
    for name in (".hidden/a", "a/.b", "a b", "é"):
        store._bucket.call("put_object", name, Body=b"")
    store.add(KEY, io.BytesIO(b"1"), 1)
    assert [entry.key for entry in store.list()] == [KEY]


def test_a_server_that_lists_the_same_page_for_ever_is_not_asked_for_ever(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mypi.backends.s3.PAGE", 1)
    for number in range(2):
        store.add(f"{KEY}.{number}", io.BytesIO(b"1"), 1)

    def again(params: dict[str, Any], **_: Any) -> None:
        params.pop("ContinuationToken", None)

    store._bucket.client.meta.events.register("before-parameter-build.s3.ListObjectsV2", again)
    with pytest.raises(Unavailable, match="lists the same page again and again"):
        list(store.list())


def test_stores_in_one_bucket_do_not_see_each_other(tmp_path: Path) -> None:
    one, other = opened(tmp_path, prefix="p/one"), opened(tmp_path, prefix="p/one-more")
    with contextlib.closing(one), contextlib.closing(other):
        one.add(KEY, io.BytesIO(b"1"), 1)
        assert list(other.list()) == []
        assert other.tidy(2**40) == 0


def test_a_copy_too_large_for_the_server_goes_through_us(
    store: S3Store, proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add(KEY, io.BytesIO(b"0123456789"), 10)
    monkeypatch.setattr("mypi.backends.s3.COPIED", 9)
    proxy.requests.clear()
    store.copy(KEY, KEY + ".copy")
    assert [method for method, _ in proxy.requests] == ["HEAD", "GET", "PUT"]
    assert store.read(KEY + ".copy")[0] == b"0123456789"


def test_a_copy_that_came_out_short_is_no_success(store: S3Store) -> None:
    store.add(KEY, io.BytesIO(b"0123456789"), 10)

    def short(**_: Any) -> None:
        store.add(KEY + ".copy", io.BytesIO(b"0"), 1)

    store._bucket.client.meta.events.register("after-call.s3.CopyObject", short)
    with pytest.raises(Exception, match="did not copy all of"):
        store.copy(KEY, KEY + ".copy")


# Settings


def read(**given: str) -> dict[str, Any]:
    return options.read(S3Store.options, "mypi.storage.", {f"mypi.storage.{k}": v for k, v in given.items()}, {})


def test_options_have_defaults_that_suit_aws() -> None:
    assert read(bucket="packages") == {
        "bucket": "packages",
        "prefix": "",
        "endpoint": None,
        "region": "",
        "addressing": "auto",
        "redirect": "never",
        "redirect_seconds": 900,
        "public_url": None,
        "part_size": 8 * 2**20,
        "timeout": 10,
        "attempts": 4,
    }


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("bucket", "", "not the name of a bucket; write letters, digits, dots and hyphens only, such as my-packages"),
        ("bucket", "a/b", "not the name of a bucket"),
        ("prefix", "a//b", "not a prefix of keys; write names of letters, digits and hyphens joined by /"),
        ("prefix", ".hidden", "not a prefix of keys"),
        ("prefix", "a" * 121, "too long; write at most 120 characters"),
        ("endpoint", "127.0.0.1:8333", "not an address; write it whole"),
        ("endpoint", "http://me@127.0.0.1:8333", "more than an address; write it without a user name"),
        ("region", "eu central", "not the name of a region; write one such as eu-central-1"),
        ("addressing", "host", "not known here; write auto, path or virtual"),
        ("redirect", "yes", "not known here; write never or always"),
        ("redirect_seconds", "0", "too small; write 1 or more"),
        ("redirect_seconds", "604801", "longer than S3 lets a link live; write at most 604800"),
        ("part_size", "4 MiB", "not a size that S3 takes for a part; write 5 MiB to 5 GiB"),
        ("part_size", "6 GiB", "not a size that S3 takes for a part"),
        ("timeout", "0", "too small; write 1 or more"),
        ("attempts", "many", "not a whole number"),
    ],
)
def test_wrong_values_are_explained(option: str, value: str, says: str) -> None:
    with pytest.raises(SettingError) as caught:
        read(**{"bucket": "packages", option: value})
    shown = value.replace("//me@", "//(hidden)@")  # what stands there is often a key
    assert f"mypi.storage.{option} = {shown}: {says}" in str(caught.value)


def test_a_missing_bucket_is_asked_for() -> None:
    with pytest.raises(SettingError, match=r"mypi\.storage\.bucket is missing: The bucket that holds everything"):
        read()


def test_there_is_no_option_for_credentials() -> None:
    assert not [
        option for option in S3Store.options if option.secret or "key" in option.name or "sec" in option.name[:3]
    ]


def test_an_address_that_the_sdk_does_not_take_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"correct mypi\.storage\.endpoint"):
        opened(tmp_path, endpoint="http://under_score..example")


@pytest.mark.parametrize(
    ("given", "begins"),
    [
        ({"region": "eu-central-1"}, "https://packages.s3.eu-central-1.amazonaws.com/files/"),
        (
            {"region": "eu-central-1", "bucket": "my.packages"},
            "https://s3.eu-central-1.amazonaws.com/my.packages/files/",
        ),
        ({"region": "eu-central-1", "addressing": "path"}, "https://s3.eu-central-1.amazonaws.com/packages/files/"),
        ({"endpoint": "https://s3.example.com"}, "https://s3.example.com/packages/files/"),
        ({"endpoint": "https://s3.example.com", "addressing": "virtual"}, "https://packages.s3.example.com/files/"),
        ({"endpoint": "https://s3.example.com", "prefix": "a/b"}, "https://s3.example.com/packages/a/b/files/"),
    ],
)
def test_the_bucket_stands_where_it_should_in_addresses(given: dict[str, str], begins: str) -> None:
    with contextlib.closing(S3Store(**{"bucket": "packages", "redirect": "always", **given})) as store:
        assert str(store.url(KEY, "acme_lib-1.0.zip")).startswith(begins)


def test_the_region_of_the_sdk_is_taken_on_aws(afresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    with contextlib.closing(S3Store(bucket="packages")) as store:
        assert store._bucket.client.meta.region_name == "ap-south-1"
    with contextlib.closing(S3Store(bucket="packages", endpoint="https://s3.example.com")) as store:
        assert store._bucket.client.meta.region_name == "us-east-1"


# Processes


def test_a_store_serves_several_processes_and_nodes() -> None:
    assert (S3Store.processes, S3Store.nodes) == (True, True)


def test_a_dropped_store_closes_its_connections(tmp_path: Path, proxy: HttpProxy) -> None:
    store = opened(tmp_path, proxy)
    assert list(store.list()) == []
    del store
    proxy.cut()  # an open socket of a store that is gone would be a ResourceWarning


FORKING = """
import os, sys
from mypi.backends.s3 import S3Store
store = S3Store(**dict(zip(("bucket", "prefix", "endpoint"), sys.argv[1:])))
store.swap("parent", b"parent", None)
child = os.fork()
name = "parent" if child else "child"
if not child:
    store.swap("child", b"child", None)
for _ in range(200):
    assert store.read(name)[0] == name.encode()
if not child:
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""


def test_a_server_that_forks_after_it_has_opened_its_store_mixes_no_answers(tmp_path: Path) -> None:
    place = stores.STORES["s3"].options(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", FORKING, place["bucket"], place["prefix"], place["endpoint"]],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_forked_child_opens_connections_of_its_own(store: S3Store, proxy: HttpProxy) -> None:
    assert list(store.list()) == []
    client._forget_connections()
    assert list(store.list()) == []
