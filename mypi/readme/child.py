"""Renders one README under limits that end the process, and no other, when a README is built to hurt.

readme_renderer runs neither ``raw`` nor ``include`` nor ``csv-table`` with a file, and cleans what it makes.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from typing import IO

from .fitting import fit

ERRORS = "the text has errors"
"""What the process says last of a README that its author must mend."""

PROCESSOR = 5
"""Seconds of the processor."""

MEMORY = 512 * 2**20
"""Bytes of address space."""

LONGEST = 4 * 2**20
"""Characters of HTML; a page with more helps nobody."""


def main(
    source: IO[str] | None = None,
    target: IO[str] | None = None,
    setrlimit: Callable[[int, tuple[int, int]], None] | None = None,
) -> None:
    """Read what to render as JSON and write HTML; exit with a sentence if that cannot be done."""
    limit(setrlimit or resource.setrlimit)
    asked = json.load(source or sys.stdin)
    html = rendered(asked["renderer"], asked["variant"], asked["text"])
    if html is None:
        raise SystemExit(ERRORS)
    fitted = fit(html)
    if len(fitted) > LONGEST:
        raise SystemExit(f"the HTML is longer than {LONGEST} characters")
    (target or sys.stdout).write(fitted)


def limit(setrlimit: Callable[[int, tuple[int, int]], None]) -> None:
    """Bound what this process may use. It writes no file at all."""
    setrlimit(resource.RLIMIT_CPU, (PROCESSOR, PROCESSOR))
    setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    setrlimit(resource.RLIMIT_CORE, (0, 0))


def rendered(renderer: str, variant: str, text: str) -> str | None:
    """Return the HTML of a README, clean but not yet fit for the page; None if the text has errors."""
    # Imported only here, where the limits hold already.
    from readme_renderer import markdown, rst

    return rst.render(text) if renderer == "rst" else markdown.render(text, variant=variant)
