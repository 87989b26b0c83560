"""Running the daemon, and telling a running one what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from headroomd.cli.output import complain, counted, emit_json, safe, short_path
from headroomd.cli.status import run_json
from headroomd.errors import ControlError, LockHeldError
from headroomd.paths import Places

if TYPE_CHECKING:
    from headroomd.daemon.state import RunState

__all__ = ["pause", "reload", "resume", "run", "run_now"]

_ANSWERS_WITHIN: Final = 30.0  # seconds: the daemon finishes what it has in hand first
_STARTS_WITHIN: Final = 2.0  # seconds that a daemon which holds the lock already may take to listen


@click.command()
def run() -> int:
    """Run the daemon here, until Ctrl-C: watch sessions, learn from those that have closed, keep blocks up to date.

    `headroomd service install` has it run by itself. It writes only to projects that were enabled.
    """
    from headroomd.daemon.memory import import_lean

    import_lean()
    from headroomd.daemon.asking import analysis
    from headroomd.daemon.run import BAD_CONFIG, boot
    from headroomd.errors import ConfigError

    places = Places.current()
    try:
        return boot(places, analyse=analysis(places))
    except ConfigError as error:
        complain(str(error))
        return BAD_CONFIG


@click.command("run-now")
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Hurry the sessions of this project only (default: all).",
)
@click.option("--wait", is_flag=True, help="Wait until everything is read and written.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def run_now(project: Path | None, wait: bool, as_json: bool) -> int:
    """Read now what would be read later, sessions that are still open too, and bring the blocks up to date.

    Writes only to enabled projects, and asks the LLM, where there is one, about no other. Without a daemon the work is
    done here and waited for.
    """
    from headroomd.cli.folders import chosen_project

    root = str(chosen_project(project)) if project else ""
    result = _asked(root, wait=wait)
    if isinstance(result, int):
        if as_json:
            emit_json("run-now", done=None, queued=result, problems=[])
        else:
            work = f"reads {counted(result, 'session file')} now" if result else "has nothing new to read, looks again"
            click.echo(f"The daemon {work}; `headroomd status` shows how it goes.")
        return 0
    done, problems = (result, []) if result is not None else _done_here(root)
    if as_json:
        emit_json("run-now", done=run_json(done), queued=0, problems=problems)
    else:
        _show(done)
    for problem in problems:
        complain(f"{problem['cause']}: {problem['remedy']}" if problem["remedy"] else problem["cause"])
    return 1 if problems else 0


@click.command()
def pause() -> None:
    """Have the daemon note sessions without reading them, until `headroomd resume`."""
    _tell("pause")
    click.echo("Paused: sessions are noted and not read, nothing is written. `headroomd resume` goes on.")


@click.command()
def resume() -> None:
    """Have a paused daemon go on."""
    _tell("resume")
    click.echo("The daemon goes on.")


@click.command()
def reload() -> None:
    """Have the daemon read its config again. A config that is wrong changes nothing, and is named."""
    changed = _tell("reload").get("changed") or []
    click.echo(f"Reloaded; new values: {', '.join(changed)}." if changed else "Reloaded; nothing has changed.")


def _tell(command: str) -> dict[str, Any]:
    """What the daemon answers. Raises ControlError where none runs."""
    import msgspec

    from headroomd.daemon.client import ask
    from headroomd.daemon.control import Command, Request

    reply = ask(
        Places.current(), Request(Command(command)), answer_within=_ANSWERS_WITHIN, starts_within=_STARTS_WITHIN
    )
    if reply is None:
        raise ControlError("no daemon is running", "`headroomd service start` or `headroomd run` starts one")
    result: dict[str, Any] = msgspec.json.decode(reply.result)
    return result


def _asked(root: str, *, wait: bool) -> RunState | int | None:
    """What the daemon did, or how many files it is about to read; None where none runs."""
    import msgspec

    from headroomd.daemon.client import ask
    from headroomd.daemon.control import Command, Request
    from headroomd.daemon.state import RunState

    request = Request(Command.RUN_NOW, project=root, wait=wait)
    limit = None if wait else _ANSWERS_WITHIN
    reply = ask(Places.current(), request, answer_within=limit, starts_within=_STARTS_WITHIN)
    if reply is None:
        return None
    if wait:
        return msgspec.json.decode(reply.result, type=RunState)
    return msgspec.json.decode(reply.result, type=dict[str, int])["queued"]


def _done_here(root: str) -> tuple[RunState, list[dict[str, str]]]:
    from headroomd.agents.base import Environment
    from headroomd.daemon.asking import analysis
    from headroomd.daemon.once import run_once

    places = Places.current()
    try:
        done, problems = run_once(places, Environment.current(), root, analyse=analysis(places))
    except LockHeldError as error:
        raise LockHeldError(f"{error.cause}, and does not answer", error.remedy) from error
    return done, [{"cause": safe(one.cause), "remedy": safe(one.remedy)} for one in problems]


def _show(done: RunState) -> None:
    read = f"Read {counted(done.files, 'session file')}, {counted(done.calls, 'new call')}, in {done.seconds:.1f} s."
    click.echo(read)
    for path in done.written:
        click.echo(f"Wrote {short_path(path)}")
    if not done.written:
        click.echo("Nothing to write: the blocks of all enabled projects are as they should be.")
