"""Whose records stand in a rollout of Codex CLI: those of its own thread, or copies from the thread it was forked from.

A fork and a subagent with its parent's history begin with two or more `session_meta`: the own one, then those of the
threads that were copied, youngest first; then the copied records, all stamped anew in the same instant (Codex 0.36 to
0.169; paginated histories of 0.169 refer to the source and copy nothing). Where the copy ends is told, best first, by
`subagent_history_start_ordinal`, by the `thread_id` of a record, by the time in a turn's UUIDv7 (a turn belongs to the
youngest thread that existed when it began), and, for versions without any of these, by a pause: a copy makes none.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

__all__ = ["Lineage", "Thread"]

_PAUSE: Final = 1.0  # seconds between the last copied record and the first own one
_UUID_LENGTH: Final = 36


class Thread(Struct):
    """One thread as its `session_meta` gives it."""

    id: str
    session: str  # the conversation it belongs to: a subagent's is its parent's
    cwd: str = ""
    parent: str = ""  # the thread that it was forked from or spawned by


class Lineage(Struct):
    """The threads of one file, and the one whose records are being read."""

    threads: list[Thread] = []  # the own one first, then the copied ones as they stand in the file
    owner: int = 0  # index of the thread that the records at hand belong to: 0 where they are no copies
    start_ordinal: int | None = None  # of the first own record
    copied_at: float = 0.0  # when the last copied record was written

    @property
    def current(self) -> Thread:
        """The thread that the records at hand belong to."""
        return self.threads[self.owner]

    def add(self, thread: Thread, at: float) -> bool:
        """Take up a `session_meta`; False for one that repeats a thread already known."""
        if any(known.id == thread.id for known in self.threads):
            return False
        self.threads.append(thread)
        self.owner = len(self.threads) - 1
        self.copied_at = at
        return True

    def note(self, at: float, ordinal: int | None, thread: str, turn: str) -> None:
        """Find out whose record this is; only needed while `owner` is not the own thread."""
        paused = bool(self.copied_at and at - self.copied_at > _PAUSE)
        self.copied_at = at or self.copied_at
        if self.start_ordinal is not None and ordinal is not None and ordinal >= self.start_ordinal:
            self.owner = 0
        elif (index := self._index(thread)) is not None or (index := self._begun_by(turn)) is not None:
            self.owner = index
        elif paused:
            self.owner = 0

    def _index(self, thread: str) -> int | None:
        return next((index for index, known in enumerate(self.threads) if known.id == thread), None)

    def _begun_by(self, turn: str) -> int | None:
        """The youngest thread that existed when the turn began."""
        began = _created(turn)
        if began is None:
            return None
        return next(
            (
                index
                for index, known in enumerate(self.threads)
                if (created := _created(known.id)) is not None and created <= began
            ),
            None,
        )


def _created(identifier: str) -> int | None:
    """Milliseconds since the epoch in a UUIDv7; None for anything else."""
    if len(identifier) != _UUID_LENGTH or identifier[14] != "7":
        return None
    try:
        return int(identifier[:8] + identifier[9:13], 16)
    except ValueError:
        return None
