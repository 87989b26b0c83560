"""When what runs by the clock is due."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import pytest

from headroomd.config import Config, Schedule
from headroomd.daemon.schedule import Schedule as TaskSchedule
from headroomd.daemon.schedule import Task, first_due, next_due
from headroomd.errors import ConfigError
from headroomd.ledger import Ledger

NOW = datetime(2026, 11, 23, 6, 30).astimezone().timestamp()
CONFIG = Config(schedule=Schedule(analysis_interval=3600.0, revalidate_interval=86400.0), sweep_interval=300.0)


@pytest.mark.parametrize(("task", "pause"), [(Task.SWEEP, 300), (Task.ANALYSIS, 3600), (Task.REVALIDATION, 86400)])
def test_intervals(task: Task, pause: float) -> None:
    """What was done is due again after its interval."""
    assert next_due(task, CONFIG, NOW) == NOW + pause


def test_cron() -> None:
    """Cron fields take the place of the interval, in local time."""
    config = Config(schedule=Schedule(analysis_cron="0 7 * * *"))
    assert next_due(Task.ANALYSIS, config, NOW) == NOW + 1800


@pytest.mark.parametrize("fields", ["noon", "61 * * * *", "0 0 31 2 *", "* * * *"])
def test_cron_that_makes_no_sense(fields: str) -> None:
    """The error names the key and what is allowed."""
    with pytest.raises(ConfigError, match=r"schedule\.analysis_cron"):
        next_due(Task.ANALYSIS, Config(schedule=Schedule(analysis_cron=fields)), NOW)


@pytest.mark.parametrize(
    ("known", "due"), [(None, NOW + 3600), (NOW - 50_000, NOW - 50_000), (NOW + 60, NOW + 60), (NOW + 9e9, NOW + 3600)]
)
def test_after_a_restart(known: float | None, due: float) -> None:
    """What was missed is due now; a due time that a wrong clock put far off comes back within one interval."""
    assert first_due(Task.ANALYSIS, CONFIG, NOW, known) == due
    assert first_due(Task.SWEEP, CONFIG, NOW, known) == NOW


def test_what_takes_long_is_done_less_often(tmp_path: Path) -> None:
    """The pause that a task asks for counts where it is longer than its interval."""
    with Ledger.open(tmp_path / "ledger.sqlite3") as ledger:
        schedule = TaskSchedule(ledger, lambda _: None)
        for pause, expected in ((0.0, 300), (200.0, 300), (500.0, 500)):
            before = time.time()
            schedule.finished(Task.SWEEP, CONFIG, pause)
            due = ledger.queue.due(Task.SWEEP)
            assert due is not None
            assert before + expected <= due <= time.time() + expected
