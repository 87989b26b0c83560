"""`headroomd export` and `import`: what is known, to another machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import click

from headroomd.cli.output import counted, emit_json, note, short_path
from headroomd.errors import LedgerError
from headroomd.paths import Places, make_private

__all__ = ["export", "import_"]


@click.command()
@click.option(
    "--project", type=click.Path(file_okay=False, path_type=Path), help="This project only (default: all of them)."
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
def export(project: Path | None, file: Path) -> None:
    """Write what is known to FILE as JSON: rules, evidence, what you decided, and whether rules help ("-": print it).

    Text in it is redacted, and still tells of your projects: FILE can be read by you alone.
    """
    from headroomd.cli.folders import chosen_project
    from headroomd.ledger import Ledger

    with Ledger.open(Places.current().ledger) as ledger:
        known = [facts.path for facts in ledger.facts.projects()]
        chosen = known if project is None else [str(chosen_project(project))]
        if not set(chosen) <= set(known):
            raise LedgerError(f"nothing is known of {short_path(chosen[0])}", "run `headroomd learn` there first")
        document = ledger.transfer.export(chosen)
    if str(file) == "-":
        click.echo(document, nl=False)
        return
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(document)
    except OSError as error:
        raise LedgerError(f"{file} cannot be written ({error.strerror})", "name another file") from error
    note(f"Wrote {counted(len(chosen), 'project')} to {short_path(file)}.")


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--map", "moves", multiple=True, metavar="OLD=NEW", help="Folders that are elsewhere here; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print what was new as JSON.")
def import_(file: IO[bytes], moves: tuple[str, ...], as_json: bool) -> None:
    """Take in what `export` wrote on another machine ("-": standard input).

    Only the ledger is written. What is known here already stays as it is; doing it twice changes nothing. Run
    `headroomd learn` first if the sessions themselves were copied, too.
    """
    from headroomd.ledger import Ledger

    places = Places.current()
    make_private(places.state)
    with Ledger.open(places.ledger) as ledger:
        imported = ledger.transfer.take_in(file.read(), dict(map(_move, moves)))
        with ledger.transaction():
            for one in imported:
                ledger.queue.mark_stale(one.project)
    if as_json:
        fields = ("project", "learnings", "evidence", "decisions", "refused")
        emit_json("import", projects=[{name: getattr(one, name) for name in fields} for one in imported])
        return
    for one in imported:
        secret = f"; {one.refused} left out, they hold secrets" if one.refused else ""
        click.echo(
            f"{short_path(one.project)}: {counted(one.learnings, 'new rule')},"
            f" {counted(one.evidence, 'new correction')}, {counted(one.decisions, 'new decision')}{secret}"
        )


def _move(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not equals or not old.startswith("/") or not new.startswith("/"):
        raise click.UsageError(f"--map {text}: give two absolute folders, OLD=NEW")
    return old.rstrip("/"), new.rstrip("/")
