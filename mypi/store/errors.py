"""What can go wrong with a store; ``mypi.store`` has them all."""

from __future__ import annotations


class StoreError(Exception):
    """A store could not do what was asked of ``key``; the cause is chained."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(key, reason)
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}"


class NotFound(StoreError, KeyError):
    """Nothing is stored under the key. Also a KeyError, so that traversal answers 404."""

    def __init__(self, key: str, reason: str = "not found") -> None:
        super().__init__(key, reason)


class Unchanged(StoreError):
    """The object still has the tag that the caller knows."""

    def __init__(self, key: str) -> None:
        super().__init__(key, "unchanged")


class Conflict(StoreError):
    """The document is not the version that was expected; nothing was written."""

    def __init__(self, key: str) -> None:
        super().__init__(key, "changed by somebody else")


class Truncated(StoreError):
    """The bytes ended before their size was reached, or went on after it."""


class Unavailable(StoreError):
    """The store cannot answer now. After a swap this means "perhaps": the document may have been replaced."""


class Full(Unavailable):
    """There is no room left; nothing was written. Reads go on."""


class Sealed(Unavailable):
    """The store takes no more writes until its cause is mended and mypi restarted; nothing more was promised."""


class InvalidKey(StoreError, ValueError):
    """The key or prefix is malformed: a mistake of the caller, found before any backend sees it."""

    def __init__(self, key: str) -> None:
        super().__init__(key[:200], "not a key of a store")
