"""The daemon's queue: one row a session file, from the moment it is seen to what reading it came to.

    open ──closed──► queued ──leased──► done | nothing        grown or changed: open again
                        ▲         └───► failed ──(attempts)──► given up
                        └──────due──────┘

Methods that write must be called inside a transaction of the caller's: `settle` and `mark_stale` in the one that
stores the facts, so that a crash at any moment loses nothing and repeats nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import Struct

from headroomd.ledger.db import Connection

__all__ = ["ATTEMPTS", "JobState", "Queue", "SessionJob"]

ATTEMPTS: Final = 5
"""How often a session file is tried before it is given up until it changes."""

_FIRST_PAUSE: Final = 30.0  # seconds before a failed job is tried again; doubled each time
_LEASE: Final = 600.0  # seconds: far longer than one portion of a file takes
_LONGEST_ERROR: Final = 300  # characters
_COLUMNS: Final = "path, agent, state, size, mtime_ns, changed_at, due, attempts, error"


class JobState(StrEnum):
    """Where a session file stands."""

    OPEN = "open"
    QUEUED = "queued"
    LEASED = "leased"
    DONE = "done"
    NOTHING = "nothing"
    FAILED = "failed"
    GIVEN_UP = "given up"


class SessionJob(Struct, frozen=True):
    """One row of the queue; times are seconds since the epoch."""

    path: str
    agent: str
    state: JobState
    size: int  # bytes, when it was last looked at
    mtime_ns: int
    changed_at: float
    due: float
    attempts: int = 0
    error: str = ""


class Queue:
    """Reads and writes the jobs, the stale projects and the timetable."""

    def __init__(self, connection: Connection, clock: Callable[[], float]) -> None:
        self._db = connection
        self._clock = clock

    # -- jobs --------------------------------------------------------------------------------------------------

    def seen(self, paths: Collection[str]) -> dict[str, tuple[int, int]]:
        """Size and mtime_ns of those of `paths` that were looked at before, as they were then.

        A file that was read and whose facts have been forgotten since is not among them: it is new again.
        """
        rows = self._db.execute(
            # By the index: rows of files are large, and reading them all costs more than the rest of a sweep.
            """SELECT path, size, mtime_ns FROM jobs WHERE path IN (SELECT value FROM json_each(?))
                   AND (state NOT IN ('done', 'nothing') OR EXISTS (
                       SELECT 1 FROM files INDEXED BY files_of_agent
                       WHERE files.agent = jobs.agent AND files.path = jobs.path))""",
            (msgspec.json.encode(paths).decode(),),
        )
        return {path: (size, mtime_ns) for path, size, mtime_ns in rows}

    def paths(self, agent: str) -> Iterator[str]:
        """Every file of an agent that has a row; nothing may be written until the last one was taken."""
        return (path for (path,) in self._db.execute("SELECT path FROM jobs WHERE agent = ?", (agent,)))

    def find(self, path: str) -> SessionJob | None:
        """The row of a session file, if it has been seen."""
        rows = self._select("path = ?", path)
        return rows[0] if rows else None

    def open_jobs(self) -> list[SessionJob]:
        """The sessions that are growing or in use."""
        return self._select("state = 'open'")

    def put(self, jobs: Iterable[SessionJob]) -> None:
        """Insert the rows, or put them in the place of those of the same path."""
        self._db.executemany(
            "INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(job.path, job.agent, job.state, job.size, job.mtime_ns, job.changed_at, job.due, job.attempts),
                    _redacted(job.error),
                )
                for job in jobs
            ],
        )

    def forget(self, paths: Iterable[str]) -> None:
        """Drop the rows of files that are gone."""
        self._db.executemany("DELETE FROM jobs WHERE path = ?", ((path,) for path in paths))

    def lease(self, most: int) -> list[SessionJob]:
        """Take up to `most` jobs that are due, the newest sessions first, for as long as a lease lasts."""
        now = self._clock()
        jobs = self._select("state IN ('queued', 'failed', 'leased') AND due <= ? ORDER BY changed_at DESC LIMIT ?",
                            now, most)  # fmt: skip
        self._db.executemany(
            "UPDATE jobs SET state = 'leased', due = ?, attempts = attempts + 1 WHERE path = ?",
            [(now + _LEASE, job.path) for job in jobs],
        )
        return jobs

    def settle(self, path: str, size: int, mtime_ns: int, *, has_taught: bool) -> None:
        """Say that a file was read to its end; `size` and `mtime_ns` are those that it had when it was opened."""
        self._db.execute(
            "UPDATE jobs SET state = ?, size = ?, mtime_ns = ?, attempts = 0, error = '' WHERE path = ?",
            (JobState.DONE if has_taught else JobState.NOTHING, size, mtime_ns, path),
        )

    def fail(self, path: str, error: str) -> None:
        """Say why a file could not be read; after ATTEMPTS times it is given up."""
        self._db.execute(
            """UPDATE jobs SET state = iif(attempts >= ?1, 'given up', 'failed'), error = ?2,
                   due = ?3 + ?4 * (1 << min(max(attempts, 1), 10) - 1)
               WHERE path = ?5""",
            (ATTEMPTS, _redacted(error), self._clock(), _FIRST_PAUSE, path),
        )

    def release(self, paths: Iterable[str] | None = None) -> None:
        """Give leased jobs back unread (None: all, which only the holder of the instance lock may do)."""
        now = self._clock()
        if paths is None:
            self._db.execute("UPDATE jobs SET state = 'queued', due = ? WHERE state = 'leased'", (now,))
            return
        self._db.executemany(
            "UPDATE jobs SET state = 'queued', due = ?, attempts = max(attempts - 1, 0)"
            " WHERE state = 'leased' AND path = ?",
            [(now, path) for path in paths],
        )

    def hasten(self, project: str = "") -> int:
        """Make all that waits due at once, open sessions included; returns how many files that is.

        With a project: its own, and those of which nobody knows yet whose they are.
        """
        cursor = self._db.execute(
            """UPDATE jobs SET state = 'queued', due = ?1, attempts = 0
               WHERE state IN ('open', 'queued', 'failed', 'given up') AND (?2 = '' OR path NOT IN (
                   SELECT files.path FROM files JOIN sessions ON sessions.id = files.session
                   LEFT JOIN projects ON projects.id = sessions.project WHERE projects.path IS NOT ?2))""",
            (self._clock(), project),
        )
        return cursor.rowcount

    def depths(self) -> dict[JobState, int]:
        """How many session files are in each state that any is in."""
        return {JobState(state): n for state, n in self._db.execute("SELECT state, count(*) FROM jobs GROUP BY state")}

    def has_due(self) -> bool:
        """Whether a file can be read now."""
        return self._next_due("due <= ?", self._clock()) is not None

    def next_due(self) -> float | None:
        """When the next file is to be read."""
        return self._next_due("?", 1)

    def errors(self) -> dict[str, str]:
        """Why files could not be read, by path."""
        rows = self._db.execute("SELECT path, error FROM jobs WHERE state IN ('failed', 'given up') ORDER BY path")
        return dict(rows.fetchall())

    # -- projects ----------------------------------------------------------------------------------------------

    def mark_stale(self, project: str, due: float = 0.0) -> None:
        """Have the learnings of a project looked at again, not before `due`. Unknown projects are left out."""
        self._db.execute(
            "INSERT INTO stale_projects SELECT id, ?2 FROM projects WHERE path = ?1"
            " ON CONFLICT DO UPDATE SET due = excluded.due",
            (project, due),
        )

    def mark_all_stale(self, project: str = "") -> None:
        """Have every project looked at again that has learnings or evidence (or this one, if it has)."""
        self._db.execute(
            """INSERT OR REPLACE INTO stale_projects
               SELECT id, 0 FROM projects WHERE (?1 = '' OR path = ?1) AND
                   (id IN (SELECT project FROM learnings) OR id IN (SELECT project FROM evidence))""",
            (project,),
        )

    def stale(self) -> list[str]:
        """Paths of the projects that are to be looked at now."""
        rows = self._db.execute(
            "SELECT path FROM stale_projects JOIN projects ON projects.id = project WHERE due <= ? ORDER BY path",
            (self._clock(),),
        )
        return [path for (path,) in rows]

    def next_stale(self) -> float | None:
        """When the next project is to be looked at."""
        due = self._db.execute("SELECT min(due) FROM stale_projects").fetchone()[0]
        return None if due is None else float(due)

    def refreshed(self, project: str) -> None:
        """Say that a project is up to date."""
        self._db.execute(
            "DELETE FROM stale_projects WHERE project = (SELECT id FROM projects WHERE path = ?)", (project,)
        )

    # -- timetable and notes -----------------------------------------------------------------------------------

    def due(self, name: str) -> float | None:
        """When something that runs by the clock is due; None where that was never said."""
        row = self._db.execute("SELECT due FROM timetable WHERE name = ?", (name,)).fetchone()
        return None if row is None else float(row[0])

    def set_due(self, name: str, due: float, done_at: float = 0.0) -> None:
        """Say when something is next due, and, where `done_at` is given, that it was done."""
        self._db.execute(
            """INSERT INTO timetable VALUES (?1, ?2, ?3)
               ON CONFLICT DO UPDATE SET due = ?2, done_at = max(done_at, ?3)""",
            (name, due, done_at),
        )

    def timetable(self) -> dict[str, tuple[float, float]]:
        """When everything that runs by the clock is next due, and when it was last done (0.0: never)."""
        return {name: (due, done_at) for name, due, done_at in self._db.execute("SELECT * FROM timetable")}

    def note(self, key: str) -> str:
        """What the daemon wrote down under `key`; "" where nothing."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (f"daemon.{key}",)).fetchone()
        return str(row[0]) if row else ""

    def set_note(self, key: str, value: str) -> None:
        """Write something down under `key`."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"daemon.{key}", value))

    def _select(self, condition: str, *parameters: object) -> list[SessionJob]:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE {condition}", parameters)
        return [_job(row) for row in rows]

    def _next_due(self, condition: str, parameter: object) -> float | None:
        row = self._db.execute(
            f"SELECT min(due) FROM jobs WHERE state IN ('queued', 'failed', 'leased') AND {condition}",
            (parameter,),
        ).fetchone()
        return None if row[0] is None else float(row[0])


def _redacted(error: str) -> str:
    from headroomd.redact import redact  # compiles a hundred patterns: `status` should not pay for it

    return redact(error)[:_LONGEST_ERROR] if error else ""


def _job(row: tuple[Any, ...]) -> SessionJob:
    path, agent, state, *rest = row
    return SessionJob(path, agent, JobState(state), *rest)
