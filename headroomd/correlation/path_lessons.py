"""Wrong path, right path: the same name found in another place."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec import Struct, field, structs

from headroomd.correlation.messages import FILE_MISSING, MODULE_MISSING, named, said
from headroomd.correlation.operations import Use, Using, path_mark
from headroomd.correlation.places import extension_kind, is_generated, is_generic, shared_parts, stem
from headroomd.correlation.steps import Failure, Step, cleaned, evidence, failure
from headroomd.model import Action, Evidence, FailureKind, Lesson, Section
from headroomd.redact import holds_secret

__all__ = ["PathLessons", "SeenPaths"]

_WINDOW: Final = 30  # calls
_OPEN: Final = 16
_REMEMBERED: Final = 300  # paths of a session
_TELLING_STEM: Final = 8  # characters from which on a stem alone identifies a file

# `./script.sh` that is not there is exit 127, and Node takes its script for a module.
_MISSING: Final = frozenset({FailureKind.FILE_NOT_FOUND, FailureKind.COMMAND_NOT_FOUND, FailureKind.MODULE_NOT_FOUND})
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
    """What a session, its subagents included, has seen of the project's files, as marks of their paths."""

    there: dict[int, int] = field(default_factory=dict)  # path -> its name: was used and existed
    written: dict[int, int] = field(default_factory=dict)  # was written, moved or removed by the session itself
    taught: dict[int, list[str]] = field(default_factory=dict)  # wrong path -> ids of evidence that calls it wrong

    def note(self, uses: tuple[Use, ...]) -> list[str]:
        """Takes in what a call that worked used; returns ids of evidence that it refutes: the wrong path is there."""
        refuted: list[str] = []
        for use in uses:
            if use.how is Using.WRITE:
                _remember(self.written, use)
            elif use.sure and use.how in _EXISTS:
                _remember(self.there, use)
            else:
                continue
            if self.taught:
                refuted += self.taught.pop(use.mark, ())
        return refuted

    def teach(self, wrong: Use, id_: str) -> None:
        """Remember which evidence rests on a path being wrong, in case it turns out to be right."""
        self.taught.setdefault(wrong.mark, []).append(id_)
        if len(self.taught) > _OPEN:
            del self.taught[next(iter(self.taught))]

    def knows(self, path: str) -> bool:
        """Whether the path was there before, or the session has had its hand in it: gone by its own work."""
        return path_mark(path) in self.there or self.made(path)

    def made(self, path: str) -> bool:
        """Whether the session itself wrote, moved or removed the path or a folder that holds it."""
        if not self.written:
            return False
        parts = path.split("/")
        return any(path_mark("/".join(parts[:length])) in self.written for length in range(1, len(parts) + 1))

    def is_distinct(self, use: Use) -> bool:
        """Whether no other path seen has the same name."""
        return all(name != use.name_mark or path == use.mark for path, name in self.there.items())


def _remember(paths: dict[int, int], use: Use) -> None:
    paths[use.mark] = use.name_mark
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
        """A path was not found: look out for the right one."""
        if step.cause is None or step.cause.kind not in _MISSING:
            return
        wrong = _missed(step)
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
        """Evidence for the wrong paths whose right ones this call used."""
        used = {use.path for use in step.meaning.uses if use.how is Using.WRITE or (use.sure and use.how in _EXISTS)}
        self.open = [missed for missed in self.open if missed.until >= step.at and missed.wrong.path not in used]
        for missed in tuple(self.open):
            for use in step.meaning.uses:
                taught = _correct(missed.wrong, use)
                if taught is None or seen.made(use.path):
                    continue
                needs = 1 if taught.identified and seen.is_distinct(use) else 2
                found = evidence(taught.lesson, missed.failed, step.call, needs=needs, wasted=missed.wasted)
                seen.teach(missed.wrong, found.id)
                self.open.remove(missed)
                yield found
                break

    def seal(self, at: int) -> None:
        """Forgets what is over, and redacts the rest."""
        kept = (missed for missed in self.open if missed.until >= at and not holds_secret(missed.wrong.path))
        self.open = [structs.replace(missed, failed=cleaned(missed.failed)) for missed in kept]


def _missed(step: Step) -> Use | None:
    """The one use of a failed call whose path was not there; None where that cannot be told."""
    asking = [use for use in step.meaning.uses if use.how in _ASKING and not is_generated(use.path)]
    if step.meaning.action is Action.RUN:  # anything that a command wanted may have been missing: it must be named
        lines = step.call.output.splitlines()
        asking = [use for use in asking if any(_names(line, use.written) and _says_missing(line) for line in lines)]
    return asking[0] if len({use.path for use in asking}) == 1 else None


def _says_missing(line: str) -> bool:
    lower = line.lower()
    return said(FILE_MISSING, lower) or named(MODULE_MISSING, line, lower) is not None


def _names(line: str, written: str) -> bool:
    """Whether a line names this very path and not one that it is a part of."""
    at = line.find(written)
    while at >= 0:
        end = at + len(written)
        before, after = line[max(at - 1, 0) : at], line[end : end + 1]
        if not (before.isalnum() or before in ("_", "-") or after.isalnum() or after in ("_", "-", "/")):
            return True
        at = line.find(written, at + 1)
    return False


class _Taught(NamedTuple):
    lesson: Lesson
    identified: bool  # the shared name identifies the file; one that recurs in every tree (`index.ts`) does not


def _correct(wrong: Use, use: Use) -> _Taught | None:
    """What follows from `wrong` having been missed and `use` being there."""
    right = use.path
    old_name, new_name = posixpath.basename(wrong.path), posixpath.basename(right)
    old_stem = stem(old_name)
    if old_stem != stem(new_name) or right == wrong.path or is_generated(right):
        return None
    if use.how not in _SHOWING[wrong.how] or not (use.sure or use.how in _OF_FILES):
        return None
    if wrong.how is Using.OPERAND and use.written == wrong.written:
        return None  # the same command in another folder: that is a lesson on the command
    if posixpath.normpath(wrong.written) == right:
        return None  # right from the root, but asked for from a subfolder: a slip
    lesson = Lesson(Section.PATHS, wrong.path, right)
    if old_name == new_name:
        return _Taught(lesson, any(not is_generic(part) for part in shared_parts(wrong.path, right)))
    old_kind, new_kind = extension_kind(old_name), extension_kind(new_name)
    if wrong.how not in _OF_FILES or old_kind != new_kind or old_kind in ("", "other"):
        return None  # another sort of file may well be another thing: `x.py` and `x.md`
    return _Taught(lesson, not is_generic(old_name) and len(old_stem) >= _TELLING_STEM)
