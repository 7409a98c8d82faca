"""For whom a file is, in words: which Python and which system the tags of a wheel's name mean."""

from __future__ import annotations

import re
from functools import lru_cache

_KINDS = {"py": "Python", "cp": "CPython", "pp": "PyPy", "graalpy": "GraalPy"}
_PYTHON = re.compile(r"(py|cp|pp|graalpy)([0-9])([0-9]*)\Z")
_SYSTEMS = (
    (re.compile(r"manylinux(?:1|20[0-9]{2}|(?:_[0-9]+){2})_(.+)\Z"), "Linux {}"),
    (re.compile(r"musllinux(?:_[0-9]+){2}_(.+)\Z"), "Linux (musl) {}"),
    (re.compile(r"linux_(.+)\Z"), "Linux {}"),
    (re.compile(r"macosx(?:_[0-9]+){2}_(.+)\Z"), "macOS {}"),
    (re.compile(r"win_(.+)\Z"), "Windows {}"),
    (re.compile(r"win(32)\Z"), "Windows x86"),
)


def tag(filename: str) -> str:
    """Return the compatibility tag of a wheel as its name has it, "" for an sdist.

    >>> tag("acme-1.0-1-py3-none-any.whl")
    'py3-none-any'
    """
    return "-".join(filename.removesuffix(".whl").split("-")[-3:]) if filename.endswith(".whl") else ""


@lru_cache(10_000)
def fits(filename: str) -> tuple[str, str]:
    """Return for which Python and which system a file is.

    >>> fits("acme-1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl")
    ('CPython 3.12', 'Linux x86_64')
    >>> fits("acme-1.0-py2.py3-none-any.whl"), fits("acme-1.0-cp38-abi3-win32.whl"), fits("acme-1.0.tar.gz")
    (('Python 2, Python 3', ''), ('CPython 3.8 and newer', 'Windows x86'), ('Source', ''))
    """
    if not filename.endswith(".whl"):
        return "Source", ""
    python, abi, platform = tag(filename).split("-")
    who = ", ".join(map(_python, python.split("."))) + (" and newer" if abi == "abi3" else "")
    if re.fullmatch(r"cp[0-9]+t", abi):
        who += " without the GIL"
    systems = dict.fromkeys(_system(each) for each in platform.split(".") if each != "any")
    return who, ", ".join(systems)


def _python(text: str) -> str:
    found = _PYTHON.match(text)
    return f"{_KINDS[found[1]]} {found[2]}{'.' if found[3] else ''}{found[3]}" if found else text


def _system(text: str) -> str:
    return next((words.format(found[1]) for pattern, words in _SYSTEMS if (found := pattern.match(text))), text)
