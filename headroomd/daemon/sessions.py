"""Which session files there are, which of them are open, and which have closed and wait to be read.

Whatever led here (an event, a sweep, a look at an open session), one stat decides: a file whose size or time is not
what the queue knows has changed, and is open until the gate closes it.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from headroomd.agents.base import AgentPlugin, Environment, InUse
from headroomd.daemon.gate import is_closed, next_look
from headroomd.errors import PluginError
from headroomd.intake import plugin_error
from headroomd.ledger import JobState, Ledger, SessionJob

__all__ = ["Sessions", "Sweep"]

_MOST_BELOW: Final = 5000  # files of a folder that appeared; the sweep finds the rest
_CHUNK: Final = 500  # files that are looked at together
_NS: Final = 1e9


class Sweep(Struct):
    """What a look through all folders found."""

    files: dict[str, int] = field(default_factory=dict)  # by agent
    changed: int = 0
    gone: int = 0
    seconds: float = 0.0
    problems: list[PluginError] = field(default_factory=list)


class Sessions:
    """Keeps the queue in step with the disk. `plugins` are those whose sessions are read."""

    def __init__(
        self,
        ledger: Ledger,
        plugins: Mapping[str, AgentPlugin],
        env: Environment,
        *,
        quiet_period: float,
        correlate_delay: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ledger = ledger
        self._plugins = plugins
        self._env = env
        self._clock = clock
        self.quiet_period = quiet_period
        self.correlate_delay = correlate_delay
        self.last_event: dict[str, float] = {}  # by agent: when a session was last seen to change
        self._plugin_at = {str(root): plugin for plugin in plugins.values() for root in _roots(plugin, env)}
        self._open = {job.path: job for job in ledger.queue.open_jobs() if job.agent in plugins}

    @property
    def roots(self) -> list[Path]:
        """Every folder in which session files appear, whether or not it exists yet."""
        return [Path(root) for root in self._plugin_at]

    def roots_of(self, agent: str) -> list[str]:
        """The folders in which an agent's session files appear."""
        return [root for root, plugin in self._plugin_at.items() if plugin.name == agent]

    @property
    def plugins(self) -> Mapping[str, AgentPlugin]:
        """The agents whose sessions are read."""
        return self._plugins

    def sweep(self) -> Sweep:
        """Look at every session file there is. Raises LedgerError."""
        began = time.monotonic()
        found = Sweep()
        for plugin in self._plugins.values():
            self._sweep(plugin, found)
        found.seconds = time.monotonic() - began
        return found

    def look_at(self, paths: Iterable[str]) -> int:
        """Look at the files (and what lies in the folders) that may have changed; how many had. Raises LedgerError."""
        changed: list[SessionJob] = []
        gone: list[str] = []
        for path in paths:
            plugin = self._plugin_of(path)
            if plugin is None:
                continue
            for file in _below(path) if os.path.isdir(path) else (path,):  # noqa: PTH112 (False where Path raises)
                known = self._open.get(file) or self._ledger.queue.find(file)
                info = _stat(file)
                if info is None:
                    if known is not None:
                        gone.append(file)
                elif _is_session(plugin, file, self._env) and not _is_as_known(info, known):
                    changed.append(self._changed(plugin.name, file, info))
        self._store(changed, gone)
        return len(changed)

    def judge(self) -> None:
        """Look at the open sessions that are to be looked at now, and queue those that have closed.

        Raises LedgerError.
        """
        now = self._clock()
        closed, gone = [], []
        for job in [job for job in self._open.values() if job.due <= now]:
            info = _stat(job.path)
            if info is None:
                gone.append(job.path)
                continue
            if not _is_as_known(info, job):
                job = self._changed(job.agent, job.path, info)
            job = self._judged(job)
            if job.state is JobState.OPEN:
                self._open[job.path] = job  # only in memory: after a crash, the sweep finds the file as it is
            else:
                closed.append(job)
        self._store(closed, gone)

    def next_look(self) -> float | None:
        """When an open session is to be looked at next."""
        return min((job.due for job in self._open.values()), default=None)

    def reload(self) -> None:
        """Take over what somebody else (run-now) did to the rows of open sessions."""
        known = {job.path: job for job in self._ledger.queue.open_jobs()}
        self._open = {path: self._open.get(path, job) for path, job in known.items() if job.agent in self._plugins}

    # -- one agent, one file -----------------------------------------------------------------------------------

    def _sweep(self, plugin: AgentPlugin, found: Sweep) -> None:
        """A chunk at a time: lists of thousands of paths every few minutes would stay in the daemon's memory."""
        listed: set[int] = set()
        paths = self._listed(plugin)
        try:
            while chunk := list(islice(paths, _CHUNK)):
                self._sweep_chunk(plugin, chunk, found)
                listed.update(map(hash, chunk))
        except PluginError as error:
            found.problems.append(error)
            return
        found.files[plugin.name] = len(listed)
        present = tuple(str(root) + os.sep for root in _roots(plugin, self._env) if root.is_dir())
        missing = [path for path in self._ledger.queue.paths(plugin.name) if hash(path) not in listed]
        gone = [path for path in missing if path.startswith(present) and _stat(path) is None]
        self._store([], gone)
        found.gone += len(gone)

    def _sweep_chunk(self, plugin: AgentPlugin, paths: list[str], found: Sweep) -> None:
        seen = self._ledger.queue.seen(paths)
        changed = []
        for path in paths:
            info = _stat(path)
            if info is None or path in self._open or seen.get(path) == (info.st_size, info.st_mtime_ns):
                continue
            changed.append(self._judged(self._changed(plugin.name, path, info)))
        self._store(changed, [])
        found.changed += len(changed)

    def _listed(self, plugin: AgentPlugin) -> Iterator[str]:
        try:
            yield from map(str, plugin.session_files(self._env))
        except Exception as error:
            raise plugin_error(plugin, "could not list its session files", error) from error

    def _changed(self, agent: str, path: str, info: os.stat_result) -> SessionJob:
        now = self._clock()
        changed_at = min(info.st_mtime_ns / _NS, now)  # a time in the future would keep the session open till then
        self.last_event[agent] = max(self.last_event.get(agent, 0.0), changed_at)
        return SessionJob(path, agent, JobState.OPEN, info.st_size, info.st_mtime_ns, changed_at, now)

    def _judged(self, job: SessionJob) -> SessionJob:
        """The job, queued if its session has closed, else with the time of the next look."""
        now = self._clock()
        in_use = _in_use(self._plugins[job.agent], job.path, self._env)
        if is_closed(now, job.changed_at, in_use, self.quiet_period):
            return replace(job, state=JobState.QUEUED, due=now + self.correlate_delay)
        return replace(job, due=next_look(now, job.changed_at, in_use, self.quiet_period))

    def _store(self, jobs: list[SessionJob], gone: list[str]) -> None:
        if not jobs and not gone:
            return
        with self._ledger.transaction():
            self._ledger.queue.put(jobs)
            self._ledger.queue.forget(gone)
            self._ledger.facts.forget_files(gone)
        for path in gone:
            self._open.pop(path, None)
        for job in jobs:
            if job.state is JobState.OPEN:
                self._open[job.path] = job
            else:
                self._open.pop(job.path, None)

    def _plugin_of(self, path: str) -> AgentPlugin | None:
        return next((plugin for root, plugin in self._plugin_at.items() if path.startswith(root + os.sep)), None)


def _roots(plugin: AgentPlugin, env: Environment) -> list[Path]:
    try:
        return plugin.roots(env)
    except Exception:
        return []  # listing its files fails as well, and that is reported


def _below(folder: str) -> Iterator[str]:
    # os.path: Path objects for every file of a folder cost more than the rest of it
    files = (os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names)  # noqa: PTH118
    return islice(files, _MOST_BELOW)


def _stat(path: str) -> os.stat_result | None:
    try:
        info = os.stat(path)  # noqa: PTH116 (called for every file of a sweep)
    except OSError:
        return None
    return info if stat.S_ISREG(info.st_mode) else None


def _is_as_known(info: os.stat_result, known: SessionJob | None) -> bool:
    return known is not None and (known.size, known.mtime_ns) == (info.st_size, info.st_mtime_ns)


def _is_session(plugin: AgentPlugin, path: str, env: Environment) -> bool:
    try:
        return plugin.is_session_file(Path(path), env)
    except Exception:
        return False  # the sweep, which asks the plugin for its list, has the last word


def _in_use(plugin: AgentPlugin, path: str, env: Environment) -> InUse:
    try:
        return plugin.in_use(Path(path), env)
    except Exception:
        return InUse.CANNOT_TELL
