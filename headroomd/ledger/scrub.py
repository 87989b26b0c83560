"""Takes secrets out of what readers carry from one reading to the next, before it is stored.

A call whose result is not on file yet is carried with its command, whatever that holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from headroomd.redact import holds_secret, redact

__all__ = ["scrubbed"]

_decode = msgspec.msgpack.Decoder().decode
_encode = msgspec.msgpack.encode


def scrubbed(state: bytes) -> bytes:
    """`state` with every string in it redacted, the same bytes where none holds a secret.

    States are msgpack or UTF-8 text (agents.base.SessionReader.dump). Anything else cannot be looked into, so nothing
    is left of it: the next reading starts without a state, and misses at most the result of a call in hand.
    """
    try:
        return redact(state.decode()).encode()
    except UnicodeDecodeError:
        pass
    try:
        value = _decode(state)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return b""
    # One look at all of them is many times faster than one at each, and nearly always the only one.
    return _encode(_redacted(value)) if holds_secret("\n".join(_strings(value))) else state


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case bytes():
            yield value.decode("utf-8", "replace")
        case dict():
            for key, item in value.items():
                yield from _strings(key)
                yield from _strings(item)
        case list():
            for item in value:
                yield from _strings(item)


def _redacted(value: Any) -> Any:
    match value:
        case str():
            return redact(value)
        case bytes():
            return scrubbed(value)
        case dict():
            return {_redacted(key): _redacted(item) for key, item in value.items()}
        case list():
            return [_redacted(item) for item in value]
    return value
