"""Facts: what was read from session files, each counted once however often agents copied it.

Text that came out of a session is stored by `_store_evidence` and `fail` only, which redact it: nothing secret reaches
the database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from headroomd.agents.tail import Cursor
from headroomd.ledger.db import Connection
from headroomd.model import CallRef, Evidence, SessionStart
from headroomd.projects import Place, ProjectRoot

if TYPE_CHECKING:
    from headroomd.correlation.correlator import Findings  # imports all of shell/, which `status` should not pay for

__all__ = ["Facts", "Portion", "ProjectFacts", "Totals", "stable_hash"]

_encode = msgspec.msgpack.encode
_encode_json = msgspec.json.Encoder().encode
_decode_cursor = msgspec.msgpack.Decoder(Cursor).decode
_LONGEST_ERROR: Final = 300  # characters


def stable_hash(text: str) -> int:
    """64 bits of `text`, the same in every process, as SQLite holds integers."""
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


_attempt_hash = lru_cache(maxsize=4096)(stable_hash)  # the same few commands are tried in session after session


class Portion(Struct, frozen=True):
    """What reading a part of one session file found: stored in one transaction with the cursor behind that part."""

    path: str
    agent: str
    start: SessionStart | None  # None: nothing in the file so far tells of a session
    root: ProjectRoot
    first_at: float  # of the events read; 0.0 without any
    last_at: float
    keys: list[int]  # stable_hash of the calls read, copies included
    findings: Findings
    cursor: Cursor
    state: bytes  # what the next reading of the file takes over
    fresh: bool  # the file is read from its first byte: what its row counted before does not hold
    size: int = 0  # bytes read
    odd: int = 0
    repaired: int = 0
    skipped: int = 0


class ProjectFacts(Struct, frozen=True):
    """One project as its sessions show it."""

    path: str
    agents: tuple[str, ...]  # those with sessions in it, sorted
    sessions: int
    calls: int
    failed: int
    last_at: float


class Totals(Struct, frozen=True):
    """All that was ever read and is still known."""

    files: int = 0
    sessions: int = 0
    calls: int = 0
    failed: int = 0
    projects: int = 0
    home: int = 0  # sessions in the home folder: what they teach is written only where the user wants it
    missing: int = 0  # projects that are gone
    unattributed: int = 0  # sessions whose project cannot be told
    odd: int = 0  # lines
    repaired: int = 0
    skipped: int = 0
    errors: dict[str, str] = {}  # by path: why its last reading stopped early


class Facts:
    """The tables that a scan fills. Writes must happen inside a transaction of the caller's."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def cursors(self, agent: str) -> dict[str, Cursor]:
        """How far each of an agent's files was read, by path."""
        rows = self._db.execute("SELECT path, cursor FROM files WHERE agent = ? AND cursor IS NOT NULL", (agent,))
        return {path: _decode_cursor(cursor) for path, cursor in rows}

    def cursor(self, path: str) -> Cursor | None:
        """How far one file was read."""
        row = self._db.execute("SELECT cursor FROM files WHERE path = ?", (path,)).fetchone()
        return _decode_cursor(row[0]) if row and row[0] is not None else None

    def state(self, path: str) -> bytes:
        """What the last reading of a file left to be taken over; b"" if there was none."""
        row = self._db.execute("SELECT state FROM files WHERE path = ?", (path,)).fetchone()
        return row[0] if row else b""

    def known(self, keys: Collection[int]) -> set[int]:
        """Those of `keys` that were counted before."""
        rows = self._db.execute("SELECT key FROM calls WHERE key IN (SELECT value FROM json_each(?))", (_json(keys),))
        return {key for (key,) in rows}

    def store(self, portion: Portion) -> None:
        """Add what was found, and move the file's cursor behind it. Storing a portion again changes nothing."""
        session = None
        if portion.start is not None:
            project = self._project(portion.root)
            session = self._session(portion, portion.start, project)
            self._store_calls(session, portion)
            if project is not None:
                self._store_evidence(session, project, portion.findings)
        self._store_file(session, portion)

    def fail(self, path: str, agent: str, error: str) -> None:
        """Remember why a file could not be read further; its cursor stays where it was."""
        from headroomd.redact import redact

        self._db.execute(
            "INSERT INTO files (path, agent, error) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET error = excluded.error",
            (path, agent, redact(error)[:_LONGEST_ERROR]),
        )

    def forget_files(self, paths: Iterable[str]) -> None:
        """Drop the cursors of files that are gone; what was read from them stays."""
        self._db.executemany("DELETE FROM files WHERE path = ?", ((path,) for path in paths))

    def missing_folders(self) -> list[str]:
        """Working directories whose project was gone when their sessions were read."""
        rows = self._db.execute("SELECT DISTINCT cwd FROM sessions WHERE place = ?", (Place.MISSING,))
        return [cwd for (cwd,) in rows]

    def forget_sessions(self, cwd: str) -> None:
        """Forget the sessions of a folder that was gone and is there again, so that they are read as if for the first
        time."""
        chosen = "(SELECT id FROM sessions WHERE cwd = ? AND place = ?)"
        for table in ("calls", "failures", "attempts", "evidence", "files"):
            self._db.execute(f"DELETE FROM {table} WHERE session IN {chosen}", (cwd, Place.MISSING))
        self._db.execute("DELETE FROM sessions WHERE cwd = ? AND place = ?", (cwd, Place.MISSING))

    def projects(self, place: Place = Place.FOUND) -> list[ProjectFacts]:
        """Every project with sessions, sorted by path; with Place.HOME the home folder, if there are sessions in it."""
        rows = self._db.execute(
            """SELECT path, group_concat(DISTINCT agent), count(*), sum(calls), sum(failed), max(last_at)
               FROM sessions JOIN projects ON projects.id = sessions.project
               WHERE place = ? GROUP BY projects.id ORDER BY path""",
            (place,),
        )
        return [ProjectFacts(path, tuple(sorted(agents.split(","))), *counts) for path, agents, *counts in rows]

    def totals(self) -> Totals:
        """Counts over everything that was ever read."""
        files, odd, repaired, skipped = self._db.execute(
            "SELECT count(*), total(odd), total(repaired), total(skipped) FROM files"
        ).fetchone()
        sessions, calls, failed, projects = self._db.execute(
            """SELECT count(*), total(calls), total(failed), count(DISTINCT iif(place = 'found', project, NULL))
               FROM sessions"""
        ).fetchone()
        places = dict(self._db.execute("SELECT place, count(*) FROM sessions GROUP BY place"))
        return Totals(
            files=files,
            sessions=sessions,
            calls=int(calls),
            failed=int(failed),
            projects=projects,
            home=places.get(Place.HOME, 0),
            missing=len(self.missing_folders()),
            unattributed=places.get(Place.UNKNOWN, 0),
            odd=int(odd),
            repaired=int(repaired),
            skipped=int(skipped),
            errors=dict(self._db.execute("SELECT path, error FROM files WHERE error != ''")),
        )

    def _project(self, root: ProjectRoot) -> int | None:
        if not root.path:
            return None
        self._db.execute("INSERT OR IGNORE INTO projects (path) VALUES (?)", (root.path,))
        return int(self._db.execute("SELECT id FROM projects WHERE path = ?", (root.path,)).fetchone()[0])

    def _session(self, portion: Portion, start: SessionStart, project: int | None) -> int:
        """The row of the session, whose place may become better known, and never less well."""
        self._db.execute(
            """INSERT INTO sessions (agent, session, parent, cwd, place, project, first_at, last_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT DO UPDATE SET
                   cwd = iif(place = 'found' OR ?5 = 'unknown', cwd, ?4),
                   project = iif(place = 'found', project, coalesce(?6, project)),
                   place = iif(place = 'found' OR ?5 = 'unknown', place, ?5),
                   first_at = iif(?7 > 0 AND (first_at = 0 OR ?7 < first_at), ?7, first_at),
                   last_at = max(last_at, ?8)""",
            (
                *(portion.agent, start.session, start.parent, start.cwd, portion.root.place, project),
                *(portion.first_at, portion.last_at),
            ),
        )
        row = self._db.execute(
            "SELECT id FROM sessions WHERE agent = ? AND session = ?", (portion.agent, start.session)
        ).fetchone()
        return int(row[0])

    def _store_calls(self, session: int, portion: Portion) -> None:
        findings = portion.findings
        self._db.execute(
            "INSERT OR IGNORE INTO calls SELECT value, ? FROM json_each(?)", (session, _json(portion.keys))
        )
        if not findings.calls:
            return
        self._db.execute(
            "UPDATE sessions SET calls = calls + ?, failed = failed + ? WHERE id = ?",
            (findings.calls, findings.failed, session),
        )
        self._db.executemany(
            "INSERT INTO failures VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET calls = calls + excluded.calls",
            [(session, kind, calls) for kind, calls in findings.kinds.items()],
        )
        self._db.executemany(
            "INSERT INTO attempts VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET ok = ok + excluded.ok, failed = failed + excluded.failed",
            [(session, _attempt_hash(key), ok, failed) for key, (ok, failed) in findings.attempts.items()],
        )

    def _store_evidence(self, session: int, project: int, findings: Findings) -> None:
        from headroomd.redact import holds_secret, redact  # compiles a hundred patterns: `status` should not pay for it

        self._db.executemany("DELETE FROM evidence WHERE id = ?", [(id_,) for id_ in findings.withdrawn])
        found = [(stable_hash(evidence.failed.key), evidence) for evidence in findings.evidence]
        if not found:
            return
        # A copied failure belongs to the session that it was counted for, not to the fork that holds the copy.
        counted = dict(
            self._db.execute(
                "SELECT key, session FROM calls WHERE key IN (SELECT value FROM json_each(?))",
                (_json([call for call, _ in found]),),
            )
        )
        self._db.executemany(
            # A third faster than INSERT OR REPLACE. The id stands for the lesson, which stays.
            """INSERT INTO evidence VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
               ON CONFLICT (id) DO UPDATE SET
                   session = excluded.session, at = excluded.at, failed_call = excluded.failed_call,
                   failed = excluded.failed, fixed = excluded.fixed, note = excluded.note,
                   needs_sessions = excluded.needs_sessions, wasted = excluded.wasted,
                   opportunity = excluded.opportunity, agent_specific = excluded.agent_specific,
                   tainted = excluded.tainted""",
            [
                _evidence_row(evidence, project, counted.get(call, session), call, redact)
                for call, evidence in found
                # No rule may rest on a lesson that is itself secret.
                if not holds_secret(f"{evidence.lesson.subject}\n{evidence.lesson.remedy}")
            ],
        )

    def _store_file(self, session: int | None, portion: Portion) -> None:
        kept = 0 if portion.fresh else 1
        self._db.execute(
            """INSERT INTO files (path, agent, session, cursor, state, odd, repaired, skipped)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT DO UPDATE SET
                   agent = ?2, session = ?3, cursor = ?4, state = ?5, error = '',
                   odd = odd * ?9 + ?6, repaired = repaired * ?9 + ?7, skipped = skipped * ?9 + ?8""",
            (
                *(portion.path, portion.agent, session, _encode(portion.cursor), portion.state),
                *(portion.odd, portion.repaired, portion.skipped, kept),
            ),
        )


def _evidence_row(
    evidence: Evidence, project: int, session: int, failed_call: int, redact: Callable[[str], str]
) -> tuple[object, ...]:
    lesson, failed, fixed = evidence.lesson, evidence.failed, evidence.fixed
    return (
        *(evidence.id, project, session, lesson.section, lesson.subject, lesson.remedy, evidence.at, failed_call),
        _json(CallRef(failed.key, failed.at, redact(failed.text), redact(failed.answer))),
        _json(CallRef(fixed.key, fixed.at, redact(fixed.text), redact(fixed.answer))) if fixed else None,
        *(redact(evidence.note), evidence.needs_sessions, evidence.wasted),
        _attempt_hash(evidence.opportunity) if evidence.opportunity else None,
        evidence.agent_specific,
        evidence.tainted,
    )


def _json(value: object) -> str:
    return _encode_json(value).decode()
