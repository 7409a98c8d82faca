"""Shorthands for tests of the filesystem store, and a way to make one call of the operating system fail."""

import io
import os

FILE = "files/main/acme/0123456789abcdef/acme-1.0.tar.gz"
DOCUMENT = "indexes/main/acme.json"


def add(store, key=FILE, data=b"bytes"):
    store.add(key, io.BytesIO(data), len(data))


def spools(root):
    return list((root / ".spool").iterdir())


def failing(code, times=1, passing=0, real=None):
    """Return a function that raises an OSError ``times`` times after ``passing`` good calls."""
    left = [passing, times]

    def call(*args, **kwargs):
        if left[0]:
            left[0] -= 1
        elif left[1]:
            left[1] -= 1
            raise OSError(code, os.strerror(code))
        return real(*args, **kwargs)

    return call


def break_call(monkeypatch, name, code, times=1, passing=0):
    monkeypatch.setattr(os, name, failing(code, times, passing, getattr(os, name)))
