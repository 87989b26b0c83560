"""Many session files into the ledger: one after the other here, or read ahead by worker processes.

There is one writer. What worker processes find is stored here, in the order of the jobs, so that the number of
workers changes nothing but the time it takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from headroomd.agents.base import AgentPlugin, Environment
from headroomd.errors import HeadroomError, PluginError
from headroomd.intake import FileReading, Job, find_jobs, list_files, read_whole
from headroomd.ledger import Batch, Ledger, Portion, Totals
from headroomd.projects import Place, ProjectFinder

__all__ = ["ScanReport", "Scanner"]

_AHEAD: Final = 2  # jobs a worker whose findings may wait to be stored: bounds memory


class ScanReport(Struct):
    """What one scan read, and what is known after it."""

    files: int = 0  # session files that there are
    read: int = 0  # of them, those that had something new
    bytes: int = 0
    calls: int = 0  # new distinct ones
    failed: int = 0
    sessions: int = 0  # with something new
    odd: int = 0  # lines that could not be understood
    repaired: int = 0
    skipped: int = 0  # lines too long to be read
    seconds: float = 0.0
    problems: list[HeadroomError] = field(default_factory=list)  # plugins and files that were left out
    totals: Totals = field(default_factory=Totals)


class _Unread(Struct):
    """Files of one agent that were left out for the same sort of reason."""

    first: PluginError
    place: int  # in the report's problems
    more: int = 0  # than the first


class Scanner:
    """One scan: which files have something new, and how that gets into the ledger."""

    def __init__(self, ledger: Ledger, env: Environment, finder: ProjectFinder, report: ScanReport) -> None:
        self._ledger = ledger
        self._env = env
        self._finder = finder
        self._report = report
        self._sessions: set[tuple[str, str]] = set()
        self._unread: dict[tuple[str, bool], _Unread] = {}

    def jobs(self, plugin: AgentPlugin, *, main_only: bool) -> list[Job]:
        """The files of one agent that have something new; those that are gone are forgotten."""
        facts = self._ledger.facts
        try:
            paths = list_files(plugin, self._env)
        except PluginError as error:
            self._report.problems.append(error)
            return []
        cursors = facts.cursors(plugin.name)
        gone = cursors.keys() - {str(path) for path in paths}
        if gone:
            with self._ledger.transaction():
                facts.forget_files(gone)
        if main_only:
            paths = [path for path in paths if not plugin.is_subagent_file(path)]
        self._report.files += len(paths)
        return find_jobs(plugin, paths, cursors)

    def readmit(self) -> None:
        """Forget the sessions of projects that were gone and are there again, so that they are read anew."""
        back = [
            cwd for cwd in self._ledger.facts.missing_folders() if self._finder.find(cwd).place is not Place.MISSING
        ]
        if back:
            with self._ledger.transaction():
                for cwd in back:
                    self._ledger.facts.forget_sessions(cwd)

    def run(self, jobs: list[Job], workers: int) -> Iterator[Job]:
        """Do the jobs, and hand out each when it is done. Raises LedgerError."""
        with self._ledger.batch() as batch:
            if workers > 1:
                yield from self._run_in_processes(jobs, workers, batch)
                return
            for job in jobs:
                self._read_here(job, batch)
                yield job

    def _run_in_processes(self, jobs: list[Job], workers: int, batch: Batch) -> Iterator[Job]:
        waiting: deque[tuple[Job, Future[list[Portion]]]] = deque()
        # Not forked: the daemon has threads, and a forked child inherits their locks.
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            for job in jobs:
                waiting.append((job, self._submit(job, pool)))
                if len(waiting) > workers * _AHEAD:
                    yield self._store_read(*waiting.popleft(), batch)
            while waiting:
                yield self._store_read(*waiting.popleft(), batch)

    def _submit(self, job: Job, pool: ProcessPoolExecutor) -> Future[list[Portion]]:
        state = self._ledger.facts.state(str(job.path))
        try:
            return pool.submit(read_whole, job, state, self._env, self._finder)
        except BrokenExecutor as error:  # a worker was killed, for want of memory perhaps
            failed: Future[list[Portion]] = Future()
            failed.set_exception(error)
            return failed

    def _store_read(self, job: Job, future: Future[list[Portion]], batch: Batch) -> Job:
        try:
            portions = future.result()
        except Exception:
            self._read_here(job, batch)  # whatever it was, it is met again here, and reported
            return job
        for portion in portions:
            with batch.part():
                is_copy = bool(self._ledger.facts.known(portion.keys))
                if not is_copy:
                    self._store(portion)
            if is_copy:  # a worker cannot know what was counted meanwhile, and correlated the copies as new calls
                self._read_here(job, batch)
                break
            self._count(portion, batch)
            job = replace(job, cursor=portion.cursor)
        return job

    def _read_here(self, job: Job, batch: Batch) -> None:
        facts = self._ledger.facts
        path = str(job.path)
        try:
            with FileReading(job, facts.state(path), self._env, self._finder) as reading:
                while (events := reading.read()) is not None:
                    with batch.part():
                        portion = reading.digest(events, facts.known)
                        self._store(portion)
                    self._count(portion, batch)
        except (OSError, PluginError) as error:
            problem = error if isinstance(error, PluginError) else _unreadable(path, error)
            self._tell(job.plugin, problem, of_plugin=problem is error)
            with batch.part():
                facts.fail(path, job.plugin.name, problem.cause)

    def _store(self, portion: Portion) -> None:
        """In the caller's transaction. The daemon is to see to all that was read, not only to what was asked for."""
        self._ledger.facts.store(portion)
        if portion.findings.calls or portion.findings.withdrawn:
            self._ledger.queue.mark_stale(portion.root.path)

    def _tell(self, plugin: AgentPlugin, problem: PluginError, *, of_plugin: bool) -> None:
        """Report a file that was left out: the first of a plugin by name, the others with it by their number."""
        unread = self._unread.get((plugin.name, of_plugin))
        if unread is None:
            self._unread[plugin.name, of_plugin] = _Unread(problem, len(self._report.problems))
            self._report.problems.append(problem)
            return
        unread.more += 1
        cause = f"{unread.first.cause}, and {unread.more:,} more session file{'s' if unread.more > 1 else ''}"
        self._report.problems[unread.place] = PluginError(cause, problem.remedy)

    def _count(self, portion: Portion, batch: Batch) -> None:
        report = self._report
        report.bytes += portion.size
        report.calls += portion.findings.calls
        report.failed += portion.findings.failed
        report.odd += portion.odd
        report.repaired += portion.repaired
        report.skipped += portion.skipped
        if portion.start is not None and portion.keys:
            self._sessions.add((portion.agent, portion.start.session))
            report.sessions = len(self._sessions)
        batch.add(portion.size)


def _unreadable(path: str, error: OSError) -> PluginError:
    return PluginError(f"{path} cannot be read ({error.strerror})", "check its owner and mode")
