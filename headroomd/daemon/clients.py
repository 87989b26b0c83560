"""Clients of the control socket: their threads ask and wait, the loop answers when it comes round."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from headroomd.daemon.control import Command, Request
from headroomd.daemon.state import RunState
from headroomd.errors import ControlError, HeadroomError

if TYPE_CHECKING:
    from headroomd.daemon.loop import Daemon

__all__ = ["Clients"]

_ANSWER: Final = 30.0  # seconds that a client waits for its turn
_WAIT: Final = 3600.0  # seconds that `run-now --wait` waits
_LEAVING: Final = ControlError("the daemon is stopping", "start it again: headroomd run")


class _Pending:
    """A request on its way through the loop and back."""

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
        if not self._done.wait(seconds):
            raise ControlError("the daemon is busy and did not answer in time", "try again in a moment")
        if self._error is not None:
            raise self._error
        return self._result


class Clients:
    """`ask` is called in a client's thread; everything else by the loop."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._asked: deque[_Pending] = deque()
        self._waiting: list[_Pending] = []  # run-now --wait
        self._is_closed = False

    def ask(self, request: Request) -> bytes:
        """Have a request carried out; the result as JSON. Raises HeadroomError."""
        pending = _Pending(request)
        self._asked.append(pending)
        if self._is_closed:
            raise _LEAVING
        self._daemon.waker.wake()
        return pending.wait(_WAIT if request.wait else _ANSWER)

    @property
    def are_waiting(self) -> bool:
        """Whether a request has not been looked at yet."""
        return bool(self._asked)

    def serve(self) -> None:
        """Answer what can be answered now."""
        while self._asked:
            pending = self._asked.popleft()
            try:
                self._serve(pending)
            except HeadroomError as error:
                pending.refuse(error)

    def settled(self, run: RunState | None) -> None:
        """Tell those who wait that everything has been read and written."""
        while self._waiting:
            self._waiting.pop().answer(run)

    def turn_away(self) -> None:
        """The end: nobody is answered any more."""
        self._is_closed = True
        for pending in [*self._waiting, *self._asked]:
            pending.refuse(_LEAVING)

    def _serve(self, pending: _Pending) -> None:
        daemon, request = self._daemon, pending.request
        if request.cmd == Command.PING:
            pending.answer({})
        elif request.cmd == Command.STATUS:
            pending.answer(daemon.state())
        elif request.cmd == Command.RUN_NOW:
            queued = daemon.run_now(request.project)
            if request.wait:
                self._waiting.append(pending)
            else:
                pending.answer({"queued": queued})
        elif request.cmd in (Command.PAUSE, Command.RESUME):
            daemon.pause(is_paused=request.cmd == Command.PAUSE)
            pending.answer({"paused": daemon.is_paused})
        elif request.cmd == Command.RELOAD:
            pending.answer({"changed": daemon.reload()})
        else:
            raise ControlError(f"the daemon knows no command {request.cmd!r}", "update it, and restart it")
