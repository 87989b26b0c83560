"""Wrong path, right path: the same name found in another place."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final

from msgspec import Struct, field

from headroomd.correlation.operations import Use, Using
from headroomd.correlation.places import extension_kind, is_generated, is_generic, shared_parts, stem
from headroomd.correlation.steps import Failure, Step, evidence, failure
from headroomd.model import Evidence, FailureKind, Lesson, Section

__all__ = ["PathLessons", "SeenPaths"]

_WINDOW: Final = 30  # calls
_OPEN: Final = 16
_REMEMBERED: Final = 300  # paths of a session

_MISSING: Final = frozenset({FailureKind.FILE_NOT_FOUND, FailureKind.COMMAND_NOT_FOUND})  # `./script.sh` is exit 127
_ASKING: Final = frozenset({Using.READ, Using.PART, Using.EDIT, Using.SCOPE, Using.FOLDER, Using.OPERAND})
_EXISTS: Final = frozenset({Using.READ, Using.PART, Using.EDIT, Using.SCOPE, Using.FOLDER})
_OF_FILES: Final = frozenset({Using.READ, Using.PART, Using.EDIT})
_SHOWING: Final[dict[Using, frozenset[Using]]] = {  # what proves where a path of each use really is
    Using.READ: _OF_FILES,
    Using.PART: _OF_FILES,
    Using.EDIT: _OF_FILES,
    Using.SCOPE: frozenset({Using.SCOPE, Using.FOLDER, Using.READ, Using.PART}),
    Using.FOLDER: frozenset({Using.SCOPE, Using.FOLDER}),
    Using.OPERAND: _OF_FILES | {Using.OPERAND},
}


class SeenPaths(Struct):
    """What a session, its subagents included, has seen of the project's files."""

    there: dict[str, None] = field(default_factory=dict)  # was used and existed
    written: dict[str, None] = field(default_factory=dict)  # was written, moved or removed by the session itself
    taught: dict[str, list[str]] = field(default_factory=dict)  # wrong path -> ids of evidence that calls it wrong

    def note(self, step: Step) -> list[str]:
        """Takes in a call that worked; returns the ids of evidence that it refutes: the wrong path is there now."""
        refuted: list[str] = []
        for use in step.meaning.uses:
            if use.how is Using.WRITE:
                _remember(self.written, use.path)
            elif use.sure and use.how in _EXISTS:
                _remember(self.there, use.path)
            else:
                continue
            if use.path in self.taught:
                refuted += self.taught.pop(use.path)
        return refuted

    def knows(self, path: str) -> bool:
        """Whether the path was there before, or the session has had its hand in it: gone by its own work."""
        return path in self.there or self.made(path)

    def made(self, path: str) -> bool:
        """Whether the session itself wrote, moved or removed the path or a folder that holds it."""
        return bool(self.written) and any(path == made or path.startswith(f"{made}/") for made in self.written)

    def is_distinct(self, path: str) -> bool:
        """Whether no other path seen has the same name."""
        name = posixpath.basename(path)
        return not any(other != path and posixpath.basename(other) == name for other in self.there)


def _remember(paths: dict[str, None], path: str) -> None:
    paths.pop(path, None)
    paths[path] = None
    if len(paths) > _REMEMBERED:
        del paths[next(iter(paths))]


class _Missed(Struct):
    wrong: Use
    failed: Failure
    until: int
    wasted: int


class PathLessons(Struct):
    """The paths that one stream asked for in vain and has not found yet."""

    open: list[_Missed] = field(default_factory=list)

    def failed(self, step: Step, seen: SeenPaths) -> None:
        if step.cause is None or step.cause.kind not in _MISSING:
            return
        wrong = _missed(step.meaning.uses, step.call.output)
        if wrong is None or seen.knows(wrong.path):
            return
        for missed in self.open:
            if missed.wrong.path == wrong.path:
                missed.until, missed.wasted = step.at + _WINDOW, missed.wasted + step.call.size
                return
        opportunity = next((key for key in step.meaning.keys if key.endswith(wrong.path)), f"read {wrong.path}")
        self.open.append(_Missed(wrong, failure(step, opportunity), step.at + _WINDOW, step.call.size))
        del self.open[:-_OPEN]

    def passed(self, step: Step, seen: SeenPaths) -> Iterator[Evidence]:
        used = {use.path for use in step.meaning.uses if use.how is Using.WRITE or (use.sure and use.how in _EXISTS)}
        self.open = [missed for missed in self.open if missed.until >= step.at and missed.wrong.path not in used]
        for missed in tuple(self.open):
            for use in step.meaning.uses:
                if seen.made(use.path) or not (use.sure or use.how in _OF_FILES):
                    continue
                if taught := _correct(missed.wrong, use, seen.is_distinct(use.path)):
                    lesson, needs = taught
                    found = evidence(lesson, missed.failed, step.call, needs=needs, wasted=missed.wasted)
                    seen.taught.setdefault(missed.wrong.path, []).append(found.id)
                    self.open.remove(missed)
                    yield found
                    break


def _missed(uses: tuple[Use, ...], output: str) -> Use | None:
    """The one use of a failed call whose path was not there; None where that cannot be told."""
    asking = [use for use in uses if use.how in _ASKING and not is_generated(use.path)]
    if len(asking) == len(uses) == 1 and asking[0].how is not Using.OPERAND:  # nothing else can be meant
        return asking[0]
    named = {use.path: use for use in asking if _names(output, use.written)}
    return next(iter(named.values())) if len(named) == 1 else None


def _names(output: str, written: str) -> bool:
    """Whether the output names this very path."""
    at = output.find(written)
    while at >= 0:
        end = at + len(written)
        before, after = output[max(at - 1, 0) : at], output[end : end + 1]
        if not (before.isalnum() or before in ("_", "-") or after.isalnum() or after in ("_", "-", "/")):
            return True
        at = output.find(written, at + 1)
    return False


def _correct(wrong: Use, use: Use, distinct: bool) -> tuple[Lesson, int] | None:
    """What follows from `wrong` having been missed and `use` being there, and how many sessions must show it.

    One session is enough where the shared name identifies the file; two where it recurs in every tree (`index.ts`,
    `config.yaml`) or where another file type was meant.
    """
    right = use.path
    if use.how not in _SHOWING[wrong.how] or right == wrong.path or is_generated(right):
        return None
    if posixpath.normpath(wrong.written) == right:
        return None  # right from the root, but asked for from a subfolder: a slip
    old_name, new_name = posixpath.basename(wrong.path), posixpath.basename(right)
    lesson = Lesson(Section.PATHS, wrong.path, right)
    if old_name == new_name:
        identified = any(not is_generic(part) for part in shared_parts(wrong.path, right))
        return lesson, 1 if distinct and identified else 2
    if wrong.how not in _OF_FILES or stem(old_name) != stem(new_name):
        return None
    old_kind, new_kind = extension_kind(old_name), extension_kind(new_name)
    if old_kind != new_kind or old_kind in ("", "other"):
        return None
    return lesson, 1 if distinct and not is_generic(old_name) and len(stem(old_name)) >= 8 else 2
