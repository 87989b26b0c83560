"""What runs by the clock. APScheduler only rings the bell; when things are due stands in the ledger.

Timers know nothing of sleep and restarts, so whoever hears the bell asks the ledger what is due, and arms again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from headroomd.errors import ConfigError
from headroomd.ledger import Ledger

if TYPE_CHECKING:
    from headroomd.config import Config

__all__ = ["Schedule", "Task", "check_config", "first_due", "next_due"]

_TICK: Final = 60.0  # seconds between looks at the clocks


class Task(StrEnum):
    """What runs by the clock, under the name that it has in the timetable."""

    SWEEP = "sweep"
    ANALYSIS = "analysis"
    REVALIDATION = "revalidation"


def next_due(task: Task, config: Config, now: float) -> float:
    """When `task` is due after having been done at `now`. Raises ConfigError for cron fields that make no sense."""
    if task is Task.SWEEP:
        return now + config.sweep_interval
    if task is Task.REVALIDATION:
        return now + config.schedule.revalidate_interval
    if not config.schedule.analysis_cron:
        return now + config.schedule.analysis_interval
    from apscheduler.triggers.cron import CronTrigger

    try:
        trigger = CronTrigger.from_crontab(config.schedule.analysis_cron)
    except ValueError as error:
        cause = f'schedule.analysis_cron = "{config.schedule.analysis_cron}" ({error})'
        raise ConfigError(cause, 'must be five cron fields, such as "0 7 * * *"') from error
    due = trigger.get_next_fire_time(None, datetime.fromtimestamp(now).astimezone())
    if due is None:
        raise ConfigError(f'schedule.analysis_cron = "{config.schedule.analysis_cron}" never comes round', "change it")
    return float(due.timestamp())


def first_due(task: Task, config: Config, now: float, known: float | None) -> float:
    """When `task` is due after a start or a new config: as it stood in the timetable, but no later than now allowed."""
    latest = next_due(task, config, now)
    if task is Task.SWEEP:
        return now
    return latest if known is None else min(known, latest)


def check_config(config: Config) -> None:
    """Raises ConfigError where a schedule makes no sense, which only the scheduler itself can say."""
    next_due(Task.ANALYSIS, config, time.time())


class Schedule:
    """Rings `ring(name)` when a task is due, and "tick" every minute, in a thread of its own."""

    def __init__(self, ledger: Ledger, ring: Callable[[str], None]) -> None:
        from apscheduler.schedulers.background import BackgroundScheduler

        self._ledger = ledger
        self._ring = ring
        # Without these, a job that is late because the machine slept is dropped, or run once for each time missed.
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler: Any = BackgroundScheduler(job_defaults=defaults, timezone=UTC)

    def start(self) -> None:
        """Begin to ring."""
        self._scheduler.start()
        self.every(_TICK, lambda: self._ring("tick"), "tick")

    def stop(self) -> None:
        """Ring no more; what rings now is not waited for."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def every(self, seconds: float, call: Callable[[], None], name: str) -> None:
        """Have `call` made at intervals."""
        self._scheduler.add_job(call, "interval", seconds=seconds, id=name, replace_existing=True)

    def arm(self, config: Config) -> None:
        """Have the bell rung for every task when the timetable says so; a sweep comes first. Raises LedgerError."""
        now = time.time()
        for task in Task:
            self._set(task, first_due(task, config, now, self._ledger.queue.due(task)))

    def finished(self, task: Task, config: Config, pause: float = 0.0) -> None:
        """Write down that a task was done, and when it is next due: not before `pause` seconds. Raises LedgerError."""
        now = time.time()
        self._set(task, max(next_due(task, config, now), now + pause), done_at=now)

    def _set(self, task: Task, due: float, done_at: float = 0.0) -> None:
        with self._ledger.transaction():
            self._ledger.queue.set_due(task, due, done_at)
        when = datetime.fromtimestamp(due, UTC)
        self._scheduler.add_job(self._ring, "date", (task.value,), run_date=when, id=task.value, replace_existing=True)
