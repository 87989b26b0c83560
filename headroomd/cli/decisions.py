"""`forget`, `pin`, `restore`, `accept` and `reject`: what a person has to say about rules, by their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from headroomd.cli.describe import rule
from headroomd.cli.output import emit_json
from headroomd.paths import Places

if TYPE_CHECKING:
    from headroomd.ledger import Learning, Ledger

__all__ = ["accept", "accept_rule", "forget", "forget_rule", "look_again", "pin", "reject", "restore"]

_ids = click.argument("ids", metavar="ID...", nargs=-1, required=True)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")


@click.command()
@_ids
@_as_json
def forget(ids: tuple[str, ...], as_json: bool) -> None:
    """Take rules out for good, in whatever words.

    The same as deleting their lines from a block. `headroomd restore ID` takes it back.
    """
    _each("forget", ids, forget_rule, "Forgotten", as_json)


@click.command()
@_ids
@_as_json
def reject(ids: tuple[str, ...], as_json: bool) -> None:
    """Turn rules down that wait for your review; the same as `forget`."""
    _each("reject", ids, forget_rule, "Rejected", as_json)


@click.command()
@_ids
@_as_json
def accept(ids: tuple[str, ...], as_json: bool) -> None:
    """Let rules be written in a project that is reviewed (mode = "review")."""
    _each("accept", ids, accept_rule, "Accepted", as_json)


@click.command()
@_ids
@_as_json
def pin(ids: tuple[str, ...], as_json: bool) -> None:
    """Keep rules whatever later sessions say; `headroomd restore ID` lets them age again."""
    _each("pin", ids, lambda ledger, learning: ledger.decisions.pin(learning.id), "Pinned", as_json)


@click.command()
@_ids
@_as_json
def restore(ids: tuple[str, ...], as_json: bool) -> None:
    """Take back what was decided about rules: forgotten, pinned, reworded, accepted, or given up as of no help.

    From then on their evidence speaks for them again.
    """
    _each("restore", ids, lambda ledger, learning: ledger.decisions.restore(learning.id), "Restored", as_json)


def forget_rule(ledger: Ledger, learning: Learning) -> None:
    """Never tell a rule again, in whatever words."""
    from headroomd.ledger import Decided

    ledger.decisions.decide(learning.id, Decided.FORGOTTEN, rule(learning))


def accept_rule(ledger: Ledger, learning: Learning) -> None:
    """Accepting what nothing but a person may make active pins it."""
    from headroomd.ledger import Decided, Status

    if learning.status is not Status.ACTIVE:
        ledger.decisions.pin(learning.id)
    ledger.decisions.decide(learning.id, Decided.ACCEPTED, rule(learning))


def _each(
    command: str, ids: tuple[str, ...], act: Callable[[Ledger, Learning], None], done: str, as_json: bool
) -> None:
    """Do `act` to every rule named; to none where an id is wrong."""
    from headroomd.ledger import Ledger

    with Ledger.open(Places.current().ledger) as ledger:
        learnings = {learning.id: learning for learning in map(ledger.learnings.find, ids)}
        for learning in learnings.values():
            act(ledger, learning)
        look_again(ledger, learnings.values())
        after = [ledger.learnings.find(id_) for id_ in learnings]
    if as_json:
        emit_json(command, rules=[_json(learning) for learning in after])
        return
    for learning in after:
        click.echo(f"{done}: {learning.id}  {rule(learning)}")
    click.echo("The files follow at the daemon's next look, or with `headroomd learn --apply`.")


def look_again(ledger: Ledger, learnings: Iterable[Learning]) -> None:
    """Have the daemon bring the blocks of these rules' projects up to date."""
    with ledger.transaction():
        for project in {learning.project for learning in learnings}:
            ledger.queue.mark_stale(project)


def _json(learning: Learning) -> dict[str, Any]:
    from headroomd.cli.describe import learning_json

    return learning_json(learning)
