"""One option of the configuration: its name, its converter, its default, one sentence.

Code, error messages and the reference page all read the same table of these, so that none can disagree.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_USER = re.compile(r"//(?:[^/]*|\S*)@")
"""Whom an address names, perhaps with a password."""


class SettingError(ValueError):
    """A setting is unknown, missing or wrong; the message names it and says how to mend it."""


@dataclass(frozen=True)
class Option:
    """An option that the operator may set.

    ``default`` is written as in the ``.ini`` file; None says that a value is required.

    >>> Option("size", size, "64 KiB", "How much.").read("mypi.size", None)
    65536
    >>> Option("size", size, "64 KiB", "How much.").read("mypi.size", "many")
    Traceback (most recent call last):
    ...
    mypi.options.SettingError: mypi.size = many: not a size; write a number and a unit, such as 500 MiB
    """

    name: str
    convert: Callable[[str], Any]
    default: str | None
    sentence: str
    secret: bool = False

    def read(self, key: str, given: str | None) -> Any:
        """Return the converted value of the setting ``key``; SettingError if it is missing or wrong."""
        text = self.default if given is None else given.strip()
        if text is None:
            raise SettingError(f"{key} is missing: {self.sentence} Set it in the .ini file or as {variable(key)}")
        try:
            return self.convert(text)
        except ValueError as exc:
            shown = "(hidden)" if self.secret else _USER.sub("//(hidden)@", text)
            raise SettingError(f"{key} = {shown}: {exc}") from exc


def variable(key: str) -> str:
    """Name the environment variable that overrides a setting.

    >>> variable("mypi.storage.path")
    'MYPI_STORAGE_PATH'
    """
    return key.replace(".", "_").replace("-", "_").upper()


def read(table: Iterable[Option], prefix: str, given: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, Any]:
    """Convert every option of ``table``; keys are ``prefix`` + name; the environment wins over the file.

    Raises SettingError for a value that is missing or wrong.
    """
    values = {}
    for option in table:
        key = prefix + option.name
        values[option.name] = option.read(key, environ.get(variable(key), given.get(key)))
    return values


def refuse_unknown(known: Iterable[str], given: Iterable[str]) -> None:
    """Raise SettingError for the first key that nobody reads, naming the nearest one that exists."""
    names = sorted(known)
    for key in given:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1, cutoff=0.0)
            raise SettingError(f"{key} is not a setting of mypi; did you mean {near[0]}?")


def text(value: str) -> str:
    """Take the value as it stands."""
    return value


def path(value: str) -> str:
    """Take a path of the local file system; ``~`` is the home folder.

    >>> path("")
    Traceback (most recent call last):
    ...
    ValueError: not a path; write the name of a file or folder
    """
    if not value:
        raise ValueError("not a path; write the name of a file or folder")
    return str(Path(value).expanduser().absolute())


def optional_path(value: str) -> str | None:
    """Take a path, or nothing.

    >>> optional_path("") is None
    True
    """
    return path(value) if value else None


def optional_url(value: str) -> str | None:
    """Take the address of a site, without the slash at its end, or nothing.

    >>> optional_url("https://pypi.example.com/")
    'https://pypi.example.com'
    """
    if value and not re.match(r"https?://[^/\s]+", value):
        raise ValueError("not an address; write it whole, such as https://pypi.example.com")
    return value.rstrip("/") or None


def words(value: str) -> tuple[str, ...]:
    """Split a list on white space and commas.

    >>> words("users, user:alice")
    ('users', 'user:alice')
    """
    return tuple(word for word in re.split(r"[\s,]+", value) if word)


def boolean(value: str) -> bool:
    """Read a truth value as ConfigParser does.

    >>> boolean("yes"), boolean("off")
    (True, False)
    """
    known = {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}
    if value.lower() not in known:
        raise ValueError("neither true nor false; write true or false")
    return known[value.lower()]


def number(value: str) -> int:
    """Read a whole number that is not negative.

    >>> number("30")
    30
    """
    if not re.fullmatch(r"[0-9]{1,12}", value):
        raise ValueError("not a whole number; write digits only, such as 30")
    return int(value)


def positive(value: str) -> int:
    """Read a whole number of at least one.

    >>> positive("0")
    Traceback (most recent call last):
    ...
    ValueError: too small; write 1 or more
    """
    found = number(value)
    if not found:
        raise ValueError("too small; write 1 or more")
    return found


def one_of(value: str, *words: str) -> str:
    """Take one of a few words. For the converters of options that have such.

    >>> one_of("maybe", "never", "always")
    Traceback (most recent call last):
    ...
    ValueError: not known here; write never or always
    """
    if value not in words:
        raise ValueError(f"not known here; write {', '.join(words[:-1])} or {words[-1]}")
    return value


_UNITS = {"": 1, "B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def size(value: str) -> int:
    """Read a number of bytes.

    >>> size("1 GiB"), size("250MB")
    (1073741824, 250000000)
    """
    found = re.fullmatch(r"([0-9]{1,15})\s*([A-Za-z]*)", value)
    if not found or found[2].upper() not in _UNITS:
        raise ValueError("not a size; write a number and a unit, such as 500 MiB")
    return int(found[1]) * _UNITS[found[2].upper()]


def optional_size(value: str) -> int | None:
    """Read a number of bytes, or nothing.

    >>> optional_size("") is None, optional_size("1 MiB")
    (True, 1048576)
    """
    return size(value) if value else None


def web_server(value: str) -> str:
    """Take the name of a web server that can be told which file to send, or nothing.

    >>> web_server("nginx")
    'nginx'
    """
    if value not in ("", "nginx"):
        raise ValueError("not known here; write nginx or leave it empty")
    return value
