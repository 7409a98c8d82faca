"""What tests of the commands about people share."""

from __future__ import annotations

import getpass
import io

import pytest


def say(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put a script at the standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def asked(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """Put a person at a terminal who gives these passwords, one after the other."""
    left = list(answers)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(getpass, "getpass", lambda prompt: left.pop(0))
