"""The control socket's language: one JSON line asks, one JSON line answers.

    {"v":1,"cmd":"run-now","project":"/home/sam/webshop","wait":true}
    {"v":1,"ok":true,"version":"1.0.0","pid":4711,"result":{...}}
    {"v":1,"ok":false,"version":"1.0.0","pid":4711,"cause":"...","remedy":"..."}

Imports msgspec only: clients are commands that must start quickly. The server is in `server.py`.

=========  ====================================  ============================================================
cmd        fields                                result
=========  ====================================  ============================================================
ping                                             {}
status                                           a DaemonState
run-now    project (path of a root; "" is all),  {"queued": files} or, with wait, a RunState when all is read
           wait                                  and written
pause                                            {"paused": true}
resume                                           {"paused": false}
reload                                           {"changed": keys that have a new value}
=========  ====================================  ============================================================
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from headroomd.errors import ControlError

__all__ = ["MAX_MESSAGE", "PROTOCOL", "Command", "Reply", "Request", "decode_reply", "decode_request", "encode"]

PROTOCOL: Final = 1
MAX_MESSAGE: Final = 1024 * 1024
"""Bytes of the longest line in either direction."""


class Command(StrEnum):
    """What can be asked."""

    PING = "ping"
    STATUS = "status"
    RUN_NOW = "run-now"
    PAUSE = "pause"
    RESUME = "resume"
    RELOAD = "reload"


class Request(Struct, frozen=True):
    """One question."""

    cmd: str
    v: int = PROTOCOL
    project: str = ""
    wait: bool = False


class Reply(Struct, frozen=True):
    """One answer; `version` and `pid` are the daemon's in every one."""

    ok: bool
    version: str
    pid: int
    v: int = PROTOCOL
    result: msgspec.Raw = msgspec.Raw(b"{}")
    cause: str = ""
    remedy: str = ""


_decode_request = msgspec.json.Decoder(Request).decode
_decode_reply = msgspec.json.Decoder(Reply).decode
_encode = msgspec.json.Encoder().encode


def encode(message: Request | Reply) -> bytes:
    """The message as a line."""
    return _encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """Raises ControlError where the line is no request of this protocol."""
    try:
        request = _decode_request(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ControlError("the request is not understood", "send one line of JSON with v and cmd") from error
    if request.v != PROTOCOL:
        cause = f"the request speaks protocol {request.v}, this daemon speaks {PROTOCOL}"
        raise ControlError(cause, "restart the daemon after an update: headroomd service stop, then start")
    return request


def decode_reply(line: bytes) -> Reply:
    """Raises ControlError where the line is no reply of this protocol."""
    try:
        reply = _decode_reply(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ControlError("the daemon's answer is not understood", "restart it") from error
    if reply.v != PROTOCOL:
        cause = f"the daemon speaks protocol {reply.v} (version {reply.version}), this program {PROTOCOL}"
        raise ControlError(cause, "restart the daemon: headroomd service stop, then start")
    return reply
