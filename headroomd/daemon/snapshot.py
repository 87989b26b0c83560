"""The daemon's account of itself, written down when somebody asks."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import msgspec

from headroomd import __version__
from headroomd.daemon.state import AgentState, DaemonState, Problem, QueueDepths, RunState
from headroomd.ledger import JobState, Ledger

if TYPE_CHECKING:
    from headroomd.daemon.loop import Daemon

__all__ = ["activity", "last_run", "take"]

_MOST_SESSIONS: Final = 5  # files that could not be read: more would hide everything else


def last_run(ledger: Ledger) -> RunState | None:
    """The last run as an earlier daemon wrote it down."""
    try:
        return msgspec.json.decode(ledger.queue.note("last_run") or "null", type=RunState | None)
    except msgspec.MsgspecError:
        return None  # by another version: it is written anew after the next run


def activity(daemon: Daemon) -> str:
    """What the daemon is doing, in one line."""
    if not daemon.is_learning:
        return "paused" if daemon.is_paused else "idle"
    depths = daemon.ledger.queue.depths()
    waiting = depths.get(JobState.QUEUED, 0) + depths.get(JobState.LEASED, 0)
    return f"learning: {waiting} session files to read" if waiting > 1 else "learning"


def take(daemon: Daemon) -> DaemonState:
    """The daemon as it is now. Raises LedgerError."""
    depths = daemon.ledger.queue.depths()
    return DaemonState(
        pid=os.getpid(),
        version=__version__,
        started_at=daemon.started_at,
        mode=daemon.mode,
        paused=daemon.is_paused,
        activity=activity(daemon),
        agents=_agents(daemon),
        queue=QueueDepths(**{state.name.lower(): count for state, count in depths.items()}),
        last_sweep=daemon.swept_at,
        last_run=daemon.last_run,
        next_runs=_next_runs(daemon),
        problems=tuple(_problems(daemon)),
        config=str(daemon.places.config),
        at=time.time(),
    )


def _agents(daemon: Daemon) -> tuple[AgentState, ...]:
    roots = {root.path: root for root in daemon.watcher.states()}
    return tuple(
        AgentState(
            name=name,
            title=plugin.title,
            roots=tuple(roots[path] for path in daemon.sessions.roots_of(name)),
            files=daemon.last_sweep.files.get(name, 0),
            last_event=daemon.sessions.last_event.get(name, 0.0),
        )
        for name, plugin in daemon.sessions.plugins.items()
    )


def _next_runs(daemon: Daemon) -> dict[str, float]:
    runs = {name: due for name, (due, _) in daemon.ledger.queue.timetable().items()}
    correlation = daemon.ledger.queue.next_due()
    return runs if correlation is None else runs | {"correlation": correlation}


def _problems(daemon: Daemon) -> list[Problem]:
    broken = [Problem("plugin", error.cause, error.remedy) for error in daemon.plugins.broken]
    errors = daemon.ledger.queue.errors()
    unread = [
        Problem("session", f"{path} could not be read: {error}", "check its owner and mode")
        for path, error in list(errors.items())[:_MOST_SESSIONS]
    ]
    if len(errors) > _MOST_SESSIONS:
        more = f"{len(errors) - _MOST_SESSIONS} more session files could not be read"
        unread.append(Problem("session", more, "`headroomd doctor` names them"))
    return [*daemon.problems.all(), *daemon.watcher.problems(), *broken, *daemon.learner.problems.values(), *unread]
