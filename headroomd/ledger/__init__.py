"""What is known: facts read from sessions, the learnings they add up to, and the journal of what was written.

    with Ledger.open(places.ledger) as ledger:
        with ledger.batch() as batch, batch.part():
            ledger.facts.store(portion)
        ledger.learnings.refresh(project, truth.why_not)

The only room that knows SQLite. Nothing in it is secret: text is redacted before it is stored.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from headroomd.ledger.db import Batch, Connection, open_database, transaction
from headroomd.ledger.facts import Facts, Portion, ProjectFacts, Totals
from headroomd.ledger.journal import Entry, EntryState, Journal
from headroomd.ledger.learnings import Learning, Learnings, Status
from headroomd.ledger.overview import AgentTotals, Overview, ProjectTotals, WriteTotals
from headroomd.ledger.queue import JobState, Queue, SessionJob

__all__ = [
    "AgentTotals",
    "Batch",
    "Entry",
    "EntryState",
    "Facts",
    "JobState",
    "Journal",
    "Learning",
    "Learnings",
    "Ledger",
    "Overview",
    "Portion",
    "ProjectFacts",
    "ProjectTotals",
    "Queue",
    "SessionJob",
    "Status",
    "Totals",
    "WriteTotals",
]


class Ledger:
    """One open ledger; use it in the thread that opened it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.facts = Facts(connection)
        self.learnings = Learnings(connection)
        self.journal = Journal(connection)
        self.queue = Queue(connection, time.time)
        self.overview = Overview(connection)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """The ledger at `path`, made if it is missing unless `read_only`.

        Raises LedgerError where it cannot be opened, is damaged, or was written by a newer headroomd.
        """
        return cls(open_database(path, read_only=read_only))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All that is written inside is kept, or, if anything is raised, none of it."""
        return transaction(self._connection)

    def batch(self) -> Batch:
        """Many parts, each kept as a whole or not at all, committed together every so many bytes."""
        return Batch(self._connection)
