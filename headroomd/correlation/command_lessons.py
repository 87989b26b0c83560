"""Commands that failed and what made them work: another form of the command, or another command run first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct, field, structs

from headroomd.correlation.commands import can_teach, is_certain, is_plain, relate
from headroomd.correlation.kinds import Cause
from headroomd.correlation.operations import Invocation, Meaning, command_key
from headroomd.correlation.programs import (
    LOOKING_VERBS,
    PLAIN_UTILITIES,
    VIEWERS,
    code_option,
    head_length,
    is_install,
    names_package,
)
from headroomd.correlation.steps import Failure, Step, cleaned, evidence, failure, note_of
from headroomd.model import Evidence, FailureKind, Lesson, Section
from headroomd.redact import holds_secret
from headroomd.shell import basename

__all__ = ["CommandLessons"]

_WINDOW: Final = 20  # calls
_OPEN: Final = 8
_CANDIDATES: Final = 3
_STORED: Final = 4000  # characters of a command that is carried over
_VAIN: Final = 3  # times that a command must fail unchanged before repeating it is a lesson
_NEEDS: Final = 2  # what merely came before a success may not have caused it
_NEVER_PREPARED: Final = frozenset(
    {
        FailureKind.TEST_FAILURE,
        FailureKind.SYNTAX,
        FailureKind.TIMEOUT,
        FailureKind.PERMISSION,
        FailureKind.TOO_LARGE,
    }
)
_PREPARING_GIT: Final = frozenset({"submodule", "lfs"})


class _Broken(Struct):
    """A command that failed and has not worked yet."""

    command: Invocation
    cause: Cause
    failed: Failure
    until: int
    wasted: int
    times: int = 1
    installed: bool = False  # what is installed has changed since: how it is run proves nothing any more
    between: list[Invocation] = field(default_factory=list)  # what ran since it last failed and may have mended it
    taught: str = ""  # id of evidence that another form of the command works
    in_vain: str = ""  # id of evidence that repeating it does not help


class CommandLessons(Struct):
    """The commands that failed in one stream and have not worked yet."""

    open: list[_Broken] = field(default_factory=list)

    def failed(self, step: Step) -> Iterator[Evidence | str]:
        """Takes in a failed call; gives evidence of what is retried in vain, or ids of evidence now refuted."""
        cause = step.cause
        if cause is None:
            return
        if step.meaning.edits and cause.kind not in (FailureKind.COMMAND_NOT_FOUND, FailureKind.MODULE_NOT_FOUND):
            yield from self.changed()  # it may have changed files before it failed
        command = _culprit(step.meaning, cause, step.call.output)
        if cause.passing or command is None or command.folder is None or basename(command.argv[0]) in VIEWERS:
            return
        for broken in self.open:
            if broken.command == command:
                yield from _failed_again(broken, step, cause)
                return
        opportunity = f"run {command_key(command.argv)}"
        self.open.append(_Broken(command, cause, failure(step, opportunity), step.at + _WINDOW, step.call.size))
        del self.open[:-_OPEN]

    def passed(self, step: Step) -> Iterator[Evidence | str]:
        """Takes in a call that worked; gives evidence, or ids of evidence now refuted."""
        meaning = step.meaning
        self.open = [broken for broken in self.open if broken.until >= step.at]
        for broken in tuple(self.open):
            if broken.command in meaning.proven:
                self.open.remove(broken)
                yield from filter(None, (broken.taught, broken.in_vain))  # it works as it stands, after all
                if not broken.taught:
                    yield from _prepared(broken, step)
            elif not broken.taught and not broken.installed:
                yield from _other_form(broken, step)
        if meaning.edits or meaning.adds_package:
            yield from self.changed()
        candidates = [command for command in meaning.proven + meaning.started if _may_prepare(command)]
        for broken in self.open:
            broken.installed = broken.installed or meaning.installs
            broken.between = (broken.between + candidates)[-_CANDIDATES:]

    def changed(self) -> Iterator[str]:
        """Files have changed: what passes from now on may have been mended. Gives ids of evidence now refuted."""
        yield from (broken.in_vain for broken in self.open if broken.in_vain)
        self.open.clear()

    def seal(self, at: int) -> None:
        """Forgets what is over or holds a secret, and redacts the rest."""
        kept = [
            broken for broken in self.open if broken.until >= at and _is_storable(broken.command, broken.cause.detail)
        ]
        for broken in kept:
            broken.between = [command for command in broken.between if _is_storable(command)]
        self.open = [structs.replace(broken, failed=cleaned(broken.failed)) for broken in kept]


def _is_storable(command: Invocation, detail: str = "") -> bool:
    text = "\n".join((*command.argv, str(command.folder), command.stdin, detail))
    return len(text) <= _STORED and not holds_secret(text)


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


def _failed_again(broken: _Broken, step: Step, cause: Cause) -> Iterator[Evidence]:
    broken.times = 1 if broken.between or broken.installed else broken.times + 1
    broken.cause, broken.until, broken.installed = cause, step.at + _WINDOW, False
    broken.wasted += step.call.size
    broken.between.clear()
    teaches = is_certain(cause) and can_teach(cause, broken.command) and is_plain(broken.command.argv)
    if broken.times == _VAIN and not broken.taught and teaches:
        lesson = Lesson(Section.RETRY, command_key(broken.command.argv))
        found = evidence(lesson, broken.failed, None, needs=_NEEDS, note=note_of(cause), wasted=broken.wasted)
        broken.in_vain = found.id
        yield found


def _other_form(broken: _Broken, step: Step) -> Iterator[Evidence | str]:
    if not can_teach(broken.cause, broken.command):
        return
    for command in step.meaning.proven:
        relation = relate(broken.command, command, broken.cause)
        if relation is None or not _is_storable(broken.command):
            continue
        lesson, failed = relation.lesson, broken.failed
        if " " not in lesson.subject:  # the program as a whole: every use of it is a chance to fail again
            failed = structs.replace(failed, opportunity=f"run {lesson.subject}")
        note, needs = note_of(broken.cause), relation.needs_sessions
        found = evidence(lesson, failed, step.call, needs=needs, note=note, wasted=broken.wasted)
        if broken.in_vain:
            yield broken.in_vain
        broken.taught, broken.in_vain = found.id, ""
        yield found
        return


def _prepared(broken: _Broken, step: Step) -> Iterator[Evidence]:
    """Evidence for each command that may have been what was missing, nearest first."""
    if broken.cause.kind in _NEVER_PREPARED or basename(broken.command.argv[0]) in PLAIN_UTILITIES | {"git"}:
        return
    if not _is_storable(broken.command):
        return
    proven = step.meaning.proven
    inside = [command for command in proven[: proven.index(broken.command)] if _may_prepare(command)]
    subject = command_key(broken.command.argv)
    done: set[str] = set()
    for command in reversed(broken.between + inside):
        remedy = _runnable(command, broken.command.folder)
        if remedy and remedy not in done and command_key(command.argv) != subject and len(done) < _CANDIDATES:
            done.add(remedy)
            lesson, note = Lesson(Section.RETRY, subject, remedy), note_of(broken.cause)
            yield evidence(lesson, broken.failed, step.call, needs=_NEEDS, note=note, wasted=broken.wasted)


def _may_prepare(command: Invocation) -> bool:
    """Whether a command that passed may have changed what another one needs."""
    argv = command.argv
    program = basename(argv[0])
    if command.raised or command.stdin or program in PLAIN_UTILITIES or code_option(argv):
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
    if not is_plain(words) or not _is_storable(command):
        return ""
    text = " ".join(words) + (" &" if command.background else "")
    return text if command.folder in (folder, None) else f"cd {command.folder} && {text}"
