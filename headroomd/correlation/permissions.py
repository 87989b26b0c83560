"""What the user refuses to have run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from headroomd.correlation.operations import Invocation, command_key
from headroomd.correlation.programs import GENERAL, PLAIN_UTILITIES, is_interpreter
from headroomd.correlation.steps import Step, evidence, failure, one_line
from headroomd.model import Evidence, Lesson, Section
from headroomd.shell import basename

__all__ = ["refused"]

_NEEDS: Final = 2  # refused once says nothing yet
_SIMPLE: Final = re.compile(r"[\w@%+=:,./-]{1,60}")


def refused(step: Step) -> Iterator[Evidence]:
    """Evidence of a refusal: for the command, and for its program where that serves one purpose.

    A refused `./gradlew build` and a refused `./gradlew test` are two commands and one program; a refused `git push`
    says nothing about `git`. Where both hold, the more general one is told.
    """
    command = step.meaning.sole
    if command is None:
        return
    for subject, key in _subjects(command):
        prefix = "sudo " if command.raised else ""
        lesson = Lesson(Section.PERMISSIONS, prefix + subject)
        yield evidence(lesson, failure(step, f"run {key}"), None, needs=_NEEDS, note=one_line(step.call.reason))


def _subjects(command: Invocation) -> Iterator[tuple[str, str]]:
    """What was refused, most specific first, each with the key under which attempts of it count."""
    argv, key = command.argv, command_key(command.argv)
    program = basename(argv[0])
    if program in PLAIN_UTILITIES:
        if 1 < len(argv) <= 6 and all(_SIMPLE.fullmatch(word) for word in argv):
            yield " ".join(argv), key
        return
    if not all(_SIMPLE.fullmatch(word) for word in key.split(" ")):
        return
    yield key, key
    if key != argv[0] and program not in GENERAL and not is_interpreter(program):
        yield argv[0], argv[0]
