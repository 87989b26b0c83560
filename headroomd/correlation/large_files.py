"""Files that cannot be read in one go: the whole was refused or cut, and a part worked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct, field, structs

from headroomd.correlation.operations import Using
from headroomd.correlation.places import is_generated
from headroomd.correlation.steps import Failure, Step, cleaned, evidence, failure
from headroomd.model import Evidence, Lesson, Section
from headroomd.redact import holds_secret

__all__ = ["LargeFiles"]

_WINDOW: Final = 20  # calls
_OPEN: Final = 8


class _Cut(Struct):
    path: str
    failed: Failure
    until: int


class LargeFiles(Struct):
    """The files that one stream could not read whole and has not read in parts yet."""

    open: list[_Cut] = field(default_factory=list)

    def cut(self, step: Step) -> None:
        """A read of one whole file was refused or cut: it may turn out to be too large."""
        whole = {use.path for use in step.meaning.uses if use.how is Using.READ}
        if len(whole) != 1 or len(step.meaning.uses) != 1:
            return
        path = whole.pop()
        if is_generated(path) or any(earlier.path == path for earlier in self.open):
            return
        self.open.append(_Cut(path, failure(step, f"read {path}"), step.at + _WINDOW))
        del self.open[:-_OPEN]

    def passed(self, step: Step) -> Iterator[Evidence]:
        """Evidence for the files of which a part has now been read."""
        self.open = [cut for cut in self.open if cut.until >= step.at]
        for cut in tuple(self.open):
            hows = {use.how for use in step.meaning.uses if use.path == cut.path}
            if not hows:
                continue
            if Using.PART in hows or Using.SCOPE in hows:
                yield evidence(Lesson(Section.LARGE_FILES, cut.path), cut.failed, step.call, needs=1)
            if hows & {Using.PART, Using.SCOPE, Using.READ, Using.WRITE}:
                self.open.remove(cut)

    def seal(self, at: int) -> None:
        """Forgets what is over, and redacts the rest."""
        kept = (cut for cut in self.open if cut.until >= at and not holds_secret(cut.path))
        self.open = [structs.replace(cut, failed=cleaned(cut.failed)) for cut in kept]
