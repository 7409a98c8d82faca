"""The command `upload`: publishes what the same run of setup.py built."""

from __future__ import annotations

from typing import Any, ClassVar

from setuptools.errors import OptionError

from .index import IndexCommand


class upload(IndexCommand):  # noqa: N801 - the name is the command's
    """Upload the files that commands before it built: `setup.py sdist bdist_wheel upload -r local`."""

    description = "upload the files that this run built to a package index"
    user_options: ClassVar[Any] = [
        *IndexCommand.user_options,
        ("sign", "s", "sign files to upload using gpg"),
        ("identity=", "i", "GPG identity used to sign files"),
        ("skip-existing", None, "go on when a file is there already (twine does so for PyPI only)"),
    ]
    boolean_options: ClassVar[Any] = [*IndexCommand.boolean_options, "sign", "skip-existing"]

    def initialize_options(self) -> None:
        """Set what no option says."""
        super().initialize_options()
        self.sign = False
        self.identity: str | None = None
        self.skip_existing = False

    def finalize_options(self) -> None:
        """Check the options."""
        super().finalize_options()
        if self.identity and not self.sign:
            raise OptionError("Must use --sign for --identity to have meaning")

    def run(self) -> None:
        """Upload all files of this run, through twine."""
        files = [filename for _, _, filename in self.distribution.dist_files]
        if not files:
            raise OptionError("Must create and upload files in one command (e.g. setup.py sdist upload)")
        if self.pretending:
            self.say(f"Would upload {', '.join(files)} to {self.server.url}")
            return
        from . import transport

        connection = self.connect(
            sign=bool(self.sign),
            identity=self.identity,
            skip_existing=bool(self.skip_existing),
            disable_progress_bar=not self.distribution.verbose,
        )
        try:
            transport.publish(connection, files)
        finally:
            self.show(connection)
