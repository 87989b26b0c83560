"""Commands that failed and what made them work: another form of the command, or another command run first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct, field

from headroomd.correlation.commands import can_teach, is_plain, relate
from headroomd.correlation.kinds import Cause
from headroomd.correlation.operations import Invocation, Meaning, command_key
from headroomd.correlation.programs import (
    INERT,
    LOOKING_VERBS,
    PLAIN_UTILITIES,
    VIEWERS,
    code_option,
    head_length,
    is_install,
    names_package,
)
from headroomd.correlation.steps import Failure, Step, evidence, failure, note_of
from headroomd.model import Evidence, FailureKind, Lesson, Section
from headroomd.shell import basename

__all__ = ["CommandLessons"]

_WINDOW: Final = 20  # calls
_OPEN: Final = 8
_CANDIDATES: Final = 3
_NEVER_PREPARED: Final = frozenset(
    {FailureKind.TEST_FAILURE, FailureKind.SYNTAX, FailureKind.TIMEOUT, FailureKind.PERMISSION, FailureKind.TOO_LARGE}
)
_PREPARING_GIT: Final = frozenset({"submodule", "lfs"})


class _Broken(Struct):
    """A command that failed and has not worked yet."""

    command: Invocation
    cause: Cause
    failed: Failure
    until: int
    wasted: int
    installed: bool = False  # what is installed has changed since: how a command is run proves nothing any more
    between: list[Invocation] = field(default_factory=list)  # what ran since it last failed and may have mended it
    taught: str = ""  # id of evidence that another form of the command works


class CommandLessons(Struct):
    """The commands that failed in one stream and have not worked yet."""

    open: list[_Broken] = field(default_factory=list)

    def failed(self, step: Step) -> None:
        if step.cause is None:
            return
        if step.meaning.edits and step.cause.kind not in (FailureKind.COMMAND_NOT_FOUND, FailureKind.MODULE_NOT_FOUND):
            self.open.clear()  # it may have changed files before it failed
        command = _culprit(step.meaning, step.cause, step.call.output)
        if command is None or basename(command.argv[0]) in VIEWERS or command.folder is None:
            return
        for broken in self.open:
            if broken.command == command:
                broken.cause, broken.until, broken.installed = step.cause, step.at + _WINDOW, False
                broken.wasted += step.call.size
                broken.between.clear()
                return
        opportunity = f"run {command_key(command.argv)}"[:200]
        self.open.append(_Broken(command, step.cause, failure(step, opportunity), step.at + _WINDOW, step.call.size))
        del self.open[:-_OPEN]

    def passed(self, step: Step) -> Iterator[Evidence | str]:
        """Evidence, or the id of evidence that has been refuted, of a call that worked."""
        meaning = step.meaning
        self.open = [broken for broken in self.open if broken.until >= step.at]
        for broken in tuple(self.open):
            if broken.command in meaning.proven:
                self.open.remove(broken)
                if broken.taught:
                    yield broken.taught  # works as it stands after all
                else:
                    yield from _prepared(broken, step)
            elif not broken.taught and not broken.installed:
                yield from _other_form(broken, step)
        self._changed(meaning)

    def _changed(self, meaning: Meaning) -> None:
        if meaning.edits or meaning.adds_package:
            self.open.clear()
            return
        candidates = [command for command in meaning.proven + meaning.started if _may_prepare(command)]
        for broken in self.open:
            broken.installed = broken.installed or meaning.installs
            broken.between = (broken.between + candidates)[-_CANDIDATES:]


def _culprit(meaning: Meaning, cause: Cause, output: str) -> Invocation | None:
    """The one command whose failure the call's failure is; None where that cannot be told."""
    if meaning.moved and cause.kind is FailureKind.FILE_NOT_FOUND and re.search(r"\bcd: ", output):
        return None
    if len(meaning.blamed) == 1:
        return meaning.blamed[0]
    if cause.kind is FailureKind.COMMAND_NOT_FOUND and cause.detail:
        named = [command for command in meaning.blamed if basename(command.argv[0]) == basename(cause.detail)]
        return named[0] if len(named) == 1 else None
    return None


def _other_form(broken: _Broken, step: Step) -> Iterator[Evidence]:
    if not can_teach(broken.cause, broken.command):
        return
    for command in step.meaning.proven:
        relation = relate(broken.command, command, broken.cause)
        if relation is None:
            continue
        lesson = relation.lesson
        failed = broken.failed
        if " " not in lesson.subject:  # the program as a whole: every use of it is a chance to fail again
            failed = Failure(failed.ref, failed.agent, failed.session, failed.size, f"run {lesson.subject}")
        found = evidence(
            lesson, failed, step.call, needs=relation.needs_sessions, note=note_of(broken.cause), wasted=broken.wasted
        )
        broken.taught = found.id
        yield found
        return


def _prepared(broken: _Broken, step: Step) -> Iterator[Evidence]:
    """Evidence for each command that may have been what was missing, nearest first."""
    if broken.cause.kind in _NEVER_PREPARED or basename(broken.command.argv[0]) in PLAIN_UTILITIES | {"git"}:
        return
    proven = step.meaning.proven
    inside = [command for command in proven[: proven.index(broken.command)] if _may_prepare(command)]
    subject = command_key(broken.command.argv)
    done: set[str] = set()
    for command in reversed(broken.between + inside):
        remedy = _runnable(command, broken.command.folder)
        if remedy and remedy not in done and command_key(command.argv) != subject and len(done) < _CANDIDATES:
            done.add(remedy)
            lesson = Lesson(Section.RETRY, subject, remedy)
            yield evidence(lesson, broken.failed, step.call, needs=2, note=note_of(broken.cause), wasted=broken.wasted)


def _may_prepare(command: Invocation) -> bool:
    """Whether a command that passed may have changed what another one needs."""
    argv = command.argv
    program = basename(argv[0])
    if command.raised or command.stdin or program in VIEWERS | INERT | PLAIN_UTILITIES or code_option(argv):
        return False
    if program == "git":
        return len(argv) > 1 and argv[1] in _PREPARING_GIT
    if is_install(argv):
        return not names_package(argv)
    verbs = argv[1 : max(head_length(argv), 2)]
    return not any(re.split(r"[:_-]", verb.lstrip("-"))[0] in LOOKING_VERBS for verb in verbs)


def _runnable(command: Invocation, folder: str | None) -> str:
    """The command as it can be run again: whole if it is short and plain, else program and verb."""
    words = command.argv
    if len(words) > 6 or not is_plain(words):
        words = words[: head_length(words)]
    if not is_plain(words):
        return ""
    text = " ".join(words)
    return text if command.folder in (folder, None) else f"cd {command.folder} && {text}"
