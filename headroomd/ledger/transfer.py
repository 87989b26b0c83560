"""Moving a ledger to another machine: what is known of projects, as one JSON document (docs/export.md).

Taking a document in trusts nothing in it: unknown keys and wrong types are refused, text is redacted again, a rule
that holds a secret is left out. What is known already stays as it is, so taking the same document in twice changes
nothing. No file but the ledger is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from headroomd.errors import LedgerError
from headroomd.ledger.db import Connection, transaction
from headroomd.ledger.learning import learning_id
from headroomd.ledger.rules import Rule, Rules
from headroomd.model import CallRef, Lesson, Section
from headroomd.redact import holds_secret, redact

__all__ = ["Document", "Imported", "Transfer"]

_VERSION: Final = 1


class _Strict(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class SessionRow(_Strict, frozen=True):
    """A session: its counts and attempts."""

    agent: str
    session: str
    first_at: float
    last_at: float
    calls: int
    failed: int
    attempts: list[tuple[int, int, int]]  # hash of the operation, worked, failed; those that evidence speaks of


class EvidenceRow(_Strict, frozen=True):
    """One piece of evidence."""

    id: str
    agent: str
    session: str
    section: Section
    subject: str
    remedy: str
    at: float
    failed_call: int
    failed: CallRef
    fixed: CallRef | None
    note: str
    needs_sessions: int
    wasted: int
    opportunity: int | None
    agent_specific: bool
    tainted: bool


class LearningRow(_Strict, frozen=True):
    """A learning and where it stands."""

    section: Section
    subject: str
    remedy: str
    status: Literal["proposed", "active", "retired"]
    reason: str
    sessions: int
    calls: int
    agents: list[str]
    first_seen: float
    last_seen: float
    wasted: int
    note: str
    agent_specific: bool
    origin: str
    pinned: bool
    wording: str
    support: float
    retired_at: float
    reworded_at: float
    given_up: bool
    changes: int
    verdict: Literal["", "helps", "does not help", "too early to tell"]


class DecisionRow(_Strict, frozen=True):
    """What the user decided."""

    section: Section
    subject: str
    remedy: str
    decision: Literal["forgotten", "accepted"]
    text: str
    at: float


class ShowingRow(_Strict, frozen=True):
    """When an agent was told a rule."""

    section: Section
    subject: str
    remedy: str
    agent: str
    path: str
    since: float
    until: float | None


class RuleRow(_Strict, frozen=True):
    """What an analyst worded; `evidence` holds ids."""

    section: Section
    rule: str
    needs_sessions: int
    tainted: bool
    paths: list[str]
    evidence: list[str]


class ProjectRow(_Strict, frozen=True):
    """A project and all that is known of it."""

    path: str
    sessions: list[SessionRow]
    evidence: list[EvidenceRow]
    learnings: list[LearningRow]
    decisions: list[DecisionRow]
    showings: list[ShowingRow]
    rules: list[RuleRow]


class Document(_Strict, frozen=True):
    """What `headroomd export` writes."""

    format: Literal["headroomd ledger"]
    version: Literal[1]
    projects: list[ProjectRow]


class Imported(Struct, frozen=True):
    """What was new in a document."""

    project: str
    learnings: int
    evidence: int
    decisions: int
    refused: int  # rules and evidence that hold a secret


_decode = msgspec.json.Decoder(Document).decode


class Transfer:
    """Reads projects out of the ledger, and takes them in."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def export(self, projects: Iterable[str]) -> bytes:
        """The document that holds `projects`, indented, and the same for the same ledger."""
        rows = [self._project(project) for project in projects]
        document = Document("headroomd ledger", _VERSION, rows)
        return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"

    def take_in(self, document: bytes, moved: dict[str, str]) -> list[Imported]:
        """Add what a document holds; `moved` says which folders are elsewhere now (the longest that fits counts).

        Raises LedgerError for what is no such document; nothing was taken in then.
        """
        try:
            projects = _decode(document).projects
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise LedgerError(f"this is no export of headroomd ({error})", "see docs/export.md") from error
        with transaction(self._db):
            return [self._take_in(project, moved) for project in projects]

    def _project(self, path: str) -> ProjectRow:
        return ProjectRow(
            path=path,
            sessions=self._sessions(path),
            evidence=self._rows(
                EvidenceRow,
                """SELECT evidence.id, agent, sessions.session, section, subject, remedy, at, failed_call,
                          evidence.failed, fixed, note, needs_sessions, wasted, opportunity, agent_specific, tainted
                   FROM evidence JOIN sessions ON sessions.id = evidence.session
                   JOIN projects ON projects.id = evidence.project WHERE path = ? ORDER BY at, evidence.id""",
                path,
            ),
            learnings=self._rows(
                LearningRow,
                """SELECT section, subject, remedy, status, reason, sessions, calls, agents, first_seen, last_seen,
                          wasted, note, agent_specific, origin, pinned, wording, support, retired_at, reworded_at,
                          given_up, changes, verdict
                   FROM learnings JOIN projects ON projects.id = project WHERE path = ?
                   ORDER BY section, subject, remedy""",
                path,
            ),
            decisions=self._rows(
                DecisionRow,
                """SELECT section, subject, remedy, decision, text, at FROM decisions
                   JOIN projects ON projects.id = project WHERE path = ? ORDER BY at, learning""",
                path,
            ),
            showings=self._rows(
                ShowingRow,
                """SELECT section, subject, remedy, agent, showings.path, since, until FROM showings
                   JOIN learnings ON learnings.id = learning JOIN projects ON projects.id = project
                   WHERE projects.path = ? ORDER BY since, learning, agent, showings.path""",
                path,
            ),
            rules=self._rows(
                RuleRow,
                """SELECT section, rule, needs_sessions, tainted, paths,
                          (SELECT json_group_array(evidence) FROM rule_evidence WHERE rule_evidence.rule = rules.id)
                   FROM rules JOIN projects ON projects.id = project WHERE path = ? ORDER BY section, rule""",
                path,
            ),
        )

    def _sessions(self, path: str) -> list[SessionRow]:
        attempts: dict[int, list[tuple[int, int, int]]] = {}
        for session, *counts in self._db.execute(
            """SELECT attempts.session, key, ok, attempts.failed FROM attempts
               JOIN sessions ON sessions.id = attempts.session JOIN projects ON projects.id = sessions.project
               WHERE path = ? AND key IN (SELECT opportunity FROM evidence WHERE evidence.project = projects.id)
               ORDER BY key""",
            (path,),
        ):
            attempts.setdefault(session, []).append((counts[0], counts[1], counts[2]))
        return [
            SessionRow(agent, session, first_at, last_at, calls, failed, attempts.get(id_, []))
            for id_, agent, session, first_at, last_at, calls, failed in self._db.execute(
                """SELECT sessions.id, agent, session, first_at, last_at, calls, failed FROM sessions
                   JOIN projects ON projects.id = project WHERE path = ? ORDER BY agent, session""",
                (path,),
            )
        ]

    def _rows(self, kind: type[Any], query: str, path: str) -> list[Any]:
        """The rows of `query` as structs of `kind`; JSON columns are read as what they hold."""
        fields = kind.__struct_fields__
        return [
            msgspec.convert({name: _read(name, value) for name, value in zip(fields, row, strict=True)}, kind)
            for row in self._db.execute(query, (path,))
        ]

    def _take_in(self, project: ProjectRow, moved: dict[str, str]) -> Imported:
        path = _moved(project.path, moved)
        self._db.execute("INSERT OR IGNORE INTO projects (path) VALUES (?)", (path,))
        number = self._db.execute("SELECT id FROM projects WHERE path = ?", (path,)).fetchone()[0]
        for session in project.sessions:
            self._add_session(number, path, session)
        learnings = [one for one in project.learnings if not _is_secret(one.subject, one.remedy, one.wording)]
        evidence = [one for one in project.evidence if not _is_secret(one.subject, one.remedy)]
        counts = (
            self._add_learnings(number, path, learnings),
            self._add_evidence(number, evidence),
            self._add_decisions(number, path, project.decisions),
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO showings VALUES (?, ?, ?, ?, ?)",
            [(_id(path, one), one.agent, _moved(one.path, moved), one.since, one.until) for one in project.showings],
        )
        self._add_rules(path, project.rules)
        refused = len(project.learnings) - len(learnings) + len(project.evidence) - len(evidence)
        return Imported(path, *counts, refused)

    def _add_session(self, project: int, path: str, session: SessionRow) -> None:
        """A session that was read on this machine, too, is better known here."""
        added = self._db.execute(
            """INSERT OR IGNORE INTO sessions (agent, session, cwd, place, project, first_at, last_at, calls, failed)
               VALUES (?, ?, ?, 'found', ?, ?, ?, ?, ?)""",
            (
                *(session.agent, session.session, path, project),
                *(session.first_at, session.last_at, session.calls, session.failed),
            ),
        )
        if added.rowcount:
            self._db.executemany(
                "INSERT OR IGNORE INTO attempts VALUES (?, ?, ?, ?)",
                [(added.lastrowid, *attempt) for attempt in session.attempts],
            )

    def _add_evidence(self, project: int, rows: list[EvidenceRow]) -> int:
        return self._db.executemany(
            """INSERT OR IGNORE INTO evidence
                   (id, project, session, section, subject, remedy, at, failed_call, failed, fixed, note,
                    needs_sessions, wasted, opportunity, agent_specific, tainted)
               SELECT ?1, ?2, id, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17 FROM sessions
               WHERE agent = ?3 AND session = ?4""",
            [
                (
                    *(one.id, project, one.agent, one.session, one.section, one.subject, one.remedy, one.at),
                    *(one.failed_call, _call(one.failed), one.fixed and _call(one.fixed), redact(one.note)),
                    *(one.needs_sessions, one.wasted, one.opportunity, one.agent_specific, one.tainted),
                )
                for one in rows
            ],
        ).rowcount

    def _add_learnings(self, project: int, path: str, rows: list[LearningRow]) -> int:
        return self._db.executemany(
            """INSERT OR IGNORE INTO learnings
                   (id, project, section, subject, remedy, status, reason, sessions, calls, agents, first_seen,
                    last_seen, wasted, note, agent_specific, origin, pinned, wording, support, retired_at, reworded_at,
                    given_up, changes, verdict)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            [
                (
                    *(_id(path, one), project, one.section, one.subject, one.remedy, one.status, redact(one.reason)),
                    *(one.sessions, one.calls, msgspec.json.encode(one.agents).decode()),
                    *(one.first_seen, one.last_seen, one.wasted, redact(one.note), one.agent_specific),
                    *(one.origin, one.pinned, one.wording, one.support, one.retired_at, one.reworded_at),
                    *(one.given_up, one.changes, one.verdict),
                )
                for one in rows
            ],
        ).rowcount

    def _add_decisions(self, project: int, path: str, rows: list[DecisionRow]) -> int:
        return self._db.executemany(
            "INSERT OR IGNORE INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (_id(path, one), project, one.section, one.subject, one.remedy, one.decision, redact(one.text), one.at)
                for one in rows
            ],
        ).rowcount

    def _add_rules(self, path: str, rows: list[RuleRow]) -> None:
        rules = Rules(self._db)
        for one in rows:
            if not _is_secret(one.rule):
                id_ = learning_id(path, Lesson(one.section, one.rule))
                evidence, paths = tuple(one.evidence), tuple(one.paths)
                rules.add(path, Rule(id_, one.section, one.rule, evidence, one.needs_sessions, paths, (), one.tainted))


def _read(name: str, value: Any) -> Any:
    if name in ("failed", "fixed", "agents", "paths", "evidence") and isinstance(value, str):
        return msgspec.json.decode(value)
    if name in ("pinned", "agent_specific", "given_up", "tainted"):
        return bool(value)
    return value


def _id(project: str, row: LearningRow | DecisionRow | ShowingRow) -> str:
    return learning_id(project, Lesson(row.section, row.subject, row.remedy))


def _is_secret(*texts: str) -> bool:
    return any(text and holds_secret(text) for text in texts)


def _call(call: CallRef) -> str:
    return msgspec.json.encode(CallRef(call.key, call.at, redact(call.text), redact(call.answer))).decode()


def _moved(path: str, moved: dict[str, str]) -> str:
    for old in sorted(moved, key=len, reverse=True):
        if path == old or path.startswith(f"{old}/"):
            return moved[old] + path[len(old) :]
    return path
