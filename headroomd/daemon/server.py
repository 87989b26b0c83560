"""The control socket's server: a thread that accepts, and one a client, so that no client keeps anybody waiting.

What a request means is decided by the `answer` that it is given; that runs in the client's thread.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Raw

from headroomd import __version__
from headroomd.daemon.control import MAX_MESSAGE, Reply, Request, decode_request, encode
from headroomd.errors import ConfigError, ControlError, HeadroomError
from headroomd.paths import make_private

__all__ = ["Answer", "ControlServer"]

Answer = Callable[[Request], bytes]
"""Carries out a request; returns its result as JSON, or raises HeadroomError."""

_PATIENCE: Final = 5.0  # seconds that a client may take to ask, and to take its answer
_MOST_CLIENTS: Final = 32
_BACKLOG: Final = 16
_SOL_LOCAL, _LOCAL_PEERCRED = 0, 1  # macOS <sys/un.h>


class ControlServer:
    """Listens at `path`. To be started only by the holder of the instance lock: it removes the socket of a dead one."""

    def __init__(self, path: Path, answer: Answer) -> None:
        self._path = path
        self._answer = answer
        self._socket: socket.socket | None = None
        self._clients = threading.BoundedSemaphore(_MOST_CLIENTS)

    def start(self) -> None:
        """Bind (0600, in a folder of 0700) and listen. Raises ConfigError where that is not possible."""
        make_private(self._path.parent)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.unlink(missing_ok=True)
            listening.bind(str(self._path))
            self._path.chmod(0o600)
            listening.listen(_BACKLOG)
        except OSError as error:
            listening.close()
            raise ConfigError(
                f"the control socket {self._path} cannot be made ({error.strerror or error})",
                "set HEADROOMD_RUNTIME_DIR to a short path on a local disk",
            ) from error
        self._socket = listening
        threading.Thread(target=self._accept, args=(listening,), name="control", daemon=True).start()

    def stop(self) -> None:
        """Stop listening and remove the socket."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes `accept`, which closing alone does not
            self._socket.close()
            self._socket = None
            self._path.unlink(missing_ok=True)

    def touch(self) -> None:
        """Keep what cleans up temporary folders from taking the socket away."""
        with contextlib.suppress(OSError):
            os.utime(self._path)

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            if not self._clients.acquire(blocking=False):
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), name="control-client", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client:
                client.settimeout(_PATIENCE)
                if _peer_uid(client) == os.getuid():
                    client.sendall(encode(self._reply(client)))
        except OSError:
            pass  # too slow, or gone
        finally:
            self._clients.release()

    def _reply(self, client: socket.socket) -> Reply:
        try:
            result = self._answer(decode_request(_line(client)))
        except HeadroomError as error:
            return Reply(False, __version__, os.getpid(), cause=error.cause, remedy=error.remedy)
        return Reply(True, __version__, os.getpid(), result=Raw(result))


def _line(client: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        more = client.recv(65536)
        if not more:
            break
        data += more
        if len(data) > MAX_MESSAGE:
            raise ControlError("the request is too long", "send one line of JSON")
    return data


def _peer_uid(client: socket.socket) -> int:
    """The user at the other end; -1 where the system does not tell."""
    if sys.platform == "linux":
        return int(struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1])
    # struct xucred: version, uid, number of groups, 16 groups
    credentials = client.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, 4 + 4 + 4 + 16 * 4)
    return int(struct.unpack_from("=Ii", credentials)[1]) if len(credentials) >= 8 else -1
