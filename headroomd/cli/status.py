"""`headroomd status`: is it alive, does it see my sessions, does it learn, what did it write, what is wrong."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

import click

from headroomd.cli.output import emit_json, safe, timestamp
from headroomd.paths import Places

if TYPE_CHECKING:
    from headroomd.daemon.report import AgentReport, ProjectReport, Report
    from headroomd.daemon.state import RunState

__all__ = ["run_json", "status", "status_json"]

_PAUSE: Final = 2.0  # seconds between two looks of --watch


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the state as JSON (docs/status-json.md).")
@click.option("--watch", is_flag=True, help="Show it anew every 2 seconds, until Ctrl-C.")
def status(as_json: bool, watch: bool) -> None:
    """Show whether the daemon runs, what it sees and learns, what it wrote, and what is wrong.

    Works without the daemon too, from what is known. Look at `state` in --json to tell the two apart in a script.
    """
    if as_json and watch:
        raise click.UsageError("--json and --watch exclude each other")
    if as_json:
        emit_json("status", **status_json(_report()))
    elif watch:
        _watch()
    else:
        click.echo(_screen())


def _watch() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            screen = _screen()
            click.clear()
            click.echo(screen)
            time.sleep(_PAUSE)


def _screen() -> str:
    from headroomd.cli.screen import screen

    return screen(_report())


def _report() -> Report:
    from headroomd.agents.base import Environment
    from headroomd.daemon.report import report

    return report(Places.current(), Environment.current())


def status_json(report: Report) -> dict[str, Any]:
    """The keys are a contract: docs/status-json.md."""
    from msgspec import to_builtins

    daemon = report.daemon
    return {
        "at": timestamp(report.at),
        "state": report.standing.value,
        "daemon": {
            "pid": daemon.pid,
            "version": daemon.version,
            "started_at": timestamp(daemon.started_at),
            "started_by": daemon.mode.value,
            "activity": safe(daemon.activity),
            "last_sweep": timestamp(daemon.last_sweep),
        }
        if daemon
        else None,
        "agents": [_agent_json(agent) for agent in report.agents],
        "queue": to_builtins(report.queue),
        "last_run": run_json(report.last_run) if report.last_run else None,
        "next_runs": {name: timestamp(due) for name, due in sorted(report.next_runs.items())},
        "projects": [_project_json(project) for project in report.projects],
        "written": [
            {
                "at": timestamp(write.at),
                "path": safe(write.path),
                "project": safe(write.project),
                "agents": list(write.agents),
                "undone": write.undone,
                "removed": write.removed,
            }
            for write in report.writes
        ],
        "analysis": {"waiting": report.waiting, "spending": [to_builtins(spent) for spent in report.spent]},
        "problems": [
            {"code": problem.code, "cause": safe(problem.cause), "remedy": safe(problem.remedy)}
            for problem in report.problems
        ],
    }


def _agent_json(agent: AgentReport) -> dict[str, Any]:
    return {
        "name": agent.name,
        "title": safe(agent.title),
        "sessions": agent.sessions,
        "last_activity": timestamp(agent.last_activity),
        "folders": [
            {"path": safe(root.path), "watching": root.watching.value, "reason": safe(root.reason)}
            for root in agent.roots
        ],
    }


def run_json(run: RunState) -> dict[str, Any]:
    """What a learning run did."""
    return {
        "at": timestamp(run.at),
        "seconds": run.seconds,
        "files": run.files,
        "calls": run.calls,
        "evidence": run.evidence,
        "projects": [safe(project) for project in run.projects],
        "written": [safe(path) for path in run.written],
    }


def _project_json(project: ProjectReport) -> dict[str, Any]:
    return {
        "path": safe(project.path),
        "enabled": project.enabled,
        "mode": project.mode or None,
        "agents": list(project.agents),
        "sessions": project.sessions,
        "last_activity": timestamp(project.last_activity),
        "active": project.active,
        "proposed": project.proposed,
        "retired": project.retired,
        "helping": project.helping,
        "not_helping": project.not_helping,
        "waiting": project.waiting,
        "blocks": project.blocks,
    }
