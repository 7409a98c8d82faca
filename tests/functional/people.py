"""How the tests of the pages use them: a browser that is logged in, and the accounts that it logs in with."""

from __future__ import annotations

import re
from typing import Any

from argon2 import PasswordHasher

from mypi.model import Actor
from tests.functional.support import BROWSER

ALICE, BOB, CAROL = ("alice", "wonderland"), ("bob", "the builder"), ("carol", "singer of songs")
"""Users: alice manages the index as one of the group admins, the others are users."""

COMMAND = Actor(None, "command")
_QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_HASHED = {name: _QUICK.hash(password) for name, password in (ALICE, BOB, CAROL)}


def populate(repository: Any) -> None:
    """Put the users and the group into the store."""
    for name, hashed in _HASHED.items():
        repository.members.record(COMMAND, lambda held, e, n=name, h=hashed: held.set_password(n, h, e))
    repository.members.record(COMMAND, lambda held, event: held.join("admins", ["alice"], event))


class Browser:
    """A browser at an index: sends what browsers send, keeps cookies, follows what a person would."""

    def __init__(self, index: Any, user: tuple[str, str] | None = None, **environ: str) -> None:
        self.index = index
        self.environ = environ
        self.jar: dict[str, str] = {}
        if user:
            self.login(*user)

    def get(self, path: str, status: Any = 200, **headers: str) -> Any:
        return self._ask("GET", path, status, headers, None)

    def post(self, path: str, fields: Any = (), status: Any = 303, *, token: str | None = "", **headers: str) -> Any:
        """Send a form; its token is fetched from the page unless the test gives another, or None for none."""
        if token == "":
            token = self.token(path)
        pairs = list(fields.items() if isinstance(fields, dict) else fields)
        if token is not None:
            pairs.append(("csrf_token", token))
        return self._ask("POST", path, status, headers, pairs)

    def send(self, method: str, path: str, status: Any, **headers: str) -> Any:
        return self._ask(method, path, status, headers, None)

    def token(self, path: str = "/+login") -> str:
        """The token of a page's form, or of the login page where the page itself has none to show."""
        for asked in (path, "/+log", "/+login"):
            answer = self.get(asked, status="*")
            if found := re.search(r'name="csrf_token" value="([^"]+)"', answer.text):
                return found[1]
        raise AssertionError(f"no form has a token: {answer.status}")

    def login(self, user: str, password: str, status: Any = 303) -> Any:
        return self.post("/+login", {"user": user, "password": password}, status)

    def _ask(self, method: str, path: str, status: Any, headers: dict[str, str], pairs: Any) -> Any:
        self.index.reset()
        given = {"Accept": BROWSER, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.jar:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        environ = dict(self.environ)
        if pairs is None:
            answer = self.index.request(path, method=method, headers=given, environ=environ, status=status)
        else:
            answer = self.index.post(path, pairs, headers=given, extra_environ=environ, status=status)
        for cookie in answer.headers.getall("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            if "Max-Age=0" in cookie:
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
        self.index.reset()
        return answer
