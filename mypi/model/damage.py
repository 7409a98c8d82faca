"""The mark of a file that is damaged, and the taking off of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .parts import File


def marked(file: File, found: Mapping[str, tuple[str, str]]) -> File:
    """Return the file with what was found wrong: by ending, the folder that was looked into, and the finding.

    >>> file = File("a-1.0.zip", "1.0", "0" * 16, 1, "", "")
    >>> marked(file, {"": ("0" * 16, "is missing")}).damage
    {'': 'is missing'}
    >>> marked(file, {"": ("1" * 16, "is missing")}).damage
    """
    if file.purged:
        return file
    wrong = {ending: problem for ending, (token, problem) in found.items() if file.place(ending) == token}
    return replace(file, damage={**(file.damage or {}), **wrong} or None)


def mended(file: File, places: Mapping[str, str]) -> File:
    """Return the file without the marks of what is right again, each in the folder that has the token.

    What is not marked any more was put back by somebody else.
    """
    if file.purged:
        return file
    damage = dict(file.damage or {})
    moved = dict(file.moved or {})
    for ending, token in places.items():
        if damage.pop(ending, None) is not None:
            moved[ending] = token
            if token == file.token:
                del moved[ending]
    return replace(file, damage=damage or None, moved=moved or None)
