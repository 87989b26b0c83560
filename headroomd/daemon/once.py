"""The daemon's work without the daemon: what `headroomd run-now` does where none runs."""

from __future__ import annotations

import contextlib
import time

from headroomd.agents.base import Environment
from headroomd.agents.registry import Plugins, load_plugins
from headroomd.config import load_config
from headroomd.daemon.learner import Learner, Run
from headroomd.daemon.lock import InstanceLock
from headroomd.daemon.sessions import Sessions
from headroomd.daemon.state import Problem, RunState
from headroomd.ledger import Ledger
from headroomd.paths import Places, make_private

__all__ = ["run_once"]


def run_once(places: Places, project: str = "") -> tuple[RunState, list[Problem]]:
    """Read every session that waits (of one project: its root's real path), and bring enabled blocks up to date.

    Returns what was done, and the problems met. Raises LockHeldError, LedgerError, ConfigError.
    """
    make_private(places.state)
    with contextlib.ExitStack() as stack:
        stack.enter_context(InstanceLock(places.lock))
        ledger = stack.enter_context(Ledger.open(places.ledger))
        config = load_config(places)
        env = Environment.current()
        found = load_plugins()
        chosen = {name: plugin for name, plugin in found.plugins.items() if not config.agents or name in config.agents}
        learner = Learner(ledger, Plugins(chosen, found.broken), env)
        sessions = Sessions(ledger, chosen, env, quiet_period=0.0, correlate_delay=0.0)
        with ledger.transaction():
            ledger.queue.release()
        learner.readmit()
        sweep = sessions.sweep()
        with ledger.transaction():
            ledger.queue.hasten(project)
            ledger.queue.mark_all_stale(project)
        run = Run(time.time())
        while ledger.queue.has_due():
            learner.read(run, seconds=60.0)
        learner.refresh(config, run)
        left_out = [Problem("plugin", error.cause, error.remedy) for error in [*found.broken, *sweep.problems]]
        return run.state(time.time()), [*left_out, *learner.problems.values()]
