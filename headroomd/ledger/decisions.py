"""What the user has decided: rules forgotten and accepted, pinned and reworded. It outlives the evidence."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

from headroomd.ledger.db import Connection, transaction
from headroomd.ledger.policy import covers
from headroomd.model import Lesson, Section

__all__ = ["FORGOTTEN", "Decided", "Decision", "Decisions", "is_paraphrase", "similarity"]

FORGOTTEN: Final = "you deleted it"
"""The reason that a forgotten learning bears."""

_ALIKE: Final = 0.6  # of the words of two sentences together: what two wordings of one preference share
_WORD: Final = re.compile(r"[\w./-]+")
_FILLERS: Final = frozenset(
    {
        *(
            "a",
            "an",
            "the",
            "is",
            "are",
            "be",
            "to",
            "of",
            "in",
            "on",
            "for",
            "and",
            "or",
            "with",
            "it",
            "this",
            "that",
        ),
        *("always", "please", "should", "must", "use", "run"),
    }
)


class Decided(StrEnum):
    """What a user can decide about a rule."""

    FORGOTTEN = "forgotten"  # never again, in whatever words
    ACCEPTED = "accepted"  # may be written in a project that is reviewed


class Decision(Struct, frozen=True):
    """One rule that the user has decided about."""

    learning: str  # id
    lesson: Lesson
    decided: Decided
    text: str  # the rule as it was said
    at: float


class Decisions:
    """Stores decisions; what they do to learnings is worked out when those are next looked at.

    Every method that writes is one transaction.
    """

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.time) -> None:
        self._db = connection
        self._clock = clock

    def of_project(self, project: str) -> list[Decision]:
        """What was decided in a project, oldest first."""
        rows = self._db.execute(
            """SELECT learning, section, subject, remedy, decision, text, at FROM decisions
               JOIN projects ON projects.id = project WHERE path = ? ORDER BY at, learning""",
            (project,),
        )
        return [
            Decision(learning, Lesson(Section(section), subject, remedy), Decided(decided), text, at)
            for learning, section, subject, remedy, decided, text, at in rows
        ]

    def is_forgotten(self, learning: str) -> bool:
        """Whether the user wants nothing of a learning, by its id."""
        row = self._db.execute("SELECT decision FROM decisions WHERE learning = ?", (learning,)).fetchone()
        return row is not None and row[0] == Decided.FORGOTTEN

    def decide(self, learning: str, decided: Decided, text: str) -> None:
        """Take down a decision about a known learning, in the place of an earlier one."""
        with transaction(self._db):
            self._db.execute(
                """INSERT OR REPLACE INTO decisions
                   SELECT id, project, section, subject, remedy, ?2, ?3, ?4 FROM learnings WHERE id = ?1""",
                (learning, decided, text, self._clock()),
            )
            if decided is Decided.FORGOTTEN:
                self._db.execute(
                    """UPDATE learnings SET status = 'retired', reason = ?2, pinned = 0, wording = '', retired_at = ?3,
                           changes = changes + (status = 'active') WHERE id = ?1""",
                    (learning, FORGOTTEN, self._clock()),
                )

    def pin(self, learning: str, wording: str = "") -> None:
        """Have a learning written whatever the evidence says, in the user's words where there are any."""
        with transaction(self._db):
            self._take_back(learning)
            self._db.execute(
                """UPDATE learnings SET pinned = 1, reason = '', changes = changes + (status != 'active'),
                       status = 'active', wording = iif(?2 = '', wording, ?2) WHERE id = ?1""",
                (learning, wording),
            )

    def restore(self, learning: str) -> None:
        """Take back what was decided about a learning, or that it was given up: the evidence speaks again."""
        with transaction(self._db):
            self._take_back(learning)
            self._db.execute(
                """UPDATE learnings SET reason = '', retired_at = 0, reworded_at = iif(given_up, ?2, 0), given_up = 0,
                       pinned = 0, wording = '' WHERE id = ?1""",
                (learning, self._clock()),  # a rule that was of no help gets another chance: counting begins anew
            )
            self._db.execute(  # what the user wrote has no evidence to speak for it
                "UPDATE learnings SET pinned = 1, wording = subject, status = 'active'"
                " WHERE id = ? AND origin = 'user'",
                (learning,),
            )

    def adopt(self, project: str, learning: str, lesson: Lesson, agents: str) -> None:
        """Keep a rule that the user wrote; `agents` is a JSON list. A rule that is known stays as it is."""
        now = self._clock()
        with transaction(self._db):
            self._db.execute(
                """INSERT OR IGNORE INTO learnings
                       (id, project, section, subject, remedy, status, reason, sessions, calls, agents, first_seen,
                        last_seen, wasted, note, agent_specific, origin, pinned, wording)
                   SELECT ?2, id, ?3, ?4, ?5, 'active', '', 0, 0, ?6, ?7, ?7, 0, '', 0, 'user', 1, ?4
                   FROM projects WHERE path = ?1""",
                (project, learning, lesson.section, lesson.subject, lesson.remedy, agents, now),
            )

    def _take_back(self, learning: str) -> None:
        """Undo a decision, and every other that would hold this learning down as a paraphrase."""
        row = self._db.execute(
            "SELECT section, subject, remedy, wording, project FROM learnings WHERE id = ?", (learning,)
        ).fetchone()
        if row is None:
            return
        section, subject, remedy, wording, project = row
        lesson = Lesson(Section(section), subject, remedy)
        held = self._db.execute(
            "SELECT learning, section, subject, remedy, text FROM decisions"
            " WHERE project = ? AND decision = 'forgotten'",
            (project,),
        ).fetchall()
        for other, its_section, its_subject, its_remedy, text in held:
            if other == learning or is_paraphrase(
                Lesson(Section(its_section), its_subject, its_remedy), text, lesson, wording
            ):
                self._db.execute("DELETE FROM decisions WHERE learning = ?", (other,))


def is_paraphrase(forgotten: Lesson, its_text: str, lesson: Lesson, text: str) -> bool:
    """Whether `lesson` is what the user has forgotten in other words.

    That is another remedy for the same failure, a part of a folder move, or, in free text, mostly the same words.
    """
    if lesson.section is forgotten.section and lesson.subject == forgotten.subject:
        return True
    if covers(forgotten, lesson):
        return True
    if lesson.remedy or forgotten.remedy or not _is_prose(lesson, text) or not _is_prose(forgotten, its_text):
        return False
    return similarity(its_text or forgotten.subject, text or lesson.subject) >= _ALIKE


def similarity(one: str, other: str) -> float:
    """The share of words that two sentences have in common, from 0 to 1; case, order and fillers do not count."""
    words, others = _words(one), _words(other)
    return len(words & others) / len(words | others) if words and others else 0.0


def _is_prose(lesson: Lesson, text: str) -> bool:
    return lesson.section is Section.PREFERENCES or text == lesson.subject


def _words(text: str) -> set[str]:
    words: Iterable[str] = (word.strip("./-") for word in _WORD.findall(text.lower()))
    return {word for word in words if word and word not in _FILLERS}
