"""A process that is forked from one that has the database open uses it for nothing, for that would destroy it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mypi.backends.zodb import ZodbStore
from tests import stores

OPTIONS = {
    "zodb": lambda folder: {"path": str(folder / "store")},
    **{k: stores.STORES[k].options for k in ("zeo", "postgresql")},
}

CODE = """
import os, sys
from mypi.backends.zodb import ZodbStore
from mypi.store import Unavailable

store = ZodbStore(**eval(sys.argv[1]))
store.check()
tag = store.swap("document", b"1", None)
if not os.fork():
    for act in (lambda: store.read("document"), lambda: store.swap("document", b"2", tag), lambda: store.maintain(0)):
        try:
            act()
        except Unavailable as exc:
            print(exc.reason, flush=True)
    store.close()
    os._exit(0)
os.wait()
store.swap("document", b"3", tag)
store.close()
"""


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_fork_is_refused_and_harms_nothing(kind: str, tmp_path: Path) -> None:
    given = OPTIONS[kind](tmp_path)
    done = subprocess.run([sys.executable, "-c", CODE, repr(dict(given))], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert len(said) == 3
    assert all(line.startswith("the database was opened by another process, of which this is a fork") for line in said)
    store = ZodbStore(**given)
    assert store.read("document")[0] == b"3"
    store.close()
