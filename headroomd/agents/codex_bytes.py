"""What the bytes of a Codex CLI rollout's line tell without decoding it.

Codex writes compact JSON with its keys in a fixed order (0.34 to 0.169), and a quotation mark inside a JSON string is
escaped, so that bytes like `"role":"user"` cannot come from a text. A line in any other shape must be decoded.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "ANSWERS",
    "ANSWER_OK",
    "CALLS",
    "IDLE",
    "ITEM_COMPLETED",
    "KIND",
    "MESSAGE",
    "TURN_CONTEXT",
    "TYPE",
    "TYPE_FROM",
    "TYPE_TO",
    "answer_size",
    "end_of_command",
    "item_type",
    "role_of",
]

TYPE: Final = b'"type":"'
TYPE_FROM: Final = 30
TYPE_TO: Final = 80
"""The head of a line: it begins between these bytes, after the line's time and its ordinal."""

_ITEM: Final = b'"type":"response_item","payload":{"type":"'
_EVENT: Final = b'"type":"event_msg","payload":{"type":"'

IDLE: Final = (
    _EVENT + b'token_count"',
    b'"type":"token_usage_record"',
    _EVENT + b'task_started"',
    _EVENT + b'task_complete"',
    _EVENT + b'thread_settings_applied"',
    _EVENT + b"agent_reasoning",
    _EVENT + b'agent_message"',
    _ITEM + b'reasoning"',
    b'"type":"world_state"',
    b'"type":"compacted"',
)
"""Heads of records that nobody here reads."""

MESSAGE: Final = _ITEM + b'message"'
ITEM_COMPLETED: Final = _EVENT + b'item_completed"'
TURN_CONTEXT: Final = b'"type":"turn_context"'
CALLS: Final = (_ITEM + b'function_call"', _ITEM + b'custom_tool_call"')
ANSWERS: Final = (_ITEM + b'function_call_output"', _ITEM + b'custom_tool_call_output"')

KIND: Final = re.compile(
    rb'"type":"(?:(?:response_item|event_msg)","payload":\{"type":"([a-z_]+)"|(session_meta|turn_context)","payload":\{)'
)
"""A head that tells the kind of the payload."""

ANSWER_OK: Final = re.compile(
    rb'"type":"response_item","payload":\{"type":"(?:function|custom_tool)_call_output",'
    rb'(?:"id":"[^"\\]*",)?"call_id":"([^"\\]+)","output":"'
    rb"(?:(?:Chunk ID: [0-9a-f]+\\n)?Wall time: [0-9.]+ seconds\\nProcess exited with code 0\\n"
    rb"(?:Original token count: [0-9]+\\n)?|Exit code: 0\\nWall time: [0-9.]+ seconds\\n)"
    rb'Output:\\n(?!Warning: |Total )(?P<blank>(?:\\[nrt]| )*")?'
)
"""The head of the answer of a command that passed: the call's id, and whether it printed nothing."""

_NEAR: Final = 400  # bytes after the head, in which the ids of thread, turn and message stand
_ITEM_TYPE: Final = b'"item":{"type":"'
_ROLE: Final = b'"role":"'
_COMMAND: Final = b'"item":{"type":"CommandExecution","id":"'
_STATUS: Final = b'"status":"'
_EXIT_CODE: Final = b'"exit_code":'
_INTEGER: Final = re.compile(rb"-?[0-9]{1,9}(?=[,}])")


def role_of(line: bytes, head: int) -> bytes:
    """Who speaks in a `message`; b"" where that does not stand near its head."""
    start = line.find(_ROLE, head, head + _NEAR) + len(_ROLE)
    return line[start : line.find(b'"', start, start + 20)] if start >= len(_ROLE) else b""


def item_type(line: bytes, head: int) -> bytes:
    """What an `item_completed` is about; b"" where that does not stand near its head."""
    start = line.find(_ITEM_TYPE, head, head + _NEAR) + len(_ITEM_TYPE)
    return line[start : line.find(b'"', start, start + 40)] if start >= len(_ITEM_TYPE) else b""


def end_of_command(line: bytes, head: int) -> tuple[str, str, int] | None:
    """Id, status and exit code in an `item_completed` about a command; None where they do not stand as expected."""
    start = line.find(_COMMAND, head, head + _NEAR) + len(_COMMAND)
    end = line.find(b'"', start)
    status = line.find(_STATUS, end) + len(_STATUS)
    code = _INTEGER.match(line, line.rfind(_EXIT_CODE) + len(_EXIT_CODE))
    if start < len(_COMMAND) or b"\\" in line[start:end] or status < len(_STATUS) or code is None:
        return None
    word = line[status : line.find(b'"', status, status + 20)]
    return line[start:end].decode("utf-8", "replace"), word.decode("utf-8", "replace"), int(code[0])


def answer_size(line: bytes) -> int:
    """Characters of an answer, near enough: as they stand in its line, so that they need not be decoded."""
    start = line.find(b'"output":"')
    if start < 0:
        return 0
    end = line.rfind(b',"internal_chat_message_metadata_passthrough"')
    return max(0, (end if end > start else line.rfind(b"}}")) - start - 11)
