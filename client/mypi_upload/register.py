"""The command `register`: tells an index of a release before there are files of it."""

from __future__ import annotations

from typing import Any, ClassVar

from .form import fields
from .index import IndexCommand


class register(IndexCommand):  # noqa: N801 - the name is the command's
    """Send the metadata to an index, which checks and keeps them; no upload needs that."""

    description = "register the distribution with a package index"
    user_options: ClassVar[Any] = [
        *IndexCommand.user_options,
        ("list-classifiers", None, "list the valid Trove classifiers"),
        ("strict", None, "stop the registering if the metadata are not fully compliant"),
        ("verify", None, "let the server check the metadata, and register nothing"),
    ]
    boolean_options: ClassVar[Any] = [*IndexCommand.boolean_options, "list-classifiers", "strict", "verify"]
    sub_commands: ClassVar[Any] = [("check", lambda self: not self.list_classifiers)]

    def initialize_options(self) -> None:
        """Set what no option says."""
        super().initialize_options()
        self.list_classifiers = False
        self.strict = False
        self.verify = False

    def finalize_options(self) -> None:
        """Check the options, and pass them on to `check`."""
        super().finalize_options()
        kind = getattr(self.distribution.metadata, "long_description_content_type", None) or "text/x-rst"
        self.distribution.command_options["check"] = {
            "strict": ("register", bool(self.strict)),
            "restructuredtext": ("register", kind.startswith("text/x-rst")),
        }

    def run(self) -> None:
        """Check the metadata here, then send them."""
        for name in self.get_sub_commands():
            self.run_command(name)
        from . import transport

        if self.list_classifiers:
            self.say(transport.get(self.connect(anonymous=True), "list_classifiers"))
            return
        connection = self.connect()
        metadata = self.distribution.metadata
        self.say(f"Registering {metadata.get_name()} to {self.server.url}")
        action = "verify" if self.verify or self.pretending else "submit"
        try:
            transport.post(connection, [(":action", action), ("protocol_version", "1"), *fields(metadata)])
        finally:
            self.show(connection)
