"""The control socket's language."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.daemon.control import Reply, Request, decode_reply, decode_request, encode
from headroomd.errors import ControlError


def test_the_line_of_a_request() -> None:
    """Every field is on it, so that old and new programs can tell each other apart."""
    line = encode(Request("run-now", project="/p", wait=True))
    assert line.endswith(b"\n")
    assert msgspec.json.decode(line) == {"v": 1, "cmd": "run-now", "project": "/p", "wait": True}


@given(st.text(), st.text(), st.booleans())
def test_requests_come_back(cmd: str, project: str, wait: bool) -> None:
    """What is written is what is read, on one line."""
    request = Request(cmd, project=project, wait=wait)
    line = encode(request)
    assert line.count(b"\n") == 1
    assert decode_request(line) == request


@given(st.binary())
def test_nonsense_is_refused(line: bytes) -> None:
    """Whatever comes, it is a request or a ControlError."""
    for decode in (decode_request, decode_reply):
        with contextlib.suppress(ControlError):
            decode(line)


def test_another_protocol() -> None:
    """Both sides say so, and what to do."""
    with pytest.raises(ControlError, match="protocol 2"):
        decode_request(b'{"v":2,"cmd":"ping"}')
    with pytest.raises(ControlError, match="version 9"):
        decode_reply(encode(Reply(True, "9", 1, v=2)))
