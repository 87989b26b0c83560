"""What one of Gemini CLI's recorded tool calls asked for, and what became of it.

The wordings below are the CLI's own, read in gemini-cli 0.61.0's bundle (scheduler, shell.ts, read-file.ts, edit.ts,
ripGrep.ts, glob.ts) and, for older versions, in coreToolScheduler.ts and in recorded sessions. They are looked for only
where the CLI itself writes them: at the start or at the very end of an answer, never in what a program printed.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from headroomd.agents.lines import LineDecoder, excerpt
from headroomd.model import Action, FailureKind, Operation, Outcome

__all__ = [
    "FINAL_STATUSES",
    "Answer",
    "Arguments",
    "RecordedCall",
    "Verdict",
    "answer_of",
    "arguments_of",
    "directory_of",
    "judge",
    "operation_of",
]

FINAL_STATUSES: Final = frozenset(("success", "error", "cancelled"))
"""Statuses that change no more; others ("executing", "awaiting_approval", ...) are of calls still under way."""


class Response(Struct, gc=False):
    """What a tool gave back; an error, where it has one."""

    output: Raw = Raw()
    error: Raw = Raw()


class FunctionResponse(Struct, gc=False):
    """The answer to one call, as the model gets it."""

    id: object = None
    response: Response | str | None = None


class Part(Struct, rename="camel", gc=False):
    """One part of a message to the model."""

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


class Answer(NamedTuple):
    """What the model was told, still as JSON: few answers need to be decoded."""

    json: bytes
    is_error: bool = False


class Verdict(NamedTuple):
    """What became of a call."""

    outcome: Outcome
    exit_code: int | None = None
    kind: FailureKind | None = None
    output: str = ""
    silent: bool = False


_decode_arguments = LineDecoder(Arguments).decode  # repairs the lone surrogates that Node writes
_decode_text = LineDecoder(str).decode
_NO_ARGUMENTS: Final = Arguments()

_QUESTIONS: Final = frozenset(("ask_user", "exit_plan_mode", "enter_plan_mode"))

# -- what was asked ---------------------------------------------------------------------------------


def arguments_of(call: RecordedCall) -> Arguments:
    """The call's arguments; none where the model wrote something else than an object."""
    return _decode_arguments(bytes(call.args)) or _NO_ARGUMENTS


def operation_of(call: RecordedCall, args: Arguments) -> Operation:
    """What the call meant."""
    meaning = _MEANINGS.get(call.name or "")
    return meaning(args) if meaning is not None else _NO_OPERATION


def _text(*candidates: object) -> str:
    for candidate in candidates:
        if isinstance(candidate, str) and candidate:
            return candidate
    return ""


def _run(args: Arguments) -> Operation:
    return Operation(Action.RUN, command=_text(args.command))


def _search(args: Arguments) -> Operation:
    return Operation(Action.SEARCH, path=_text(args.dir_path, args.path), pattern=_text(args.pattern))


def _read_file(args: Arguments) -> Operation:
    """Offset counts lines from 0, start_line from 1: what begins there and has no end is the whole file."""
    bounded = args.limit is not None or args.end_line is not None
    partial = bounded or _is_above(args.offset, 0) or _is_above(args.start_line, 1)
    return Operation(Action.READ, path=_text(args.file_path, args.absolute_path, args.path), partial=partial)


def _is_above(value: object, floor: int) -> bool:
    return isinstance(value, int | float) and value > floor


def _read_many_files(args: Arguments) -> Operation:
    """Reading one named file is a read; reading by glob, or several files, is no operation on one target."""
    asked = args.include if isinstance(args.include, list) else args.paths
    if isinstance(asked, list) and len(asked) == 1 and isinstance(asked[0], str) and not _GLOB.search(asked[0]):
        return Operation(Action.READ, path=asked[0])
    return _NO_OPERATION


def _edit(args: Arguments) -> Operation:
    return Operation(Action.EDIT, path=_text(args.file_path, args.absolute_path))


def _write(args: Arguments) -> Operation:
    return Operation(Action.WRITE, path=_text(args.file_path, args.absolute_path))


_NO_OPERATION: Final = Operation(Action.OTHER)
_GLOB: Final = re.compile(r"[*?\[{]")
_MEANINGS: Final[dict[str, Callable[[Arguments], Operation]]] = {
    "read_file": _read_file,
    "read_many_files": _read_many_files,
    "grep_search": _search,
    "search_file_content": _search,
    "glob": _search,
    "replace": _edit,
    "edit": _edit,
    "write_file": _write,
    "run_shell_command": _run,
}


def directory_of(args: Arguments, project: str) -> str:
    """Where a shell command ran: every command starts in the project root unless told otherwise."""
    named = _text(args.dir_path, args.directory)
    if not named:
        return project
    if not project and not named.startswith("/"):
        return ""
    return posixpath.normpath(posixpath.join(project, named))


# -- what became of it ------------------------------------------------------------------------------

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
    r"(?:\nBackground PIDs: [\d, ()none]{0,800})?(?:\nProcess Group PGID: [\d()none]{1,20})?\n{0,4}\Z"
)
"""How it ends. Every part is optional, and the first place that matches is the start of what the CLI appended."""

_LINE_END: Final = re.compile(r"\n(?=[ESBP\n]|\Z)|\Z")  # where _TRAILER may match
_OPENING_FENCE: Final = b"<untrusted_context>"
_CLOSING: Final = rb"\n</untrusted_context>"
"""Closes the CLI's own text: the CLI escapes it in what a program prints, and appends notes of hooks after it."""

_LONGEST_TRAILER: Final = 2048  # bytes of JSON that hold any match of _TRAILER and _SILENT
_SILENT: Final = re.compile(r"\s{0,9}(?:\(empty\))?(?:\nStderr: \(empty\))?(?:\nError: \(none\))?\s{0,9}")
_PLAIN_OPENING: Final = re.compile(rb'"(?:<untrusted_context>\\n)?Output: [^\s\\("]')  # and then something visible
_STOPPED: Final = re.compile(r"(?:<untrusted_context>\n)?Command was (automatically cancelled|cancelled by user)")
_BLOCKED: Final = "Command injection detected: "
_CUT_READ: Final = re.compile(
    rb'"(?:\\n)?(IMPORTANT: The file content has been truncated\.[^\\"]*(?:\\n[^\\"]+){0,2}'
    rb'|\[File content truncated: [^\\"\]]*\])'
)
"""What read_file says before a text that it cut, in JSON: such texts are too long to be decoded for nothing."""

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


def judge(call: RecordedCall, operation: Operation, answer: Answer) -> Verdict:
    """What became of a call whose status is final; UNKNOWN where a call has no status at all."""
    if call.status == "success" and not answer.is_error:
        return _succeeded(call, operation, answer.json)
    if call.status == "cancelled":
        return _cancelled(call, _decoded(answer.json))
    if call.status in ("success", "error"):
        return _failed(_decoded(answer.json))
    return Verdict(Outcome.UNKNOWN)


def answer_of(call: RecordedCall) -> Answer:
    """What the model was told.

    When old results are masked, `result` holds the answers of all calls of the turn: the call's own one is meant.
    """
    result = call.result
    if isinstance(result, str):
        return Answer(msgspec.json.encode(result))
    found: FunctionResponse | None = None
    for part in result if isinstance(result, list) else (result,):
        if isinstance(part, Part) and part.function_response is not None:
            if part.function_response.id == call.id:
                found = part.function_response
                break
            found = found or part.function_response
    if found is None or not isinstance(found.response, Response):
        return Answer(b"")
    error = bytes(found.response.error)
    return Answer(error, True) if error else Answer(bytes(found.response.output))


def _decoded(data: bytes) -> str:
    """The text of an answer; other values as JSON."""
    return (_decode_text(data) or "") if data.startswith(b'"') else data.decode("utf-8", "replace")


def _succeeded(call: RecordedCall, operation: Operation, answer: bytes) -> Verdict:
    match operation.action:
        case Action.RUN:
            return _ran(call, answer)
        case Action.READ if not operation.partial:
            notice = _CUT_READ.match(answer)
            text = _decoded(b'"%b"' % notice[1]) if notice is not None else ""
            return Verdict(Outcome.TRUNCATED, kind=FailureKind.TOO_LARGE, output=text) if text else _OK
        case Action.SEARCH if answer.startswith(_EMPTY_SEARCHES):
            return Verdict(Outcome.EMPTY, output=excerpt(_decoded(answer)))
        case _:
            return _OK


def _ran(call: RecordedCall, answer: bytes) -> Verdict:
    """The exit code of a command hides in an answer whose status is "success"; without one, it was 0."""
    end = _end(answer)
    if _plainly_ran_ok(answer, end):
        return _RAN_OK
    text = _decoded(answer[:end] + b'"')
    opening = _OPENING.match(text)
    if opening is None:
        return _did_not_run_to_its_end(text)
    trailer = _trailer(text, opening.end())
    printed = text[opening.end() : trailer.start()]
    silent = _SILENT.fullmatch(printed) is not None
    output = "" if silent else excerpt(printed)
    code, signal = trailer.group("code", "signal")
    if signal and signal != "(none)":
        return Verdict(Outcome.CANCELLED, output=output, silent=silent)
    exit_code = int(code) if code and code != "(none)" else 0
    if exit_code == 0 or _is_printed(call, printed, f"Exit Code: {exit_code}"):
        return Verdict(Outcome.OK, exit_code=0, silent=silent)
    return Verdict(Outcome.FAILED, exit_code=exit_code, output=output, silent=silent)


def _did_not_run_to_its_end(text: str) -> Verdict:
    if text.startswith(_BLOCKED):
        return Verdict(Outcome.FAILED, kind=FailureKind.GUARD, output=excerpt(text))
    stopped = _STOPPED.match(text)
    if stopped is None:  # moved to the background, summarised, or another version's wording: no verdict on file
        return _OK
    if stopped[1] == "automatically cancelled":
        return Verdict(Outcome.FAILED, kind=FailureKind.TIMEOUT, output=excerpt(text))
    return Verdict(Outcome.CANCELLED, output=excerpt(text))


def _end(answer: bytes) -> int:
    """Where the CLI's own text ends: before the closing fence, where there is an opening one, else at the quote."""
    end = answer.find(_CLOSING) if _OPENING_FENCE in answer[:300] else -1
    return end if end > 0 else len(answer) - 1


def _trailer(text: str, start: int) -> re.Match[str]:
    for place in _LINE_END.finditer(text, max(start - 1, len(text) - _LONGEST_TRAILER)):
        trailer = _TRAILER.match(text, place.start())
        if trailer is not None:
            return trailer
    raise AssertionError("the end of the text always matches")


def _plainly_ran_ok(answer: bytes, end: int) -> bool:
    """Whether an answer shows without being decoded that the command went well and said so (the hot path)."""
    if _PLAIN_OPENING.match(answer) is None:
        return False
    tail = answer[max(0, end - _LONGEST_TRAILER) : end]
    return b"Exit Code: " not in tail and b"Signal: " not in tail


def _is_printed(call: RecordedCall, printed: str, line: str) -> bool:
    """Whether `line` was the command's own last line rather than the CLI's: `resultDisplay` holds only the former."""
    display = bytes(call.result_display)
    if line.encode() not in display:  # nearly always
        return False
    return _decoded(display).rstrip().endswith(line) and not printed.rstrip().endswith(line)


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
