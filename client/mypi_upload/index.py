"""What `upload` and `register` share: their options, and who is who at which index."""

from __future__ import annotations

import os
from distutils import log
from typing import TYPE_CHECKING, Any, ClassVar

from setuptools import Command
from setuptools.errors import OptionError

from . import pypirc
from .answers import readable

if TYPE_CHECKING:
    from .transport import Settings

_RULE = "-" * 75


class IndexCommand(Command):
    """A command that sends something to an index; `transport`, and so twine, is imported only when it does."""

    user_options: ClassVar[Any] = [
        (
            "repository=",
            "r",
            f"section of ~/.pypirc or address of the index [default: pypi, {pypirc.PYPI}]",
        ),
        ("username=", "u", "user name [default: TWINE_USERNAME, else that of ~/.pypirc]"),
        ("password=", "p", "password [default: TWINE_PASSWORD, else that of ~/.pypirc, the keyring, or asked for]"),
        ("show-response", None, "display full response text from server"),
    ]
    boolean_options: ClassVar[Any] = ["show-response"]

    def initialize_options(self) -> None:
        """Set what no option says."""
        self.repository: str | None = None
        self.realm: str | None = None
        self.username: str | None = None
        self.password: str | None = None
        self.show_response = False

    def finalize_options(self) -> None:
        """Find the index that is meant."""
        try:
            self.server = pypirc.find(self.repository)
        except pypirc.PypircError as exc:
            raise OptionError(str(exc)) from exc
        self.realm = self.realm or self.server.realm

    def say(self, message: str) -> None:
        """Print a message, unless setup.py is to be quiet."""
        self.announce(message, log.INFO)

    def connect(self, *, anonymous: bool = False, **options: Any) -> Settings:
        """Return twine's settings for the index, with credentials; nobody is asked twice in one run of setup.py."""
        from . import transport

        login = pypirc.login(self.server, self.username, self.password, os.environ)
        if anonymous and (login.username is None or login.password is None):
            return transport.connect(self.server, pypirc.Login("", ""), **options)
        if self.server.section:
            self.say(f"Using the section {self.server.section} of {pypirc.path()}")
        # The commands of one run share nothing but the distribution.
        asked: dict[Any, pypirc.Login] = getattr(self.distribution, "mypi_upload_logins", {})
        self.distribution.mypi_upload_logins = asked
        key = (self.server, login)
        if key not in asked:
            asked[key] = transport.complete(self.server, login)
        return transport.connect(self.server, asked[key], **options)

    def show(self, connection: Settings) -> None:
        """Say what the server answered to each request."""
        for response in connection.answers:
            if response.ok:
                self.say(f"Server response ({response.status_code}): {readable(response.reason)}")
            if self.show_response:
                self.say(f"{_RULE}\n{readable(response.text)}\n{_RULE}")
        connection.answers.clear()

    @property
    def pretending(self) -> bool:
        """Whether setup.py was told `--dry-run`, which newer setuptools do not know."""
        return bool(getattr(self, "dry_run", False))
