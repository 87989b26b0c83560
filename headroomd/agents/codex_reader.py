"""From the lines of a Codex CLI rollout to events (Codex 0.34 to 0.169, and tolerant of what came before).

A call and its answer are two lines joined by `call_id`, which is unique only within a thread. A command that goes on
running has its verdict in a later `write_stdin`, or in the record that Codex writes when the process ends.

Most lines of a rollout matter to nobody here, and most answers are those of commands that passed: `_is_idle` and
`_passed` tell both by a line's bytes. They only save time; what they settle, the long way would settle alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from headroomd.agents.base import SessionReader
from headroomd.agents.codex_calls import asked_of, resolve
from headroomd.agents.codex_records import (
    ANSWER_OK,
    ANSWERS,
    EXIT_CODE,
    HEAD,
    ITEM,
    STATUS,
    WANTED,
    Payload,
    Record,
    Source,
    answer_size,
)
from headroomd.agents.codex_results import CUT_MARKS, text_of
from headroomd.agents.codex_threads import Lineage, Thread
from headroomd.agents.codex_waiting import AGENT, Call, Waiting
from headroomd.agents.codex_words import cwd_in, key_of, texts_of, typed_text
from headroomd.agents.lines import LineDecoder, excerpt
from headroomd.model import Event, Outcome, SessionStart, ToolCall, UserMessage

__all__ = ["CodexReader"]

_CUT_MARKS: Final = (*(mark.encode() for mark in CUT_MARKS), rb" truncated\u2026")
_ITEM_WITHIN: Final = 400  # bytes from the start of a line
_TOOL_ITEMS: Final = frozenset(("CommandExecution", "FileChange", "McpToolCall"))


class _Seen(NamedTuple):
    """A decoded line."""

    payload: Payload
    at: float
    line: bytes


class _Said(Struct):
    """A message that may have been typed, until an event confirms it or the model answers."""

    text: str
    at: float
    thread: Thread


class _State(Struct):
    """What is carried from one reading of a file to the next."""

    lineage: Lineage = msgspec.field(default_factory=Lineage)
    waiting: Waiting = msgspec.field(default_factory=Waiting)
    is_subagent: bool = False
    cwd: str = ""
    policy: str = ""
    said: _Said | None = None
    confirms: bool = False  # events say which messages were typed
    tells_provenance: bool = False  # the messages themselves say it, which is surest


def _seconds(timestamp: str | None) -> float:
    """Seconds since the epoch of an ISO 8601 time, taken for UTC where it names no zone; 0.0 for anything else."""
    try:
        time = datetime.fromisoformat(timestamp or "")
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


class CodexReader(SessionReader):
    """Reads one rollout."""

    def __init__(self, state: bytes = b"", thread: str = "") -> None:
        """`thread` is the id in the file's name: what a rollout without a session_meta is known by."""
        self._decoder = LineDecoder(Record)
        self._state = msgspec.msgpack.decode(state, type=_State) if state else _State()
        self._thread = thread
        self._same_turn = b""  # stands in every turn_context that changes nothing
        self._handlers: dict[str, Callable[[_Seen], Sequence[Event]]] = {
            "session_meta": self._meta,
            "turn_context": self._turn,
            "function_call": self._call,
            "custom_tool_call": self._call,
            "local_shell_call": self._call,
            "function_call_output": self._answer,
            "custom_tool_call_output": self._answer,
            "message": self._message,
            "user_message": self._user_message,
            "turn_aborted": self._turn_aborted,
            "exec_command_end": self._command_end,
            "patch_apply_end": self._tool_end,
            "mcp_tool_call_end": self._tool_end,
            "item_completed": self._item_completed,
        }

    def read(self, lines: Iterable[bytes]) -> Iterator[Event]:
        decoder, lineage = self._decoder, self._state.lineage
        for line in lines:
            head = None if lineage.owner else HEAD.match(line)
            if head is not None and line.endswith(b"}\n"):
                kind = head[1] or head[2]
                if kind not in WANTED or self._is_idle(kind, line):
                    continue
                if kind in ANSWERS and (event := self._passed(line, head.end())) is not None:
                    yield event
                    continue
            record = decoder.decode(line)
            self.odd_lines, self.repaired_lines = decoder.odd, decoder.repaired
            if record is not None:
                yield from self._events(record, line)

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    # -- lines that need not be decoded --

    def _is_idle(self, kind: bytes, line: bytes) -> bool:
        """Whether all that the line says is known, or can be noted at once."""
        if kind == b"message":
            return self._is_unspoken(line)
        if kind == b"turn_context":
            return self._same_turn != b"" and self._same_turn in line
        if kind != b"item_completed" or not (item := ITEM.search(line, 0, _ITEM_WITHIN)):
            return False
        if item[1] == b"UserMessage":
            return self._state.tells_provenance
        if item[1] == b"CommandExecution":
            return self._noted(item[2], line)
        return item[1] not in (b"FileChange", b"McpToolCall")

    def _is_unspoken(self, line: bytes) -> bool:
        """Whether a message is neither the user's nor the end of the user's turn."""
        state = self._state
        if b'"role":"user"' not in line:
            return state.said is None
        return (
            state.cwd != ""
            and b'"provenance":{"type":"' in line
            and b'"provenance":{"type":"user"' not in line
            and state.lineage.current.cwd != ""
        )

    def _noted(self, call_id: bytes, line: bytes) -> bool:
        """Note at once how the command of a waiting call ended."""
        waiting = self._state.waiting
        call = waiting.calls.get(call_id.decode())
        if call is None:
            return not waiting.processes and not waiting.runs_script()
        status, exit_code = STATUS.search(line), EXIT_CODE.search(line)
        if status is None or exit_code is None:
            return False
        call.status, call.exit_code = status[1].decode(), int(exit_code[1])
        return True

    def _passed(self, line: bytes, start: int) -> ToolCall | None:
        """The call whose answer says, at its head, that the command passed; None for any other line."""
        answer = ANSWER_OK.match(line, start)
        if answer is None:
            return None
        for mark in _CUT_MARKS:
            if mark in line:
                return None
        calls = self._state.waiting.calls
        call = calls.get(answer[1].decode())
        if call is None or call.asked.process or call.status == "declined" or not call.asked.runs:
            return None
        del calls[call.id]
        call.size += answer_size(line)
        return call.event(Outcome.OK, 0, silent=answer["blank"] is not None)

    # -- lines --

    def _events(self, record: Record, line: bytes) -> Sequence[Event]:
        kind, payload = record.unwrap()
        lineage = self._state.lineage
        at = _seconds(record.timestamp)
        if lineage.owner and kind != "session_meta":
            owner = lineage.owner
            lineage.note(at, record.ordinal, payload.thread_id or "", payload.turn)
            if lineage.owner != owner:
                self._state.cwd = lineage.current.cwd
        handler = self._handlers.get(kind)
        if handler is None:
            return ()
        seen = _Seen(payload, at, line)
        if kind == "session_meta" or lineage.threads:
            return handler(seen)
        lineage.add(Thread(self._thread, self._thread), at)
        return [self._start(at), *handler(seen)]

    def _meta(self, seen: _Seen) -> Sequence[Event]:
        state, payload = self._state, seen.payload
        if not payload.id:
            return ()
        subagent = payload.source.subagent if isinstance(payload.source, Source) else None
        spawn = getattr(subagent, "thread_spawn", None)
        parent = payload.parent_thread_id or (spawn and spawn.parent_thread_id) or ""
        session = payload.session_id or (subagent and parent) or payload.id
        if not state.lineage.threads:
            state.is_subagent = subagent is not None
            state.lineage.start_ordinal = payload.subagent_history_start_ordinal
        thread = Thread(payload.id, session, payload.cwd or "", parent or payload.forked_from_id or "")
        if not state.lineage.add(thread, seen.at):
            return self._home(payload.cwd or "", seen.at)
        state.cwd = thread.cwd
        return [self._start(_seconds(payload.timestamp) or seen.at)]

    def _turn(self, seen: _Seen) -> Sequence[Event]:
        state, payload = self._state, seen.payload
        policy = bytes(payload.approval_policy)
        state.policy = policy.decode("utf-8", "replace").strip('"')
        if not payload.cwd:
            return ()
        events = self._home(payload.cwd, seen.at)
        state.cwd = payload.cwd
        self._same_turn = b'"cwd":' + msgspec.json.encode(state.cwd) + b',"approval_policy":' + policy + b","
        return events

    def _home(self, cwd: str, at: float) -> list[Event]:
        """Give the session's home where it was not known before."""
        thread = self._state.lineage.current
        if thread.cwd or not cwd:
            return []
        thread.cwd = self._state.cwd = cwd
        return [self._start(at)]

    def _start(self, at: float) -> SessionStart:
        thread = self._state.lineage.current
        return SessionStart(AGENT, thread.session, at, thread.cwd, thread.parent)

    # -- calls --

    def _call(self, seen: _Seen) -> Sequence[Event]:
        state, payload = self._state, seen.payload
        tool = payload.name or "local_shell"
        if payload.namespace:
            tool = f"{payload.namespace}.{tool}"
        arguments = payload.arguments or payload.input or ""
        if payload.action:
            arguments = bytes(payload.action).decode("utf-8", "replace")
        if identifier := payload.call_id or payload.id:
            asked = asked_of(tool, arguments)
            cwd = resolve(state.cwd, asked.workdir)
            state.waiting.ask(Call(identifier, tool, asked, seen.at, cwd, state.lineage.current, len(arguments)))
        return self._flush()

    def _answer(self, seen: _Seen) -> Sequence[Event]:
        state = self._state
        call = state.waiting.calls.pop(seen.payload.call_id or "", None)
        if call is None:
            return ()
        call.size += answer_size(seen.line)
        return state.waiting.answer(call, text_of(seen.payload.output), state.policy)

    def _command_end(self, seen: _Seen) -> Sequence[Event]:
        end = seen.payload
        return self._state.waiting.note(end.call_id or "", end.status or "", end.exit_code, end.aggregated_output or "")

    def _tool_end(self, seen: _Seen) -> Sequence[Event]:
        end = seen.payload
        failed = end.success is False or bytes(end.result).startswith(b'{"Err"')
        return self._state.waiting.note(end.call_id or "", end.status or ("failed" if failed else ""), None, "")

    def _item_completed(self, seen: _Seen) -> Sequence[Event]:
        item, waiting = seen.payload.item, self._state.waiting
        if item is None:
            return ()
        if item.type == "UserMessage":
            return self._confirmed("\n".join(texts_of(item.content)), seen.at)
        if item.type not in _TOOL_ITEMS:
            return ()
        if item.type == "CommandExecution" and item.id not in waiting.calls and waiting.runs_script():
            return waiting.of_script(item, seen.at, self._state.lineage.current)
        return waiting.note(item.id or "", item.status or "", item.exit_code, item.aggregated_output or "")

    # -- words --

    def _message(self, seen: _Seen) -> Sequence[Event]:
        state, payload = self._state, seen.payload
        if payload.role == "assistant":
            return self._flush()
        if payload.role != "user":
            return ()
        texts, passthrough = texts_of(payload.content), payload.internal_chat_message_metadata_passthrough
        events = [] if state.lineage.current.cwd else self._home(cwd_in(texts), seen.at)
        told = passthrough is not None and bool(passthrough.content_item_metadata)
        state.tells_provenance |= told
        text = typed_text(texts, passthrough)
        if text and (told or not state.confirms):
            events += self._flush()
            state.said = _Said(excerpt(text), seen.at, state.lineage.current)
            events += self._flush() if told else []
        return events

    def _user_message(self, seen: _Seen) -> Sequence[Event]:
        return self._confirmed("\n".join(texts_of(seen.payload.message)), seen.at)

    def _confirmed(self, text: str, at: float) -> Sequence[Event]:
        """A message of which an event says that it was typed."""
        state = self._state
        if state.tells_provenance:
            return ()
        state.confirms = True
        typed = typed_text([text])
        state.said = _Said(excerpt(typed), at, state.lineage.current) if typed else None
        return self._flush()

    def _flush(self) -> list[Event]:
        """Give out the message that the model now answers, or that is known to be typed."""
        said, self._state.said = self._state.said, None
        lineage = self._state.lineage
        if said is None or (self._state.is_subagent and said.thread.id == lineage.threads[0].id):
            return []  # a subagent's prompt is its parent's
        key = key_of(said.thread.id, said.text)
        return [UserMessage(key, AGENT, said.thread.session, said.thread.id, said.at, said.text)]

    def _turn_aborted(self, seen: _Seen) -> Sequence[Event]:
        state = self._state
        thread = state.lineage.current
        events = self._flush()
        # Copies are stamped anew: without the turn's id a copied interruption could not be told from another.
        mark = seen.payload.turn_id or ("" if state.lineage.owner else f"{seen.at}")
        if bytes(seen.payload.reason) == b'"interrupted"' and mark and not state.is_subagent:
            key = f"{AGENT}:{thread.id}:interrupted:{mark}"
            events.append(UserMessage(key, AGENT, thread.session, thread.id, seen.at, "", interrupts=True))
        return events
