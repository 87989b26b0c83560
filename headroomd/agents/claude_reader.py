"""Claude Code's session records, as events (claude 1.0.80 to 2.1.197).

One answer of the model is split over several records; calls and results are paired by the id of the tool use, which is
unique over all sessions. Forks and resumes copy records with their ids: a copied call has the key of its original.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec
from msgspec import Raw, Struct, field, structs

from headroomd.agents.base import SessionReader
from headroomd.agents.claude_results import (
    SEARCH_TOOLS,
    SHELL_TOOLS,
    Verdict,
    found_nothing,
    judge_failure,
    said_nothing,
)
from headroomd.agents.lines import LineDecoder, excerpt
from headroomd.model import Action, Event, Operation, Outcome, SessionStart, ToolCall, UserMessage

__all__ = ["ClaudeReader"]

_AGENT: Final = "claude"
_MOST_PENDING: Final = 200  # calls waiting for a result, and links of sidechains; older ones are forgotten
_MOST_TEXT: Final = 16_000  # characters of a command that are carried on; a longer one holds a file, not a command
_SHORT: Final = 400  # bytes; no answer by which a tool says that there is nothing is longer


_Value = TypeVar("_Value")

# What follows names the fields as the agent does. Only what is used is declared, and of that only what is read often
# is decoded at once: the rest, above all the results, stays raw bytes.


class _Block(Struct):
    type: str = ""
    id: str | None = None
    name: str | None = None
    input: Raw = Raw()
    tool_use_id: str | None = None
    content: Raw = Raw()
    is_error: bool | None = None
    text: Raw = Raw()


class _Message(Struct):
    content: str | list[_Block] | None = None


class _Details(Struct, rename="camel"):
    """`toolUseResult` of a call that worked."""

    interrupted: Raw = Raw()
    background_task_id: Raw = Raw()
    num_files: Raw = Raw()
    num_lines: Raw = Raw()
    num_matches: Raw = Raw()


class _Origin(Struct, rename={"session_id": "sessionId"}):
    kind: str | None = None  # of `origin`: who wrote a message (2.1): "human", "task-notification", ...
    session_id: str | None = None  # of `forkedFrom`


class _Record(Struct, rename="camel"):
    type: str = ""
    uuid: str | None = None
    parent_uuid: str | None = None
    timestamp: str | None = None
    session_id: str | None = None
    cwd: str | None = None
    version: str | None = None
    is_sidechain: bool | None = None
    agent_id: str | None = None
    is_meta: bool | None = None
    is_compact_summary: bool | None = None
    origin: _Origin | str | None = None
    forked_from: _Origin | None = None
    message: _Message | str | None = None
    tool_use_result: _Details | str | list[Raw] | bool | float | None = None


class _Input(Struct):
    """Of a tool call, whichever tool it is."""

    file_path: str | None = None
    notebook_path: str | None = None
    path: str | None = None
    pattern: str | None = None
    command: str | None = None
    offset: object = None
    limit: object = None
    pages: object = None


class _TextBlock(Struct):
    text: str | None = None


class _State(Struct):
    """What is carried from one reading to the next."""

    session: str = ""  # that the last SessionStart was for
    cwd: str = ""  # of that SessionStart
    parent: str = ""  # the session that records of this file were copied from
    pending: dict[str, ToolCall] = field(default_factory=dict)
    chains: dict[str, str] = field(default_factory=dict)  # of inline sidechains: record -> the chain's first record


_decode_input = msgspec.json.Decoder(_Input).decode
_decode_text = msgspec.json.Decoder(str | list[_TextBlock] | None).decode
_decode_state = msgspec.msgpack.Decoder(_State).decode


class ClaudeReader(SessionReader):
    """Reads one session file; `name` is the session's where a record does not tell."""

    def __init__(self, name: str, state: bytes = b"") -> None:
        self._name = name
        self._lines = LineDecoder(_Record)
        self._state = _decode_state(state) if state else _State()

    @property
    def odd_lines(self) -> int:  # type: ignore[override]
        return self._lines.odd

    @property
    def repaired_lines(self) -> int:  # type: ignore[override]
        return self._lines.repaired

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    def read(self, lines: Iterable[bytes]) -> Iterator[Event]:
        decode = self._lines.decode
        for line in lines:
            record = decode(line)
            # `progress` records (2.1.11 to 2.1.83) hold copies of subagents' messages: only these two types count.
            if record is None or record.type not in ("assistant", "user") or not isinstance(record.message, _Message):
                continue
            session = self._session(record)
            if session != self._state.session or (record.cwd and not self._state.cwd):
                yield self._session_start(record, session)
            content = record.message.content
            if record.type == "user":
                yield from self._finished_calls(record, content)
                message = _user_message(record, session, content)
                if message is not None:
                    yield message
            elif isinstance(content, list):
                self._note_calls(record, session, content)

    def _session(self, record: _Record) -> str:
        """The session that the record was first written in: `/branch` marks copies with where they come from."""
        if record.forked_from is not None and record.forked_from.session_id:
            self._state.parent = record.forked_from.session_id
            return record.forked_from.session_id
        return record.session_id or self._name

    def _session_start(self, record: _Record, session: str) -> SessionStart:
        state = self._state
        state.session, state.cwd = session, record.cwd or ""
        parent = state.parent if state.parent != session else ""
        return SessionStart(agent=_AGENT, session=session, at=_seconds(record.timestamp), cwd=state.cwd, parent=parent)

    def _stream(self, record: _Record, session: str) -> str:
        if not record.is_sidechain:
            return session
        return f"{session}/{record.agent_id or self._chain(record)}"

    def _chain(self, record: _Record) -> str:
        """The first record of an inline sidechain (1.0.80 to 2.0.21): several may run at once, and none has a name."""
        uuid = record.uuid or ""
        first = self._state.chains.get(record.parent_uuid or "", uuid)
        _put(self._state.chains, uuid, first)
        return first

    def _note_calls(self, record: _Record, session: str, content: list[_Block]) -> None:
        stream = self._stream(record, session)
        for block in content:
            if block.type == "tool_use" and block.id:
                call = ToolCall(
                    key=f"{_AGENT}:{block.id}",
                    agent=_AGENT,
                    session=session,
                    stream=stream,
                    at=_seconds(record.timestamp),
                    cwd=record.cwd or "",
                    tool=block.name or "",
                    operation=_operation(block.name or "", block.input),
                    outcome=Outcome.UNKNOWN,
                    size=len(block.input),
                )
                _put(self._state.pending, block.id, call)

    def _finished_calls(self, record: _Record, content: str | list[_Block] | None) -> Iterator[ToolCall]:
        if record.is_sidechain and not record.agent_id:
            self._chain(record)
        for block in content if isinstance(content, list) else ():
            if block.type == "tool_result":
                call = self._state.pending.pop(block.tool_use_id or "", None)
                if call is not None:
                    yield _finished(call, block, record)


def _put(table: dict[str, _Value], key: str, value: _Value) -> None:
    """Add to a table of bounded size; what was added first is forgotten first."""
    table[key] = value
    if len(table) > _MOST_PENDING:
        del table[next(iter(table))]


# -- what was asked ----------------------------------------------------------------------------------------


def _operation(tool: str, raw: Raw) -> Operation:
    try:
        given = _decode_input(raw) if raw else _Input()
    except msgspec.MsgspecError:  # a model's own slip: a number for a path, a list for the whole
        given = _Input()
    path = _cut(given.file_path or given.notebook_path or given.path)
    if tool in SHELL_TOOLS:
        return Operation(Action.RUN, command=_cut(given.command))
    if tool in ("Read", "NotebookRead"):
        partial = given.offset is not None or given.limit is not None or given.pages is not None
        return Operation(Action.READ, path=path, partial=partial)
    if tool in SEARCH_TOOLS:
        return Operation(Action.SEARCH, path=path, pattern=_cut(given.pattern))
    if tool in ("Edit", "MultiEdit", "NotebookEdit"):
        return Operation(Action.EDIT, path=path)
    return Operation(Action.WRITE if tool == "Write" else Action.OTHER, path=path)


def _cut(text: str | None) -> str:
    return text[:_MOST_TEXT] if text else ""


# -- what came of it ---------------------------------------------------------------------------------------


def _finished(call: ToolCall, block: _Block, record: _Record) -> ToolCall:
    size = call.size + len(block.content)
    if not block.is_error:
        verdict = _judge_success(call.tool, block.content, record.tool_use_result)
        text = _text(block.content) if verdict.outcome is not Outcome.OK else ""
    else:
        text = _text(block.content)
        verdict = judge_failure(call.tool, text, record.version or "")
    return structs.replace(
        call,
        outcome=verdict.outcome,
        kind=verdict.kind,
        exit_code=verdict.exit_code,
        silent=verdict.silent,
        reason=verdict.reason,
        output=excerpt(text),
        size=size,
    )


_OK: Final = Verdict(Outcome.OK)


def _judge_success(tool: str, content: Raw, details: object) -> Verdict:
    """The verdict on a result that is not flagged as an error."""
    if isinstance(details, _Details):
        if _is_set(details.interrupted):
            return Verdict(Outcome.CANCELLED)
        if _is_set(details.background_task_id):
            return Verdict(Outcome.UNKNOWN)  # it was started: nothing is known yet of how it went
    if len(content) > _SHORT:
        return _OK
    if tool in SHELL_TOOLS and said_nothing(_text(content)):
        return Verdict(Outcome.OK, silent=True)
    if tool in SEARCH_TOOLS and found_nothing(_text(content)) and not _counted(details):
        return Verdict(Outcome.EMPTY)
    return _OK


def _is_set(value: Raw) -> bool:
    return bytes(value) not in (b"", b"false", b"null", b'""')


def _counted(details: object) -> bool:
    """Whether the structured answer says that something was found: a line found may read "No matches found"."""
    counts = (details.num_files, details.num_lines, details.num_matches) if isinstance(details, _Details) else ()
    return any(bytes(count) not in (b"", b"0", b"null") for count in counts)


def _text(raw: Raw) -> str:
    """The words of a result or of a text block, whose content is a string or a list of blocks."""
    try:
        content = _decode_text(raw) if raw else None
    except msgspec.MsgspecError:
        return ""
    return content if isinstance(content, str) else "\n".join(block.text or "" for block in content or ())


# -- what a person said ------------------------------------------------------------------------------------

_INJECTED: Final = re.compile(
    r"<(system-reminder|command-[a-z]+|local-command-[a-z]+|bash-(?:input|stdout|stderr)|task-notification|ide_[a-z_]+"
    r"|teammate-message|user-prompt-submit-hook)\b[^>]*>.*?(?:</\1>|\Z)",
    re.DOTALL,
)
_NOT_TYPED: Final = (
    "Caveat: The messages below were generated by the user while running local commands",
    "This session is being continued from a previous conversation that ran out of context",
)
_INTERRUPTED: Final = "[Request interrupted by user"


def _user_message(record: _Record, session: str, content: str | list[_Block] | None) -> UserMessage | None:
    """What a person typed, if a `user` record holds any: results, reminders and summaries are such records too."""
    if record.is_sidechain or record.is_meta or record.is_compact_summary:
        return None
    if isinstance(record.origin, _Origin) and record.origin.kind not in (None, "human"):
        return None
    if isinstance(content, list):
        content = "\n".join(_text(block.text) for block in content if block.type == "text")
    text = _INJECTED.sub("", content or "").strip()
    interrupts = text.startswith(_INTERRUPTED)
    if not text or text.startswith(_NOT_TYPED):
        return None
    return UserMessage(
        key=f"{_AGENT}:{record.uuid or ''}",
        agent=_AGENT,
        session=session,
        stream=session,
        at=_seconds(record.timestamp),
        text="" if interrupts else excerpt(text),
        interrupts=interrupts,
    )


def _seconds(timestamp: str | None) -> float:
    """Seconds since the epoch; 0.0 for a time that cannot be read."""
    try:
        moment = datetime.fromisoformat(timestamp or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0
