"""Why a call failed, told from the text of a call that is already known to have failed.

Structured signals come first (the exit codes 126, 127 and 9009 mean the same in every language that a message may be
written in); the text is asked only for what they leave open. Nothing here decides *whether* a call failed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from msgspec import Struct

from headroomd.correlation.messages import (
    ABSENCE,
    COMMAND_MISSING,
    FILE_MISSING,
    MODULE_MISSING,
    NETWORK,
    NO_REPOSITORY,
    PASSING,
    PERMISSION,
    RED_TESTS,
    REFUSED,
    SYNTAX,
    TIMEOUT,
    TOO_LARGE,
    named,
    points_into_code,
    said,
)
from headroomd.model import FailureKind

__all__ = ["BLAMELESS", "Cause", "cause_of", "telling_lines"]

BLAMELESS: Final = frozenset({FailureKind.GUARD, FailureKind.HARNESS, FailureKind.MISUSE})
"""Failures that say nothing about the project, and whose avoidance must not be taught."""

_ENDED_FROM_OUTSIDE: Final = frozenset({-1, 129, 130, 137, 141, 143})  # signals: HUP, INT, KILL, PIPE, TERM
_NOT_FOUND_CODES: Final = frozenset({127, 9009})  # POSIX shells; cmd.exe
_ANSI: Final = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class Cause(Struct, frozen=True):
    """The kind of a failure with what it names; `detail` is an identifier or a path, never a sentence."""

    kind: FailureKind
    detail: str = ""  # the module, command or path that was missed
    in_code: bool = False  # the message points into a source line, or tests ran and were red: the work itself
    passing: bool = False  # it is over when tried again: a lock, a port in use, a busy server
    absence: bool = False  # something that the tool looked for (script, target, manifest, project) is not there


_IDENTIFIER: Final = re.compile(r"[\w@][\w@./+:-]{0,79}")


@lru_cache(maxsize=512)  # what fails once mostly fails again, with the same words
def cause_of(text: str, exit_code: int | None = None, kind: FailureKind | None = None) -> Cause:
    """The cause of a failed call: `text` is its output, `kind` what the agent's reader has already settled."""
    text = _ANSI.sub("", text) if "\x1b" in text else text
    lower = text.lower()
    if kind is not None:
        return Cause(kind, _detail(kind, text, lower))
    if exit_code in _ENDED_FROM_OUTSIDE:
        return Cause(FailureKind.TIMEOUT if said(TIMEOUT, lower) else FailureKind.HARNESS)
    if exit_code == 124:  # timeout(1), and what Codex reports for its own limit
        return Cause(FailureKind.TIMEOUT)
    if exit_code in _NOT_FOUND_CODES:
        return Cause(FailureKind.COMMAND_NOT_FOUND, _detail(FailureKind.COMMAND_NOT_FOUND, text, lower))
    if exit_code == 126:  # found, but cannot be executed
        return Cause(FailureKind.PERMISSION)
    return _from_text(text, lower)


def _from_text(text: str, lower: str) -> Cause:
    """The first that applies; modules before tests, because a suite that cannot be imported is also reported as red."""
    module = named(MODULE_MISSING, text, lower)
    if module is not None:
        return Cause(FailureKind.MODULE_NOT_FOUND, _identifier(module))
    if said(RED_TESTS, lower):
        # Tests that could not reach a service are not red: something had to be started first.
        return Cause(FailureKind.NETWORK if said(REFUSED, lower) else FailureKind.TEST_FAILURE, in_code=True)
    command = named(COMMAND_MISSING, text, lower)
    if command is not None:
        return Cause(FailureKind.COMMAND_NOT_FOUND, _identifier(command))
    kind = next((kind for kind, table in _BY_TEXT if said(table, lower)), FailureKind.OTHER)
    in_code = points_into_code(text, lower)
    absence = not in_code and (kind in _ABSENT_KINDS or (kind is FailureKind.OTHER and said(ABSENCE, lower)))
    return Cause(kind, in_code=in_code, passing=said(PASSING, lower), absence=absence)


_BY_TEXT: Final = (
    (FailureKind.TOO_LARGE, TOO_LARGE),
    (FailureKind.NOT_A_REPOSITORY, NO_REPOSITORY),
    (FailureKind.SYNTAX, SYNTAX),
    (FailureKind.NETWORK, NETWORK),
    (FailureKind.TIMEOUT, TIMEOUT),
    (FailureKind.PERMISSION, PERMISSION),
    (FailureKind.FILE_NOT_FOUND, FILE_MISSING),
)
_ABSENT_KINDS: Final = frozenset({FailureKind.FILE_NOT_FOUND, FailureKind.NOT_A_REPOSITORY})


def _detail(kind: FailureKind, text: str, lower: str) -> str:
    table = {FailureKind.MODULE_NOT_FOUND: MODULE_MISSING, FailureKind.COMMAND_NOT_FOUND: COMMAND_MISSING}.get(kind)
    return _identifier(named(table, text, lower) or "") if table else ""


def _identifier(name: str) -> str:
    """The name, if it is an identifier: free text of results must not reach a rule."""
    return name if _IDENTIFIER.fullmatch(name) else ""


_SAYS_NOTHING: Final = re.compile(r"[\W_]*|Process Group PGID: \d+|</?\w+>")


@lru_cache(maxsize=512)
def telling_lines(text: str, limit: int = 300) -> str:
    """The last lines that say something, up to `limit` characters: banners come first, the cause stands at the end."""
    lines = [line.strip() for line in _ANSI.sub("", text).splitlines()]
    kept: list[str] = []
    for line in reversed(lines):
        if _SAYS_NOTHING.fullmatch(line):
            continue
        if limit < 20:
            break
        kept.append(line[:limit])
        limit -= len(kept[-1]) + 1
    return "\n".join(reversed(kept))
