"""Claude Code's session records, as events (claude 1.0.80 to 2.1.197).

One answer of the model is split over several records; calls and results are paired by the id of the tool use, which is
unique over all sessions. Forks and resumes copy records with their ids: a copied call has the key of its original.

Lines are not searched for bytes before they are parsed: a parse that leaves results raw runs at the speed of one or two
such searches (measured on 160 MB of records). Only those that say in their first bytes what they are go unparsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from headroomd.agents.lines import LineDecoder, excerpt, seconds_of
from headroomd.model import Action, Event, Operation, Outcome, SessionStart, ToolCall, UserMessage

__all__ = ["ClaudeReader"]

_AGENT: Final = "claude"
_MOST_PENDING: Final = 200  # calls waiting for a result, and links of sidechains; older ones are forgotten
_MOST_TEXT: Final = 16_000  # characters of a command that are carried on; a longer one holds a file, not a command
_SHORT: Final = 400  # bytes; no answer by which a tool says that there is nothing is longer


_NO_MESSAGE: Final = re.compile(
    rb'\{(?:"type":"(?!user"|assistant")'  # a title, a snapshot, the last prompt
    rb'|"parentUuid":(?:null|"[\w-]*"),"isSidechain":(?:true|false),"(?:attachment":\{|type":"system"))'
)
"""The first bytes of records that never hold a message (2.1)."""

_Value = TypeVar("_Value")

# What follows names the fields as the agent does. Only what is used is declared, and of that only what is read often
# is decoded at once: the rest, above all the results, stays raw bytes.


class _Block(Struct, gc=False):
    type: str = ""
    id: str | None = None
    name: str | None = None
    input: Raw = Raw()
    tool_use_id: str | None = None
    content: Raw = Raw()
    is_error: bool | None = None
    text: Raw = Raw()


class _Message(Struct, gc=False):
    content: str | list[_Block] | None = None


class _Details(Struct, rename="camel", gc=False):
    """`toolUseResult` of a call that worked."""

    interrupted: Raw = Raw()
    background_task_id: Raw = Raw()
    num_files: Raw = Raw()
    num_lines: Raw = Raw()
    num_matches: Raw = Raw()


class _Origin(Struct, rename={"session_id": "sessionId"}):
    kind: str | None = None  # of `origin`: who wrote a message (2.1): "human", "task-notification", ...
    session_id: str | None = None  # of `forkedFrom`


class _Record(Struct, rename="camel", gc=False):
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


class _Input(Struct, gc=False):
    """Of a tool call, whichever tool it is."""

    file_path: str | None = None
    notebook_path: str | None = None
    path: str | None = None
    pattern: str | None = None
    command: str | None = None
    offset: object = None
    limit: object = None
    pages: object = None


class _TextBlock(Struct, gc=False):
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

    # SessionReader has these as attributes; here they are the decoder's:
    @property
    def odd_lines(self) -> int:  # type: ignore[override]
        return self._lines.odd

    @property
    def repaired_lines(self) -> int:  # type: ignore[override]
        return self._lines.repaired

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    def read(self, lines: Iterable[bytes]) -> Iterator[Event]:
        decode, is_no_message = self._lines.decode, _NO_MESSAGE.match
        for line in lines:
            if is_no_message(line):
                continue
            record = decode(line)
            if record is not None and isinstance(record.message, _Message):
                yield from self._events(record, record.message.content)

    def _events(self, record: _Record, content: str | list[_Block] | None) -> Sequence[Event]:
        if record.is_sidechain and not record.agent_id:
            self._follow_chain(record)
        # `progress` records (2.1.11 to 2.1.83) hold copies of subagents' messages: only these two types count.
        if record.type == "assistant":
            calls = [block for block in content if block.type == "tool_use"] if isinstance(content, list) else ()
            return self._note_calls(record, calls) if calls else ()
        if record.type != "user":
            return ()
        if not isinstance(content, list):
            return self._message(record, content or "")
        events: list[Event] = []
        texts = []
        for block in content:
            if block.type == "tool_result":
                call = self._state.pending.pop(block.tool_use_id or "", None)
                if call is not None:
                    events.append(_finished(call, block, record))
            elif block.type == "text":
                texts.append(_text(block.text))
        if texts:
            events += self._message(record, "\n".join(texts))
        return events

    def _note_calls(self, record: _Record, blocks: list[_Block]) -> Sequence[Event]:
        session = self._session(record)
        at = seconds_of(record.timestamp)
        for block in blocks:
            tool = block.name or ""
            call = ToolCall(
                key=f"{_AGENT}:{block.id}",
                agent=_AGENT,
                session=session,
                stream=self._stream(record, session),
                at=at,
                cwd=record.cwd or "",
                tool=tool,
                operation=_operation(tool, block.input),
                outcome=_UNKNOWN,
                size=len(block.input),
            )
            if block.id:
                _put(self._state.pending, block.id, call)
        return self._start(record, session, at)

    def _message(self, record: _Record, text: str) -> Sequence[Event]:
        """What a person typed, if that is what the text of a `user` record is."""
        typed = (_INJECTED.sub("", text) if "<" in text else text).strip()
        if not typed or not _may_be_typed(record) or typed.startswith(_NOT_TYPED):
            return ()
        session = self._session(record)
        at = seconds_of(record.timestamp)
        interrupts = typed.startswith(_INTERRUPTED)
        message = UserMessage(
            key=f"{_AGENT}:{record.uuid or ''}",
            agent=_AGENT,
            session=session,
            stream=session,
            at=at,
            text="" if interrupts else excerpt(typed),
            interrupts=interrupts,
        )
        return [*self._start(record, session, at), message]

    def _session(self, record: _Record) -> str:
        """The session that the record was first written in: `/branch` marks copies with where they come from."""
        if record.forked_from is not None and record.forked_from.session_id:
            self._state.parent = record.forked_from.session_id
            return record.forked_from.session_id
        return record.session_id or self._name

    def _start(self, record: _Record, session: str, at: float) -> Sequence[Event]:
        state = self._state
        if session == state.session and (state.cwd or not record.cwd):
            return ()
        state.session, state.cwd = session, record.cwd or ""
        parent = state.parent if state.parent != session else ""
        return [SessionStart(agent=_AGENT, session=session, at=at, cwd=state.cwd, parent=parent)]

    def _stream(self, record: _Record, session: str) -> str:
        if not record.is_sidechain:
            return session
        return f"{session}/{record.agent_id or self._state.chains.get(record.uuid or '', '')}"

    def _follow_chain(self, record: _Record) -> None:
        """Inline sidechains (1.0.80 to 2.0.21) run side by side without a name: the first record's id stands for it."""
        uuid = record.uuid or ""
        _put(self._state.chains, uuid, self._state.chains.get(record.parent_uuid or "", uuid))


def _put(table: dict[str, _Value], key: str, value: _Value) -> None:
    """Add to a table of bounded size; what was added first is forgotten first."""
    table[key] = value
    if len(table) > _MOST_PENDING:
        del table[next(iter(table))]


# -- what was asked ----------------------------------------------------------------------------------------


_ACTIONS: Final = {
    **dict.fromkeys(SHELL_TOOLS, Action.RUN),
    **dict.fromkeys(("Read", "NotebookRead"), Action.READ),
    **dict.fromkeys(SEARCH_TOOLS, Action.SEARCH),
    **dict.fromkeys(("Edit", "MultiEdit", "NotebookEdit"), Action.EDIT),
    "Write": Action.WRITE,
}


def _operation(tool: str, raw: Raw) -> Operation:
    given = _decoded(_decode_input, raw) or _Input()
    action = _ACTIONS.get(tool, Action.OTHER)
    if tool in SHELL_TOOLS:
        return Operation(action, command=_cut(given.command))
    return Operation(
        action,
        path=_cut(given.file_path or given.notebook_path or given.path),
        pattern=_cut(given.pattern) if tool in SEARCH_TOOLS else "",
        partial=given.offset is not None or given.limit is not None or given.pages is not None,
    )


def _cut(text: str | None) -> str:
    return text[:_MOST_TEXT] if text else ""


# -- what came of it ---------------------------------------------------------------------------------------


_UNKNOWN: Final = Outcome.UNKNOWN
_OK: Final = Outcome.OK


def _finished(call: ToolCall, block: _Block, record: _Record) -> ToolCall:
    size = call.size + len(block.content)
    details = record.tool_use_result
    if not block.is_error:
        outcome, silent = _judge_success(call.tool, block.content, details)
        output = "" if outcome is _OK else excerpt(_text(block.content))
        return structs.replace(call, outcome=outcome, silent=silent, output=output, size=size)
    text = _text(block.content)
    verdict = judge_failure(call.tool, text, record.version or "")
    if isinstance(details, _Details) and _is_set(details.interrupted):
        verdict = Verdict(Outcome.CANCELLED)
    return structs.replace(
        call,
        outcome=verdict.outcome,
        kind=verdict.kind,
        exit_code=verdict.exit_code,
        silent=verdict.silent,
        reason=excerpt(verdict.reason),
        output=excerpt(text),
        size=size,
    )


def _judge_success(tool: str, content: Raw, details: object) -> tuple[Outcome, bool]:
    """The outcome of a call whose result is not flagged as an error, and whether it answered nothing."""
    if isinstance(details, _Details) and _is_set(details.background_task_id):
        return _UNKNOWN, False  # it was started: how it goes is not known yet
    if len(content) > _SHORT:
        return _OK, False
    if tool in SHELL_TOOLS:
        return _OK, said_nothing(_text(content))
    if tool in SEARCH_TOOLS and found_nothing(_text(content)) and not _counted(details):
        return Outcome.EMPTY, False
    return _OK, False


def _is_set(value: Raw) -> bool:
    return len(value) > 0 and bytes(value) not in (b"false", b"null", b'""')


def _counted(details: object) -> bool:
    """Whether the structured answer says that something was found: a line found may read "No matches found"."""
    counts = (details.num_files, details.num_lines, details.num_matches) if isinstance(details, _Details) else ()
    return any(bytes(count) not in (b"", b"0", b"null") for count in counts)


def _text(raw: Raw) -> str:
    """The words of a result or of a text block, whose content is a string or a list of blocks."""
    content = _decoded(_decode_text, raw) or ""
    return content if isinstance(content, str) else "\n".join(block.text or "" for block in content)


def _decoded(decode: Callable[[Raw | bytes], _Value], raw: Raw) -> _Value | None:
    """What stands in a part that was left raw; None where that is nothing, or not what was expected."""
    if not raw:
        return None
    try:
        return decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    try:  # bytes that are no UTF-8, which are noticed only when they are looked at
        return decode(bytes(raw).decode("utf-8", "replace").encode())
    except (msgspec.MsgspecError, RecursionError):
        return None


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


def _may_be_typed(record: _Record) -> bool:
    if record.is_sidechain or record.is_meta or record.is_compact_summary:
        return False
    return not isinstance(record.origin, _Origin) or record.origin.kind in (None, "human")
