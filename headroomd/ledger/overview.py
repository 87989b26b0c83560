"""What `headroomd status` reads: counts over the whole ledger, without the bytes that make other questions slow."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from headroomd.ledger.db import Connection

__all__ = ["AgentTotals", "Overview", "ProjectTotals", "WriteTotals"]

_decode_agents = msgspec.json.Decoder(tuple[str, ...]).decode


class AgentTotals(Struct, frozen=True):
    """What was read of one agent."""

    sessions: int = 0
    last_at: float = 0.0  # of anything in them
    odd: int = 0  # lines that were not understood
    skipped: int = 0  # lines that were too long


class ProjectTotals(Struct, frozen=True):
    """One project with sessions."""

    path: str
    agents: tuple[str, ...] = ()  # those with sessions in it, sorted
    sessions: int = 0
    last_at: float = 0.0
    active: int = 0  # learnings
    proposed: int = 0
    retired: int = 0
    helping: int = 0  # of the active ones: the failure has become rarer since agents are told
    not_helping: int = 0  # active or given up: it has not
    unreviewed: int = 0  # active ones that are in no file, and that the user has neither accepted nor pinned


class WriteTotals(Struct, frozen=True):
    """The latest write of one file."""

    at: float
    path: str
    project: str
    agents: tuple[str, ...]
    undone: bool  # it put something back, or was itself put back since
    removed: bool  # there is no file after it


class Overview:
    """Reads only."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def agents(self) -> dict[str, AgentTotals]:
        """By the agent's name; those without a session are missing."""
        lines = {
            agent: (int(odd), int(skipped))
            for agent, odd, skipped in self._db.execute(
                "SELECT agent, total(odd), total(skipped) FROM files WHERE odd > 0 OR skipped > 0 GROUP BY agent"
            )
        }
        rows = self._db.execute("SELECT agent, count(*), max(last_at) FROM sessions GROUP BY agent")
        return {agent: AgentTotals(count, last_at, *lines.get(agent, (0, 0))) for agent, count, last_at in rows}

    def projects(self) -> list[ProjectTotals]:
        """Every project with sessions, the one that was last worked in first."""
        rows = self._db.execute(
            """SELECT path, group_concat(DISTINCT agent), count(*), max(last_at),
                      coalesce(active, 0), coalesce(proposed, 0), coalesce(retired, 0), coalesce(helping, 0),
                      coalesce(not_helping, 0), coalesce(unreviewed, 0)
               FROM sessions JOIN projects ON projects.id = sessions.project LEFT JOIN (
                   SELECT project, sum(status = 'active') AS active, sum(status = 'proposed') AS proposed,
                          sum(status = 'retired') AS retired,
                          sum(status = 'active' AND verdict = 'helps') AS helping,
                          sum(verdict = 'does not help' OR given_up) AS not_helping,
                          sum(status = 'active' AND NOT pinned AND id NOT IN
                              (SELECT learning FROM decisions WHERE decision = 'accepted'
                               UNION SELECT learning FROM showings WHERE until IS NULL)) AS unreviewed
                   FROM learnings GROUP BY project
               ) AS learnt ON learnt.project = projects.id
               WHERE place = 'found' GROUP BY projects.id ORDER BY max(last_at) DESC, path"""
        )
        return [ProjectTotals(path, tuple(sorted(agents.split(","))), *counts) for path, agents, *counts in rows]

    def writes(self, most: int) -> list[WriteTotals]:
        """The latest write of each file, the newest first."""
        rows = self._db.execute(
            """SELECT at, path, project, agents, state = 'undone', after IS NULL FROM writes
               WHERE id IN (SELECT max(id) FROM writes GROUP BY path) ORDER BY id DESC LIMIT ?""",
            (most,),
        )
        return [
            WriteTotals(at, path, project, _decode_agents(agents), bool(undone), bool(removed))
            for at, path, project, agents, undone, removed in rows
        ]

    def written(self) -> dict[str, list[str]]:
        """The files in which a block of ours stands, as far as the journal knows, by project."""
        found: dict[str, list[str]] = {}
        for project, path in self._db.execute(
            """SELECT project, path FROM writes WHERE state = 'done' AND after IS NOT NULL
               AND id IN (SELECT max(id) FROM writes GROUP BY path) ORDER BY path"""
        ):
            found.setdefault(project, []).append(path)
        return found

    def check(self) -> str:
        """What SQLite finds wrong with the file; "" where nothing. Reads all of it."""
        found = str(self._db.execute("PRAGMA quick_check(1)").fetchone()[0])
        return "" if found == "ok" else found
