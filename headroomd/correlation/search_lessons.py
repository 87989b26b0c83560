"""Searches that were too narrow: the same pattern, found in a wider folder."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct, field, structs

from headroomd.correlation.operations import Search
from headroomd.correlation.places import is_generated
from headroomd.correlation.steps import Failure, Step, cleaned, evidence, failure
from headroomd.model import Evidence, Lesson, Section
from headroomd.redact import holds_secret

__all__ = ["SearchLessons"]

_WINDOW: Final = 20  # calls
_OPEN: Final = 8
_NOTE: Final = 60  # characters of a pattern
_NEEDS: Final = 2  # one miss says nothing about where things lie
_FILE: Final = re.compile(r"[^.].*\.\w{1,6}")


class _Empty(Struct):
    search: Search
    failed: Failure
    until: int


class SearchLessons(Struct):
    """The searches of one stream that found nothing so far."""

    open: list[_Empty] = field(default_factory=list)

    def empty(self, step: Step) -> None:
        """A search in a folder found nothing: look out for a wider one."""
        search = step.meaning.search
        if search is None or search.scope == "." or is_generated(search.scope):
            return
        if _FILE.fullmatch(posixpath.basename(search.scope)):
            return  # a file is no scope
        if any(_same(search, earlier.search) and search.scope == earlier.search.scope for earlier in self.open):
            return
        self.open.append(_Empty(search, failure(step, f"search {search.scope}"), step.at + _WINDOW))
        del self.open[:-_OPEN]

    def found(self, step: Step) -> Iterator[Evidence]:
        """Evidence for the searches that this one shows to have been too narrow."""
        search = step.meaning.search
        self.open = [empty for empty in self.open if empty.until >= step.at]
        if search is None:
            return
        for empty in tuple(self.open):
            if not _same(search, empty.search) or not _holds(search.scope, empty.search.scope):
                continue
            self.open.remove(empty)
            if search.scope != empty.search.scope and not holds_secret(empty.search.pattern):
                lesson = Lesson(Section.SCOPE, empty.search.scope, search.scope)
                pattern = _bare(search.pattern)
                note = pattern if len(pattern) <= _NOTE else ""
                yield evidence(lesson, empty.failed, step.call, needs=_NEEDS, note=note)

    def seal(self, at: int) -> None:
        """Forgets what is over, and redacts the rest."""
        kept = (
            empty
            for empty in self.open
            if empty.until >= at and not holds_secret(f"{empty.search.pattern}\n{empty.search.scope}")
        )
        self.open = [structs.replace(empty, failed=cleaned(empty.failed)) for empty in kept]


def _same(one: Search, other: Search) -> bool:
    return one.filters == other.filters and _bare(one.pattern) == _bare(other.pattern)


def _bare(pattern: str) -> str:
    """A pattern without quotes and without the glob that means "in any folder"."""
    return pattern.strip().strip("'\"").removeprefix("./").removeprefix("**/")


def _holds(wide: str, narrow: str) -> bool:
    return wide == "." or wide == narrow or narrow.startswith(f"{wide}/")
