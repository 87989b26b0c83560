"""A client's request on its way through the daemon's loop and back."""

from __future__ import annotations

import threading

import msgspec

from headroomd.daemon.control import Request
from headroomd.errors import ControlError, HeadroomError

__all__ = ["Pending"]


class Pending:
    """Made by a client's thread, which waits; answered by the loop."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self._done = threading.Event()
        self._result = b"{}"
        self._error: HeadroomError | None = None

    def answer(self, result: object) -> None:
        self._result = msgspec.json.encode(result)
        self._done.set()

    def refuse(self, error: HeadroomError) -> None:
        self._error = error
        self._done.set()

    def wait(self, seconds: float) -> bytes:
        """The result as JSON. Raises what the loop refused with, or ControlError where it took too long."""
        if not self._done.wait(seconds):
            raise ControlError("the daemon is busy and did not answer in time", "try again in a moment")
        if self._error is not None:
            raise self._error
        return self._result
