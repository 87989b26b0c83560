"""`headroomd history`: what was written, when and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from headroomd.cli.describe import dated
from headroomd.cli.evidence import journalled
from headroomd.cli.output import emit_json, safe, short_path, timestamp
from headroomd.paths import Places

if TYPE_CHECKING:
    from headroomd.ledger import Entry

__all__ = ["history"]

_COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("-n", "most", type=click.IntRange(1), default=10, show_default=True, help="The most writes to show.")
@click.option("--json", "as_json", is_flag=True, help="Print the writes as JSON.")
def history(path: Path | None, most: int, as_json: bool) -> None:
    """Show what was written, newest first: when, why, and the difference that it made.

    PATH is a file, or a project whose files are all meant. `headroomd undo PATH` steps back through it, one write of a
    file each time.
    """
    from headroomd.ledger import Ledger

    with Ledger.open(Places.current().ledger) as ledger:
        entries = ledger.journal.history(journalled(path) if path else None, most)
    if as_json:
        emit_json("history", writes=[_json(entry) for entry in entries])
        return
    if not entries:
        click.echo("Nothing was written yet" + (f" in {short_path(path)}." if path else "."))
    for entry in entries:
        state = "  (undone)" if entry.state.value == "undone" and not entry.reason.startswith("undo") else ""
        click.secho(
            f"{dated(entry.at, time=True)}  {short_path(entry.path)}  {safe(entry.reason)}{state}",
            bold=True,
        )
        for line in _diff(entry, short_path(entry.path)).splitlines():
            click.secho(f"  {line}", fg=_COLOURS.get(line[:1]))


def _diff(entry: Entry, name: str) -> str:
    from headroomd.redact import redact
    from headroomd.writing.plan import Write, diff

    write = Write(Path(name), entry.before or b"", entry.after or b"", entry.before is not None)
    return redact(diff(write))


def _json(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "run": entry.run,
        "at": timestamp(entry.at),
        "state": entry.state.value,
        "reason": safe(entry.reason),
        "project": entry.project,
        "path": entry.path,
        "agents": list(entry.agents),
        "rules": [{"id": id_, "text": safe(text)} for id_, text in entry.bullets],
        "diff": _diff(entry, entry.path),
    }
