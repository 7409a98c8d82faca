"""The application over stores, driven through WebTest.

That each store keeps the contract is proven in ``tests/backends``, and that the repository holds on each of them in
``tests/repository``. So a test of the application runs in memory and on one of the others, which its name picks; all
run on all with ``make stores``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from webtest import TestApp

from mypi.application import application
from mypi.repository import Repository
from mypi.settings import Settings
from mypi.store import Store
from tests import stores
from tests.functional.support import path_of


class Index(TestApp):
    """A WebTest application that also publishes as clients do."""

    repository: Repository

    @classmethod
    def over(cls, store: Store, **settings: str) -> Index:
        """Return the application over a store, with settings of the test's choice; it is open to everyone else."""
        given = {"storage": "memory", "read": "everyone", "upload": "everyone", **settings}
        loaded = Settings.load({f"mypi.{name}": value for name, value in given.items()}, {})
        repository = Repository(store, store, loaded)
        index = cls(application(loaded, repository))
        index.repository = repository
        return index

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

    def html(self, project: str) -> Any:
        """The Simple API's HTML page of a project."""
        return self.get(f"/simple/{project}/")

    def url(self, project: str, filename: str) -> str:
        """The path of a file that the project offers."""
        (entry,) = [entry for entry in self.json(project)["files"] if entry["filename"] == filename]
        return path_of(f"/simple/{project}/", entry["url"])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the stores that are not a test's turn."""
    if os.environ.get("MYPI_STORES") == "all":
        return
    left_out = [item for item in items if isinstance(item, pytest.Function) and not _is_its_turn(item)]
    gone = set(map(id, left_out))
    items[:] = [item for item in items if id(item) not in gone]
    config.hook.pytest_deselected(items=left_out)


def _is_its_turn(item: pytest.Function) -> bool:
    kind = item.callspec.params.get("store") if hasattr(item, "callspec") else None
    if kind in (None, "memory") or Path(__file__).parent not in item.path.parents:
        return True
    others = sorted(stores.STORES.keys() - {"memory"})
    drawn = hashlib.sha256(f"{item.path.name} {item.originalname}".encode()).digest()[0]
    return bool(kind == others[drawn % len(others)])


@pytest.fixture(params=sorted(stores.STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store, in memory and of another kind."""
    made = stores.make(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def make_index(store: Store) -> Callable[..., Index]:
    """Make the application over the store, with settings of the test's choice: ``make_index(upload="users")``.

    ``over`` puts another store in its place, such as one that fails.
    """

    def make(*, over: Store = store, **settings: str) -> Index:
        return Index.over(over, **settings)

    return make


@pytest.fixture
def index(make_index: Callable[..., Index]) -> Index:
    """An index that is open to everyone."""
    return make_index()


@pytest.fixture(scope="session")
def htpasswd(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of users: alice with the password "wonder", bob with "builder", zoë with "crème"."""
    path = tmp_path_factory.mktemp("users") / "htpasswd"
    users = {"alice": "wonder", "bob": "builder", "zoë": "crème"}
    lines = [f"{name}:{bcrypt.hashpw(word.encode(), bcrypt.gensalt(4)).decode()}\n" for name, word in users.items()]
    path.write_text("".join(lines), encoding="utf-8")
    return str(path)
