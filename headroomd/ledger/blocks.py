"""The block of each file as it was last written: by it the user's edits are known, and since when rules are shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from headroomd.ledger.db import Connection, transaction

__all__ = ["Blocks", "KnownBlock"]

_decode = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode
_COLUMNS: Final = "path, project, branch, bullets, write, refused"


class KnownBlock(Struct, frozen=True):
    """One file's block, as far as we know."""

    path: str
    project: str
    branch: str  # what .git/HEAD said
    bullets: tuple[tuple[str, str], ...]  # id and text, in the order in which they stand
    write: int  # the latest write in the journal that is known to have been made
    refused: bool = False  # the user took the whole block out


class Blocks:
    """Reads and writes the known blocks; every method that writes is one transaction."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.time) -> None:
        self._db = connection
        self._clock = clock

    def of_project(self, project: str) -> list[KnownBlock]:
        """The blocks of a project, by path."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM blocks WHERE project = ? ORDER BY path", (project,))
        return [
            KnownBlock(path, project, branch, _decode(bullets), write, bool(refused))
            for path, project, branch, bullets, write, refused in rows
        ]

    def texts(self, project: str) -> dict[str, str]:
        """Every bullet that was ever written in a project, the latest wording of each: id by text."""
        rows = self._db.execute("SELECT bullets FROM writes WHERE project = ? ORDER BY id", (project,))
        return {text: id_ for (bullets,) in rows for id_, text in _decode(bullets)}

    def settle(self, block: KnownBlock, agents: Iterable[str]) -> None:
        """Say what stands in a file from now on, and so what its agents are shown."""
        now, names = self._clock(), list(agents)
        with transaction(self._db):
            self._db.execute(
                "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?, ?)",
                (
                    *(block.path, block.project, block.branch, msgspec.json.encode(block.bullets).decode()),
                    *(block.write, block.refused),
                ),
            )
            self._show(block.path, [id_ for id_, _ in block.bullets], names, now)

    def allow_again(self, path: str) -> None:
        """Let a file, or every file of the project at `path`, hold a block again from which the user took it out."""
        with transaction(self._db):
            self._db.execute("DELETE FROM blocks WHERE refused AND (path = ?1 OR project = ?1)", (path,))

    def refused(self, project: str) -> list[str]:
        """The files of a project that the user took the block out of."""
        rows = self._db.execute("SELECT path FROM blocks WHERE project = ? AND refused ORDER BY path", (project,))
        return [path for (path,) in rows]

    def _show(self, path: str, ids: Sequence[str], agents: list[str], now: float) -> None:
        shown = msgspec.json.encode(list(ids)).decode()
        self._db.execute(
            """UPDATE showings SET until = ?3 WHERE path = ?1 AND until IS NULL
               AND learning NOT IN (SELECT value FROM json_each(?2))""",
            (path, shown, now),
        )
        self._db.executemany(
            """INSERT OR IGNORE INTO showings
               SELECT value, ?3, ?1, ?4, NULL FROM json_each(?2) WHERE value NOT IN
                   (SELECT learning FROM showings WHERE path = ?1 AND agent = ?3 AND until IS NULL)""",
            [(path, shown, agent, now) for agent in agents],
        )
