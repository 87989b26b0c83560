"""Rules that an analyst worded: kept with the evidence that they rest on, and judged by it like any learning."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from headroomd.ledger.db import Connection
from headroomd.ledger.evidence import select_evidence
from headroomd.ledger.policy import Check, Support
from headroomd.model import Evidence, Lesson, Section

__all__ = ["ORIGIN", "Rule", "Rules"]

ORIGIN: Final = "analysis"
"""Learning.origin of those that are rules."""

_OUTSIDE: Final = "waits for your review: it rests on what was read from the web or an MCP server"
_decode_paths = msgspec.json.Decoder(list[str]).decode


class Rule(Struct, frozen=True):
    """A rule that has passed every check."""

    id: str  # of its learning
    section: Section
    text: str
    evidence: tuple[str, ...]  # ids of what it rests on
    needs_sessions: int
    paths: tuple[str, ...] = ()  # of the project, that it names
    replaces: tuple[str, ...] = ()  # ids of learnings whose place it takes
    is_tainted: bool = False

    @property
    def lesson(self) -> Lesson:
        """The rule as what every learning is made of."""
        return Lesson(self.section, self.text)


class Rules:
    """The tables of rules. Writes must happen inside a transaction of the caller's."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, project: str, rule: Rule) -> None:
        """Store a rule; one that is there already rests on the new evidence as well."""
        self._db.execute(
            """INSERT INTO rules SELECT ?1, id, ?2, ?3, ?4, ?5, ?6, '' FROM projects WHERE path = ?7
               ON CONFLICT DO UPDATE SET
                   needs_sessions = min(needs_sessions, ?4), tainted = min(tainted, ?5), paths = ?6, gone = ''""",
            (
                *(rule.id, rule.section, rule.text, rule.needs_sessions, rule.is_tainted),
                *(msgspec.json.encode(rule.paths).decode(), project),
            ),
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO rule_evidence VALUES (?, ?)", [(rule.id, id_) for id_ in rule.evidence]
        )
        self._db.execute("DELETE FROM merges WHERE learning = ?", (rule.id,))
        self._db.executemany("INSERT OR REPLACE INTO merges VALUES (?, ?)", [(id_, rule.id) for id_ in rule.replaces])

    def of_project(self, project: str) -> dict[str, Lesson]:
        """The rules of a project by the ids of their learnings."""
        rows = self._db.execute(
            "SELECT rules.id, section, rule FROM rules JOIN projects ON projects.id = project WHERE path = ?",
            (project,),
        )
        return {id_: Lesson(Section(section), text) for id_, section, text in rows}

    def gone(self, project: str, exists: Callable[[str], bool]) -> dict[str, str]:
        """For the rules of which it has changed: the first of the paths that they name that is not there, or ""."""
        rows = self._db.execute(
            "SELECT rules.id, paths, gone FROM rules JOIN projects ON projects.id = project WHERE path = ?", (project,)
        )
        now = {
            id_: (next((path for path in _decode_paths(paths) if not exists(path)), ""), was)
            for id_, paths, was in rows
        }
        return {id_: gone for id_, (gone, was) in now.items() if gone != was}

    def mark_gone(self, changed: Mapping[str, str]) -> None:
        """Take down what `gone` found."""
        self._db.executemany("UPDATE rules SET gone = ? WHERE id = ?", [(gone, id_) for id_, gone in changed.items()])

    def supports(self, project: str, check: Check) -> tuple[list[Support], dict[Lesson, str]]:
        """What speaks for each rule, and by its lesson why it does not hold ("" where it does).

        Evidence whose own lesson the world has disproved speaks for nothing, unless no other is left.
        """
        groups: dict[Lesson, list[tuple[Support, str]]] = defaultdict(list)
        reasons: dict[Lesson, str] = {}
        for section, text, tainted, gone, own, subject, remedy, *counts in self._db.execute(
            """SELECT rules.section, rules.rule, rules.tainted, gone, evidence.section, subject, remedy,
                      evidence.session, failed_call, sessions.agent, at, rules.needs_sessions, wasted, '',
                      opportunity, agent_specific
               FROM rules JOIN projects ON projects.id = rules.project
               JOIN rule_evidence ON rule_evidence.rule = rules.id
               JOIN evidence ON evidence.id = rule_evidence.evidence
               JOIN sessions ON sessions.id = evidence.session WHERE path = ? ORDER BY at, evidence.id""",
            (project,),
        ):
            lesson = Lesson(Section(section), text)
            reasons[lesson] = f"{gone} is gone" if gone else _OUTSIDE if tainted else ""
            groups[lesson].append((Support(lesson, *counts), check(Lesson(Section(own), subject, remedy))))
        supports = []
        for lesson, group in groups.items():
            kept = [support for support, disproved in group if not disproved]
            reasons[lesson] = reasons[lesson] or (group[0][1] if not kept else "")
            supports += kept or [support for support, _ in group]
        return supports, reasons

    def evidence(self, rule: str) -> list[Evidence]:
        """What a rule rests on, newest first."""
        condition = "evidence.id IN (SELECT evidence FROM rule_evidence WHERE rule = ?)"
        return select_evidence(self._db, condition, (rule,))

    def merges(self, learnings: Iterable[str]) -> dict[str, str]:
        """By which rule the place of each of these learnings was taken, for those that it holds of."""
        ids: Sequence[str] = list(learnings)
        rows = self._db.execute(
            "SELECT learning, rule FROM merges WHERE learning IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(ids).decode(),),
        )
        return dict(rows)
