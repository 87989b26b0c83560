"""What is known: facts read from sessions, the learnings they add up to, and the journal of what was written.

    with Ledger.open(places.ledger) as ledger:
        with ledger.batch() as batch, batch.part():
            ledger.facts.store(portion)
        ledger.learnings.refresh(project, truth.why_not)

The only room that knows SQLite. Nothing in it is secret: text is redacted before it is stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from headroomd.ledger.analyses import Analyses, AnalysisProblem, Question, Refusal, Spent, day_of
from headroomd.ledger.blocks import Blocks, KnownBlock
from headroomd.ledger.db import Batch, Connection, open_database, transaction
from headroomd.ledger.decisions import Decided, Decision, Decisions
from headroomd.ledger.effects import Effect, Rate, Verdict
from headroomd.ledger.facts import Facts, Portion, ProjectFacts, Totals
from headroomd.ledger.journal import Entry, EntryState, Journal
from headroomd.ledger.learning import Learning, Status, learning_id
from headroomd.ledger.learnings import Learnings, Reword, later
from headroomd.ledger.overview import AgentTotals, Overview, ProjectTotals, WriteTotals
from headroomd.ledger.policy import LifecycleRules
from headroomd.ledger.programs import Programs
from headroomd.ledger.queue import JobState, Queue, SessionJob
from headroomd.ledger.rules import Rule

if TYPE_CHECKING:
    from headroomd.ledger.transfer import Transfer

__all__ = [
    "AgentTotals",
    "Analyses",
    "AnalysisProblem",
    "Batch",
    "Blocks",
    "Decided",
    "Decision",
    "Decisions",
    "Effect",
    "Entry",
    "EntryState",
    "Facts",
    "JobState",
    "Journal",
    "KnownBlock",
    "Learning",
    "Learnings",
    "Ledger",
    "LifecycleRules",
    "Overview",
    "Portion",
    "Programs",
    "ProjectFacts",
    "ProjectTotals",
    "Question",
    "Queue",
    "Rate",
    "Refusal",
    "Reword",
    "Rule",
    "SessionJob",
    "Spent",
    "Status",
    "Totals",
    "Verdict",
    "WriteTotals",
    "day_of",
    "later",
    "learning_id",
]


class Ledger:
    """One open ledger; use it in the thread that opened it."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.time) -> None:
        self._connection = connection
        self.facts = Facts(connection)
        self.learnings = Learnings(connection, clock)
        self.decisions = Decisions(connection, clock)
        self.blocks = Blocks(connection, clock)
        self.journal = Journal(connection, clock)
        self.queue = Queue(connection, clock)
        self.analyses = Analyses(connection)
        self.overview = Overview(connection)
        self.programs = Programs(connection)

    @cached_property
    def transfer(self) -> Transfer:
        """Out of this ledger and into it, as JSON."""
        from headroomd.ledger.transfer import Transfer  # compiles what redacts: `status` should not pay for it

        return Transfer(self._connection)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False, clock: Callable[[], float] = time.time) -> Self:
        """The ledger at `path`, made if it is missing unless `read_only`; `clock` tells it the time.

        Raises LedgerError where it cannot be opened, is damaged, or was written by a newer headroomd.
        """
        return cls(open_database(path, read_only=read_only), clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rest(self) -> None:
        """Give back the memory that reading and writing needed."""
        self._connection.execute("PRAGMA shrink_memory")

    def close(self) -> None:
        """Close the database; what was not committed is lost."""
        self._connection.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All that is written inside is kept, or, if anything is raised, none of it."""
        return transaction(self._connection)

    def batch(self) -> Batch:
        """Many parts, each kept as a whole or not at all, committed together every so many bytes."""
        return Batch(self._connection)
