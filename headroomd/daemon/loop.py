"""The daemon's loop: one thread that owns the ledger and decides what is done next.

Everything else only leaves word and wakes it: signals set flags, file events leave hints, the schedule rings, clients
leave requests. So there is nothing to lock, and a stop is honoured between two portions of work.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from headroomd.agents.base import Environment
from headroomd.agents.registry import Plugins
from headroomd.config import Config, load_config
from headroomd.daemon import snapshot
from headroomd.daemon.analyst import Analyse, Analyst, only
from headroomd.daemon.clients import Clients
from headroomd.daemon.clock import JumpDetector
from headroomd.daemon.learner import Learner, Run
from headroomd.daemon.memory import give_back, trim
from headroomd.daemon.problems import PASSING, Problems
from headroomd.daemon.schedule import Schedule, Task, check_config
from headroomd.daemon.sessions import Sessions, Sweep
from headroomd.daemon.state import DaemonState, Mode, Problem
from headroomd.daemon.wake import Waker
from headroomd.daemon.watcher import Watcher
from headroomd.errors import ConfigError, LedgerError
from headroomd.ledger import Ledger
from headroomd.paths import Places

__all__ = ["LONGEST_IDLE", "Daemon"]

LONGEST_IDLE: Final = 2.0
"""Seconds that the loop rests at most: how late folders that appeared are seen, and how old a heartbeat gets."""


_SLICE: Final = 0.5  # seconds of work between looks at everything else
_DEBOUNCE: Final = 0.5  # seconds that hints are gathered for
_POLL: Final = 10.0  # seconds between sweeps where folders cannot be watched
_SWEEP_SHARE: Final = 2000.0  # a sweep that took t is followed by at least that many t without one
_POLL_SHARE: Final = 200.0  # a poll that took t is followed by this many t without one
_REST: Final = 5.0  # seconds that work rests after the ledger could not be written
_REFRESH: Final = 15.0  # seconds between bringing projects up to date while there is more to read
_TELL: Final = 2.0  # seconds between lines for systemctl status


class Daemon:
    """Everything between boot and the end; `run` returns when `stop` was called."""

    def __init__(
        self,
        ledger: Ledger,
        plugins: Plugins,
        env: Environment,
        places: Places,
        config: Config,
        *,
        mode: Mode = Mode.MANUAL,
        analyse: Analyse | None = None,
        on_activity: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Raises ConfigError for a schedule that makes no sense, LedgerError."""
        self.waker = Waker()
        self.heartbeat = time.monotonic()
        self.started_at = time.time()
        self.mode = mode
        self.ledger, self.plugins, self.places, self.config = ledger, plugins, places, config
        self.problems = Problems()
        self.last_run = snapshot.last_run(ledger)
        self.last_sweep, self.swept_at, self._swept_steady = Sweep(), 0.0, 0.0
        self.is_paused = bool(ledger.queue.note("paused"))
        self._env = env
        self._on_activity = on_activity
        self._activity, self._told_at = "", 0.0
        self._log = structlog.get_logger()
        self._is_stopping = self._must_reload = False
        self._is_forced = False  # run-now works even while paused
        self._to_analyse: str | None = None  # by run-now, when all is read: a project, "" for all that were enabled
        self._run: Run | None = None
        self._rung: deque[str] = deque()
        self.clients = Clients(self)
        self._hints_since = self._looked_at = self._rest_until = self._refreshed_at = 0.0
        self._jumps = JumpDetector()
        self._analyst = Analyst(analyse, self.problems, self.waker.wake, lambda: self._is_stopping)
        self.schedule = Schedule(ledger, self._ring)
        self._use(config)

    # -- called by others ----------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Have `run` return soon. Safe in a signal handler."""
        self._is_stopping = True
        self.waker.wake()

    def reload_soon(self) -> None:
        """Have the config read again. Safe in a signal handler."""
        self._must_reload = True
        self.waker.wake()

    def _ring(self, name: str) -> None:
        self._rung.append(name)
        self.waker.wake()

    def _beat(self) -> None:
        self.heartbeat = time.monotonic()

    # -- start, loop, end ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up what an earlier daemon left, and start watching. Raises LedgerError."""
        with self.ledger.transaction():
            self.ledger.queue.release()
            self._mark_enabled()
        self.watcher.start()
        self.schedule.start()
        self.schedule.arm(self.config)

    def run(self) -> None:
        """Work until told to stop. What goes wrong is noted and tried again."""
        while not self._is_stopping:
            self._beat()
            try:
                self._turn()
            except LedgerError as error:
                self._rest_after(error)
            self._tell_activity()
            self.waker.wait(self._idle_time())

    def close(self) -> None:
        """Stop what runs beside the loop, and turn clients away."""
        self.schedule.stop()
        self.watcher.stop()
        self.clients.turn_away()
        self._analyst.stop()
        self.waker.close()

    def _turn(self) -> None:
        if self._must_reload:
            self._must_reload = False
            self._try_reload()
        self.clients.serve()
        while self._rung and not self._is_stopping:
            self._do(self._rung[0])
            self._rung.popleft()  # only now: what failed is done again
        self._take_analysed()
        self._look()
        if time.monotonic() >= self._rest_until:
            self._work()

    def _idle_time(self) -> float:
        """Seconds until there is something to do that nobody will wake us for."""
        if self._is_stopping or self.clients.are_waiting or self._rung:
            return 0.0
        now, steady = time.time(), time.monotonic()
        waits = [self._looked_at + LONGEST_IDLE - steady]
        if self._hints_since:
            waits.append(self._hints_since + _DEBOUNCE - steady)
        due = [self.sessions.next_look()]
        if self._may_work:
            due += [self.ledger.queue.next_due(), self.ledger.queue.next_stale()]
        soonest = min((when - now for when in due if when is not None), default=LONGEST_IDLE)
        waits.append(max(soonest, self._rest_until - steady) if self._rest_until > steady else soonest)
        return min(max(min(waits), 0.0), LONGEST_IDLE)

    # -- what changed on the disk --------------------------------------------------------------------------------

    def _look(self) -> None:
        """Events, folders that appeared, open sessions, and, where there are no events, everything."""
        steady = time.monotonic()
        if steady - self._looked_at >= LONGEST_IDLE:
            self._looked_at = steady
            if self.watcher.check() or self._is_poll_due(steady):
                self._sweep()
        if self.watcher.has_hints and not self._hints_since:
            self._hints_since = steady
        if self._hints_since and steady - self._hints_since >= _DEBOUNCE:
            self._hints_since = 0.0
            hints = self.watcher.take()
            if hints.overflowed:
                self._note_overflow()
                self._sweep()
            else:
                self.sessions.look_at(hints.paths)
        self.sessions.judge()

    def _is_poll_due(self, steady: float) -> bool:
        pause = max(_POLL, self.last_sweep.seconds * _POLL_SHARE)
        return self.watcher.is_polling() and steady - self._swept_steady >= pause

    def _sweep(self) -> None:
        self.learner.readmit()
        self.last_sweep = sweep = self.sessions.sweep()
        self.swept_at, self._swept_steady = time.time(), time.monotonic()
        self._finished(Task.SWEEP, pause=sweep.seconds * _SWEEP_SHARE)
        for error in sweep.problems:
            self.problems.note(Problem("plugin", error.cause, error.remedy), key=error.cause, seconds=PASSING)
        if sweep.changed or sweep.gone:
            self._log.info("sweep", changed=sweep.changed, gone=sweep.gone, seconds=round(sweep.seconds, 3))
        self.ledger.rest()  # a sweep passes every row and every path
        trim()

    def _note_overflow(self) -> None:
        cause = "so much was written at once that file events were lost; everything was looked through instead"
        self.problems.note(Problem("overflow", cause, "nothing to do"), seconds=PASSING)
        self._log.warning("events_lost")

    # -- learning ------------------------------------------------------------------------------------------------

    @property
    def is_learning(self) -> bool:
        """Whether a run is under way."""
        return self._run is not None

    @property
    def _may_work(self) -> bool:
        return self._is_forced or not self.is_paused

    def _work(self) -> None:
        """One slice of reading, or the writing at the end of it; then as long a rest, while there is more."""
        queue = self.ledger.queue
        has_due, steady = queue.has_due(), time.monotonic()
        if not self._may_work or not (has_due or queue.stale()):
            self._settle()
            return
        run = self._run = self._run or Run(time.time())
        if has_due:
            self.learner.read(run, _SLICE)
            has_due = queue.has_due()
        if not has_due or time.monotonic() - self._refreshed_at > _REFRESH:
            self.learner.refresh(self.config, run)
            self._refreshed_at = time.monotonic()
        self.problems.mended("ledger", "disk-full")
        if has_due:
            self._rest_until = time.monotonic() + (time.monotonic() - steady)
        elif not queue.stale():
            self._settle()

    def _settle(self) -> None:
        """Nothing is left to do: say what the run came to. What `run-now` has analysed belongs to it."""
        if self._to_analyse is not None:
            self._analyst.start(only(self.config, self._to_analyse))
            self._to_analyse = None
        if self._is_forced and (self._analyst.is_busy or self._analyst.changed()):
            return
        run = self._run
        if run is not None:
            done = run.state(time.time())
            if run.files or run.written:
                self._log.info("run_done", **run.counts(), seconds=done.seconds)
                self.last_run = done
                with self.ledger.transaction():
                    self.ledger.queue.set_note("last_run", msgspec.json.encode(done).decode())
            self._run = None
            self.ledger.rest()
            give_back()
            if self._may_work:
                self.clients.settled(done)
        if self._may_work:
            self._is_forced = False

    def _rest_after(self, error: LedgerError) -> None:
        """The ledger could not be read or written: nothing is lost, and it is tried again."""
        code = "disk-full" if "no space left" in error.cause else "ledger"
        if self.problems.note(Problem(code, error.cause, error.remedy)):
            self._log.error("ledger_failed", reason=error.cause)
        self._rest_until = self._looked_at = time.monotonic() + _REST
        self.waker.wait(1.0)

    # -- by the clock --------------------------------------------------------------------------------------------

    def _do(self, name: str) -> None:
        if name == "tick":
            self._tick()
        elif name == Task.SWEEP:
            self.watcher.retry()
            self._sweep()
        elif name == Task.REVALIDATION:
            self.learner.revalidate()
            self._finished(Task.REVALIDATION)
        elif name == Task.ANALYSIS:
            if not self.is_paused:
                self._analyst.start(self.config)
            self._finished(Task.ANALYSIS)

    def _tick(self) -> None:
        jump = self._jumps.look()
        if jump:
            self._log.info("clock_jumped", seconds=round(jump))
            cause = f"the clock jumped by {round(jump)} s (sleep, or the time was set); everything was looked through"
            self.problems.note(Problem("clock-jump", cause, "nothing to do"), seconds=PASSING)
            self.schedule.arm(self.config)

    def _finished(self, task: Task, pause: float = 0.0) -> None:
        self.schedule.finished(task, self.config, pause)
        self.problems.mended("ledger", "disk-full")  # it could be written

    def _take_analysed(self) -> None:
        projects = self._analyst.changed()
        if projects:
            with self.ledger.transaction():
                for project in projects:
                    self.ledger.queue.mark_stale(project)
            self._analyst.take(len(projects))

    # -- what clients ask for ------------------------------------------------------------------------------------

    def run_now(self, project: str) -> int:
        """Have all that waits (of one project) read, analysed and written, though paused; how many files that is."""
        self._sweep()
        with self.ledger.transaction():
            queued = self.ledger.queue.hasten(project)
            self.ledger.queue.mark_all_stale(project)
        self.sessions.reload()
        self._is_forced, self._to_analyse = True, project
        self._run = self._run or Run(time.time())
        return queued

    def pause(self, *, is_paused: bool) -> None:
        """Read and write nothing until told otherwise, after a restart either."""
        with self.ledger.transaction():
            self.ledger.queue.set_note("paused", "yes" if is_paused else "")
        self.is_paused = is_paused
        self._log.info("paused" if is_paused else "resumed")

    def state(self) -> DaemonState:
        """What `status` is told. Raises LedgerError."""
        return snapshot.take(self)

    def _tell_activity(self) -> None:
        if time.monotonic() - self._told_at < _TELL and self.is_learning:
            return  # counting the queue takes longer than a turn
        self._told_at = time.monotonic()
        activity = snapshot.activity(self)
        if activity != self._activity:
            self._activity = activity
            self._on_activity(activity)

    # -- config --------------------------------------------------------------------------------------------------

    def _try_reload(self) -> None:
        try:
            changed = self.reload()
        except ConfigError as error:
            self._log.error("config_not_reloaded", reason=str(error))
        else:
            self._log.info("config_reloaded", changed=changed)

    def reload(self) -> list[str]:
        """Take the config as it is now, or keep the one in force and raise ConfigError."""
        try:
            config = load_config(self.places)
            check_config(config)
        except ConfigError as error:
            cause = f"{error.cause}; the config from before is still in force"
            self.problems.note(Problem("config", cause, error.remedy))
            raise ConfigError(cause, error.remedy) from error
        self.problems.mended("config")
        changed = [key for key in type(config).model_fields if getattr(config, key) != getattr(self.config, key)]
        self.watcher.stop()
        self._use(config)
        self.watcher.start()
        with self.ledger.transaction():
            self._mark_enabled()
        self.schedule.arm(self.config)
        return changed

    def _use(self, config: Config) -> None:
        names = config.agents or tuple(self.plugins.plugins)
        chosen = {name: plugin for name, plugin in self.plugins.plugins.items() if name in names}
        self.config = config
        self.sessions = Sessions(
            self.ledger,
            chosen,
            self._env,
            quiet_period=config.quiet_period,
            correlate_delay=config.schedule.correlate_delay,
        )
        self.watcher = Watcher(self.sessions.roots, self.waker.wake)
        self.learner = Learner(
            self.ledger,
            Plugins(chosen, self.plugins.broken),
            self._env,
            should_stop=lambda: self._is_stopping,
            beat=self._beat,
        )

    def _mark_enabled(self) -> None:
        """What may be written has changed perhaps; a refresh of a project that is up to date writes nothing."""
        for project in self.config.project:
            if project.enabled:
                self.ledger.queue.mark_stale(str(project.path.resolve()))
        if self.config.home_sessions == "global":
            self.ledger.queue.mark_stale(str(self._env.home.resolve()))
