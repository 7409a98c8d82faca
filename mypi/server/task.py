"""The making of one answer, as waitress makes it, but for one thing."""

from __future__ import annotations

from typing import Any

from waitress.task import WSGITask


class Task(WSGITask):  # type: ignore[misc]  # waitress has no types
    """An answer of the application.

    waitress ends the connection after every answer without a length, also after a 304, which has no body and so no
    length to tell. Installers ask for pages that they have already again and again: each would connect anew.
    """

    has_body: bool
    request: Any
    version: str

    def set_close_on_finish(self) -> None:
        """End the connection with this answer, unless HTTP/1.1 says where it ends (RFC 9112 6.3) and nobody asks to."""
        stays = self.request.headers.get("CONNECTION", "").lower() != "close"
        if self.has_body or self.version != "1.1" or not stays:
            super().set_close_on_finish()
