"""Processes that are killed at random moments lose nothing that they acknowledged and leave nothing torn."""

import hashlib
import io
import json
import multiprocessing
import os
import random
import time

from mypi.backends.filesystem import FilesystemStore
from mypi.store import Conflict, NotFound

ROUNDS = int(os.environ.get("MYPI_KILLS", "20"))
DOCUMENT = "indexes/main/victims.json"


def expected(key):
    """Bytes that follow from the key, so that a torn or exchanged file shows."""
    seed = hashlib.sha256(key.encode()).digest()
    return seed * (1 + seed[0] * 40)


def known(store):
    try:
        data, tag = store.read(DOCUMENT)
    except NotFound:
        return {}, None
    return json.loads(data), tag


def victim(path, name, pipe):
    """Add a file and count it in the shared document, for ever; report each when the store has answered."""
    store = FilesystemStore(path)
    number = 0
    while True:
        number += 1
        key = f"files/main/{name}/{number}/file"
        store.add_all({each: (io.BytesIO(expected(each)), len(expected(each))) for each in (key + ".metadata", key)})
        while True:
            counts, tag = known(store)
            try:
                store.swap(DOCUMENT, json.dumps({**counts, name: number}).encode(), tag)
                break
            except Conflict:
                continue
        os.write(pipe.fileno(), number.to_bytes(4, "big"))


def acknowledged(pipe):
    data = b""
    while part := os.read(pipe.fileno(), 65536):
        data += part
    # A report is four bytes in one write to a pipe, so it arrives whole or not at all.
    return len(data) // 4


def test_killed_processes_lose_nothing_and_tear_nothing(tmp_path):
    path = str(tmp_path / "store")
    store = FilesystemStore(path)
    store.check()
    spawn = multiprocessing.get_context("spawn")
    promised = {}
    for turn in range(ROUNDS):
        running = {}
        for name in (f"a{turn}", f"b{turn}"):
            ours, theirs = spawn.Pipe(duplex=False)
            process = spawn.Process(target=victim, args=(path, name, theirs))
            process.start()
            theirs.close()
            running[name] = process, ours
        for _, ours in running.values():
            assert ours.poll(60)
        for name, (process, ours) in running.items():
            time.sleep(random.uniform(0, 0.05))
            process.kill()
            process.join()
            promised[name] = acknowledged(ours)
            ours.close()
    assert sum(promised.values()) > ROUNDS
    counts, _ = known(FilesystemStore(path))
    for name, number in promised.items():
        assert counts[name] in (number, number + 1)
        for each in range(1, number + 1):
            for key in (f"files/main/{name}/{each}/file", f"files/main/{name}/{each}/file.metadata"):
                assert store.read(key)[0] == expected(key)
    for entry in store.list("files/"):
        assert store.read(entry.key)[0] == expected(entry.key)
    store.maintain(2**40)
    assert not list((tmp_path / "store" / ".spool").iterdir())
