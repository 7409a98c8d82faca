"""Long lists in pages: which part of a list is shown, and the way to the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from pyramid.request import Request

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list: its ``items``, the ``number`` of the page from 1, how many ``pages``, ``total`` items."""

    items: Sequence[T]
    number: int
    pages: int
    total: int
    start: int
    name: str
    query: tuple[tuple[str, str], ...]
    anchor: str

    @property
    def first(self) -> int:
        """The place of the first item that is shown, counted from 1; 0 where there is none."""
        return self.start + 1 if self.items else 0

    @property
    def last(self) -> int:
        """The place of the last item that is shown."""
        return self.start + len(self.items)

    def link(self, number: int) -> str:
        """Return the relative link to another page; what else the query asks for stays."""
        query = [*self.query, *([(self.name, str(number))] if number > 1 else [])]
        return f"?{urlencode(query)}" + (f"#{self.anchor}" if self.anchor else "")


def page(request: Request, items: Sequence[T], size: int, *, name: str = "page", anchor: str = "") -> Page[T]:
    """Return the page of a list that the query's ``name`` asks for; what is no page of it leads to the nearest."""
    pages = max(1, -(-len(items) // size))
    asked = request.GET.get(name, "")
    number = min(max(int(asked), 1), pages) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 1
    start = (number - 1) * size
    query = tuple((key, value) for key, value in request.GET.items() if key != name)
    return Page(items[start : start + size], number, pages, len(items), start, name, query, anchor)


def matching(request: Request, name: str) -> str:
    """Return what a list is to be narrowed to, as the field ``name`` of the query has it; "" for the whole."""
    return str(request.GET.get(name, "")).strip()[:200]
