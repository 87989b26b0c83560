"""What was asked of an LLM and what it cost: a queue of batches that no crash and no failure loses.

A batch is stored before it is asked, and its answer together with what it cost, before anything is made of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from headroomd.ledger.db import Connection, transaction
from headroomd.ledger.evidence import select_evidence
from headroomd.ledger.rules import Rule, Rules
from headroomd.model import Evidence

__all__ = ["Analyses", "AnalysisProblem", "Question", "Refusal", "Spent", "day_of"]

_PENDING: Final = "NOT EXISTS (SELECT 1 FROM batch_evidence WHERE evidence = evidence.id AND fresh)"


class Question(Struct, frozen=True):
    """One question to the analyst."""

    id: str
    project: str  # path of the root
    items: dict[int, list[Evidence]]  # what the analyst knows as "e1", "e2", without what was withdrawn since
    fresh: frozenset[int] = frozenset()  # the items that no earlier batch has asked about
    attempts: int = 0
    garbled: int = 0
    answer: str = ""  # "": it is still to be asked


class Refusal(Struct, frozen=True):
    """Something that the analyst said and code did not believe."""

    rule: str  # shortened
    reason: str
    at: float = 0.0


class Spent(Struct, frozen=True):
    """What one backend cost on one day."""

    day: str  # YYYY-MM-DD, UTC
    backend: str
    model: str
    calls: int  # failed ones, too
    input_tokens: int
    output_tokens: int

    @property
    def tokens(self) -> int:
        """Sent and received together."""
        return self.input_tokens + self.output_tokens


class AnalysisProblem(Struct, frozen=True):
    """A batch that could not be asked, or was given up."""

    project: str
    reason: str
    due: float  # when it is tried again; 0.0: never


class Analyses:
    """The analyst's queue, its answers and its costs. Every method that writes is a transaction of its own."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection
        self.rules = Rules(connection)

    # -- what there is to ask ------------------------------------------------------------------------------------

    def pending(self, project: str, limit: int) -> list[Evidence]:
        """Evidence that no batch holds yet, newest first."""
        return select_evidence(self._db, f"path = ? AND {_PENDING}", (project,), limit)

    def earlier(self, project: str, limit: int) -> list[Evidence]:
        """Evidence that was asked about and supports no rule so far, newest first."""
        condition = """path = ? AND evidence.id NOT IN (SELECT evidence FROM rule_evidence)
            AND evidence.id IN (SELECT evidence FROM batch_evidence
                JOIN batches ON batches.id = batch AND fresh AND state IN ('done', 'set aside'))"""
        return select_evidence(self._db, condition, (project,), limit)

    def by_ids(self, ids: Iterable[str]) -> list[Evidence]:
        """The evidence with these ids, as far as it was not withdrawn, newest first."""
        wanted = msgspec.json.encode(list(ids)).decode()
        return select_evidence(self._db, "evidence.id IN (SELECT value FROM json_each(?))", (wanted,))

    def waiting(self) -> dict[str, int]:
        """How many pieces of evidence of each project still wait for an analyst."""
        rows = self._db.execute(
            f"""SELECT path, count(*) FROM evidence JOIN projects ON projects.id = evidence.project
                WHERE {_PENDING} OR evidence.id IN (SELECT evidence FROM batch_evidence
                    JOIN batches ON batches.id = batch AND fresh AND state IN ('waiting', 'answered'))
                GROUP BY path"""
        )
        return dict(rows)

    # -- batches -------------------------------------------------------------------------------------------------

    def add(self, batch: Question, now: float) -> None:
        """Store a batch before it is asked; one that is there already stays as it is."""
        with transaction(self._db):
            self._add(batch, now)

    def next_batch(self, project: str, now: float) -> Question | None:
        """The batch of a project to deal with now: first what was paid for already, then what is due."""
        row = self._db.execute(
            """SELECT batches.id, attempts, garbled, answer FROM batches JOIN projects ON projects.id = project
               WHERE path = ? AND (state = 'answered' OR (state = 'waiting' AND due <= ?))
               ORDER BY state, due, batches.id LIMIT 1""",
            (project, now),
        ).fetchone()
        if row is None:
            return None
        id_, attempts, garbled, answer = row
        items, fresh = self._items(id_)
        return Question(id_, project, items, frozenset(fresh), attempts, garbled, answer)

    def next_due(self, project: str) -> float | None:
        """When the next waiting batch of a project is due."""
        row = self._db.execute(
            "SELECT min(due) FROM batches JOIN projects ON projects.id = project WHERE path = ? AND state = 'waiting'",
            (project,),
        ).fetchone()
        return None if row[0] is None else float(row[0])

    def store_answer(self, batch: str, answer: str, spent: Spent) -> None:
        """Keep what was paid for, on the disk before this returns."""
        with self._durably(), transaction(self._db):
            self._db.execute(
                "UPDATE batches SET state = 'answered', answer = ?, attempts = attempts + 1, error = '' WHERE id = ?",
                (answer, batch),
            )
            self._spend(spent)

    def settle(self, batch: Question, rules: Sequence[Rule], refusals: Sequence[Refusal], now: float) -> None:
        """Take over what the checks let through, and remember what they did not."""
        with transaction(self._db):
            for rule in rules:
                self.rules.add(batch.project, rule)
            self._db.executemany(
                "INSERT INTO refusals SELECT ?, id, ?, ?, ? FROM projects WHERE path = ?",
                [(batch.id, now, refusal.rule, refusal.reason, batch.project) for refusal in refusals],
            )
            self._db.execute("UPDATE batches SET state = 'done', answer = '', error = '' WHERE id = ?", (batch.id,))

    def postpone(self, batch: str, reason: str, due: float, spent: Spent | None, *, is_garbled: bool = False) -> None:
        """The batch is to be asked again at `due`."""
        with transaction(self._db):
            self._db.execute(
                """UPDATE batches SET state = 'waiting', answer = '', attempts = attempts + 1, garbled = garbled + ?,
                       error = ?, due = ? WHERE id = ?""",
                (is_garbled, reason, due, batch),
            )
            self._spend(spent)

    def set_aside(self, batch: str, reason: str, spent: Spent | None = None) -> None:
        """The batch is not asked again; its evidence can still be seen beside later evidence."""
        with transaction(self._db):
            self._db.execute(
                "UPDATE batches SET state = 'set aside', answer = '', attempts = attempts + 1, error = ? WHERE id = ?",
                (reason, batch),
            )
            self._spend(spent)

    def split(self, batch: str, halves: Iterable[Question], now: float, spent: Spent) -> None:
        """Put smaller batches in the place of one that was too long."""
        with transaction(self._db):
            self._db.execute("DELETE FROM batch_evidence WHERE batch = ?", (batch,))
            self._db.execute("DELETE FROM batches WHERE id = ?", (batch,))
            for half in halves:
                self._add(half, now)
            self._spend(spent)

    def revalidate(self, project: str, exists: Callable[[str], bool]) -> None:
        """Note which rules name a path of the project that is gone, or is there again; see Learnings.refresh."""
        changed = self.rules.gone(project, exists)
        if changed:
            with transaction(self._db):
                self.rules.mark_gone(changed)

    def spend(self, spent: Spent) -> None:
        """Count a call that no batch was asked with."""
        with self._durably(), transaction(self._db):
            self._spend(spent)

    # -- what people ask -----------------------------------------------------------------------------------------

    def spent_on(self, day: str) -> tuple[int, int]:
        """Calls and tokens of one day, over all backends."""
        calls, tokens = self._db.execute(
            "SELECT ifnull(sum(calls), 0), ifnull(sum(input_tokens + output_tokens), 0) FROM spending WHERE day = ?",
            (day,),
        ).fetchone()
        return int(calls), int(tokens)

    def spending(self, since: str = "") -> list[Spent]:
        """What was spent since a day (YYYY-MM-DD), latest first."""
        rows = self._db.execute("SELECT * FROM spending WHERE day >= ? ORDER BY day DESC, backend, model", (since,))
        return [Spent(*row) for row in rows]

    def refusals(self, project: str, limit: int = 100) -> list[Refusal]:
        """What the analyst said of a project and was not believed, latest first."""
        rows = self._db.execute(
            """SELECT rule, reason, at FROM refusals JOIN projects ON projects.id = project WHERE path = ?
               ORDER BY at DESC, refusals.rowid LIMIT ?""",
            (project, limit),
        )
        return [Refusal(*row) for row in rows]

    def problems(self) -> list[AnalysisProblem]:
        """Batches that could not be asked so far, or were given up."""
        rows = self._db.execute(
            """SELECT path, error, iif(state = 'waiting', due, 0.0) FROM batches
               JOIN projects ON projects.id = project WHERE error != '' ORDER BY made_at DESC, batches.id"""
        )
        return [AnalysisProblem(*row) for row in rows]

    # -- rows ----------------------------------------------------------------------------------------------------

    def _items(self, batch: str) -> tuple[dict[int, list[Evidence]], set[int]]:
        rows = self._db.execute("SELECT item, evidence, fresh FROM batch_evidence WHERE batch = ?", (batch,)).fetchall()
        known = {one.id: one for one in self.by_ids(id_ for _, id_, _ in rows)}
        items: dict[int, list[Evidence]] = defaultdict(list)
        for item, id_, _ in sorted(rows):
            if id_ in known:
                items[item].append(known[id_])
        return dict(items), {item for item, id_, fresh in rows if fresh and id_ in known}

    def _add(self, batch: Question, now: float) -> None:
        self._db.execute(
            """INSERT OR IGNORE INTO batches (id, project, state, made_at, due)
               SELECT ?, id, 'waiting', ?, ? FROM projects WHERE path = ?""",
            (batch.id, now, now, batch.project),
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO batch_evidence VALUES (?, ?, ?, ?)",
            [
                (batch.id, item, one.id, item in batch.fresh)
                for item, evidence in batch.items.items()
                for one in evidence
            ],
        )

    def _spend(self, spent: Spent | None) -> None:
        if spent is None:
            return
        self._db.execute(
            """INSERT INTO spending VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
                   calls = calls + excluded.calls, input_tokens = input_tokens + excluded.input_tokens,
                   output_tokens = output_tokens + excluded.output_tokens""",
            (spent.day, spent.backend, spent.model, spent.calls, spent.input_tokens, spent.output_tokens),
        )

    @contextmanager
    def _durably(self) -> Iterator[None]:
        """What is committed inside survives a power cut: it was paid for."""
        before = self._db.execute("PRAGMA synchronous").fetchone()[0]
        self._db.execute("PRAGMA synchronous = full")
        try:
            yield
        finally:
            self._db.execute(f"PRAGMA synchronous = {int(before)}")


def day_of(now: float) -> str:
    """The day that spending at `now` counts for."""
    return f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}"
