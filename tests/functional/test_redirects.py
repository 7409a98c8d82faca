"""Downloads that are redirected to the bucket: who is, where to, and that the bytes are right there."""

from __future__ import annotations

import contextlib
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mypi import options
from mypi.application import application
from mypi.backends.s3 import S3Store
from mypi.repository import Repository
from mypi.settings import Settings
from mypi.testing import WrappedStore
from tests.functional.conftest import Index
from tests.functional.support import basic
from tests.repository.shorthand import ALICE, package
from tests.services import SECRET
from tests.stores import STORES

NAME, DATA = package()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Index]]:
    """Make an index on S3 with options of the test's choice, with one file in it."""
    with contextlib.ExitStack() as opened:

        def make(over: Callable[[S3Store], Any] = lambda store: store, **given: str) -> Index:
            values = options.read(S3Store.options, "", {**STORES["s3"].options(tmp_path), **given}, {})
            store = S3Store(**values)
            opened.callback(store.close)
            loaded = Settings.load({"mypi.storage": "memory", "mypi.upload": "everyone"}, {})
            repository = Repository(*[over(store)] * 2, loaded)
            index = Index(application(loaded, repository))
            index.repository = repository
            index.publish(NAME, DATA)
            return index

        yield make


def fetch(url: str, **headers: str) -> tuple[int, bytes, Any]:
    """Follow a link as a client without credentials does."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.status, answer.read(), answer.headers


def test_a_download_is_streamed_by_default(serve: Callable[..., Index]) -> None:
    index = serve()
    answer = index.get(index.url("acme-lib", NAME))
    assert (answer.status_int, answer.body) == (200, DATA)
    assert index.get(index.url("acme-lib", NAME), headers={"Range": "bytes=2-4"}).body == DATA[2:5]


def test_a_signed_link_leads_to_the_bytes(serve: Callable[..., Index]) -> None:
    index = serve(redirect="always", redirect_seconds="60")
    answer = index.get(index.url("acme-lib", NAME))
    assert answer.status_int == 302
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.getall("Location") == [answer.location]
    assert "X-Amz-Expires=60" in answer.location
    status, body, headers = fetch(answer.location)
    assert (status, body) == (200, DATA)
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"] == f'attachment; filename="{NAME}"'
    status, body, headers = fetch(answer.location, Range="bytes=2-4")
    assert (status, body, headers["Content-Range"]) == (206, DATA[2:5], f"bytes 2-4/{len(DATA)}")


def test_a_range_and_a_conditional_request_are_answered_as_they_should(serve: Callable[..., Index]) -> None:
    index = serve(redirect="always")
    url = index.url("acme-lib", NAME)
    assert index.get(url, headers={"Range": "bytes=2-4"}).status_int == 302
    etag = f'"{index.json("acme-lib")["files"][0]["hashes"]["sha256"]}"'
    assert index.get(url, headers={"If-None-Match": etag}, status=304).headers["Cache-Control"].startswith("max-age")


def test_a_link_is_signed_for_get_so_that_head_is_for_us(serve: Callable[..., Index]) -> None:
    index = serve(redirect="always")
    answer = index.head(index.url("acme-lib", NAME))
    assert (answer.status_int, answer.content_length) == (200, len(DATA))


def test_what_lies_beside_a_file_is_for_us(serve: Callable[..., Index]) -> None:
    index = serve(redirect="always")
    answer = index.get(index.url("acme-lib", NAME) + ".metadata")
    assert answer.status_int == 200
    assert b"Name: acme-lib" in answer.body


def test_a_link_that_was_changed_or_has_expired_opens_nothing(serve: Callable[..., Index]) -> None:
    index = serve(redirect="always", redirect_seconds="1")
    link = index.get(index.url("acme-lib", NAME)).location
    with pytest.raises(urllib.error.HTTPError) as changed:
        fetch(link.replace("/files/", "/indexes/"))
    assert changed.value.code == 403
    changed.value.close()
    time.sleep(2)
    with pytest.raises(urllib.error.HTTPError) as expired:
        fetch(link)
    assert expired.value.code == 403
    expired.value.close()


def test_a_removed_file_has_no_link_any_more(serve: Callable[..., Index]) -> None:
    index = serve(redirect="always")
    url = index.url("acme-lib", NAME)
    index.repository.remove("acme-lib", [NAME], ALICE)
    answer = index.get(url, status=404)
    assert "Location" not in answer.headers


def test_an_address_with_another_token_has_no_link(serve: Callable[..., Index]) -> None:
    index = serve(redirect="always")
    index.get(f"/files/acme-lib/{'0' * 16}/{NAME}", status=404)


def test_who_may_not_read_gets_no_link(serve: Callable[..., Index], htpasswd: str) -> None:
    repository = serve(redirect="always").repository
    closed = {"mypi.storage": "memory", "mypi.read": "users", "mypi.htpasswd": htpasswd}
    index = Index(application(Settings.load(closed, {}), repository))
    file = repository.project("acme-lib").value.live[0]
    url = f"/files/acme-lib/{file.token}/{NAME}"
    assert "Location" not in index.get(url, status=401).headers
    assert index.get(url, headers=basic("alice", "wonder"), status=302).cache_control.no_store


def test_A6_8_a_link_carries_nothing_of_the_credentials(serve: Callable[..., Index]) -> None:
    """Those of the client stay here, and the secret of the bucket is never in what it signs."""
    index = serve(redirect="always")
    answer = index.get(index.url("acme-lib", NAME), headers=basic("alice", "wonder"))
    assert answer.status_int == 302
    told = f"{answer.location} {answer.headers} {answer.text}"
    for secret in ("alice", "wonder", basic("alice", "wonder")["Authorization"], SECRET):
        assert secret not in told


def test_a_public_address_wins_and_is_percent_encoded(serve: Callable[..., Index]) -> None:
    index = serve(redirect="always", public_url="https://cdn.example.com/pypi/")
    name, data = package("acme-lib", "1.0+local.1")
    index.publish(name, data)
    prefix = index.repository._files._bucket.root  # type: ignore[attr-defined]
    (file,) = [file for file in index.repository.project("acme-lib").value.live if file.filename == name]
    quoted = name.replace("+", "%2B")
    expected = f"https://cdn.example.com/pypi/{prefix}files/main/acme-lib/{file.token}/{quoted}"
    assert index.get(index.url("acme-lib", name)).location == expected


class Unsigned(WrappedStore):
    """Finds no credentials when it is to sign a link."""

    def url(self, key: str, filename: str) -> str | None:
        self.store._bucket.client.meta.events.register("before-sign.s3.GetObject", self._forget)  # type: ignore[attr-defined]
        return super().url(key, filename)

    def _forget(self, request_signer: Any, **_: Any) -> None:
        request_signer._credentials = None


def test_a_link_that_cannot_be_signed_is_503(serve: Callable[..., Index]) -> None:
    index = serve(Unsigned, redirect="always")
    answer = index.get(index.url("acme-lib", NAME), status=503)
    assert answer.headers["Retry-After"]
