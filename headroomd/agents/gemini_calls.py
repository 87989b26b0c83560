"""What one of Gemini CLI's recorded tool calls asked for, and what became of it.

The wordings below are the CLI's own, read in gemini-cli 0.61.0's bundle (scheduler, shell.ts, read-file.ts, edit.ts,
ripGrep.ts, glob.ts) and, for older versions, in coreToolScheduler.ts and in recorded sessions. They are looked for only
where the CLI itself writes them: at the start or at the very end of an answer, never in what a program printed.
"""

from __future__ import annotations

import posixpath
import re
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from headroomd.agents.lines import excerpt
from headroomd.model import Action, FailureKind, Operation, Outcome

__all__ = ["FINAL_STATUSES", "RecordedCall", "Verdict", "directory_of", "judge", "operation_of", "size_of"]

FINAL_STATUSES: Final = frozenset(("success", "error", "cancelled"))
"""Statuses that change no more; others ("executing", "awaiting_approval", ...) are of calls still under way."""


class Response(Struct, gc=False):
    output: Raw = Raw()
    error: Raw = Raw()


class FunctionResponse(Struct, gc=False):
    id: object = None
    response: Response | str | None = None


class Part(Struct, rename="camel", gc=False):
    function_response: FunctionResponse | None = None


class RecordedCall(Struct, rename="camel", gc=False):
    """An element of a message's `toolCalls`."""

    id: str | None = None
    name: str | None = None
    args: Raw = Raw()
    result: list[Part | str | None] | Part | str | None = None
    status: str | None = None
    timestamp: str | None = None
    result_display: Raw = Raw()


class Arguments(Struct, gc=False):
    """The arguments that matter, of all tools and all versions; of any type, for a model writes them."""

    file_path: object = None
    absolute_path: object = None  # read_file until 0.2x
    path: object = None  # searches until 0.2x
    dir_path: object = None
    directory: object = None  # run_shell_command until 0.2x
    pattern: object = None
    command: object = None
    offset: object = None
    limit: object = None
    start_line: object = None
    end_line: object = None
    include: object = None  # read_many_files
    paths: object = None  # read_many_files until 0.2x


class Verdict(NamedTuple):
    """What became of a call."""

    outcome: Outcome
    exit_code: int | None = None
    kind: FailureKind | None = None
    output: str = ""
    silent: bool = False


_decode_arguments = msgspec.json.Decoder(Arguments).decode
_NO_ARGUMENTS: Final = Arguments()

_ACTIONS: Final = {
    "read_file": Action.READ,
    "read_many_files": Action.READ,
    "grep_search": Action.SEARCH,
    "search_file_content": Action.SEARCH,
    "glob": Action.SEARCH,
    "replace": Action.EDIT,
    "edit": Action.EDIT,
    "write_file": Action.WRITE,
    "run_shell_command": Action.RUN,
}
_QUESTIONS: Final = frozenset(("ask_user", "exit_plan_mode", "enter_plan_mode"))

# -- what was asked ---------------------------------------------------------------------------------


def _text(*candidates: object) -> str:
    return next((c for c in candidates if isinstance(c, str) and c), "")


def _arguments(call: RecordedCall) -> Arguments:
    try:
        return _decode_arguments(call.args)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _NO_ARGUMENTS


def operation_of(call: RecordedCall) -> tuple[Operation, Arguments]:
    """What the call meant, and the arguments that say so."""
    action = _ACTIONS.get(call.name or "", Action.OTHER)
    args = _arguments(call)
    match action:
        case Action.RUN:
            return Operation(action, command=_text(args.command)), args
        case Action.SEARCH:
            return Operation(action, path=_text(args.dir_path, args.path), pattern=_text(args.pattern)), args
        case Action.READ if call.name == "read_many_files":
            return _read_many(args), args
        case Action.READ:
            path = _text(args.file_path, args.absolute_path, args.path)
            return Operation(action, path=path, partial=_is_partial(args)), args
        case Action.EDIT | Action.WRITE:
            return Operation(action, path=_text(args.file_path, args.absolute_path)), args
        case _:
            return Operation(action), args


def _read_many(args: Arguments) -> Operation:
    """Reading one named file is a read; reading by glob, or several files, is no operation on one target."""
    asked = args.include if isinstance(args.include, list) else args.paths
    if (
        isinstance(asked, list)
        and len(asked) == 1
        and isinstance(asked[0], str)
        and not re.search(r"[*?\[{]", asked[0])
    ):
        return Operation(Action.READ, path=asked[0])
    return Operation(Action.OTHER)


def _is_partial(args: Arguments) -> bool:
    """Whether only a part was asked for; offset counts lines from 0, start_line from 1."""
    if args.limit is not None or args.end_line is not None:
        return True
    return _is_number_above(args.offset, 0) or _is_number_above(args.start_line, 1)


def _is_number_above(value: object, floor: int) -> bool:
    return isinstance(value, int | float) and value > floor


def directory_of(args: Arguments, project: str) -> str:
    """Where a shell command ran: every command starts in the project root unless told otherwise."""
    named = _text(args.dir_path, args.directory)
    if not named:
        return project
    if not project and not named.startswith("/"):
        return ""
    return posixpath.normpath(posixpath.join(project, named))


def size_of(call: RecordedCall) -> int:
    """Roughly the characters of input and result together."""
    return memoryview(call.args).nbytes + memoryview(_answer(call)[0]).nbytes


# -- what became of it ------------------------------------------------------------------------------

_NOTHING: Final = Raw()
_OK: Final = Verdict(Outcome.OK)
_RAN_OK: Final = Verdict(Outcome.OK, exit_code=0)

_OPENING: Final = re.compile(
    r"(?:<untrusted_context>\n)?(?:Output too large\. Showing first [^\n]*\n(?:<untrusted_context>\n)?)?"
    r"(?:Command: .*?\nDirectory: [^\n]*\n)?(?:Output|Stdout): ?",
    re.DOTALL,
)
"""How the answer of run_shell_command begins: "Command:" and "Directory:" until 0.2x, fenced from 0.4x."""

_TRAILER: Final = re.compile(
    r"(?:\nExit Code: (?P<code>-?\d{1,10}|\(none\)))?(?:\nSignal: (?P<signal>[\w()]{1,40}))?"
    r"(?:\nBackground PIDs: [\d, ()none]{0,800})?(?:\nProcess Group PGID: [\d()none]{1,20})?(?:\n</untrusted_context>)?"
    r"(?:\n\n\[System\] Tool input parameters were modified by a hook before execution\.)?\n{0,4}\Z"
)
"""How it ends. Every part is optional, so the leftmost match is the whole of what the CLI appended."""

_LONGEST_TRAILER: Final = 2048  # bytes of JSON that hold any match of _TRAILER and _SILENT
_SILENT: Final = re.compile(r"\s{0,9}(?:\(empty\))?(?:\nStderr: \(empty\))?(?:\nError: \(none\))?\s{0,9}")
_TELLING: Final = (b"Exit Code: ", b"Signal: ", b"Output: ", b"Stdout: ")
_STOPPED: Final = re.compile(r"(?:<untrusted_context>\n)?Command was (automatically cancelled|cancelled by user)")
_CUT_READ: Final = re.compile(r"\s?(?:IMPORTANT: The file content has been truncated|\[File content truncated: )")
_EMPTY_SEARCHES: Final = (b'"No matches found', b'"No files found')

_REFUSALS: Final = re.compile(r"\[Operation Cancelled\] Reason: User (?:denied execution|did not allow tool call)")
_ABORTED: Final = "[Operation Cancelled] Reason: User cancelled the operation."

_KINDS: Final = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            FailureKind.GUARD,
            (
                r"Tool execution (?:for \"[^\"]*\" )?denied by policy|Tool execution blocked: |Path not in workspace|"
                r"File path must be within one of the workspace directories|You are in Plan Mode|"
                r"(?:File path|Path) '[^\n]*' is ignored by configured ignore patterns|Command rejected because"
            ),
        ),
        (
            FailureKind.MISUSE,
            (
                r"params(?:/\S+)? must |Tool \"[^\"]*\" not found|Could not find an exact match for |Failed to edit|"
                r"No changes to apply|File already exists, cannot create|The '\w+' parameter (?:must|cannot) be |"
                r"File path must be absolute|Command cannot be empty|Edit failed: "
            ),
        ),
        (
            FailureKind.FILE_NOT_FOUND,
            (
                r"File not found|Path does not exist: |Search path does not exist |"
                r"(?:Error: )?Directory not found or inaccessible: "
            ),
        ),
        (FailureKind.TOO_LARGE, r"File size exceeds the "),
    )
)


def judge(call: RecordedCall, operation: Operation) -> Verdict:
    """What became of a call whose status is final; UNKNOWN where a call has no status at all."""
    answer, is_error = _answer(call)
    if call.status == "success" and not is_error:
        return _succeeded(call, operation, answer)
    if call.status == "cancelled":
        return _cancelled(call, _decoded(answer))
    if call.status in ("success", "error"):
        return _failed(_decoded(answer))
    return Verdict(Outcome.UNKNOWN)


def _answer(call: RecordedCall) -> tuple[Raw, bool]:
    """The JSON of what the model was told, and whether it stands under "error".

    When old results are masked, `result` holds the answers of all calls of the turn: the call's own one is meant.
    """
    parts = call.result if isinstance(call.result, list) else (call.result,)
    found: FunctionResponse | None = None
    for part in parts:
        if isinstance(part, Part) and part.function_response is not None:
            if part.function_response.id == call.id:
                found = part.function_response
                break
            found = found or part.function_response
    if found is not None and isinstance(found.response, Response):
        response = found.response
        is_error = memoryview(response.error).nbytes > 0
        return (response.error if is_error else response.output), is_error
    if isinstance(call.result, str):
        return Raw(msgspec.json.encode(call.result)), False
    return _NOTHING, False


def _decoded(answer: Raw) -> str:
    """The text of an answer; other values as JSON."""
    data = bytes(answer)
    if not data.startswith(b'"'):
        return data.decode("utf-8", "replace")
    try:
        return msgspec.json.decode(data, type=str)
    except (msgspec.MsgspecError, ValueError):
        return ""


def _succeeded(call: RecordedCall, operation: Operation, answer: Raw) -> Verdict:
    match operation.action:
        case Action.RUN:
            return _ran(call, answer)
        case Action.READ if not operation.partial and b"truncated" in _head(answer):
            return _read(_decoded(answer))
        case Action.SEARCH if _head(answer).startswith(_EMPTY_SEARCHES):
            return Verdict(Outcome.EMPTY, output=excerpt(_decoded(answer)))
        case _:
            return _OK


def _head(answer: Raw) -> bytes:
    return bytes(memoryview(answer)[:300])


def _read(text: str) -> Verdict:
    if _CUT_READ.match(text):
        return Verdict(Outcome.TRUNCATED, kind=FailureKind.TOO_LARGE, output=excerpt(text))
    return _OK


def _ran(call: RecordedCall, answer: Raw) -> Verdict:
    """The exit code of a command hides in an answer whose status is "success"; without one, it was 0."""
    if _plainly_ran_ok(answer):
        return _RAN_OK
    text = _decoded(answer)
    stopped = _STOPPED.match(text)
    if stopped:
        by_itself = stopped.group(1) == "automatically cancelled"
        outcome, kind = (Outcome.FAILED, FailureKind.TIMEOUT) if by_itself else (Outcome.CANCELLED, None)
        return Verdict(outcome, kind=kind, output=excerpt(text))
    opening = _OPENING.match(text)
    if opening is None:  # moved to the background, summarised, or another version's wording: no verdict on file
        return _OK
    trailer = _TRAILER.search(text, max(opening.end() - 1, len(text) - _LONGEST_TRAILER))
    assert trailer is not None, "every part of it is optional"
    printed = text[opening.end() : trailer.start()]
    silent = _SILENT.fullmatch(printed) is not None
    signal = trailer["signal"]
    if signal and signal != "(none)":
        return Verdict(Outcome.CANCELLED, output=excerpt(printed), silent=silent)
    code = int(trailer["code"]) if trailer["code"] not in (None, "(none)") else 0
    if code == 0 or _is_printed(call, printed, f"Exit Code: {code}"):
        return Verdict(Outcome.OK, exit_code=0, silent=silent)
    return Verdict(Outcome.FAILED, exit_code=code, output="" if silent else excerpt(printed), silent=silent)


def _plainly_ran_ok(answer: Raw) -> bool:
    """Whether a long answer shows without being decoded that the command went well (most do: this is the hot path)."""
    data = memoryview(answer)
    if data.nbytes <= _LONGEST_TRAILER:
        return False
    tail = bytes(data[-_LONGEST_TRAILER:])
    return not any(mark in tail for mark in _TELLING) and b"Command was " not in _head(answer)


def _is_printed(call: RecordedCall, printed: str, line: str) -> bool:
    """Whether `line` was the command's own last line rather than the CLI's: `resultDisplay` holds only the former."""
    try:
        display = msgspec.json.decode(call.result_display) if memoryview(call.result_display).nbytes else None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    shown = display if isinstance(display, str) else ""
    return shown.rstrip().endswith(line) and not printed.rstrip().endswith(line)


def _failed(text: str) -> Verdict:
    kind = next((kind for kind, pattern in _KINDS if pattern.match(text)), None)
    outcome = Outcome.TRUNCATED if kind is FailureKind.TOO_LARGE else Outcome.FAILED
    return Verdict(outcome, kind=kind, output=excerpt(text))


def _cancelled(call: RecordedCall, text: str) -> Verdict:
    """A refusal at the approval prompt, or an interruption, which says nothing about the call.

    0.61 and its forerunner name a refusal. CoreToolScheduler (up to 0.2x) says "User cancelled the operation." both
    of a call that waited for approval and of one that ran; only an edit that waited leaves its diff in
    `resultDisplay`. A dismissed question refuses nothing.
    """
    refused = _REFUSALS.match(text) or (text.startswith(_ABORTED) and b'"fileDiff"' in bytes(call.result_display))
    outcome = Outcome.REJECTED if refused and call.name not in _QUESTIONS else Outcome.CANCELLED
    return Verdict(outcome, output=excerpt(text))
