"""Waking the daemon's loop: from signal handlers, from other threads, and by time.

A byte in a socket pair, because it is the one thing that a signal handler may safely do.
"""

from __future__ import annotations

import contextlib
import select
import socket

__all__ = ["Waker"]


class Waker:
    """`wait` returns early when `wake` was called before or meanwhile."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """What signal.set_wakeup_fd wants."""
        return self._writer.fileno()

    def wake(self) -> None:
        """Safe in any thread and in a signal handler."""
        with contextlib.suppress(BlockingIOError, OSError):  # full: it will wake in any case
            self._writer.send(b"\0")

    def wait(self, seconds: float) -> None:
        """Rest until somebody wakes us, `seconds` at most."""
        select.select([self._reader], [], [], max(0.0, seconds))
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass

    def close(self) -> None:
        """Nobody is woken any more."""
        self._reader.close()
        self._writer.close()
