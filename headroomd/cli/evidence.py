"""`headroomd why`: what a rule rests on. `headroomd undo`: putting back what was there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headroomd.cli.describe import (
    effect_json,
    effect_lines,
    evidence_json,
    evidence_lines,
    learning_json,
    learning_lines,
)
from headroomd.cli.output import complain, emit_json, safe, short_path
from headroomd.errors import ConfigError
from headroomd.paths import Places

if TYPE_CHECKING:
    from headroomd.pipeline import Undone

__all__ = ["journalled", "undo", "why"]


@click.command()
@click.argument("rule", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the evidence as JSON.")
def why(rule: str, as_json: bool) -> None:
    """Show what a rule rests on: the calls that failed, those that worked, sessions and dates.

    ID is what `headroomd learn` shows before each rule, or the first characters of it.
    """
    from headroomd.ledger import Ledger

    with Ledger.open(Places.current().ledger) as ledger:
        learning = ledger.learnings.find(rule)
        evidence = ledger.learnings.evidence(learning)
        effect = ledger.learnings.effects(learning.project).get(learning.id)
    if as_json:
        emit_json(
            "why",
            learning=learning_json(learning),
            effect=effect_json(effect) if effect else None,
            evidence=[evidence_json(one) for one in evidence],
        )
        return
    click.echo("\n".join([*learning_lines(learning), *(effect_lines(effect, learning.verdict) if effect else ())]))
    for one in evidence:
        click.echo("\n" + "\n".join(evidence_lines(one)))


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was put back as JSON.")
def undo(path: Path | None, as_json: bool) -> int:
    """Put back what was there before headroomd last wrote.

    PATH is a file, or a project whose files are all meant; without it, the latest run is undone. What you changed
    outside the block since then stays.
    """
    from headroomd import pipeline
    from headroomd.ledger import Ledger

    with Ledger.open(Places.current().ledger) as ledger:
        undone = pipeline.undo(ledger, journalled(path) if path else None)
    if as_json:
        emit_json("undo", files=[_undone_json(one) for one in undone])
    elif not undone:
        click.echo("There is nothing to undo" + (f" in {short_path(path)}." if path else "."))
    else:
        click.echo("\n".join(f"{short_path(one.path)}: {one.outcome}" for one in undone if not one.problem))
        for root in _kept_up_to_date(undone):
            said = f"The daemon keeps {root} up to date, and writes what holds there again"
            click.echo(f"{said}: `headroomd disable {root}` or `headroomd forget ID` has it not do so.")
    problems = [one.problem for one in undone if one.problem]
    for problem in problems:
        complain(str(problem))
    return 1 if problems else 0


def _kept_up_to_date(undone: list[Undone]) -> list[str]:
    """The enabled projects in which something was put back."""
    from headroomd.daemon.optin import read_opt_ins

    try:
        roots = read_opt_ins(Places.current().config).enabled()
    except ConfigError:
        return []  # nothing is written with a wrong config
    return [
        short_path(root) for root in roots if any(one.path.is_relative_to(root) and not one.problem for one in undone)
    ]


def journalled(path: Path) -> Path:
    """How the journal calls a file, or the project that a folder belongs to."""
    from headroomd.projects import project_root

    path = path.expanduser().absolute()
    if path.is_dir():
        return Path(project_root(str(path), Path.home()).path or path)
    return path.parent.resolve() / path.name


def _undone_json(undone: Undone) -> dict[str, Any]:
    problem = undone.problem
    return {
        "path": str(undone.path),
        "outcome": undone.outcome,
        "problem": {"cause": safe(problem.cause), "remedy": safe(problem.remedy)} if problem else None,
    }
