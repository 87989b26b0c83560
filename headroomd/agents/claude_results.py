"""What became of a Claude Code tool call, as its result record tells it.

`is_error` alone says that a call failed; the fixed wording below (claude 1.0.80 to 2.1.197, read in real sessions and
in the program itself) only says in which way. Nothing here looks for words in the output of a call that went well,
except for the few whole answers by which Claude's own tools say "nothing".
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from headroomd.model import FailureKind, Outcome

__all__ = ["SEARCH_TOOLS", "SHELL_TOOLS", "Verdict", "found_nothing", "judge_failure", "said_nothing"]

SHELL_TOOLS: Final = frozenset({"Bash", "PowerShell"})
SEARCH_TOOLS: Final = frozenset({"Grep", "Glob"})


class Verdict(Struct, frozen=True):
    """The part of a tool call that its result decides."""

    outcome: Outcome
    kind: FailureKind | None = None
    exit_code: int | None = None
    silent: bool = False
    reason: str = ""


_REJECTED: Final = re.compile(
    r"The user doesn't want to (?:proceed with this tool use|take this action right now)"
    r"|Permission for this tool use was denied\. The tool use was rejected"  # refused in a subagent
)
_REASON: Final = re.compile(
    r"(?:the user said|The user said|The user provided the following reason for the rejection):\s*(.+)", re.DOTALL
)
_REASON_ENDS: Final = "\n\nNote: The user's next message may contain a correction"

_CANCELLED: Final = re.compile(
    r"Sibling tool call errored|Cancelled: parallel tool call|\[Request interrupted by user"
    r"|(?:<error>)?Command was aborted before completion"
)
_INTERRUPTED_AT_END: Final = ("[Request interrupted by user]", "[Request interrupted by user for tool use]")

_HARNESS: Final = re.compile(
    r"\[Tool result missing due to internal error\]|Streaming fallback - tool execution discarded|Warmup$"
    r"|Tool permission (?:request failed|stream closed)"
)
_GUARD: Final = re.compile(
    r"Permission to use |Permission for this action |Claude requested permissions? to |This command requires approval"
    r"|File is in a directory that is (?:denied|ignored) by |Auto mode could not evaluate "
    r"|\w+:\S+ hook error|\S+ operation blocked by hook|[^\n]*was blocked\. For security, Claude Code may only "
)
_TOO_LARGE: Final = re.compile(r"File content \([^)\n]*\) exceeds maximum allowed ")
_NOT_FOUND: Final = re.compile(r"(?:File|Path|Directory) does not exist|ENOENT: no such file or directory")
_NO_ACCESS: Final = re.compile(r"E(?:ACCES|PERM): ")
_OTHER: Final = re.compile(r"EISDIR: ")
_MISUSE: Final = re.compile(
    r"InputValidationError|No such tool available|File has (?:not been read yet|been (?:unexpectedly )?modified)"
    r"|String to replace not found|Found \d+ matches of the string to replace|No changes to make"
)

_KINDS: Final = (
    (_HARNESS, FailureKind.HARNESS),
    (_GUARD, FailureKind.GUARD),
    (_NOT_FOUND, FailureKind.FILE_NOT_FOUND),
    (_NO_ACCESS, FailureKind.PERMISSION),
    (_OTHER, FailureKind.OTHER),
    (_MISUSE, FailureKind.MISUSE),
)

_EXIT: Final = re.compile(r"Exit code (-?\d+)(?:\n|$)")
_TIMED_OUT: Final = re.compile(r"Command timed out after ")
_STATES_EXIT_CODES: Final = (2, 1)
"""From this version on the answer to a command that ran and failed begins with "Exit code N"; not so in 1.0."""

_WRAPPER: Final = re.compile(r"\s*<tool_use_error>(?:Error: )?(.*?)(?:</tool_use_error>\s*)?\Z", re.DOTALL)

_NOTHING_FOUND: Final = re.compile(r"No (?:files|matches) found(?:\n\nFound 0 total occurrences across 0 files\.)?")
_NOTHING_SAID: Final = frozenset({"", "(Bash completed with no output)", "(PowerShell completed with no output)"})


def found_nothing(text: str) -> bool:
    """Whether this is all that Grep or Glob answers when nothing matched."""
    return _NOTHING_FOUND.fullmatch(text.strip()) is not None


def said_nothing(text: str) -> bool:
    """Whether this is what a shell tool answers for a command without output."""
    return text.strip() in _NOTHING_SAID


def judge_failure(tool: str, text: str, version: str) -> Verdict:
    """The verdict on a result that is flagged as an error; `version` is the agent's, of the record ("" if unknown)."""
    wrapped = _WRAPPER.match(text)
    body = wrapped[1] if wrapped else text
    if _REJECTED.match(body):
        return Verdict(Outcome.REJECTED, reason=_typed_reason(body))
    if _CANCELLED.match(body) or body.rstrip().endswith(_INTERRUPTED_AT_END):
        return Verdict(Outcome.CANCELLED)
    if tool in SHELL_TOOLS and not wrapped:
        return _judge_shell(body, version)
    if _TOO_LARGE.match(body):
        return Verdict(Outcome.TRUNCATED, kind=FailureKind.TOO_LARGE)
    # What a tool refuses before it starts is wrapped: a wrong argument, unless the wording says otherwise.
    return Verdict(Outcome.FAILED, kind=_kind(body) or (FailureKind.MISUSE if wrapped else None))


def _judge_shell(text: str, version: str) -> Verdict:
    stated = _EXIT.match(text)
    if stated:
        output = text[stated.end() :]
        kind = FailureKind.TIMEOUT if _TIMED_OUT.match(output) else None
        return Verdict(Outcome.FAILED, kind=kind, exit_code=int(stated[1]), silent=not output.strip())
    if _TIMED_OUT.match(text):
        return Verdict(Outcome.FAILED, kind=FailureKind.TIMEOUT)
    for pattern, kind in _KINDS[:2]:  # what a shell says about missing files and access is not the agent's wording
        if pattern.match(text):
            return Verdict(Outcome.FAILED, kind=kind)
    if _version(version) >= _STATES_EXIT_CODES:
        # It never ran: a hook refused it, in words of its own.
        return Verdict(Outcome.FAILED, kind=FailureKind.GUARD)
    return Verdict(Outcome.FAILED, silent=not text.strip())


def _kind(text: str) -> FailureKind | None:
    return next((kind for pattern, kind in _KINDS if pattern.match(text)), None)


def _typed_reason(text: str) -> str:
    found = _REASON.search(text)
    return found[1].split(_REASON_ENDS)[0].strip() if found else ""


def _version(text: str) -> tuple[int, int]:
    found = re.match(r"(\d{1,6})\.(\d{1,6})", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)
