"""Asking the running daemon: the client's side of the control socket.

Imports msgspec only: `headroomd status` must start quickly.
"""

from __future__ import annotations

import os
import re
import socket
import time
from pathlib import Path
from typing import Final

from headroomd.daemon.control import MAX_MESSAGE, Reply, Request, decode_reply, encode
from headroomd.errors import ControlError
from headroomd.paths import Places

__all__ = ["ask", "holder"]

_PATIENCE: Final = 2.0  # seconds for an answer that the daemon has at hand
_RETRY: Final = 0.1  # seconds between tries at the socket of a daemon that is just starting
_RESTART: Final = "restart it: headroomd service stop, then headroomd service start"


def ask(
    places: Places, request: Request, *, answer_within: float | None = _PATIENCE, starts_within: float = 0.0
) -> Reply | None:
    """The daemon's answer; None where no daemon listens.

    Args:
        places: where the socket lies.
        request: what is asked.
        answer_within: seconds to wait for the answer; None waits for as long as the daemon lives.
        starts_within: seconds to wait for the socket of a daemon that holds the lock already.

    Raises:
        ControlError: it does not answer in time, is not understood, or says no.
    """
    deadline = time.monotonic() + starts_within
    while (connection := _connect(places.socket, answer_within)) is None:
        if time.monotonic() >= deadline or holder(places.lock) is None:
            return None
        time.sleep(_RETRY)
    with connection:
        try:
            connection.sendall(encode(request))
            line = _line(connection)
        except TimeoutError:
            raise ControlError(f"the daemon did not answer within {answer_within:.0f} s", _RESTART) from None
        except OSError as error:
            raise ControlError(f"the daemon ended while it was asked ({error.strerror})", "ask again") from error
    reply = decode_reply(line)
    if not reply.ok:
        raise ControlError(reply.cause or f"the daemon refused {request.cmd}", reply.remedy)
    return reply


def holder(lock: Path) -> int | None:
    """The pid that the lock file names, if that process lives; None where nobody works.

    Looks without locking: a lock taken only to look would turn away a daemon that starts at that moment. A pid that
    another program has by now is told apart where the system shows command lines (/proc).
    """
    try:
        found = re.match(rb"pid ([1-9]\d{0,9}),", lock.read_bytes()[:200])
        if found is None:
            return None
        pid = int(found[1])
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return None
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return pid
    return pid if b"headroomd" in command or pid == os.getpid() else None


def _connect(path: Path, timeout: float | None) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise ControlError(
            f"the control socket {path} cannot be used ({error.strerror or error})", "check the owner of its folder"
        ) from error
    return connection


def _line(connection: socket.socket) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n"):
        more = connection.recv(65536)
        if not more:
            raise ControlError("the daemon ended before it answered", "`headroomd status` shows whether it runs")
        data += more
        if len(data) > MAX_MESSAGE:
            raise ControlError("the daemon's answer is too long", _RESTART)
    return bytes(data)
