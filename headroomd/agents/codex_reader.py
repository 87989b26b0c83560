"""From the lines of a Codex CLI rollout to events (Codex 0.34 to 0.169, and tolerant of what came before).

A call and its answer are two lines joined by `call_id`, which is unique only within a thread. A command that goes on
running has its verdict in a later `write_stdin`, or in the record that Codex writes when the process ends.

Most lines of a rollout matter to nobody here, and most answers are those of commands that passed: `_is_idle` and
`_passed` tell both by a line's bytes. They only save time; what they settle, the long way would settle alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from headroomd.agents import codex_bytes as shape
from headroomd.agents import codex_records as records
from headroomd.agents.base import SessionReader
from headroomd.agents.codex_calls import asked_of, resolve
from headroomd.agents.codex_threads import Lineage, Thread
from headroomd.agents.codex_waiting import AGENT, Call, Waiting
from headroomd.agents.codex_words import cwd_in, key_of, texts_of, typed_text
from headroomd.agents.lines import LineDecoder, excerpt, seconds_of
from headroomd.model import Event, Outcome, SessionStart, ToolCall, UserMessage

__all__ = ["CodexReader"]

_TOOL_ITEMS: Final = frozenset(("CommandExecution", "FileChange", "McpToolCall"))

_RecordT = TypeVar("_RecordT")


class _Kind(Generic[_RecordT]):
    """How one kind of record is decoded, alone and in a line of its own shape, and what is done with it."""

    def __init__(
        self,
        payload: type[_RecordT],
        line: type[records.Line[_RecordT]],
        handler: Callable[[_RecordT, float], Sequence[Event]],
    ) -> None:
        self.payloads = LineDecoder(payload)
        self.decode_line = msgspec.json.Decoder(line).decode
        self.handler = handler


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


class CodexReader(SessionReader):
    """Reads one rollout."""

    def __init__(self, state: bytes = b"", thread: str = "") -> None:
        """`thread` is the id in the file's name: what a rollout without a session_meta is known by."""
        self._state = msgspec.msgpack.decode(state, type=_State) if state else _State()
        self._thread = thread
        self._same_turn = b""  # stands in every turn_context that changes nothing
        self._line = b""  # the one at hand
        self._was_repaired = False
        self._envelopes = LineDecoder(records.Envelope)
        self._marks = LineDecoder(records.Mark)
        asks = _Kind(records.Ask, records.Line[records.Ask], self._call)
        answers = _Kind(records.Answer, records.Line[records.Answer], self._answer)
        ends = _Kind(records.End, records.Line[records.End], self._end)
        self._kinds: dict[str, _Kind[Any]] = {
            "session_meta": _Kind(records.Meta, records.Line[records.Meta], self._meta),
            "turn_context": _Kind(records.TurnContext, records.Line[records.TurnContext], self._turn),
            "function_call": asks,
            "custom_tool_call": asks,
            "local_shell_call": asks,
            "function_call_output": answers,
            "custom_tool_call_output": answers,
            "exec_command_end": ends,
            "patch_apply_end": ends,
            "mcp_tool_call_end": ends,
            "item_completed": _Kind(records.ItemCompleted, records.Line[records.ItemCompleted], self._item_completed),
            "message": _Kind(records.Message, records.Line[records.Message], self._message),
            "user_message": _Kind(records.UserEvent, records.Line[records.UserEvent], self._user_message),
            "turn_aborted": _Kind(records.Abort, records.Line[records.Abort], self._turn_aborted),
        }

    def read(self, lines: Iterable[bytes]) -> Iterator[Event]:
        lineage = self._state.lineage
        for line in lines:
            head = line.find(shape.TYPE, shape.TYPE_FROM, shape.TYPE_TO)
            if head < 0 or lineage.owner or not lineage.threads or not line.endswith(b"}\n"):
                yield from self._events(line)
            elif line.startswith(shape.IDLE, head):
                continue
            elif line.startswith(shape.CALLS, head):
                yield from self._own_events(line, head)
            elif line.startswith(shape.ANSWERS, head) and (event := self._passed(line, head)) is not None:
                yield event
            elif not self._is_idle(line, head):
                yield from self._own_events(line, head)

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    # -- lines that need not be decoded, or not wholly --

    def _passed(self, line: bytes, head: int) -> ToolCall | None:
        """The call whose answer says, at its head, that the command passed; None for any other line."""
        answer = shape.ANSWER_OK.match(line, head)
        if answer is None or b" truncated" in line:
            return None
        calls = self._state.waiting.calls
        call = calls.get(answer[1].decode("utf-8", "replace"))
        if call is None or call.asked.process or call.status == "declined" or not call.asked.runs:
            return None
        del calls[call.id]
        call.size += shape.answer_size(line)
        return call.event(Outcome.OK, 0, silent=answer["blank"] is not None)

    def _is_idle(self, line: bytes, head: int) -> bool:
        """Whether all that the line says is known, or can be noted at once."""
        if line.startswith(shape.MESSAGE, head):
            return self._is_unspoken(line, head)
        if line.startswith(shape.TURN_CONTEXT, head):
            return self._same_turn != b"" and self._same_turn in line
        if not line.startswith(shape.ITEM_COMPLETED, head):
            return False
        about = shape.item_type(line, head)
        if about == b"CommandExecution":
            return self._noted(line, head)
        if about == b"UserMessage":
            return self._state.tells_provenance
        return about not in (b"", b"FileChange", b"McpToolCall")

    def _is_unspoken(self, line: bytes, head: int) -> bool:
        """Whether a message is neither typed nor what a typed one is waiting for."""
        state = self._state
        role = shape.role_of(line, head)
        if role != b"user":
            return role != b"" and (role != b"assistant" or state.said is None)
        return (
            state.tells_provenance
            and state.lineage.current.cwd != ""
            and b'"provenance":{"type":"' in line
            and b'"provenance":{"type":"user"' not in line
        )

    def _noted(self, line: bytes, head: int) -> bool:
        """Note at once how the command of a waiting call ended."""
        waiting = self._state.waiting
        end = shape.end_of_command(line, head)
        if end is None:
            return False
        call = waiting.calls.get(end[0])
        if call is None:
            return not waiting.processes and not waiting.runs_script()
        _, call.status, call.exit_code = end
        return True

    # -- lines --

    def _own_events(self, line: bytes, head: int) -> Sequence[Event]:
        """The events of a line of which the head tells the kind, in a file that holds one thread's records by now."""
        kind = shape.KIND.match(line, head)
        if kind is None:
            return self._events(line)
        entry = self._kinds.get((kind[1] or kind[2]).decode())
        if entry is None:
            return ()
        self._line = line
        try:
            record = entry.decode_line(line)
        except (msgspec.MsgspecError, ValueError):
            return self._events(line)
        return entry.handler(record.payload, seconds_of(record.timestamp)) if record.payload else ()

    def _events(self, line: bytes) -> Sequence[Event]:
        """The events of any line."""
        self._was_repaired = False
        envelope = self._decode(self._envelopes, line)
        if envelope is None:
            return ()
        mark = records.Mark()
        kind, data = envelope.type or "", bytes(envelope.payload)
        if not data:  # no envelope: the line is what it would hold
            data = line
            kind = "session_meta" if not kind and envelope.id and envelope.timestamp else kind
        elif kind in ("response_item", "event_msg") or self._state.lineage.owner:
            mark = self._decode(self._marks, data) or mark
            kind = mark.type or kind
        at = seconds_of(envelope.timestamp)
        events = self._placed(kind, envelope.ordinal, mark, at)
        if kind not in self._kinds:
            return events
        entry = self._kinds[kind]
        self._line = line
        payload = self._decode(entry.payloads, data)
        self.repaired_lines += self._was_repaired
        return events if payload is None else [*events, *entry.handler(payload, at)]

    def _placed(self, kind: str, ordinal: object, mark: records.Mark, at: float) -> list[Event]:
        """Know whose record this is; give a file without a session_meta an identity."""
        lineage = self._state.lineage
        if kind == "session_meta":
            return []
        if not lineage.threads and kind in self._kinds:
            lineage.add(Thread(self._thread, self._thread), at)
            return [self._start(at)]
        if lineage.owner:
            owner = lineage.owner
            lineage.note(at, ordinal if isinstance(ordinal, int) else None, mark.thread_id or "", mark.turn)
            if lineage.owner != owner:
                self._state.cwd = lineage.current.cwd
        return []

    def _decode(self, decoder: LineDecoder[_RecordT], data: bytes) -> _RecordT | None:
        odd, repaired = decoder.odd, decoder.repaired
        record = decoder.decode(data)
        self.odd_lines += decoder.odd - odd
        self._was_repaired |= decoder.repaired > repaired
        return record

    def _meta(self, meta: records.Meta, at: float) -> Sequence[Event]:
        state = self._state
        if not meta.id:
            return ()
        session = meta.session_id or (meta.subagent and meta.parent) or meta.id
        if not state.lineage.threads:
            state.is_subagent = meta.subagent is not None
            state.lineage.start_ordinal = meta.subagent_history_start_ordinal
        thread = Thread(meta.id, session, meta.cwd or "", meta.parent or meta.forked_from_id or "")
        if not state.lineage.add(thread, at):
            return self._home(meta.cwd or "", at)
        state.cwd = thread.cwd
        return [self._start(seconds_of(meta.timestamp) or at)]

    def _turn(self, turn: records.TurnContext, at: float) -> Sequence[Event]:
        state, policy = self._state, bytes(turn.approval_policy)
        state.policy = policy.decode("utf-8", "replace").strip('"')
        if not turn.cwd:
            return ()
        events = self._home(turn.cwd, at)
        state.cwd = turn.cwd
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

    def _call(self, ask: records.Ask, at: float) -> Sequence[Event]:
        state = self._state
        tool = ask.name or "local_shell"
        if ask.namespace:
            tool = f"{ask.namespace}.{tool}"
        arguments = ask.arguments or ask.input or bytes(ask.action).decode("utf-8", "replace")
        identifier = ask.call_id or ask.id
        if identifier:
            asked = asked_of(tool, arguments)
            cwd = resolve(state.cwd, asked.workdir) if asked.workdir else state.cwd
            state.waiting.ask(Call(identifier, tool, asked, at, cwd, state.lineage.current, len(arguments)))
        return self._flush() if state.said else ()

    def _answer(self, answer: records.Answer, _at: float) -> Sequence[Event]:
        state = self._state
        call = state.waiting.calls.pop(answer.call_id or "", None)
        if call is None:
            return ()
        call.size += shape.answer_size(self._line)
        return state.waiting.answer(call, answer.text, state.policy)

    def _end(self, end: records.End, _at: float) -> Sequence[Event]:
        status = end.status or ("failed" if end.has_failed else "")
        return self._state.waiting.note(end.call_id or "", status, end.exit_code, end.aggregated_output or "")

    def _item_completed(self, completed: records.ItemCompleted, at: float) -> Sequence[Event]:
        item, waiting = completed.item, self._state.waiting
        if item is None:
            return ()
        if item.type == "UserMessage":
            return self._confirmed("\n".join(texts_of(item.content)), at)
        if item.type not in _TOOL_ITEMS:
            return ()
        if item.type == "CommandExecution" and item.id not in waiting.calls and waiting.runs_script():
            return waiting.of_script(item, at, self._state.lineage.current)
        return waiting.note(item.id or "", item.status or "", item.exit_code, item.aggregated_output or "")

    # -- words --

    def _message(self, message: records.Message, at: float) -> Sequence[Event]:
        state = self._state
        if message.role == "assistant":
            return self._flush()
        if message.role != "user":
            return ()
        texts, passthrough = texts_of(message.content), message.internal_chat_message_metadata_passthrough
        events = [] if state.lineage.current.cwd else self._home(cwd_in(texts), at)
        told = passthrough is not None and bool(passthrough.content_item_metadata)
        state.tells_provenance |= told
        text = typed_text(texts, passthrough)
        if text and (told or not state.confirms):
            events += self._flush()
            state.said = _Said(excerpt(text), at, state.lineage.current)
            events += self._flush() if told else []
        return events

    def _user_message(self, event: records.UserEvent, at: float) -> Sequence[Event]:
        return self._confirmed(event.message or "", at)

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

    def _turn_aborted(self, abort: records.Abort, at: float) -> Sequence[Event]:
        state = self._state
        thread = state.lineage.current
        events = self._flush()
        # Copies are stamped anew: without the turn's id a copied interruption could not be told from another.
        mark = abort.turn_id or ("" if state.lineage.owner else f"{at}")
        if abort.reason == "interrupted" and mark and not state.is_subagent:
            key = f"{AGENT}:{thread.id}:interrupted:{mark}"
            events.append(UserMessage(key, AGENT, thread.session, thread.id, at, "", interrupts=True))
        return events
