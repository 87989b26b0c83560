"""The lines of a Codex CLI rollout: their shape when decoded, and what their first bytes tell without decoding.

Codex writes compact JSON with its keys in a fixed order, and a quotation mark inside a JSON string is escaped, so that
bytes like `"role":"user"` cannot come from a text. A line in any other shape is decoded.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Raw, Struct

from headroomd.agents.codex_words import Passthrough

__all__ = [
    "ANSWERS",
    "ANSWER_OK",
    "EXIT_CODE",
    "HEAD",
    "ITEM",
    "STATUS",
    "WANTED",
    "Item",
    "Payload",
    "Record",
    "Source",
    "answer_size",
]

HEAD: Final = re.compile(
    rb'\{"timestamp":"[^"\\]*",(?:"ordinal":\d+,)?'
    rb'"type":"(?:(?:response_item|event_msg)","payload":\{"type":"([a-z_]+)"|([a-z_]+)")'
)
"""The head of a line: the type of what it holds, or of the line where that does not come first."""

ANSWERS: Final = frozenset((b"function_call_output", b"custom_tool_call_output"))
WANTED: Final = ANSWERS | frozenset(
    b"message function_call custom_tool_call local_shell_call user_message turn_aborted exec_command_end"
    b" patch_apply_end mcp_tool_call_end item_completed session_meta turn_context response_item event_msg".split()
)
"""The types of records that are read; all others are passed over."""

ANSWER_OK: Final = re.compile(
    rb',(?:"id":"[^"\\]*",)?"call_id":"([^"\\]+)","output":"'
    rb"(?:(?:Chunk ID: [0-9a-f]+\\n)?Wall time: [0-9.]+ seconds\\nProcess exited with code 0\\n"
    rb"(?:Original token count: [0-9]+\\n)?|Exit code: 0\\nWall time: [0-9.]+ seconds\\n)"
    rb'Output:\\n(?!Warning: |Total )(?P<blank>(?:\\[nrt]| )*")?'
)
"""What follows the head of the answer of a command that passed: the call's id, and whether it printed nothing."""

ITEM: Final = re.compile(rb'"item":\{"type":"([A-Za-z]+)","id":"([^"\\]*)"')
STATUS: Final = re.compile(rb'"status":"([a-z_]+)"')
EXIT_CODE: Final = re.compile(rb'"exit_code":(-?\d+)[,}]')


def answer_size(line: bytes) -> int:
    """Characters of an answer, near enough: as they stand in its line, so that they need not be decoded."""
    start = line.find(b'"output":"')
    if start < 0:
        return 0
    end = line.rfind(b',"internal_chat_message_metadata_passthrough"')
    return max(0, (end if end > start else len(line) - 3) - start - 11)


class Item(Struct, gc=False):
    """What an `item_completed` is about (0.16x and later)."""

    type: str | None = None
    id: str | None = None
    command: list[str] | None = None
    cwd: str | None = None
    status: str | None = None
    exit_code: int | None = None
    aggregated_output: str | None = None
    content: Raw = Raw()


class Spawn(Struct, gc=False):
    parent_thread_id: str | None = None


class Subagent(Struct, gc=False):
    thread_spawn: Spawn | None = None


class Source(Struct, gc=False):
    """Where a thread comes from; a plain name for those that a person began."""

    subagent: Subagent | str | None = None


class Payload(Struct, gc=False):
    """What a line holds: a session_meta, a turn_context, a response_item or an event_msg."""

    type: str | None = None
    timestamp: str | None = None
    # session_meta
    id: str | None = None
    session_id: str | None = None
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    subagent_history_start_ordinal: int | None = None
    source: Source | str | None = None
    # session_meta and turn_context
    cwd: str | None = None
    approval_policy: Raw = Raw()
    # calls and answers
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: str | None = None
    input: str | None = None
    action: Raw = Raw()
    output: Raw = Raw()
    # messages
    role: str | None = None
    content: Raw = Raw()
    message: Raw = Raw()
    internal_chat_message_metadata_passthrough: Passthrough | None = None
    # events
    thread_id: str | None = None
    turn_id: str | None = None
    reason: Raw = Raw()
    status: str | None = None
    exit_code: int | None = None
    success: bool | None = None
    aggregated_output: str | None = None
    result: Raw = Raw()
    item: Item | None = None

    @property
    def turn(self) -> str:
        """The id of the turn that this belongs to; "" where it is not noted."""
        passthrough = self.internal_chat_message_metadata_passthrough
        return self.turn_id or (passthrough and passthrough.turn_id) or ""


class Record(Payload, gc=False):
    """A line: an envelope, or, as before there were envelopes, what it holds."""

    ordinal: int | None = None
    payload: Payload | None = None

    def unwrap(self) -> tuple[str, Payload]:
        """The type of what the line holds, and that."""
        if self.payload is not None:
            inner = self.payload.type if self.type in ("response_item", "event_msg") else self.type
            return inner or "", self.payload
        if self.type is None and self.id and self.timestamp:
            return "session_meta", self
        return self.type or "", self
