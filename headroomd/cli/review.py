"""`headroomd review`: each rule that waits, with its evidence, and a person's word on it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from headroomd.cli.decisions import accept_rule, forget_rule, look_again
from headroomd.cli.describe import evidence_lines, learning_lines, rule
from headroomd.cli.output import counted, short_path
from headroomd.paths import Places

if TYPE_CHECKING:
    from headroomd.ledger import Learning, Ledger

__all__ = ["review"]

_SHOWN: Final = 2  # pieces of evidence, the newest
_ANSWERS: Final = {"a": "accept", "e": "edit", "r": "reject", "l": "later", "q": "quit"}
_WAITS: Final = "waits for your review"


@click.command()
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Project directory (default: the current directory's project).",
)
def review(project: Path | None) -> None:
    """Go through the rules of a project that wait for your word, one after the other.

    Accepted rules are written, rejected ones forgotten. In a project with mode = "review" nothing else is written.
    """
    from headroomd.cli.folders import chosen_project
    from headroomd.ledger import Ledger

    root = chosen_project(project or Path.cwd())
    with Ledger.open(Places.current().ledger) as ledger:
        waiting = _waiting(ledger, root)
        if not waiting:
            click.echo(f"Nothing waits for your review in {short_path(root)}.")
            return
        click.echo(f"{counted(len(waiting), 'rule')} to review in {short_path(root)}.")
        answers = _go_through(ledger, waiting)
        look_again(ledger, waiting)
    said = ", ".join(f"{answers[name]} {name}" for name in ("accepted", "rejected") if answers[name])
    left = len(waiting) - answers["accepted"] - answers["rejected"]
    click.echo(f"\n{said or 'Nothing decided'}; {left} left for later.")
    if said:
        click.echo("The files follow at the daemon's next look, or with `headroomd learn --apply`.")


def _waiting(ledger: Ledger, root: Path) -> list[Learning]:
    """What would be written, were it accepted: the rules worth telling, and those that only a person may let in."""
    from headroomd.blocks import worth_telling
    from headroomd.ledger import Status

    learnings = ledger.learnings.of_project(str(root))
    active = worth_telling(one for one in learnings if one.status is Status.ACTIVE)
    held = [one for one in learnings if one.status is Status.PROPOSED and one.reason.startswith(_WAITS)]
    told = {id_ for block in ledger.blocks.of_project(str(root)) for id_, _ in block.bullets}
    return [one for one in (*active, *held) if not (one.accepted or one.pinned or one.id in told)]


def _go_through(ledger: Ledger, waiting: list[Learning]) -> Counter[str]:
    answers: Counter[str] = Counter()
    for number, learning in enumerate(waiting, 1):
        click.secho(f"\n[{number}/{len(waiting)}]", bold=True)
        click.echo("\n".join(learning_lines(learning)))
        for one in ledger.learnings.evidence(learning)[:_SHOWN]:
            click.echo("\n".join(f"  {line}" for line in evidence_lines(one)))
        match _ask():
            case "accept":
                accept_rule(ledger, learning)
                answers["accepted"] += 1
            case "edit":
                answers["accepted"] += _edit(ledger, learning)
            case "reject":
                forget_rule(ledger, learning)
                answers["rejected"] += 1
            case "quit":
                break
    return answers


def _ask() -> str:
    """One of _ANSWERS' values; the end of the input is "quit"."""
    while True:
        try:
            said = click.prompt("(a)ccept, (e)dit, (r)eject, (l)ater, (q)uit", prompt_suffix="? ").strip().lower()
        except click.Abort:
            click.echo()
            return "quit"
        if said[:1] in _ANSWERS and _ANSWERS[said[:1]].startswith(said):
            return _ANSWERS[said[:1]]


def _edit(ledger: Ledger, learning: Learning) -> bool:
    """Accept a rule in the user's words; False where they give none that can be written."""
    from headroomd.heeding import is_fit

    try:
        text = click.prompt("In your words", default=rule(learning)).strip()
    except click.Abort:
        return False
    if not is_fit(text):
        click.echo("That cannot be written: one line of at most 400 characters, without secrets. Left for later.")
        return False
    accept_rule(ledger, learning)
    if text != rule(learning):
        ledger.decisions.pin(learning.id, text)
    return True
