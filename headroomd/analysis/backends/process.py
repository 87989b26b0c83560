"""Running a program that must not outlive its time, with all that it started.

Knows nothing of LLMs: bytes in, bytes out, limits kept.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

__all__ = ["Ending", "Finished", "run"]

_LOOK: Final = 0.1  # seconds between looks at whether the program has ended
_AFTERMATH: Final = 1.0  # seconds for what is still in the pipes once it has ended
_MERCY: Final = 2.0  # seconds between asking to end and ending by force


class Ending(Enum):
    """Why a program is no longer running."""

    ITSELF = "it ended"
    TIME = "it took too long"
    SILENCE = "it said nothing for too long"
    SIZE = "it said too much"


@dataclass(frozen=True)
class Finished:
    """How a run ended, and what it printed."""

    ending: Ending
    code: int  # the exit status; negative: the signal that ended it
    out: bytes
    err: bytes  # its end, where there was much


class _Talk:
    """The three pipes of one running program."""

    def __init__(self, process: subprocess.Popen[bytes], question: bytes, limit: int) -> None:
        self._process = process
        self._question = memoryview(question)
        self._limit = limit
        self._selector = selectors.DefaultSelector()
        self.out = bytearray()
        self.err = bytearray()
        for pipe, event in (
            (process.stdin, selectors.EVENT_WRITE),
            (process.stdout, selectors.EVENT_READ),
            (process.stderr, selectors.EVENT_READ),
        ):
            assert pipe is not None  # Popen was told to make all three
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, event)

    def run(self, total: float, idle: float) -> Ending:
        start = heard = time.monotonic()
        ended: float | None = None
        while True:
            if self._step():
                heard = time.monotonic()
            now = time.monotonic()
            if len(self.out) > self._limit:
                return Ending.SIZE
            if ended is None and self._process.poll() is not None:
                ended = now
            if ended is not None:
                # what it left running may hold the pipes open for as long as it likes
                if now - ended > _AFTERMATH or not self._listening():
                    return Ending.ITSELF
            elif now - start > total:
                return Ending.TIME
            elif now - heard > idle:
                return Ending.SILENCE

    def close(self) -> None:
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _listening(self) -> bool:
        return any(key.events & selectors.EVENT_READ for key in self._selector.get_map().values())

    def _step(self) -> bool:
        """Move what can be moved now; whether the program said something."""
        said = False
        if not self._selector.get_map():
            time.sleep(_LOOK)
        for key, _ in self._selector.select(_LOOK):
            if key.fileobj is self._process.stdin:
                self._write(key.fd)
            else:
                said |= self._take(key.fileobj, key.fd)
        return said

    def _write(self, descriptor: int) -> None:
        try:
            self._question = self._question[os.write(descriptor, self._question[:65536]) :]
        except BrokenPipeError:
            self._question = memoryview(b"")
        if not self._question:
            assert self._process.stdin
            self._selector.unregister(self._process.stdin)
            self._process.stdin.close()

    def _take(self, pipe: object, descriptor: int) -> bool:
        chunk = os.read(descriptor, 65536)
        if not chunk:
            self._selector.unregister(descriptor)
            return False
        if pipe is self._process.stdout:
            self.out += chunk
        else:
            self.err += chunk
            del self.err[: -self._limit]
        return True


def run(
    command: Sequence[str],
    *,
    question: bytes,
    folder: Path,
    variables: Mapping[str, str],
    total: float,
    idle: float,
    limit: int,
) -> Finished:
    """Run `command` in a session of its own and end whatever of it is still there afterwards.

    Args:
        question: what it reads on standard input.
        total: seconds that it may take.
        idle: seconds that it may say nothing on either output.
        limit: bytes that it may say on standard output; of standard error the last so many are kept.

    Raises:
        OSError: it cannot be started.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    talk = _Talk(process, question, limit)
    try:
        ending = talk.run(total, idle)
    finally:
        _end_group(process)
        talk.close()
    return Finished(ending, process.returncode, bytes(talk.out), bytes(talk.err))


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End the program and all that it started, except what has left its session."""
    if process.poll() is None:
        _signal_group(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_MERCY)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM where only zombies are left
        os.killpg(process.pid, number)
