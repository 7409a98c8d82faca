"""The application over each store, driven through WebTest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from webtest import TestApp

from mypi.application import application
from mypi.repository import Repository
from mypi.settings import Settings
from mypi.store import Store
from tests import stores


class Index(TestApp):
    """A WebTest application that also publishes as clients do."""

    repository: Repository

    def publish(self, filename: str, content: bytes, *, url: str = "/", status: int = 200, **fields: Any) -> Any:
        """Post a file to the legacy upload API; a field set to None is left out."""
        name, version = filename.removesuffix(".tar.gz").removesuffix(".zip").split("-")[:2]
        form = {
            ":action": "file_upload",
            "protocol_version": "1",
            "metadata_version": "2.1",
            "name": name,
            "version": version,
            "filetype": "bdist_wheel" if filename.endswith(".whl") else "sdist",
            "sha256_digest": hashlib.sha256(content).hexdigest(),
            **fields,
        }
        given = [(key, value) for key, value in form.items() if value is not None]
        return self.post(url, given, upload_files=[("content", filename, content)], status=status)

    def json(self, project: str) -> Any:
        """The Simple API's JSON of a project."""
        return self.get(f"/simple/{project}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}).json


@pytest.fixture(params=sorted(stores.STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    made = stores.make(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def make_index(store: Store) -> Callable[..., Index]:
    """Make the application over the store, with settings of the test's choice: ``make_index(upload="users")``."""

    def make(**settings: str) -> Index:
        given = {"storage": "memory", "read": "everyone", "upload": "everyone", **settings}
        loaded = Settings.load({f"mypi.{name}": value for name, value in given.items()}, {})
        repository = Repository(store, store, loaded)
        index = Index(application(loaded, repository))
        index.repository = repository
        return index

    return make


@pytest.fixture
def index(make_index: Callable[..., Index]) -> Index:
    """An index that is open to everyone."""
    return make_index()
