"""One learning: a rule with what speaks for it, and where it stands."""

from __future__ import annotations

import hashlib
import math
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import Struct

from headroomd.model import Lesson, Section

__all__ = ["COLUMNS", "Learning", "Status", "learning_id", "learning_of", "new_learning", "rank"]

_decode_agents = msgspec.json.Decoder(tuple[str, ...]).decode
COLUMNS: Final = (
    "learnings.id, path, section, subject, remedy, status, reason, sessions, calls, agents, first_seen, last_seen,"
    " wasted, note, agent_specific, origin, pinned, wording, support, retired_at, reworded_at, given_up, changes,"
    " verdict,"
    " coalesce(decision = 'accepted', 0)"
)
"""What `learning_of` makes a learning of; the decision comes from a join with decisions."""


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
    wording: str = ""  # the user's own words for it, or better ones than ours
    support: float = 0.0  # sessions, each faded by its age
    retired_at: float = 0.0  # when the world or newer evidence disproved it: only what is newer brings it back
    reworded_at: float = 0.0  # when it was said anew because it did not help, or restored: its effect counts from then
    given_up: bool = False  # it did not help: only the user brings it back
    changes: int = 0  # how often its status has changed
    verdict: str = ""  # effects.Verdict on whether it helps; "": it was never shown to an agent
    accepted: bool = False  # by the user, in a project that is reviewed

    @property
    def waste(self) -> float:
        """Characters that a session which stumbles over it loses."""
        return max(self.wasted / self.sessions, 1.0) if self.sessions else 1.0

    @property
    def confidence(self) -> float:
        """How sure it is, from 0 to 1: one recent session gives a half, three give three quarters."""
        return self.support / (self.support + 1)

    @property
    def score(self) -> float:
        """Its place in the block: expected waste avoided (characters, weighted by recent sessions) × confidence."""
        return math.inf if self.pinned else self.waste * self.support * self.confidence


def learning_id(project: str, lesson: Lesson) -> str:
    """Ten hexadecimal digits, the same for the same lesson in the same project."""
    return hashlib.blake2b(f"{project}\x1f{lesson.identity}".encode("utf-8", "replace"), digest_size=5).hexdigest()


def rank(learning: Learning) -> tuple[float, int, int, str, str]:
    """By which learnings are sorted, best first: what saves most, by what is sure."""
    return (
        *(-learning.score, -learning.sessions, -learning.calls),
        *(learning.lesson.subject, learning.lesson.remedy),
    )


def new_learning(project: str, lesson: Lesson) -> Learning:
    """A lesson of which nothing is counted yet."""
    return Learning(
        id=learning_id(project, lesson),
        project=project,
        lesson=lesson,
        status=Status.PROPOSED,
        reason="",
        sessions=0,
        calls=0,
        agents=(),
        first_seen=0.0,
        last_seen=0.0,
        wasted=0,
        note="",
        agent_specific=False,
    )


def learning_of(row: tuple[Any, ...]) -> Learning:
    """The learning in a row of COLUMNS."""
    id_, project, section, subject, remedy, status, reason, sessions, calls, agents = row[:10]
    first_seen, last_seen, wasted, note, specific, origin, pinned, wording = row[10:18]
    support, retired_at, reworded_at, given_up, changes, verdict, accepted = row[18:]
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
        support=support,
        retired_at=retired_at,
        reworded_at=reworded_at,
        given_up=bool(given_up),
        changes=changes,
        verdict=verdict,
        accepted=bool(accepted),
    )
