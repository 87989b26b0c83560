"""What `headroomd learn` found and did, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from headroomd.analysis.run import AnalysisReport
from headroomd.cli.describe import learning_json, rule, support
from headroomd.cli.output import counted, emit_json, safe, short_path, timestamp
from headroomd.errors import HeadroomError
from headroomd.ledger import Learning, Refusal, Status
from headroomd.pipeline import Applied, ProjectPlan, ScanReport
from headroomd.projects import is_home
from headroomd.redact import redact
from headroomd.writing.plan import Write, diff

__all__ = ["Analysed", "Result", "show", "show_json"]


@dataclass(frozen=True)
class Analysed:
    """What came of asking an LLM, if one was asked."""

    model: str = "none"  # "anthropic/claude-haiku-5-5"
    report: AnalysisReport = field(default_factory=AnalysisReport)
    waiting: Mapping[str, int] = field(default_factory=dict)  # pieces of evidence that no LLM has seen, by project
    refusals: Mapping[str, list[Refusal]] = field(default_factory=dict)  # what was not believed, by project
    was_named: bool = False  # --model named it: its failure is a failure of the command


@dataclass(frozen=True)
class Result:
    """One run of `learn`."""

    root: Path | None  # of the one project that was asked for
    report: ScanReport
    plans: list[ProjectPlan]
    applied: list[Applied] | None  # None: a dry run
    analysis: Analysed

    @property
    def writes(self) -> list[Write]:
        """The changes made, or those that --apply would make."""
        if self.applied is None:
            return [write for plan in self.plans for write in plan.writes]
        return [one.write for one in self.applied if one.write is not None and one.problem is None]

    @property
    def problems(self) -> list[HeadroomError]:
        """What went wrong, in the order in which it did."""
        asking = self.analysis.report.problem
        return [*self.report.problems, *([asking] if asking else []), *self._write_problems()]

    @property
    def has_failed(self) -> bool:
        """Whether something that should have been written was not."""
        if self.analysis.was_named and self.analysis.report.problem is not None:
            return True
        return self.applied is not None and any(self._write_problems())

    def _write_problems(self) -> Iterator[HeadroomError]:
        for plan in self.plans:
            yield from plan.problems
        for one in self.applied or ():
            if one.problem is not None:
                yield one.problem


def show(result: Result) -> None:
    """A summary of what was read, a diff for each file, and what each rule in it rests on."""
    click.echo(_read(result.report, takes_home=any(is_home(plan.project, Path.home()) for plan in result.plans)))
    for line in _asked(result):
        click.echo(line)
    if result.root is not None and not result.plans:
        click.echo(
            f"There are no sessions of {short_path(result.root)} yet; `headroomd learn --all` takes every project."
        )
    for plan in result.plans:
        writes = [write for write in result.writes if write.project == plan.project]
        if writes or result.root is not None:
            _show_project(plan, writes)
    click.echo(_conclusion(result))


def _show_project(plan: ProjectPlan, writes: list[Write]) -> None:
    told = {bullet.id for draft in plan.drafts for bullet in draft.bullets}
    rules = [learning for learning in plan.learnings if learning.id in told]
    proposed = sum(learning.status is Status.PROPOSED for learning in plan.learnings)
    waiting = f", {proposed} more seen too rarely to be believed" if proposed else ""
    click.secho(f"\n{short_path(plan.project)}: {counted(len(rules), 'rule')}{waiting}", bold=True)
    for write in writes:
        click.echo()
        named = replace(write, path=Path(short_path(write.path)))
        for line in redact(diff(named)).splitlines():
            click.secho(line, fg=_colour(line))
    shown = {id_ for write in writes for id_ in write.shown}
    if shown:
        click.echo("\nWhat these rules rest on:")
    for learning in rules:
        if learning.id in shown:
            click.echo(f"  {learning.id}  {support(learning)}\n              {rule(learning)}")
    for path in plan.refused:
        remedy = f"`headroomd enable {short_path(plan.project)}` allows it again"
        click.echo(f"\nNote: {short_path(path)}: you took its block out, so nothing is written there: {remedy}")
    for shadow in plan.shadows:
        click.echo(f"\nNote: {short_path(shadow.path)}: {safe(shadow.cause)}: {safe(shadow.remedy)}")


def _colour(line: str) -> str | None:
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])


def _read(report: ScanReport, *, takes_home: bool) -> str:
    totals = report.totals
    new = f"{counted(report.read, 'session file')} with something new" if report.read else "nothing new"
    text = (
        f"Read {new} in {report.seconds:.1f} s. Known: {counted(totals.sessions, 'session')} in"
        f" {counted(totals.projects, 'project')}, {counted(totals.calls, 'tool call')}, {totals.failed:,} failed."
    )
    left_out = {
        "session of no known project": totals.unattributed,
        "session in the home folder": 0 if takes_home else totals.home,
        "project that is gone": totals.missing,
        "line not understood": totals.odd + totals.skipped,
    }
    counts = [f"{count:,} × {what}" for what, count in left_out.items() if count]
    return text + (f"\nLeft out: {', '.join(counts)}." if counts else "")


def _asked(result: Result) -> Iterator[str]:
    """What an LLM was asked and what came of it, and what still waits for one."""
    analysis = result.analysis
    report = analysis.report
    if report.asked:
        yield (
            f"Asked {safe(analysis.model)} {counted(report.asked, 'time')}: {counted(report.input_tokens, 'token')}"
            f" sent, {report.output_tokens:,} received;"
            f" {counted(report.rules, 'rule')} believed, {report.refused:,} refused"
            + (" (`--json` shows why)." if report.refused else ".")
        )
    if report.is_spent:
        yield "What may be spent on a day is spent (analysis.max_calls_per_day, analysis.max_tokens_per_day)."
    waiting = sum(analysis.waiting.get(str(plan.project), 0) for plan in result.plans)
    if waiting:
        yield f"Waiting for an LLM: {counted(waiting, 'piece')} of evidence."


def _conclusion(result: Result) -> str:
    files = counted(len(result.writes), "file")
    if result.applied is not None:
        return (
            f"\nWrote {files}. `headroomd undo` puts back what was there." if result.writes else "\nNothing to write."
        )
    if not result.writes:
        return "\nNothing to write: every block is as it should be."
    example = next((id_ for write in result.writes for id_ in write.shown), "ID")
    return (
        f"\nNothing was written yet. `--apply` writes {files}; `headroomd why {example}` shows the calls behind a rule."
    )


def show_json(result: Result) -> None:
    """The result as one JSON document."""
    report = result.report
    emit_json(
        "learn",
        applied=result.applied is not None,
        model=safe(result.analysis.model),
        analysis=_analysis_json(result.analysis),
        scan={
            "files": report.files,
            "read": report.read,
            "bytes": report.bytes,
            "sessions": report.sessions,
            "calls": report.calls,
            "failed": report.failed,
            "odd_lines": report.odd,
            "repaired_lines": report.repaired,
            "skipped_lines": report.skipped,
            "seconds": round(report.seconds, 3),
        },
        projects=[_project_json(result, plan) for plan in result.plans],
        problems=[{"cause": safe(problem.cause), "remedy": safe(problem.remedy)} for problem in result.problems],
    )


def _analysis_json(analysis: Analysed) -> dict[str, Any]:
    report = analysis.report
    return {
        "calls": report.asked,
        "input_tokens": report.input_tokens,
        "output_tokens": report.output_tokens,
        "rules": report.rules,
        "refused": report.refused,
        "budget_spent": report.is_spent,
    }


def _project_json(result: Result, plan: ProjectPlan) -> dict[str, Any]:
    return {
        "path": str(plan.project),
        "learnings": [_learning_json(plan, learning) for learning in plan.learnings],
        "changes": [
            {"path": str(write.path), "agents": write.agent.split(","), "diff": redact(diff(write))}
            for write in result.writes
            if write.project == plan.project
        ],
        "left_alone": [str(path) for path in plan.refused],
        "shadows": [
            {"path": str(shadow.path), "cause": safe(shadow.cause), "remedy": safe(shadow.remedy)}
            for shadow in plan.shadows
        ],
        "waiting": result.analysis.waiting.get(str(plan.project), 0),
        "refused": [
            {"rule": safe(refusal.rule), "reason": refusal.reason, "at": timestamp(refusal.at)}
            for refusal in result.analysis.refusals.get(str(plan.project), ())
        ],
    }


def _learning_json(plan: ProjectPlan, learning: Learning) -> dict[str, Any]:
    files = [str(draft.path) for draft in plan.drafts if any(learning.id == bullet.id for bullet in draft.bullets)]
    return {**learning_json(learning), "files": files}
