"""From the bytes of a line to a record: typed, permissive, and never raising.

Node programs truncate strings in the middle of a surrogate pair, and `JSON.stringify` then writes a lone surrogate
(`"\\ud83d"`), which every fast parser refuses together with the whole line. Such lines, and lines that hold invalid
UTF-8, are read again with the standard library and repaired.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

import msgspec

from headroomd.model import EXCERPT_LIMIT

__all__ = ["MAX_LINE", "LineDecoder", "excerpt", "seconds_of"]

MAX_LINE: Final = 16 * 1024 * 1024
"""Bytes of the longest line that is read; a longer one is skipped and counted (memory must stay bounded)."""

_HEAD: Final = 1500  # of an excerpt: the first lines name the failure, the last ones its cause
_RecordT = TypeVar("_RecordT")


class LineDecoder(Generic[_RecordT]):
    """Decodes lines into one permissive struct type, counting what was odd and what was repaired."""

    def __init__(self, record: type[_RecordT]) -> None:
        self._decode = msgspec.json.Decoder(record).decode
        self._record = record
        self.odd = 0
        self.repaired = 0

    def decode(self, line: bytes) -> _RecordT | None:
        """The record, or None for a line that holds none; blank lines are not odd."""
        try:
            return self._decode(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return self._repair(line)

    def _repair(self, line: bytes) -> _RecordT | None:
        if not line.strip():
            return None
        try:
            value = json.loads(line.decode("utf-8", "replace"))
            record = self._decode(_encode(value))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.odd += 1
            return None
        self.repaired += 1
        return record


def _encode(value: object) -> bytes:
    """JSON in which every lone surrogate has become U+FFFD."""
    return json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def seconds_of(timestamp: str | None) -> float:
    """Seconds since the epoch of an ISO 8601 time, taken for UTC where it names no zone; 0.0 for anything else."""
    try:
        time = datetime.fromisoformat(timestamp or "")
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def excerpt(text: str, limit: int = EXCERPT_LIMIT) -> str:
    """`text`, or its head and tail where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    head = min(_HEAD, limit // 2)
    return f"{text[:head]}\n[...]\n{text[-(limit - head - 7) :]}"
