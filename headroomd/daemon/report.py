"""What `headroomd status` shows: the daemon's own word where it runs, the ledger's where it does not.

Starts quickly: nothing that takes long to import (pydantic, structlog, watchdog, ...) may be needed here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from headroomd import __version__
from headroomd.agents.base import AgentPlugin, Environment
from headroomd.agents.registry import Plugins, load_plugins
from headroomd.daemon.blockcheck import block_problems
from headroomd.daemon.client import ask, holder
from headroomd.daemon.control import Command, Request
from headroomd.daemon.optin import OptIn, OptIns, read_opt_ins
from headroomd.daemon.state import AgentState, DaemonState, Problem, QueueDepths, RootState, RunState, Watching
from headroomd.errors import ConfigError, ControlError, HeadroomError
from headroomd.ledger import AgentTotals, AnalysisProblem, JobState, Ledger, ProjectTotals, Spent, WriteTotals, day_of
from headroomd.paths import Places

__all__ = ["AgentReport", "ProjectReport", "Report", "Standing", "report"]

_Noted = TypeVar("_Noted", RunState, Problem)
_MOST_WRITES: Final = 5
_SPENDING_DAYS: Final = 7


class Standing(StrEnum):
    """How the daemon stands."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    UNRESPONSIVE = "unresponsive"  # somebody holds the lock, or listens, and does not answer


class AgentReport(Struct, frozen=True):
    """One agent: where its sessions lie, whether they are watched, and what was read of them."""

    name: str
    title: str
    roots: tuple[RootState, ...]
    sessions: int
    last_activity: float


class ProjectReport(Struct, frozen=True):
    """One project: what is known there, and whether it may be written."""

    path: str
    enabled: bool
    mode: str  # "auto", "review"; "" where it is not enabled
    agents: tuple[str, ...]  # whose files are written; where it is not enabled, those with sessions in it
    sessions: int
    last_activity: float
    active: int
    proposed: int
    retired: int
    blocks: int  # files that hold a block
    helping: int = 0  # active rules whose failure has become rarer
    not_helping: int = 0  # rules whose failure has not
    unreviewed: int = 0  # active rules that the user has not said anything about

    @property
    def waiting(self) -> int:
        """Rules that are ready where nothing was ever written, because nobody said that it may be, or where each needs
        the user's word."""
        if self.mode == "review":
            return self.unreviewed
        return 0 if self.mode == "auto" or self.blocks else self.active


class Report(Struct, frozen=True):
    """All of it."""

    at: float
    standing: Standing
    pid: int  # of who holds the lock; 0 where nobody does
    daemon: DaemonState | None  # None unless it answered
    agents: tuple[AgentReport, ...]
    queue: QueueDepths
    last_run: RunState | None
    next_runs: dict[str, float]
    projects: tuple[ProjectReport, ...]
    writes: tuple[WriteTotals, ...]
    problems: tuple[Problem, ...]
    waiting: int = 0  # pieces of evidence that no LLM has seen
    spent: tuple[Spent, ...] = ()  # of the last days, latest first


class _Known(Struct):
    """What the ledger says; nothing, before the first run."""

    agents: dict[str, AgentTotals] = {}
    projects: list[ProjectTotals] = []
    writes: list[WriteTotals] = []
    written: dict[str, list[str]] = {}  # files with blocks, by project
    queue: QueueDepths = QueueDepths()
    errors: dict[str, str] = {}
    last_run: RunState | None = None
    refusal: Problem | None = None  # why the daemon did not start
    due: dict[str, float] = {}
    waiting: int = 0
    spent: list[Spent] = []
    unanswered: list[AnalysisProblem] = []


def report(places: Places, env: Environment) -> Report:
    """The state of everything. Never raises for what is wrong with it: that is in `problems`."""
    problems: list[Problem] = []
    daemon = _ask(places, problems)
    opt_ins = _opt_ins(places, problems)
    plugins = load_plugins()
    known = _read_ledger(places, problems)
    pid = daemon.pid if daemon else holder(places.lock) or 0
    enabled = opt_ins.enabled()
    projects = tuple(_projects(known, enabled))
    if daemon is None:
        problems += [Problem("plugin", broken.cause, broken.remedy) for broken in plugins.broken]
        problems += _unread(known)
        problems += [known.refusal] if known.refusal else []
    problems += _lost_lines(known, plugins)
    problems += _unanswered(known)
    problems += _project_problems(projects, opt_ins, plugins, env, known)
    return Report(
        at=time.time(),
        standing=_standing(daemon, pid, problems),
        pid=pid,
        daemon=daemon,
        agents=tuple(_agents(daemon, plugins, opt_ins, env, known)),
        queue=daemon.queue if daemon else known.queue,
        last_run=daemon.last_run if daemon else known.last_run,
        next_runs=daemon.next_runs if daemon else {},
        projects=projects,
        writes=tuple(known.writes),
        problems=tuple(_once(problems)),
        waiting=known.waiting,
        spent=tuple(known.spent),
    )


def _ask(places: Places, problems: list[Problem]) -> DaemonState | None:
    try:
        reply = ask(places, Request(Command.STATUS))
        if reply is None:
            return None
        state = msgspec.json.decode(reply.result, type=DaemonState)
    except msgspec.MsgspecError:
        problems.append(_restart("the daemon is another version than this program"))
    except ControlError as error:
        problems.append(Problem("control", error.cause, error.remedy))
    else:
        if state.version != __version__:
            problems.append(_restart(f"the daemon is version {state.version}, this program {__version__}"))
        problems += state.problems
        return state
    return None


def _restart(cause: str) -> Problem:
    return Problem("version", cause, "restart it: headroomd service stop, then headroomd service start")


def _standing(daemon: DaemonState | None, pid: int, problems: list[Problem]) -> Standing:
    if daemon is not None:
        return Standing.PAUSED if daemon.paused else Standing.RUNNING
    listens = any(problem.code in ("control", "version") for problem in problems)
    return Standing.UNRESPONSIVE if pid or listens else Standing.STOPPED


def _opt_ins(places: Places, problems: list[Problem]) -> OptIns:
    try:
        return read_opt_ins(places.config)
    except ConfigError as error:
        problems.append(Problem("config", error.cause, error.remedy))
        return OptIns()


def _read_ledger(places: Places, problems: list[Problem]) -> _Known:
    known = _Known()
    if not places.ledger.exists():
        return known
    try:
        with Ledger.open(places.ledger, read_only=True) as ledger:
            overview, queue = ledger.overview, ledger.queue
            known.agents = overview.agents()
            known.projects = overview.projects()
            known.writes = overview.writes(_MOST_WRITES)
            known.written = overview.written()
            known.queue = _depths(queue.depths())
            known.errors = queue.errors()
            known.last_run = _decoded(queue.note("last_run"), RunState)
            known.refusal = _decoded(queue.note("refusal"), Problem)
            known.waiting = sum(ledger.analyses.waiting().values())
            known.spent = ledger.analyses.spending(day_of(time.time() - (_SPENDING_DAYS - 1) * 86400))
            known.unanswered = ledger.analyses.problems()
    except HeadroomError as error:
        problems.append(Problem("ledger", error.cause, error.remedy))
    return known


def _depths(depths: dict[JobState, int]) -> QueueDepths:
    return QueueDepths(**{state.name.lower(): count for state, count in depths.items()})


def _decoded(note: str, kind: type[_Noted]) -> _Noted | None:
    """What the daemon left word of."""
    try:
        return msgspec.json.decode(note, type=kind) if note else None
    except msgspec.MsgspecError:
        return None  # of another version


def _agents(
    daemon: DaemonState | None, plugins: Plugins, opt_ins: OptIns, env: Environment, known: _Known
) -> Iterator[AgentReport]:
    states = daemon.agents if daemon else tuple(_unwatched(plugins, opt_ins, env))
    for state in states:
        totals = known.agents.get(state.name, AgentTotals())
        last = max(totals.last_at, state.last_event)
        yield AgentReport(state.name, state.title, state.roots, totals.sessions, last)


def _unwatched(plugins: Plugins, opt_ins: OptIns, env: Environment) -> Iterator[AgentState]:
    """The agents as they would be watched if the daemon ran."""
    for plugin in plugins.plugins.values():
        if opt_ins.agents and plugin.name not in opt_ins.agents:
            continue
        roots = tuple(RootState(str(root), _found(root)) for root in _roots(plugin, env))
        yield AgentState(plugin.name, plugin.title, roots, 0, 0.0)


def _found(root: Path) -> Watching:
    return Watching.UNWATCHED if root.is_dir() else Watching.ABSENT


def _roots(plugin: AgentPlugin, env: Environment) -> list[Path]:
    try:
        return plugin.roots(env)
    except Exception:  # the daemon reports it; here it only has no folders
        return []


def _projects(known: _Known, enabled: dict[str, OptIn]) -> Iterator[ProjectReport]:
    """Enabled ones first, then those with most waiting, then those with blocks."""
    totals = {one.path: one for one in known.projects}
    for root in enabled:
        totals.setdefault(root, ProjectTotals(root))
    reports = [_project(one, enabled.get(path), len(known.written.get(path, ()))) for path, one in totals.items()]
    yield from sorted(
        reports, key=lambda one: (not one.enabled, -one.waiting, not one.blocks, -one.last_activity, one.path)
    )


def _project(totals: ProjectTotals, opt_in: OptIn | None, blocks: int) -> ProjectReport:
    return ProjectReport(
        path=totals.path,
        enabled=opt_in is not None,
        mode=opt_in.mode if opt_in else "",
        agents=(opt_in.agents if opt_in else ()) or totals.agents,
        sessions=totals.sessions,
        last_activity=totals.last_at,
        active=totals.active,
        proposed=totals.proposed,
        retired=totals.retired,
        blocks=blocks,
        helping=totals.helping,
        not_helping=totals.not_helping,
        unreviewed=totals.unreviewed,
    )


def _project_problems(
    projects: tuple[ProjectReport, ...], opt_ins: OptIns, plugins: Plugins, env: Environment, known: _Known
) -> Iterator[Problem]:
    for project in projects:
        if not project.enabled:
            continue
        folder = Path(project.path)
        if not folder.is_dir():
            spelled = opt_ins.enabled()[project.path].path
            yield Problem("project", f"{spelled} is enabled and is not there", f"`headroomd disable {spelled}`")
        elif project.active:
            chosen = [plugins.plugins[name] for name in project.agents if name in plugins.plugins]
            names = {"claude": opt_ins.claude_context_file}
            yield from block_problems(folder, chosen, env, known.written.get(project.path, ()), names)


def _unread(known: _Known) -> Iterator[Problem]:
    if known.errors:
        path, error = next(iter(known.errors.items()))
        more = f" (and {len(known.errors) - 1} more)" if len(known.errors) > 1 else ""
        yield Problem("session", f"{path} could not be read: {error}{more}", "check its owner and mode")


def _lost_lines(known: _Known, plugins: Plugins) -> Iterator[Problem]:
    for name, totals in known.agents.items():
        lost = totals.odd + totals.skipped
        if lost:
            title = plugins.plugins[name].title if name in plugins.plugins else name
            lines = "line" if lost == 1 else "lines"
            cause = f"{lost:,} {lines} in sessions of {title} could not be understood and were left out"
            yield Problem("lines", cause, "update headroomd if this number keeps growing; nothing else was lost")


def _unanswered(known: _Known) -> Iterator[Problem]:
    """What an LLM could not be asked about; evidence that was given up comes along with later evidence."""
    for one in known.unanswered:
        if one.due:
            yield Problem("analysis", one.reason, "it is tried again; `headroomd learn` tries at once")


def _once(problems: list[Problem]) -> Iterator[Problem]:
    yield from {(problem.cause, problem.remedy): problem for problem in problems}.values()
