"""Long lists, shown in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from pyramid.request import Request

SIZE = 100

T = TypeVar("T")


@dataclass(frozen=True)
class Page:
    """One part of a list: its number from 1, how many entries there are in all, and the query that it was asked by."""

    number: int
    total: int
    size: int
    query: tuple[tuple[str, str], ...] = ()

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        return (self.number - 1) * self.size + 1

    @property
    def last(self) -> int:
        return min(self.number * self.size, self.total)

    def link(self, number: int) -> str:
        """Return the link to another part, asked for in the same way."""
        return "?" + urlencode([*self.query, ("page", str(number))])


def paged(request: Request, entries: Sequence[T], size: int = SIZE) -> tuple[Page, Sequence[T]]:
    """Return the part of a list that the query asks for; the nearest, where there is none of that number."""
    asked = request.GET.get("page", "1")
    query = tuple((name, value) for name, value in request.GET.items() if name not in ("page", "done"))
    page = Page(1, len(entries), size, query)
    number = min(int(asked), page.pages) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 1
    page = Page(max(1, number), len(entries), size, query)
    return page, entries[page.first - 1 : page.last]
