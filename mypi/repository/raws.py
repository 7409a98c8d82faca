"""Documents of any kind as the JSON objects that they are, for what moves and seals them without knowing them."""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..store import Conflict, Full, NotFound, Sealed, Store, Tag, Unavailable
from .documents import ATTEMPTS
from .reading import Damaged, damage, stamped, unstamped


@dataclass(frozen=True)
class Raw:
    """A document as it is kept, whatever it is of."""

    content: Mapping[str, Any]

    @property
    def revision(self) -> str:
        return str(self.content.get("revision", ""))

    @property
    def sealed(self) -> str:
        """When it was sealed, "" if it takes edits."""
        return str(self.content.get("sealed", ""))

    @property
    def copied(self) -> str:
        """The revision under which a copy wrote it, "" if none did."""
        return str(self.content.get("copied", ""))

    @property
    def history(self) -> list[Any]:
        """Every change to it, oldest first; none for a document that keeps no history."""
        return list(self.content.get("history", ()))

    def continues(self, other: Raw) -> bool:
        """Tell whether all that was ever done to the other was done to this one, too."""
        return self.history[: len(other.history)] == other.history

    @property
    def blank(self) -> bool:
        """It is that of a project in which nothing was ever done, such as a sweep or a seal writes."""
        return self.content.get("history") == [] and self.content.get("files") == {}

    def replaced(self, **fields: Any) -> Raw:
        """Return the document with other fields; those that are "" are left out, as in all documents."""
        merged = {**self.content, **fields}
        return Raw({name: value for name, value in merged.items() if value != "" or name not in fields})

    def dump(self) -> bytes:
        return json.dumps(self.content, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes) -> Raw:
        """Read a document back. Raises ValueError or TypeError if it is no JSON object."""
        content = json.loads(data)
        if not isinstance(content, dict):
            raise TypeError("not an object")
        return cls(content)


class Raws:
    """All documents of a store; ``where`` says in messages which store it is, such as "at the target"."""

    def __init__(self, store: Store, where: str) -> None:
        self.store = store
        self.where = where

    def read(self, key: str) -> tuple[Raw | None, Tag | None]:
        """Return a document and its tag, None twice if there is none. Raises Damaged, Unavailable."""
        try:
            data, tag = self.store.read(key)
        except NotFound:
            return None, None
        return self.parse(key, lambda: Raw.load(unstamped(data))), tag

    def parse(self, key: str, load: Callable[[], Any]) -> Any:
        """Return what ``load`` does, which reads a part of a document. Raises Damaged, which says where."""
        try:
            with damage(key):
                return load()
        except Damaged as exc:
            raise Damaged(key, f"{exc.reason} ({self.where})") from exc

    def rewrite(self, key: str, change: Callable[[Raw | None], Raw | None]) -> Raw | None:
        """Replace a document by what ``change`` makes of it, sealed or not; return the one that is there afterwards.

        ``change`` may be called several times, each time with the present document; it returns None to leave that as it
        is, which it must do when its effect is there already. Raises what that raises, and as ``read`` and
        ``Store.swap`` do.
        """
        for attempt in range(ATTEMPTS):
            before, tag = self.read(key)
            after = change(before)
            if after is None:
                return before
            try:
                self.store.swap(key, stamped(after.dump()), tag)
            except (Full, Sealed):
                raise
            except (Conflict, Unavailable):
                # After the second it may be there: ``change`` sees.
                time.sleep(random.uniform(0, min(0.5, 0.002 * 2**attempt)))  # noqa: S311 - spreads writers
            else:
                return after
        raise Unavailable(key, f"{ATTEMPTS} attempts to write it failed ({self.where}); try again")


def fresh_revision() -> str:
    """Draw a revision that no document ever had."""
    return secrets.token_hex(8)
