"""The journal: every write of a block with the file before and after, recorded before it is made."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from headroomd.ledger.db import Connection, transaction

__all__ = ["Entry", "EntryState", "Journal"]

_COLUMNS: Final = "id, run, at, state, project, agents, path, before, after, block_hash, reason, bullets"
_decode_agents = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_bullets = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode


class EntryState(StrEnum):
    """What became of a write."""

    DONE = "done"  # or about to be: an entry precedes its write, so that no crash leaves one that cannot be undone
    UNDONE = "undone"  # put back since, or itself what put something back


class Entry(Struct, frozen=True):
    """One write of one file."""

    id: int
    run: int  # the writes of one `apply` share it
    at: float
    state: EntryState
    project: str
    agents: tuple[str, ...]
    path: str
    before: bytes | None  # None: there was no file
    after: bytes | None  # None: the file was removed
    block_hash: str
    reason: str
    bullets: tuple[tuple[str, str], ...] = ()  # id and text of each that the block then held


class Journal:
    """Reads and writes the journal; every method is one transaction."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.time) -> None:
        self._db = connection
        self._clock = clock

    def next_run(self) -> int:
        """The number under which the next run writes."""
        return int(self._db.execute("SELECT coalesce(max(run), 0) + 1 FROM writes").fetchone()[0])

    def record(
        self,
        run: int,
        path: Path,
        before: bytes | None,
        after: bytes | None,
        *,
        project: str,
        agents: tuple[str, ...] = (),
        state: EntryState = EntryState.DONE,
        block_hash: str = "",
        reason: str = "",
        bullets: Sequence[tuple[str, str]] = (),
    ) -> int:
        """Say what is about to be written, before it is; returns the entry's id."""
        agents_json = msgspec.json.encode(agents).decode()
        values = (
            *(run, self._clock(), state, project, agents_json, str(path)),
            *(_packed(before), _packed(after), block_hash, reason, msgspec.json.encode(bullets).decode()),
        )
        with transaction(self._db):
            cursor = self._db.execute(
                f"INSERT INTO writes ({_COLUMNS}) VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
        return int(cursor.lastrowid or 0)

    def mark_undone(self, entry: int) -> None:
        """Say that what stood there before a write is back."""
        with transaction(self._db):
            self._db.execute("UPDATE writes SET state = ? WHERE id = ?", (EntryState.UNDONE, entry))

    def drop(self, entry: int) -> None:
        """Take out a write that was recorded and then not made."""
        with transaction(self._db):
            self._db.execute("DELETE FROM writes WHERE id = ?", (entry,))

    def last_run(self) -> list[Entry]:
        """What the latest run that has anything left to undo wrote, newest first."""
        return self._entries(
            "WHERE state = 'done' AND run = (SELECT max(run) FROM writes WHERE state = 'done') ORDER BY id DESC"
        )

    def last_of(self, path: Path) -> list[Entry]:
        """The last write not yet undone of a file, or of each file of the project at `path`, newest first."""
        return self._entries(
            """WHERE id IN (SELECT max(id) FROM writes WHERE state = 'done' AND (path = ?1 OR project = ?1)
                            GROUP BY path) ORDER BY id DESC""",
            str(path),
        )

    def history(self, path: Path | None = None, most: int = -1) -> list[Entry]:
        """The latest writes, or those of a file or a project, newest first; all of them, or at most so many."""
        return self._entries(
            "WHERE ?1 IS NULL OR path = ?1 OR project = ?1 ORDER BY id DESC LIMIT ?2",
            None if path is None else str(path),
            most,
        )

    def latest(self, path: Path) -> Entry | None:
        """The latest entry of a file, whatever became of it."""
        return next(iter(self._entries("WHERE path = ? ORDER BY id DESC LIMIT 1", str(path))), None)

    def has_written(self, path: Path) -> bool:
        """Whether a block of ours ever stood in `path`."""
        return self._db.execute("SELECT 1 FROM writes WHERE path = ? LIMIT 1", (str(path),)).fetchone() is not None

    def _entries(self, clause: str, *parameters: object) -> list[Entry]:
        return [_entry(row) for row in self._db.execute(f"SELECT {_COLUMNS} FROM writes {clause}", parameters)]


def _packed(data: bytes | None) -> bytes | None:
    return None if data is None else zlib.compress(data)


def _entry(row: tuple[Any, ...]) -> Entry:
    number, run, at, state, project, agents, path, before, after, block_hash, reason, bullets = row
    return Entry(
        number,
        run,
        at,
        EntryState(state),
        project,
        _decode_agents(agents),
        path,
        None if before is None else zlib.decompress(before),
        None if after is None else zlib.decompress(after),
        block_hash,
        reason,
        _decode_bullets(bullets),
    )
