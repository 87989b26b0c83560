"""Learnings: what the evidence of a project adds up to, with a status that is kept from one look to the next."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from headroomd.errors import LedgerError
from headroomd.ledger.db import Connection, transaction
from headroomd.ledger.decisions import FORGOTTEN, Decided, Decision, Decisions, is_paraphrase
from headroomd.ledger.effects import Effect, Effects, Verdict
from headroomd.ledger.evidence import select_evidence
from headroomd.ledger.learning import COLUMNS, Learning, Status, learning_id, learning_of, new_learning, rank
from headroomd.ledger.policy import (
    Check,
    Judgement,
    LifecycleRules,
    Standing,
    Support,
    Tries,
    covers,
    is_folder_move,
    judge,
)
from headroomd.ledger.rules import ORIGIN, Rules
from headroomd.model import Evidence, Lesson, Section

__all__ = ["Learnings", "Reword", "later"]

_decode_agents = msgspec.json.Decoder(tuple[str, ...]).decode
_FROM: Final = (
    "FROM learnings JOIN projects ON projects.id = learnings.project"
    " LEFT JOIN (SELECT learning, decision FROM decisions) ON learning = learnings.id"
)
_GIVEN_UP: Final = "it does not help"


Reword = Callable[[Learning], str | None]
"""A better wording for a rule that does not help; "" where there is none; None where the rule is to wait for one."""


def later(_learning: Learning) -> None:
    """A Reword for where somebody else will ask the analyst: the rule stays as it is until then."""


class Learnings:
    """Computes learnings from evidence and reads them back."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.time) -> None:
        self._db = connection
        self._clock = clock
        self._effects = Effects(connection)
        self._decisions = Decisions(connection, clock)
        self._rules = Rules(connection)

    def refresh(
        self, project: str, check: Check, rules: LifecycleRules | None = None, reword: Reword | None = None
    ) -> list[Learning]:
        """Bring the learnings of a project up to its evidence and the world; returns all of them, best first.

        `reword` is asked for each rule that does not help, until it has said it anew once. Writes only what changed.
        Looking at the world may take a while, so nothing is locked meanwhile.
        """
        rules = rules or LifecycleRules()
        before = {learning.id: learning for learning in self.of_project(project)}
        effects = self._effects.of_project(project)
        verdicts = {id_: effect.verdict(rules.ineffective_after) for id_, effect in effects.items()}
        standing = self._standing(project, before, verdicts, rules)
        supports, reasons = self._rules.supports(project, check)
        judged = judge(
            [*self._supports(project), *supports],
            self._tries(project),
            lambda lesson: reasons[lesson] if lesson in reasons else check(lesson),
            standing,
        )
        after = [self._grown(before.get(learning_id(project, one.lesson)), one, project) for one in judged]
        after = [_worded(one) if one.lesson in reasons else one for one in after]
        judged_ids = {learning.id for learning in after}
        after += [_unsupported(learning) for learning in before.values() if learning.id not in judged_ids]
        weak = before.keys() - judged_ids | {learning_id(project, one.lesson) for one in judged if one.is_weak}
        after = [replace(one, verdict=str(verdicts.get(one.id, ""))) for one in after]
        after = [self._proven(one, effects.get(one.id), reword) for one in after]
        merges = self._merges(after)
        after = [_merged(one, merges[one.id]) if one.id in merges else one for one in after]
        weak |= merges.keys()  # nothing has disproved them: if the rule goes, they are back
        forgotten = [one for one in self._decisions.of_project(project) if one.decided is Decided.FORGOTTEN]
        after = [self._dated(before.get(one.id), _remembered(one, forgotten), one.id in weak) for one in after]
        changed = [learning for learning in after if before.get(learning.id) != learning]
        if changed:
            with transaction(self._db):
                self._write(project, changed)
        return sorted(after, key=rank)

    def of_project(self, project: str, status: Status | None = None) -> list[Learning]:
        """The learnings of a project, best first: what saves most, by what is sure."""
        rows = self._db.execute(
            f"SELECT {COLUMNS} {_FROM} WHERE path = ?1 AND (?2 IS NULL OR status = ?2)",
            (project, status),
        )
        return sorted(map(learning_of, rows), key=rank)

    def effects(self, project: str) -> dict[str, Effect]:
        """Whether the rules of a project help: by id, those that were ever shown."""
        return self._effects.of_project(project)

    def find(self, prefix: str) -> Learning:
        """The learning whose id begins with `prefix`.

        Raises LedgerError where there is none, or more than one.
        """
        rows = self._db.execute(
            f"SELECT {COLUMNS} {_FROM} WHERE substr(learnings.id, 1, ?) = ?",
            (len(prefix), prefix.lower()),
        ).fetchall()
        if not prefix or not rows:
            raise LedgerError(f"no learning has the id {prefix!r}", "`headroomd learn` shows the ids of a project")
        if len(rows) > 1:
            raise LedgerError(f"{len(rows)} learnings have ids that begin with {prefix!r}", "give more of it")
        return learning_of(rows[0])

    def evidence(self, learning: Learning) -> list[Evidence]:
        """What a learning rests on, newest first."""
        if learning.origin == ORIGIN:
            return self._rules.evidence(learning.id)
        of_section = (learning.project, learning.lesson.section)
        found = select_evidence(self._db, "path = ? AND section = ?", of_section)
        return [one for one in found if _speaks_for(one.lesson, learning.lesson)]

    def counts(self) -> dict[str, dict[Status, int]]:
        """How many learnings of each status every project has."""
        counts: dict[str, dict[Status, int]] = defaultdict(dict)
        for path, status, count in self._db.execute(
            "SELECT path, status, count(*) FROM learnings JOIN projects ON projects.id = project GROUP BY path, status"
        ):
            counts[path][Status(status)] = count
        return dict(counts)

    def _supports(self, project: str) -> list[Support]:
        """What speaks for lessons as correlation found them; what the user said becomes a rule by an analyst only."""
        rows = self._db.execute(
            """SELECT section, subject, remedy, evidence.session, failed_call, sessions.agent, at, needs_sessions,
                      wasted, note, opportunity, agent_specific
                FROM evidence JOIN projects ON projects.id = evidence.project
                JOIN sessions ON sessions.id = evidence.session
                WHERE path = ? AND section != ? ORDER BY at, evidence.id""",
            (project, Section.PREFERENCES),
        )
        return [
            Support(Lesson(Section(section), subject, remedy), *counts) for section, subject, remedy, *counts in rows
        ]

    def _tries(self, project: str) -> dict[int, list[Tries]]:
        """The attempts at whatever the project's evidence names as an opportunity."""
        tries: dict[int, list[Tries]] = defaultdict(list)
        for key, ok, failed, last_at in self._db.execute(
            """SELECT attempts.key, ok, attempts.failed, last_at
               FROM (SELECT DISTINCT opportunity FROM evidence JOIN projects ON projects.id = project
                     WHERE path = ?1 AND opportunity IS NOT NULL) AS chances
               JOIN sessions ON sessions.project = (SELECT id FROM projects WHERE path = ?1)
               JOIN attempts ON attempts.session = sessions.id AND attempts.key = chances.opportunity""",
            (project,),
        ):
            tries[key].append(Tries(ok, failed, last_at))
        return tries

    def _standing(
        self, project: str, before: dict[str, Learning], verdicts: dict[str, Verdict], rules: LifecycleRules
    ) -> Standing:
        """What is known of a project beside its evidence. Its time is that of its latest session."""
        row = self._db.execute(
            "SELECT max(last_at) FROM sessions JOIN projects ON projects.id = project WHERE path = ?", (project,)
        ).fetchone()
        learnings = before.values()
        return Standing(
            now=min(row[0] or 0.0, self._clock()),  # a session may bear a time that has not come yet
            half_life=rules.half_life,
            told=frozenset(one.lesson for one in learnings if one.status is Status.ACTIVE),
            proven=frozenset(one.lesson for one in learnings if verdicts.get(one.id) is Verdict.HELPS),
            barred={
                one.lesson: (math.inf if one.given_up or one.reason == FORGOTTEN else one.retired_at, one.reason)
                for one in learnings
                if one.status is Status.RETIRED
            },
        )

    def _grown(self, before: Learning | None, judged: Judgement, project: str) -> Learning:
        """The learning that `judged` makes of what it was before."""
        was = before or new_learning(project, judged.lesson)
        if was.pinned or was.given_up:
            status, reason = was.status, was.reason
        elif not judged.reason:
            status, reason = Status.ACTIVE, ""
        else:
            status, reason = (Status.PROPOSED if was.status is Status.PROPOSED else Status.RETIRED), judged.reason
        return replace(
            was,
            status=status,
            reason=reason,
            sessions=judged.sessions,
            calls=judged.calls,
            agents=judged.agents,
            first_seen=judged.first_seen,
            last_seen=judged.last_seen,
            wasted=judged.wasted,
            # The note stands in the block: once said, it stays.
            note=was.note if was.note and status is Status.ACTIVE else judged.note,
            agent_specific=judged.agent_specific,
            support=judged.support,
        )

    def _proven(self, learning: Learning, effect: Effect | None, reword: Reword | None) -> Learning:
        """What becomes of an active rule whose failure keeps coming back: said anew once, then given up."""
        if effect is None or learning.verdict != Verdict.DOES_NOT:
            return learning
        if learning.status is not Status.ACTIVE or learning.pinned:
            return learning
        wording = reword(learning) if reword is not None and not learning.reworded_at else ""
        if wording is None:
            return learning
        if wording:
            return replace(learning, wording=wording, reworded_at=self._clock())
        reason = f"{_GIVEN_UP}: its failure came back in {effect.after.failed} of {effect.after.of} sessions that tried"
        return replace(learning, status=Status.RETIRED, reason=reason, given_up=True)

    def _dated(self, before: Learning | None, after: Learning, is_weak: bool) -> Learning:
        """`after` with its changes of status counted, and with the time when something disproved it.

        Too little evidence (`is_weak`) disproves nothing: as soon as there is enough, the learning is back.
        """
        was, since = (before.status, before.retired_at) if before else (Status.PROPOSED, 0.0)
        disproved = after.status is Status.RETIRED and not is_weak
        return replace(
            after,
            retired_at=(since or self._clock()) if disproved else 0.0,
            changes=after.changes + (was is not after.status),
        )

    def _merges(self, learnings: list[Learning]) -> dict[str, str]:
        """Those whose place an active rule has taken, and by which."""
        active = {one.id for one in learnings if one.status is Status.ACTIVE}
        merges = self._rules.merges(one.id for one in learnings if not one.pinned)
        return {id_: rule for id_, rule in merges.items() if rule in active}

    def _write(self, project: str, learnings: list[Learning]) -> None:
        number = self._db.execute("SELECT id FROM projects WHERE path = ?", (project,)).fetchone()[0]
        self._db.executemany(
            "INSERT OR REPLACE INTO learnings"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(learning.id, number, learning.lesson.section, learning.lesson.subject, learning.lesson.remedy),
                    *(learning.status, learning.reason, learning.sessions, learning.calls),
                    msgspec.json.encode(learning.agents).decode(),
                    *(learning.first_seen, learning.last_seen, learning.wasted, learning.note),
                    *(learning.agent_specific, learning.origin, learning.pinned, learning.wording),
                    *(learning.support, learning.retired_at, learning.reworded_at, learning.given_up, learning.changes),
                    learning.verdict,
                )
                for learning in learnings
            ],
        )


def _unsupported(learning: Learning) -> Learning:
    """What becomes of a learning when all of its evidence was withdrawn."""
    if learning.pinned or learning.given_up or learning.reason == FORGOTTEN:
        return learning
    status = Status.PROPOSED if learning.status is Status.PROPOSED else Status.RETIRED
    reason = "its evidence was withdrawn"
    if is_folder_move(learning.lesson):
        reason = "fewer than three files show it, or one went elsewhere"
    return replace(learning, status=status, reason=reason, sessions=0, calls=0, support=0.0)


def _remembered(learning: Learning, forgotten: list[Decision]) -> Learning:
    """`learning` as the user's memory of it has it: what was forgotten stays so, in other words too."""
    if learning.pinned:
        return learning
    if any(
        one.learning == learning.id or is_paraphrase(one.lesson, one.text, learning.lesson, learning.wording)
        for one in forgotten
    ):
        return replace(learning, status=Status.RETIRED, reason=FORGOTTEN)
    return learning


def _speaks_for(lesson: Lesson, learnt: Lesson) -> bool:
    """Whether evidence of `lesson` supports what was learnt: see policy.judge."""
    if lesson.section is Section.SCOPE:
        return lesson.subject == learnt.subject
    return lesson == learnt or (is_folder_move(learnt) and covers(learnt, lesson))


def _worded(learning: Learning) -> Learning:
    """A learning that is said in the analyst's words, unless the user has said it better."""
    return replace(learning, origin=ORIGIN, wording=learning.wording or learning.lesson.subject)


def _merged(learning: Learning, rule: str) -> Learning:
    return replace(learning, status=Status.RETIRED, reason=f"merged into {rule}")
