"""Learnings: what the evidence of a project adds up to, with a status that is kept from one look to the next."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from headroomd.errors import LedgerError
from headroomd.ledger.db import Connection, transaction
from headroomd.ledger.policy import Check, Judgement, Support, Tries, judge
from headroomd.model import CallRef, Evidence, Lesson, Section

__all__ = ["Learning", "Learnings", "Status", "learning_id"]

_decode_call = msgspec.json.Decoder(CallRef).decode
_decode_agents = msgspec.json.Decoder(tuple[str, ...]).decode
_COLUMNS: Final = (
    "learnings.id, path, section, subject, remedy, status, reason, sessions, calls, agents, first_seen, last_seen,"
    " wasted, note, agent_specific, origin, pinned, wording"
)


class Status(StrEnum):
    """Where a learning stands."""

    PROPOSED = "proposed"  # seen, not believed yet
    ACTIVE = "active"  # goes into blocks
    RETIRED = "retired"  # was active; the reason says why it is no longer


class Learning(Struct, frozen=True):
    """A rule backed by evidence, in one project."""

    id: str  # what people type
    project: str  # path of the root
    lesson: Lesson
    status: Status
    reason: str  # why it is not active; "" where it is
    sessions: int  # distinct ones that show it
    calls: int  # distinct failed calls that show it
    agents: tuple[str, ...]  # those that saw it
    first_seen: float
    last_seen: float
    wasted: int  # characters that the failed calls cost
    note: str
    agent_specific: bool  # holds only for the tools of the agents that saw it
    origin: str = "correlation"
    pinned: bool = False  # keeps its status whatever the evidence says
    wording: str = ""  # the user's own words for it


class Learnings:
    """Computes learnings from evidence and reads them back."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def refresh(self, project: str, check: Check) -> list[Learning]:
        """Bring the learnings of a project up to its evidence and the world; returns all of them, best first.

        Writes only what changed. Looking at the world may take a while, so nothing is locked meanwhile.
        """
        before = {learning.id: learning for learning in self.of_project(project)}
        judged = judge(self._supports(project), self._tries(project), check)
        after = [self._grown(before.get(learning_id(project, one.lesson)), one, project) for one in judged]
        judged_ids = {learning.id for learning in after}
        after += [_unsupported(learning) for learning in before.values() if learning.id not in judged_ids]
        changed = [learning for learning in after if before.get(learning.id) != learning]
        if changed:
            with transaction(self._db):
                self._write(project, changed)
        return self.of_project(project) if changed else list(before.values())

    def of_project(self, project: str, status: Status | None = None) -> list[Learning]:
        """The learnings of a project, best first: what most sessions stumbled over, then what cost most."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM learnings JOIN projects ON projects.id = project"  # noqa: S608
            " WHERE path = ?1 AND (?2 IS NULL OR status = ?2) ORDER BY sessions DESC, calls DESC, wasted DESC, subject",
            (project, status),
        )
        return [_learning(row) for row in rows]

    def find(self, prefix: str) -> Learning:
        """The learning whose id begins with `prefix`.

        Raises LedgerError where there is none, or more than one.
        """
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM learnings JOIN projects ON projects.id = project"  # noqa: S608
            " WHERE substr(learnings.id, 1, ?) = ?",
            (len(prefix), prefix.lower()),
        ).fetchall()
        if not prefix or not rows:
            raise LedgerError(f"no learning has the id {prefix!r}", "`headroomd learn` shows the ids of a project")
        if len(rows) > 1:
            raise LedgerError(f"{len(rows)} learnings have ids that begin with {prefix!r}", "give more of it")
        return _learning(rows[0])

    def evidence(self, learning: Learning) -> list[Evidence]:
        """What a learning rests on, newest first. Attempt keys are stored as hashes and do not come back."""
        rows = self._db.execute(
            """SELECT evidence.id, sessions.agent, sessions.session, at, evidence.failed, fixed, note, needs_sessions,
                       wasted, agent_specific
                FROM evidence JOIN projects ON projects.id = evidence.project
                JOIN sessions ON sessions.id = evidence.session
                WHERE path = ? AND section = ? AND subject = ? AND remedy = ? ORDER BY at DESC, evidence.id""",
            (learning.project, learning.lesson.section, learning.lesson.subject, learning.lesson.remedy),
        )
        return [
            Evidence(
                id=id_,
                lesson=learning.lesson,
                agent=agent,
                session=session,
                at=at,
                failed=_decode_call(failed),
                fixed=_decode_call(fixed) if fixed else None,
                note=note,
                needs_sessions=needs,
                wasted=wasted,
                agent_specific=bool(specific),
            )
            for id_, agent, session, at, failed, fixed, note, needs, wasted, specific in rows
        ]

    def counts(self) -> dict[str, dict[Status, int]]:
        """How many learnings of each status every project has."""
        counts: dict[str, dict[Status, int]] = defaultdict(dict)
        for path, status, count in self._db.execute(
            "SELECT path, status, count(*) FROM learnings JOIN projects ON projects.id = project GROUP BY path, status"
        ):
            counts[path][Status(status)] = count
        return dict(counts)

    def _supports(self, project: str) -> list[Support]:
        rows = self._db.execute(
            """SELECT section, subject, remedy, evidence.session, failed_call, sessions.agent, at, needs_sessions,
                      wasted, note, opportunity, agent_specific
                FROM evidence JOIN projects ON projects.id = evidence.project
                JOIN sessions ON sessions.id = evidence.session WHERE path = ? ORDER BY at, evidence.id""",
            (project,),
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

    def _grown(self, before: Learning | None, judged: Judgement, project: str) -> Learning:
        """The learning that `judged` makes of what it was before."""
        if before is not None and before.pinned:
            status, reason = before.status, before.reason
        elif not judged.reason:
            status, reason = Status.ACTIVE, ""
        else:
            was_believed = before is not None and before.status is not Status.PROPOSED
            status, reason = (Status.RETIRED if was_believed else Status.PROPOSED), judged.reason
        return Learning(
            id=learning_id(project, judged.lesson),
            project=project,
            lesson=judged.lesson,
            status=status,
            reason=reason,
            sessions=judged.sessions,
            calls=judged.calls,
            agents=judged.agents,
            first_seen=judged.first_seen,
            last_seen=judged.last_seen,
            wasted=judged.wasted,
            note=judged.note,
            agent_specific=judged.agent_specific,
            origin=before.origin if before else "correlation",
            pinned=before.pinned if before else False,
            wording=before.wording if before else "",
        )

    def _write(self, project: str, learnings: list[Learning]) -> None:
        number = self._db.execute("SELECT id FROM projects WHERE path = ?", (project,)).fetchone()[0]
        self._db.executemany(
            "INSERT OR REPLACE INTO learnings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(learning.id, number, learning.lesson.section, learning.lesson.subject, learning.lesson.remedy),
                    *(learning.status, learning.reason, learning.sessions, learning.calls),
                    msgspec.json.encode(learning.agents).decode(),
                    *(learning.first_seen, learning.last_seen, learning.wasted, learning.note),
                    *(learning.agent_specific, learning.origin, learning.pinned, learning.wording),
                )
                for learning in learnings
            ],
        )


def learning_id(project: str, lesson: Lesson) -> str:
    """Ten hexadecimal digits, the same for the same lesson in the same project."""
    return hashlib.blake2b(f"{project}\x1f{lesson.identity}".encode("utf-8", "replace"), digest_size=5).hexdigest()


def _unsupported(learning: Learning) -> Learning:
    """What becomes of a learning when all of its evidence was withdrawn."""
    if learning.pinned:
        return learning
    status = Status.PROPOSED if learning.status is Status.PROPOSED else Status.RETIRED
    return replace(learning, status=status, reason="its evidence was withdrawn", sessions=0, calls=0)


def _learning(row: tuple[Any, ...]) -> Learning:
    id_, project, section, subject, remedy, status, reason, sessions, calls, agents = row[:10]
    first_seen, last_seen, wasted, note, specific, origin, pinned, wording = row[10:]
    return Learning(
        id=id_,
        project=project,
        lesson=Lesson(Section(section), subject, remedy),
        status=Status(status),
        reason=reason,
        sessions=sessions,
        calls=calls,
        agents=_decode_agents(agents),
        first_seen=first_seen,
        last_seen=last_seen,
        wasted=wasted,
        note=note,
        agent_specific=bool(specific),
        origin=origin,
        pinned=bool(pinned),
        wording=wording,
    )
