"""Whether rules help: how often a failure occurred before its rule was shown to an agent, and after.

A session counts as before or after by when it began: agents load their files then. Counted twice: per session, and per
opportunity, which is a session that tried the operation at all, in the way that fails or in the way that works.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from headroomd.ledger.db import Connection
from headroomd.ledger.facts import stable_hash
from headroomd.model import Lesson, Section

__all__ = ["Effect", "Effects", "Rate", "Showing", "Verdict", "effect_of"]

_Z: Final = 1.96  # of a 95 % interval
_STILL: Final = 0.5  # of the rate before: a rule that leaves more than this of a failure does not help
_BY_ATTEMPT: Final = (Section.PATHS, Section.LARGE_FILES)
"""Where every failed attempt is the lesson's failure. A command fails for many reasons: only evidence tells those."""


class Verdict(StrEnum):
    """What the rates say about a rule."""

    HELPS = "helps"
    DOES_NOT = "does not help"
    TOO_EARLY = "too early to tell"


class Rate(Struct, frozen=True):
    """How many of a number of sessions failed."""

    failed: int = 0
    of: int = 0

    @property
    def value(self) -> float:
        """The share of failures, 0.0 where there was nothing to fail."""
        return self.failed / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval: where the true rate lies; everything is possible where nothing was counted."""
        if not self.of:
            return 0.0, 1.0
        n, p = self.of, self.value
        middle = p + _Z**2 / (2 * n)
        spread = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        scale = 1 + _Z**2 / n
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


class Effect(Struct, frozen=True):
    """What came of showing a rule."""

    before: Rate = Rate()  # per opportunity
    after: Rate = Rate()
    sessions_before: Rate = Rate()
    sessions_after: Rate = Rate()

    def verdict(self, ineffective_after: int) -> Verdict:
        """HELPS where the rate after lies below the one before with the whole of its interval and of the other's;
        DOES_NOT where after so many opportunities at least half of the rate before is left.

        By opportunities only: a failure that nobody had a chance to repeat proves nothing.
        """
        if self.after.of and self.after.interval[1] < self.before.interval[0]:
            return Verdict.HELPS
        keeps_coming = self.after.failed > 1 and self.after.value >= _STILL * self.before.value
        if keeps_coming and self.after.of >= ineffective_after:
            return Verdict.DOES_NOT
        return Verdict.TOO_EARLY


class Showing(Struct, frozen=True):
    """From when to when an agent was shown a rule."""

    agent: str
    since: float
    until: float = math.inf


class Seen(Struct, frozen=True):
    """One session, as far as a rule is concerned."""

    agent: str
    began: float
    tried: bool
    failed: bool


def effect_of(sessions: Iterable[Seen], showings: Sequence[Showing], counted_from: float = 0.0) -> Effect:
    """The rates before any of `showings` and during them.

    Sessions count from the first that failed on (before it, another world may have held), of agents that were shown
    the rule, and neither between two showings nor, as "after", before `counted_from` (when it was reworded).
    """
    sessions = list(sessions)
    begin = min((session.began for session in sessions if session.failed), default=math.inf)
    first = {one.agent: min(it.since for it in showings if it.agent == one.agent) for one in showings}
    counts: dict[tuple[bool, bool], list[int]] = defaultdict(lambda: [0, 0])
    for session in sessions:
        if session.agent not in first or session.began < begin:
            continue
        is_before = session.began < first[session.agent]
        is_after = session.began >= counted_from and any(
            one.since <= session.began < one.until for one in showings if one.agent == session.agent
        )
        if not (is_before or is_after):
            continue
        for is_chance in (True, False) if session.tried else (False,):
            counts[is_after, is_chance][0] += session.failed
            counts[is_after, is_chance][1] += 1
    return Effect(
        before=Rate(*counts[False, True]),
        after=Rate(*counts[True, True]),
        sessions_before=Rate(*counts[False, False]),
        sessions_after=Rate(*counts[True, False]),
    )


class Effects:
    """Computes effects from what sessions show."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def of_project(self, project: str) -> dict[str, Effect]:
        """The effect of every learning of a project that was ever shown, by its id."""
        shown = self._showings(project)
        if not shown:
            return {}
        rows = self._db.execute(
            """SELECT learnings.id, section, subject, remedy, reworded_at FROM learnings
               JOIN projects ON projects.id = project WHERE path = ?""",
            (project,),
        ).fetchall()
        sessions = self._db.execute(
            """SELECT sessions.id, agent, first_at FROM sessions
               JOIN projects ON projects.id = project WHERE path = ? AND calls > 0""",
            (project,),
        ).fetchall()
        effects = {}
        for id_, section, subject, remedy, reworded_at in rows:
            if id_ in shown:
                lessons = [Lesson(Section(section), subject, remedy), *self._behind(id_)]
                tried, failed = self._fared(project, lessons)
                seen = [Seen(agent, began, session in tried, session in failed) for session, agent, began in sessions]
                effects[id_] = effect_of(seen, shown[id_], reworded_at)
        return effects

    def _showings(self, project: str) -> dict[str, list[Showing]]:
        shown: dict[str, list[Showing]] = defaultdict(list)
        for learning, agent, since, until in self._db.execute(
            """SELECT learning, agent, since, until FROM showings
               WHERE learning IN (SELECT learnings.id FROM learnings JOIN projects ON projects.id = project
                                  WHERE path = ?) ORDER BY since""",
            (project,),
        ):
            shown[learning].append(Showing(agent, since, math.inf if until is None else until))
        return shown

    def _behind(self, learning: str) -> list[Lesson]:
        """The lessons of what a rule that an analyst worded rests on."""
        rows = self._db.execute(
            """SELECT DISTINCT section, subject, remedy FROM rule_evidence
               JOIN evidence ON evidence.id = rule_evidence.evidence WHERE rule = ?""",
            (learning,),
        )
        return [Lesson(Section(section), subject, remedy) for section, subject, remedy in rows]

    def _fared(self, project: str, lessons: list[Lesson]) -> tuple[set[int], set[int]]:
        """The sessions that tried what `lessons` speak of, and those that failed at it."""
        evidence = [row for lesson in lessons for row in self._evidence(project, lesson)]
        failing = {key for lesson, _, key in evidence if lesson.section in _BY_ATTEMPT}
        known = {*lessons, *(lesson for lesson, _, _ in evidence)}
        keys = {stable_hash(key) for lesson in known for key in _keys(lesson)}
        keys |= {key for _, _, key in evidence if key is not None}
        failed = {session for _, session, _ in evidence}
        tried = set(failed)
        for session, key, failures in self._db.execute(
            """SELECT attempts.session, attempts.key, attempts.failed FROM json_each(?2)
               CROSS JOIN sessions ON sessions.project = (SELECT id FROM projects WHERE path = ?1)
               JOIN attempts ON attempts.session = sessions.id AND attempts.key = json_each.value""",
            (project, f"[{','.join(map(str, keys))}]"),
        ):
            tried.add(session)
            if failures and key in failing:
                failed.add(session)
        return tried, failed

    def _evidence(self, project: str, lesson: Lesson) -> list[tuple[Lesson, int, int | None]]:
        """Lesson, session and attempt key of all that shows the lesson's failure, whatever mended it."""
        is_move = lesson.subject.endswith("/")
        rows = self._db.execute(
            """SELECT subject, remedy, evidence.session, opportunity
               FROM evidence JOIN projects ON projects.id = project WHERE path = ?1 AND section = ?2
               AND (subject = ?3 OR (?4 AND substr(subject, 1, length(?3)) = ?3))""",
            (project, lesson.section, lesson.subject, is_move),
        )
        return [(Lesson(lesson.section, subject, remedy), *rest) for subject, remedy, *rest in rows]


def _keys(lesson: Lesson) -> list[str]:
    """The attempts (correlation.operations.Meaning.keys) in which one may go the wrong way or the right one."""
    subject, remedy = lesson.subject, lesson.remedy
    match lesson.section:
        case Section.PATHS:
            return [f"{action} {path}" for action in ("read", "edit", "write") for path in (subject, remedy)]
        case Section.LARGE_FILES:
            return [f"read {subject}"]
        case Section.SCOPE:
            return [f"search {subject}", f"search {remedy}"]
        case Section.PREFERENCES:
            return []
    return [f"run {command}" for command in (subject, remedy) if command]
