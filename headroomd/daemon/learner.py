"""Reads the sessions that have closed, and brings up to date what they changed: the daemon's only hand that writes.

A portion of a file, its cursor and the state of its job are one transaction. What a project's facts changed is noted
in the same one, so that a crash between reading and writing leaves the project to be brought up to date later.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import structlog
from msgspec import Struct, field

from headroomd import pipeline
from headroomd.agents.base import Environment
from headroomd.agents.registry import Plugins
from headroomd.config import Config
from headroomd.daemon.asking import has_analyst
from headroomd.daemon.state import Problem, RunState
from headroomd.errors import HeadroomError, LedgerError, PluginError
from headroomd.intake import FileReading, find_jobs, own_folders
from headroomd.ledger import Ledger, SessionJob, later
from headroomd.options import known_projects, plan_options, project_settings
from headroomd.projects import ProjectFinder, is_home
from headroomd.scanning import Scanner, ScanReport
from headroomd.truth import Truth

__all__ = ["Learner", "Run"]

_AT_A_TIME: Final = 16  # jobs that are leased together
_TRY_AGAIN: Final = 900.0  # seconds until a project is tried again whose file could not be written
_TRY_FULL_AGAIN: Final = 30.0  # the same where there was no room on the disk
_REASON: Final = "daemon"
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)


class Run(Struct):
    """What was done from the moment there was something to do until there was nothing more."""

    at: float
    files: int = 0
    calls: int = 0
    evidence: int = 0
    projects: dict[str, None] = field(default_factory=dict)  # sets that keep their order
    written: dict[str, None] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """What a line of the log says."""
        return {
            "files": self.files,
            "calls": self.calls,
            "evidence": self.evidence,
            "projects": len(self.projects),
            "written": len(self.written),
        }

    def state(self, now: float) -> RunState:
        """What the run came to so far."""
        return RunState(
            at=self.at,
            seconds=round(now - self.at, 3),
            files=self.files,
            calls=self.calls,
            evidence=self.evidence,
            projects=tuple(self.projects),
            written=tuple(self.written),
        )


class Learner:
    """Does the queue's work in slices. `should_stop` is asked, and `beat` called, at least once a portion."""

    def __init__(
        self,
        ledger: Ledger,
        plugins: Plugins,
        env: Environment,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._ledger = ledger
        self._plugins = plugins
        self._env = env
        self._should_stop = should_stop
        self._beat = beat
        self._private = [folder for plugin in plugins.plugins.values() for folder in own_folders(plugin, env)]
        self._log = structlog.get_logger()
        self._unlooked: set[str] = set()  # projects whose programs on PATH are to be looked for, too
        self.problems: dict[str, Problem] = {}  # by the path of the project whose blocks could not be written

    # -- reading -----------------------------------------------------------------------------------------------

    def readmit(self) -> None:
        """Forget the sessions of projects that were gone and are there again: the next sweep finds them new."""
        Scanner(self._ledger, self._env, self._finder(), ScanReport()).readmit()

    def read(self, run: Run, seconds: float) -> None:
        """Read sessions that are due, the newest first, for about so long. Raises LedgerError."""
        end = time.monotonic() + seconds
        finder = self._finder()
        while not self._should_stop() and time.monotonic() < end:
            with self._ledger.transaction():
                jobs = self._ledger.queue.lease(_AT_A_TIME)
            if not jobs:
                return
            self._read_all(jobs, finder, run, end)

    def _read_all(self, jobs: list[SessionJob], finder: ProjectFinder, run: Run, end: float) -> None:
        done = 0
        try:
            for job in jobs:
                self._read(job, finder, run)
                done += 1
                if self._should_stop() or time.monotonic() > end:
                    break
        finally:
            if done < len(jobs):
                with self._ledger.transaction():
                    self._ledger.queue.release(job.path for job in jobs[done:])

    def _read(self, job: SessionJob, finder: ProjectFinder, run: Run) -> None:
        try:
            self._read_portions(job, finder, run)
        except LedgerError:
            raise
        except (OSError, PluginError) as error:
            reason = error.cause if isinstance(error, PluginError) else f"{job.path}: {error.strerror}"
            self._fail(job, reason)
        except Exception as error:  # a fault of ours in one session must not keep the others from being read
            self._log.exception("session_reading_failed", path=job.path)
            self._fail(job, f"{type(error).__name__} while reading {job.path}")
        else:
            run.files += 1

    def _read_portions(self, job: SessionJob, finder: ProjectFinder, run: Run) -> None:
        facts, queue = self._ledger.facts, self._ledger.queue
        plugin = self._plugins.plugins.get(job.agent)
        cursor = facts.cursor(job.path)
        found = find_jobs(plugin, [Path(job.path)], {job.path: cursor} if cursor else {}) if plugin else []
        if not found:  # gone, or somebody else (`headroomd learn`) was quicker
            with self._ledger.transaction():
                queue.settle(job.path, job.size, job.mtime_ns, has_taught=False)
            return
        has_taught = False
        with FileReading(found[0], facts.state(job.path), self._env, finder) as reading:
            while (events := reading.read()) is not None:
                with self._ledger.transaction():
                    portion = reading.digest(events, facts.known)
                    facts.store(portion)
                    findings = portion.findings
                    has_taught |= bool(findings.evidence)
                    if findings.calls or findings.withdrawn:
                        queue.mark_stale(portion.root.path)
                    if reading.is_at_end:
                        queue.settle(job.path, portion.cursor.size, portion.cursor.mtime_ns, has_taught=has_taught)
                run.calls += findings.calls
                run.evidence += len(findings.evidence)
                self._beat()
                if not reading.is_at_end and self._should_stop():
                    with self._ledger.transaction():
                        queue.release([job.path])
                    return

    def _fail(self, job: SessionJob, reason: str) -> None:
        self._log.warning("session_not_read", path=job.path, reason=reason)
        with self._ledger.transaction():
            self._ledger.queue.fail(job.path, reason)
            self._ledger.facts.fail(job.path, job.agent, reason)

    def _finder(self) -> ProjectFinder:
        return ProjectFinder(self._env.home, self._private)

    # -- writing -----------------------------------------------------------------------------------------------

    def refresh(self, config: Config, run: Run) -> None:
        """Bring the learnings of stale projects up to date, and the blocks of those that were enabled.

        Raises LedgerError.
        """
        stale = self._ledger.queue.stale()
        agents_of = known_projects(self._ledger, config) if stale else {}
        for project in stale:
            if self._should_stop():
                return
            self._beat()
            try:
                errors = self._refresh(Path(project), agents_of.get(Path(project), ()), config, run)
            except LedgerError:
                raise
            except Exception as error:  # a fault of ours in one project must not keep the others from being written
                self._log.exception("project_failed", project=project)
                errors = [HeadroomError(f"{project}: {type(error).__name__} while it was looked at", "report this")]
            run.projects[project] = None
            pause = self._note(project, errors)
            with self._ledger.transaction():
                if errors:
                    self._ledger.queue.mark_stale(project, time.time() + pause)
                else:
                    self._ledger.queue.refreshed(project)

    def revalidate(self) -> None:
        """Have every learning checked against the world as it is now. Raises LedgerError."""
        self._unlooked = {facts.path for facts in self._ledger.facts.projects()}
        with self._ledger.transaction():
            self._ledger.queue.mark_all_stale()

    def _note(self, project: str, errors: list[HeadroomError]) -> float:
        """Keep in mind what is wrong with a project; seconds until it is tried again."""
        before = self.problems.pop(project, None)
        if not errors:
            return 0.0
        problem = self.problems[project] = _problem(errors[0])
        if problem != before:
            self._log.warning("block_not_written", project=project, reason=problem.cause)
        return _TRY_FULL_AGAIN if problem.code == "disk-full" else _TRY_AGAIN

    def _refresh(self, project: Path, agents: Iterable[str], config: Config, run: Run) -> list[HeadroomError]:
        """Raises LedgerError."""
        if not project.is_dir():
            return []
        settings = project_settings(config, project)
        options = plan_options(config, project, tuple(agents), home=self._env.home)
        is_asked_about = settings is not None and settings.enabled and has_analyst(config, self._env.variables)
        reword = later if is_asked_about else None  # the analyst has a thread and a budget of its own
        if str(project) in self._unlooked:
            self._unlooked.discard(str(project))
            rules = options.rules if options else None
            pipeline.revalidate(self._ledger, [project], rules, home=self._env.home, reword=reword)
        is_enabled = settings.enabled if settings is not None else is_home(project, self._env.home)
        if options is None or not is_enabled:
            self._ledger.learnings.refresh(str(project), Truth(project, self._env.home).check)
            return []
        plans = pipeline.plan(self._ledger, [project], self._plugins, self._env, options, reword)
        problems = [problem for planned in plans for problem in planned.problems]
        for applied in pipeline.apply(self._ledger, plans, _REASON):
            if applied.problem is not None:
                problems.append(applied.problem)
            else:
                run.written[str(applied.draft.path)] = None
                self._log.info("block_written", path=str(applied.draft.path), rules=len(applied.draft.bullets))
        return problems


def _problem(error: HeadroomError) -> Problem:
    below = error.__cause__
    is_full = isinstance(below, OSError) and below.errno in _NO_ROOM
    return Problem("disk-full" if is_full else "target", error.cause, error.remedy)
