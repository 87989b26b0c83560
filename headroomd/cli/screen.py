"""The status screen: a report as lines of at most 80 columns, save for commands that are there to be copied."""

from __future__ import annotations

import shlex
import textwrap
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from headroomd.cli.output import counted, safe, short_path
from headroomd.daemon.report import AgentReport, ProjectReport, Report, Standing
from headroomd.daemon.state import Mode, RunState, Watching

__all__ = ["ago", "ahead", "screen", "shortened"]

_WIDTH: Final = 80
_PATH_WIDTH: Final = 44
_MOST_OTHERS: Final = 5  # projects that are not enabled and have something waiting

_COLOURS: Final = {
    Standing.RUNNING: "green",
    Standing.PAUSED: "yellow",
    Standing.STOPPED: "red",
    Standing.UNRESPONSIVE: "red",
}
_STARTED_BY: Final = {Mode.SYSTEMD: "as a systemd service", Mode.LAUNCHD: "by launchd", Mode.MANUAL: "by hand"}
_NAMES: Final = {
    "correlation": "reading",
    "sweep": "look through all folders",
    "analysis": "analysis",
    "revalidation": "check of all rules",
}


def screen(report: Report) -> str:
    """The whole screen, with colours in it (click takes them out where nobody wants them)."""
    parts = [_alive(report), _agents(report), _work(report), _projects(report), _writes(report), _problems(report)]
    return "\n\n".join("\n".join(lines) for part in parts if (lines := list(part)))


def ago(then: float, now: float) -> str:
    """ "3 min ago", "never"."""
    if not then:
        return "never"
    span = _span(now - then)
    return f"{span} ago" if span else "just now"


def ahead(then: float, now: float) -> str:
    """ "in 3 min", "now"."""
    span = _span(then - now)
    return f"in {span}" if span else "now"


def shortened(path: str, width: int) -> str:
    """A path of at most `width` columns, with what is too much left out of its middle."""
    if _columns(path) <= width:
        return path
    head, tail = path[: width // 3], path
    while _columns(tail) > width - _columns(head) - 1:
        tail = tail[1:]
    cut = tail.find("/")
    return f"{head}…{tail[cut:] if 0 <= cut < len(tail) // 2 else tail}"


def _alive(report: Report) -> Iterator[str]:
    dot = click.style("●", fg=_COLOURS[report.standing])
    name = click.style("headroomd", bold=True)
    daemon = report.daemon
    if daemon is not None:
        state = "paused" if daemon.paused else "running"
        doing = "" if daemon.activity == "paused" else f": {safe(daemon.activity)}"
        yield f"{dot} {name} is {state}{doing}"
        started = f"{_STARTED_BY[daemon.mode]} {ago(daemon.started_at, report.at)}"
        yield f"  pid {daemon.pid}, version {safe(daemon.version)}, started {started}"
        if daemon.paused:
            yield "  Sessions are noted and not read; `headroomd resume` goes on."
    elif report.standing is Standing.STOPPED:
        yield f"{dot} {name} is not running; what follows is what it knew"
        yield "  Start it for good with `headroomd service install`, or here with `headroomd run`."
    else:
        holder = f" (pid {report.pid})" if report.pid else ""
        yield f"{dot} {name} is at work{holder} and does not answer; what follows is what is on file"


def _agents(report: Report) -> Iterator[str]:
    yield click.style(f"{'Agents':<16}{'sessions':>9}  last activity", bold=True)
    for agent in report.agents:
        last = ago(agent.last_activity, report.at)
        line = f"  {_padded(safe(agent.title), 14)}{agent.sessions:>9,}  {last:<14}"
        watching, reason = _watching(agent)
        yield f"{line}  {watching}"
        if reason:
            yield from textwrap.wrap(reason, _WIDTH, initial_indent=" " * 43, subsequent_indent=" " * 43)
    if not report.agents:
        yield "  none: `headroomd doctor` says why"


def _watching(agent: AgentReport) -> tuple[str, str]:
    """How an agent's folders are watched, and why not better."""
    there = [root for root in agent.roots if root.watching is not Watching.ABSENT]
    if not there:
        return click.style("no sessions folder yet", dim=True), ""
    polled = [root for root in there if root.watching is Watching.POLLING]
    if polled:
        return click.style("polling", fg="yellow"), safe(polled[0].reason)
    if any(root.watching is Watching.UNWATCHED for root in there):
        return click.style("not watched", dim=True), ""
    return click.style("watching", fg="green"), ""


def _work(report: Report) -> Iterator[str]:
    queue = report.queue
    depths = {
        "in use": queue.open,
        "waiting": queue.queued,
        "being read": queue.leased,
        "to be tried again": queue.failed,
        "given up": queue.given_up,
        "read": queue.done + queue.nothing,
    }
    said = [f"{count:,} {name}" for name, count in depths.items() if count]
    yield from _labelled("Queue", (", ".join(said) + " (session files)") if said else "empty")
    run = report.last_run
    yield from _labelled("Last run", _run(run, report.at) if run else "never")
    upcoming = sorted(report.next_runs.items(), key=lambda one: one[1])
    if upcoming:
        said = [f"{_NAMES.get(name, safe(name))} {ahead(due, report.at)}" for name, due in upcoming]
        yield from _labelled("Next", ", ".join(said))
    yield from _llm(report)


def _llm(report: Report) -> Iterator[str]:
    """What waits for an LLM, and what each one has cost."""
    said = [f"{counted(report.waiting, 'piece')} of evidence waiting"] if report.waiting else []
    said += [
        f"{spent.day} {safe(spent.backend)}: {counted(spent.calls, 'call')}, {spent.tokens:,} tokens"
        for spent in report.spent[:2]
    ]
    if said:
        yield from _labelled("LLM", "; ".join(said))


def _run(run: RunState, now: float) -> str:
    read = f"read {counted(run.files, 'session file')}, {counted(run.calls, 'new call')}"
    wrote = f"wrote {counted(len(run.written), 'file')}" if run.written else "wrote nothing"
    return f"{ago(run.at, now)}: {read}, {wrote}"


def _projects(report: Report) -> Iterator[str]:
    enabled = [one for one in report.projects if one.enabled]
    others = [one for one in report.projects if not one.enabled and (one.waiting or one.blocks)]
    yield click.style(f"{'Projects':<46}{'active':>7}{'proposed':>10}{'retired':>9}", bold=True)
    for project in [*enabled, *others[:_MOST_OTHERS]]:
        yield from _project(project, report.at)
    if not report.projects:
        yield "  none yet: no session that ran in a project was read"
    elif len(others) > _MOST_OTHERS:
        yield f"  and {len(others) - _MOST_OTHERS} more with rules: `headroomd status --json` names them"
    rest = len(report.projects) - len(enabled) - len(others)
    if rest:
        noun = "other project" if enabled or others else "project"
        yield click.style(f"  {counted(rest, noun)} without a rule so far", dim=True)


def _project(project: ProjectReport, now: float) -> Iterator[str]:
    path = _padded(shortened(short_path(project.path), _PATH_WIDTH), _PATH_WIDTH)
    yield f"  {path}{project.active:>7}{project.proposed:>10}{project.retired:>9}"
    if project.waiting and not project.enabled:
        rules = counted(project.waiting, "rule")
        yield from _hint(f"not enabled: {rules} waiting,", f"headroomd enable {_quoted(project.path)}", "yellow")
    elif not project.enabled:
        yield from _hint("not kept up to date:", f"headroomd enable {_quoted(project.path)}", "yellow")
    elif project.mode == "review" and project.waiting:
        rules = counted(project.waiting, "rule")
        yield from _hint(f"{rules} to review:", f"headroomd review --project {_quoted(project.path)}", "yellow")
    else:
        agents = ", ".join(project.agents) or "every agent that works in it"
        yield f"    enabled for {safe(agents)}; last session {ago(project.last_activity, now)}"
    if project.helping or project.not_helping:
        yield f"    shown to agents: {project.helping} proven to help, {project.not_helping} of no help"


def _writes(report: Report) -> Iterator[str]:
    if not report.writes:
        return
    yield click.style("Written lately", bold=True)
    for write in report.writes:
        path = short_path(write.path)
        done = " (put back)" if write.undone else " (removed)" if write.removed else ""
        yield f"  {ago(write.at, report.at):<12}  {shortened(path, _WIDTH - 16 - len(done))}{done}"
    yield "    `headroomd undo FILE` puts one back"


def _problems(report: Report) -> Iterator[str]:
    if not report.problems:
        return
    yield click.style("Problems", bold=True, fg="red")
    for problem in report.problems:
        mark = click.style("!", fg="red", bold=True)
        for number, line in enumerate(_wrapped(problem.cause or problem.code)):
            yield f"    {line}" if number else f"  {mark} {line}"
        for number, line in enumerate(_wrapped(problem.remedy)):
            yield f"    {'  ' if number else '→ '}{line}"


def _hint(said: str, command: str, colour: str) -> Iterator[str]:
    """A remark with a command to copy, which is never cut: on a line of its own where it is long."""
    said = click.style(said, fg=colour or None)
    if _columns(click.unstyle(said)) + len(command) + 7 <= _WIDTH:
        yield f"    {said} `{command}`"
    else:
        yield f"    {said}"
        yield f"      {command}"


def _labelled(label: str, text: str) -> Iterator[str]:
    for number, line in enumerate(textwrap.wrap(text, _WIDTH - 10)):
        yield " " * 10 + line if number else click.style(f"{label:<10}", bold=True) + line


def _quoted(path: str) -> str:
    """A path as an argument in a shell, ~ for the home folder where that needs no quotes."""
    short = short_path(path)
    plain = short.removeprefix("~/")
    return short if shlex.quote(plain) == plain else shlex.quote(safe(path))


def _wrapped(text: str) -> list[str]:
    """A sentence in lines; commands and paths in it stay whole."""
    return textwrap.wrap(_tilde(safe(text)), _WIDTH - 6, break_long_words=False, break_on_hyphens=False)


def _tilde(text: str) -> str:
    """Paths in a sentence, the way a person writes them."""
    return text.replace(f"{Path.home()}/", "~/")


def _span(seconds: float) -> str:
    """A length of time in its largest unit; "" for less than two seconds."""
    if seconds < 2:
        return ""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def _columns(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in text)


def _padded(text: str, width: int) -> str:
    return text + " " * max(width - _columns(text), 0)
