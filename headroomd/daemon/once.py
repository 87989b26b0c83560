"""`headroomd run-now` where no daemon runs: the same work by the same parts, under the same lock, once."""

from __future__ import annotations

import time
from typing import Final

import msgspec

from headroomd import logs
from headroomd.agents.base import Environment
from headroomd.agents.registry import Plugins, load_plugins
from headroomd.config import Config, load_config
from headroomd.daemon.analyst import Analyse, only
from headroomd.daemon.learner import Learner, Run
from headroomd.daemon.lock import InstanceLock
from headroomd.daemon.sessions import Sessions
from headroomd.daemon.state import Problem, RunState
from headroomd.errors import HeadroomError, LedgerError
from headroomd.ledger import Ledger
from headroomd.paths import Places, make_private

__all__ = ["run_once"]

_SLICE: Final = 5.0  # seconds of reading between looks at what is left


def run_once(
    places: Places, env: Environment, project: str = "", *, analyse: Analyse | None = None
) -> tuple[RunState, list[Problem]]:
    """Read all sessions that have something new, open ones too, and bring the blocks of enabled projects up to date.

    `project` is the root of the only project that is to be analysed and written; "" is all of them. Returns what was
    done, and what could not be. Raises LockHeldError where a daemon is at work, ConfigError, LedgerError.
    """
    logs.configure("critical")  # the command itself says what went wrong
    make_private(places.state)
    config = load_config(places, env.variables)
    found = load_plugins()
    plugins = {name: one for name, one in found.plugins.items() if not config.agents or name in config.agents}
    with InstanceLock(places.lock), Ledger.open(places.ledger) as ledger:
        sessions = Sessions(
            ledger, plugins, env, quiet_period=config.quiet_period, correlate_delay=config.schedule.correlate_delay
        )
        learner = Learner(ledger, Plugins(plugins, found.broken), env)
        run = Run(time.time())
        learner.readmit()
        sweep = sessions.sweep()
        with ledger.transaction():
            ledger.queue.release()
            ledger.queue.hasten(project)
            ledger.queue.mark_all_stale(project)
        while ledger.queue.has_due():
            learner.read(run, _SLICE)
        learner.refresh(config, run)
        failed = _analyse(ledger, only(config, project), analyse)
        learner.refresh(config, run)
        done = run.state(time.time())
        with ledger.transaction():
            ledger.queue.set_note("last_run", msgspec.json.encode(done).decode())
        broken = [Problem("plugin", error.cause, error.remedy) for error in (*found.broken, *sweep.problems)]
        unread = [
            Problem("session", f"{path} could not be read: {error}") for path, error in ledger.queue.errors().items()
        ]
    return done, [*broken, *failed, *learner.problems.values(), *unread]


def _analyse(ledger: Ledger, config: Config, analyse: Analyse | None) -> list[Problem]:
    """Have the LLM asked, and what it changed looked at again; what went wrong. Raises LedgerError."""
    try:
        changed = analyse(config, lambda: False) if analyse is not None else ()
    except LedgerError:
        raise
    except HeadroomError as error:
        return [Problem("analysis", error.cause, error.remedy)]
    with ledger.transaction():
        for path in changed:
            ledger.queue.mark_stale(path)
    return []
