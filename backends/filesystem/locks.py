"""The lock of a document, which remembers what of it may not be durable yet."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from .files import ABSENT


class Lock:
    """A held lock. Its file names the document that was replaced but may not be durable yet, and is empty otherwise.

    The mark itself needs no sync: after ``kill -9`` the kernel still has it, and after a power loss whatever is found
    on the disk is durable.
    """

    def __init__(self, fd: int, sync: Callable[[str], None]) -> None:
        self._fd = fd
        self._sync = sync

    def doubt(self, key: str) -> None:
        os.pwrite(self._fd, key.encode(), 0)

    def clear(self) -> None:
        os.ftruncate(self._fd, 0)

    def settle(self) -> None:
        """Sync what the last holder of the lock, killed in the middle of a swap, left in doubt."""
        mark = os.pread(self._fd, 4096, 0)
        if mark:
            # A power loss may leave anything in the file, which is then no key; or its folder is gone by now.
            try:
                self._sync(mark.decode())
            except ValueError:
                pass
            except OSError as exc:
                if exc.errno not in ABSENT | {errno.ENAMETOOLONG}:
                    raise
            self.clear()
