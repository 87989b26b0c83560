"""What became of a tool call of Codex CLI: from the text of its answer to an outcome.

Answers (Codex 0.34 to 0.169) tell the exit code as `Exit code: N`, as `Process exited with code N`, in JSON as
`metadata.exit_code`, in the sandbox's own sentence, or not at all: then only Codex's own fixed wordings at the very
start of the answer count, never what a program printed.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Struct

from headroomd.agents.codex_calls import Asked
from headroomd.model import Action, FailureKind, Outcome

__all__ = ["BLANK", "Verdict", "by_exit_code", "judge"]

BLANK: Final = " \t\r\n"
"""What an answer may consist of and still say nothing."""

_HEADER: Final = re.compile(
    r"(?:Command: .*?\n(?=Chunk ID: |Wall time: ))?"
    r"(?:Chunk ID: \S*\n)?"
    r"(?:Exit code: (?P<code>-?\d+)\n)?"
    r"(?:Wall time: [\d.]+ seconds?\n)?"
    r"(?:Process exited with code (?P<exited>-?\d+)\n|Process running with session ID (?P<process>\S+)\n)?"
    r"(?:Original token count: \d+\n)?"
    r"(?P<lines>Total output lines: \d+\n)?"
    r"(?:Output:(?:\n|$))?",
    re.DOTALL,
)
_SANDBOX: Final = re.compile(
    r"failed in sandbox \S+ with execution error: sandbox denied exec error, "
    r"exit code: (?P<code>-?\d+), stdout: (?P<stdout>.*), stderr: (?P<stderr>.*)",
    re.DOTALL,
)
_CUT_AT_START: Final = re.compile(r"Warning: truncated output \(original token count: |Total output lines: \d+\n")
_CUT_IN_MIDDLE: Final = re.compile(
    r"^\[\.\.\. omitted \d+ of \d+ lines \.\.\.\]$|…\d+ (?:tokens|chars) truncated…", re.MULTILINE
)
_ABORTED: Final = re.compile(r"(?:Wall time: [\d.]+ seconds?\n)?aborted by user")
_REFUSED: Final = re.compile(
    r"(?:exec command|patch|apply_patch|user) rejected (?:by user(?! approval settings)|MCP tool call)"
    r'|(?:exec_command failed|execution error).*Rejected\(\\*"rejected by user\\*"',
    re.DOTALL,
)
_GUARDED: Final = re.compile(
    r"(?:exec_command failed|execution error|patch rejected).*"
    r"(?:Sandbox\(Denied|blocked by policy|rejected by user approval settings|reject command)"
    r"|`[^\n]*` rejected: blocked by policy"
    r"|approval policy is \w+; reject command",
    re.DOTALL,
)
_MISUSED: Final = re.compile(
    r"failed to parse function arguments|unsupported (?:custom tool )?call|unsupported payload|write_stdin failed"
    r"|apply_patch verification failed|apply_patch handler|(?:error: )?[Ii]nvalid (?:patch|hunk)"
    r"|Failed to find (?:expected lines|context)"
)
_PATCH_WITHOUT_FILE: Final = re.compile(
    r"apply_patch verification failed: Failed to read file to update .*No such file"
)
_BROKEN: Final = re.compile(
    r"execution error|exec_command failed|failed in sandbox|unable to locate image|Script failed"
    r"|tool call (?:error|failed)"
)
_TIMED_OUT: Final = re.compile(
    r"command timed out after \d+ milliseconds|(?:execution error|failed in sandbox)[^\n]*command timed out"
)
_DONE: Final = re.compile(r"Success\. Updated the following files|Done!?\s*$")
_TIMEOUT_CODE: Final = 124  # what Codex writes for a command that it stopped
_KILLED_CODE: Final = -1  # what Codex writes for a process that ended with the session


class Verdict(Struct, frozen=True):
    """An answer as it was understood."""

    outcome: Outcome
    exit_code: int | None = None
    kind: FailureKind | None = None
    text: str = ""  # what the tool itself said, without Codex's header
    process: str = ""  # it goes on running under this session id: no verdict yet


class _Metadata(Struct):
    exit_code: int


class _Wrapped(Struct):
    output: str
    metadata: _Metadata


_decode_wrapped: Final = msgspec.json.Decoder(_Wrapped).decode


def judge(text: str, asked: Asked, status: str = "", exit_code: int | None = None, policy: str = "") -> Verdict:
    """The verdict that the answer `text` gives on a call.

    `status` ("completed", "failed", "declined") and `exit_code` are what other records of the same call say, for
    answers that tell nothing; `policy` is the approval policy of the turn: under "never" nobody is asked, so that
    nobody can have refused.
    """
    if status == "declined":
        return Verdict(Outcome.REJECTED, text=text)
    if _ABORTED.match(text):
        refused = asked.escalated and policy != "never"
        return Verdict(Outcome.REJECTED if refused else Outcome.CANCELLED, text=text)
    if text == "aborted":  # what Codex writes for a call whose answer was lost
        return Verdict(Outcome.CANCELLED, text=text)
    if asked.runs and (verdict := _by_code(text, asked)):
        return verdict
    return _by_wording(text, asked, status, exit_code)


def _by_code(text: str, asked: Asked) -> Verdict | None:
    """The verdict of an answer that tells an exit code, or that the process goes on."""
    if text.startswith('{"output":'):
        try:
            wrapped = _decode_wrapped(text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        return by_exit_code(wrapped.metadata.exit_code, wrapped.output, asked)
    if sandbox := _SANDBOX.match(text):
        return by_exit_code(int(sandbox["code"]), f"{sandbox['stdout']}\n{sandbox['stderr']}".strip(), asked)
    header = _HEADER.match(text)
    if header is None:  # pragma: no cover - every part of it is optional
        return None
    rest = text[header.end() :]
    if header["process"]:
        return Verdict(Outcome.UNKNOWN, text=rest, process=header["process"])
    code = header["code"] or header["exited"]
    if code is not None:
        return by_exit_code(int(code), rest, asked, cut=header["lines"] is not None)
    # An intercepted `apply_patch` answers with a header in a header (0.169).
    return _by_code(rest, asked) if header.end() and rest.startswith("Exit code: ") else None


def by_exit_code(code: int, text: str, asked: Asked, cut: bool = False) -> Verdict:
    """The verdict on a command that ended with `code` and printed `text` (`cut`: Codex left part of it out)."""
    if code == 0:
        cut = (cut or _is_cut(text)) and not asked.own_limit
        return Verdict(Outcome.TRUNCATED if cut else Outcome.OK, 0, text=text)
    if code == _KILLED_CODE:
        return Verdict(Outcome.CANCELLED, code, text=text)
    kind = None
    if code == _TIMEOUT_CODE and _TIMED_OUT.match(text):
        kind = FailureKind.TIMEOUT
    elif asked.operation.action in (Action.EDIT, Action.WRITE) and _MISUSED.match(text):
        kind = FailureKind.MISUSE
    return Verdict(Outcome.FAILED, code, kind, text)


def _is_cut(text: str) -> bool:
    """Whether Codex left part of an output out (0.4x marks the place, 0.5x and later say so at the start)."""
    if _CUT_AT_START.match(text):
        return True
    return (" truncated…" in text or "[... omitted " in text) and _CUT_IN_MIDDLE.search(text) is not None


def _by_wording(text: str, asked: Asked, status: str, exit_code: int | None) -> Verdict:
    """The verdict of an answer without an exit code."""
    if _REFUSED.match(text):
        return Verdict(Outcome.REJECTED, text=text)
    if _GUARDED.match(text):
        return Verdict(Outcome.FAILED, kind=FailureKind.GUARD, text=text)
    if _PATCH_WITHOUT_FILE.match(text):
        return Verdict(Outcome.FAILED, kind=FailureKind.FILE_NOT_FOUND, text=text)
    if _MISUSED.match(text):
        return Verdict(Outcome.FAILED, kind=FailureKind.MISUSE, text=text)
    if _TIMED_OUT.match(text):
        return Verdict(Outcome.FAILED, kind=FailureKind.TIMEOUT, text=text)
    if _BROKEN.match(text):
        return Verdict(Outcome.FAILED, text=text)
    if exit_code is not None:
        return by_exit_code(exit_code, text, asked)
    if status == "failed":
        return Verdict(Outcome.FAILED, text=text)
    told = status == "completed" or not asked.runs or asked.process or _DONE.match(text)
    return Verdict(Outcome.OK if told else Outcome.UNKNOWN, text=text)
