"""What talks to the index: twine's settings, session and upload, with its errors as sentences."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any, cast

import requests
from setuptools.errors import BaseError, OptionError
from twine import exceptions, repository, settings
from twine.commands.upload import upload as twine_upload

from . import pypirc
from .answers import readable, sentence


class Settings(settings.Settings):
    """Twine's settings, that keep what the server answered."""

    def __init__(self, **arguments: Any) -> None:
        self.answers: list[requests.Response] = []
        super().__init__(**arguments)

    def create_repository(self) -> repository.Repository:
        """Create a repository whose answers are kept."""
        made = super().create_repository()
        made.session.hooks["response"].append(lambda response, **_: self.answers.append(response))
        return made


def connect(server: pypirc.Server, login: pypirc.Login, *, sign: bool = False, **options: Any) -> Settings:
    """Return settings for an index. Raises OptionError for an option that the installed twine does not have."""
    known = inspect.signature(settings.Settings).parameters
    asked = {"sign": sign, **options}
    for name, value in asked.items():
        if value and name not in known:
            raise OptionError(f"the twine that is installed knows no --{name.replace('_', '-')}")
    made = Settings(
        repository_url=server.url,
        username=login.username,
        password=login.password,
        cacert=os.environ.get("TWINE_CERT", server.ca_cert),
        client_cert=server.client_cert,
        non_interactive=not at_terminal(),
        # Else twine tells to try again with --verbose, which setup.py does not have.
        verbose=True,
        **{name: value for name, value in asked.items() if name in known},
    )
    # Setuptools shows what any library logs; the error at the end says what the retries of urllib3 say five times.
    for name, level in (("twine", logging.WARNING), ("keyring", logging.WARNING), ("urllib3", logging.ERROR)):
        logging.getLogger(name).setLevel(level)
    return made


def complete(server: pypirc.Server, login: pypirc.Login) -> pypirc.Login:
    """Return credentials with nothing missing: from the keyring, else asked for if somebody is there to answer.

    No user name at all is an answer, too, for an index where everybody may publish. Raises BaseError.
    """
    if login.username is None and not server.url.startswith(pypirc.PYPI):  # twine knows the user name there
        login = pypirc.Login(_username(server, login), login.password)
    if not login.username and login.username is not None:
        return pypirc.Login("", login.password or "")
    found = connect(server, login)
    try:
        return pypirc.Login(found.username, found.password)
    except exceptions.NonInteractive:
        whose = f"the password of {login.username}" if login.username else "the API token"
        raise BaseError(
            f"{whose} for {server.url} is not known, and nobody is at a terminal to ask: "
            f"write it into {pypirc.path()}, or set TWINE_PASSWORD"
        ) from None
    except (EOFError, KeyboardInterrupt):
        raise BaseError("no password was given; nothing was sent") from None


def _username(server: pypirc.Server, login: pypirc.Login) -> str:
    """Return the user name that the keyring has for an index, or that is typed in, or an empty one."""
    asking = Settings(repository_url=server.url, password=login.password, non_interactive=True)
    with contextlib.suppress(exceptions.NonInteractive):
        return asking.username or ""
    if not at_terminal():
        return ""
    try:
        return input(f"User name for {server.url} (empty for none): ").strip()
    except (EOFError, KeyboardInterrupt):
        raise BaseError("no user name was given; nothing was sent") from None


def at_terminal() -> bool:
    """Say whether somebody can be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and not os.environ.get("TWINE_NON_INTERACTIVE")


def publish(connection: Settings, files: Sequence[str]) -> None:
    """Upload files with twine, and its progress bar. Raises BaseError."""
    with _sentences(connection, "Upload"):
        twine_upload(connection, list(files))


def post(connection: Settings, fields: Sequence[tuple[str, str]]) -> requests.Response:
    """Send a form. Raises BaseError."""
    with _sentences(connection, "Registration"), contextlib.closing(connection.create_repository()) as made:
        form = [(name, (None, value)) for name, value in fields]
        response: requests.Response = made.session.post(made.url, files=form, allow_redirects=False)
        if response.is_redirect:
            raise BaseError(f"{made.url} sends to {response.headers['Location']}; name that address instead")
        response.raise_for_status()
        return response


def get(connection: Settings, action: str) -> str:
    """Ask for what the index tells everybody. Raises BaseError."""
    with _sentences(connection, "Question"), contextlib.closing(connection.create_repository()) as made:
        response = made.session.get(made.url, params={":action": action})
        response.raise_for_status()
        return readable(response.text)


@contextlib.contextmanager
def _sentences(connection: Settings, what: str) -> Iterator[None]:
    """Turn what twine and requests raise into what distutils raised, which ends setup.py with the message."""
    try:
        yield
    except requests.HTTPError as exc:
        response = cast(requests.Response, exc.response)  # twine and we raise none without
        hint = _hint(connection) if response.status_code in (401, 403) else ""
        said = sentence(response.reason or "", response.headers.get("Content-Type", ""), response.text)
        raise BaseError(f"{what} failed ({response.status_code}): {said}{hint}") from exc
    except requests.RequestException as exc:
        raise BaseError(f"{what} failed: {connection.repository_config['repository']}: {_root(exc)}") from exc
    except subprocess.CalledProcessError as exc:
        raise BaseError(f"{what} failed: {exc.cmd[0]} did not sign; exit code {exc.returncode}") from exc
    except UnicodeEncodeError as exc:
        if exc.encoding != "latin-1":
            raise
        raise BaseError(f"{what} failed: a user name or password can hold only letters of Latin-1") from None
    except exceptions.TwineException as exc:
        raise BaseError(f"{what} failed: {exc.args[0] if exc.args else type(exc).__name__}") from exc


def _hint(connection: Settings) -> str:
    if connection.username:
        return f"\nIt was sent as {connection.username}."
    return f"\nIt was sent without a user name; write one into {pypirc.path()}, or pass --username."


def _root(exc: BaseException) -> BaseException:
    """Return the error at the bottom, such as "Connection refused"; those above name objects in memory."""
    while exc.__context__ is not None:
        exc = exc.__context__
    return exc
