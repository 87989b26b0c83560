"""`headroomd enable` and `disable`: which projects the daemon may write to."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from headroomd.cli.output import complain, emit_json, safe, short_path
from headroomd.errors import ConfigError, ControlError
from headroomd.paths import Places

if TYPE_CHECKING:
    from headroomd.agents.base import AgentPlugin, Environment
    from headroomd.agents.registry import Plugins
    from headroomd.cli.config_file import Settings
    from headroomd.config import Config, Project

__all__ = ["disable", "enable"]

_ANSWERS_WITHIN: Final = 10.0  # seconds


@click.command()
@click.argument("path", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--agents", metavar="NAMES", help="Write for these agents only, with commas between: claude,codex.")
@click.option("--target", metavar="FILE", help="Write the block of facts to this file of the project instead.")
@click.option(
    "--mode",
    type=click.Choice(["auto", "review"]),
    help="review: write only what you accept in `headroomd review`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what is in force now as JSON.")
def enable(path: Path, agents: str | None, target: str | None, mode: str | None, as_json: bool) -> None:
    """Let the daemon keep the blocks of a project up to date (PATH: the current folder's project).

    Adds the project to the config, whose comments stay, and says what will be read, written and sent where. Repeat it
    with other options to change them.
    """
    from headroomd.agents.base import Environment
    from headroomd.agents.registry import load_plugins
    from headroomd.cli.config_file import set_project
    from headroomd.cli.folders import chosen_project
    from headroomd.config import load_config
    from headroomd.options import project_settings

    places, plugins, env = Places.current(), load_plugins(), Environment.current()
    settings = _settings(_names(agents, plugins), target, mode)
    root = chosen_project(path)
    load_config(places)  # raises where it is wrong: such a file is not touched
    changed = set_project(places.config, root, {"enabled": True, **settings})
    again = _allow_again(places, root)
    config = load_config(places)
    project = project_settings(config, root)
    assert project is not None
    told = _reload(places) if changed or again else ""
    reads, writes = _reads(plugins, config, env), _writes(plugins, config, project, root, env)
    sends = _sends(config)
    if as_json:
        files = [{"path": safe(file), "agents": titles} for file, titles in writes]
        shown = {"path": safe(str(root)), "changed": changed, "mode": project.mode}
        emit_json("enable", **shown, reads=reads, writes=files, sends=sends)
        return
    if path.resolve() != root:
        click.echo(f"{short_path(path.resolve())} belongs to {short_path(root)}.")
    said = "Enabled" if changed else "Already enabled:"
    click.echo(f"{said} {short_path(root)} ({short_path(places.config)})\n")
    _explain(project, reads, writes, sends, again)
    click.echo(f"\n{told or _what_runs(places)}")


@click.command()
@click.argument("path", default=".", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def disable(path: Path, as_json: bool) -> None:
    """Have the daemon write no more to a project (PATH: the current folder's project).

    The blocks that stand there stay; `headroomd undo PATH` takes them away.
    """
    from headroomd.cli.config_file import set_project
    from headroomd.daemon.optin import read_opt_ins

    places = Places.current()
    root = _enabled_root(path)
    changed = str(root) in read_opt_ins(places.config).enabled() and set_project(
        places.config, root, {"enabled": False}
    )
    told = _reload(places) if changed else ""
    if as_json:
        emit_json("disable", path=safe(str(root)), changed=changed)
        return
    if not changed:
        click.echo(f"{short_path(root)} is not enabled: the daemon writes nothing there.")
        return
    click.echo(f"Disabled {short_path(root)}: nothing is written there any more.")
    click.echo(f"Its blocks stay as they are; `headroomd undo {short_path(root)}` takes the last writes back.")
    if told:
        click.echo(told)


def _enabled_root(path: Path) -> Path:
    """The root that a path means; a folder that is gone can still be taken out of the config."""
    from headroomd.cli.folders import chosen_project

    path = path.expanduser().absolute()
    return chosen_project(path) if path.is_dir() else path.resolve()


def _names(agents: str | None, plugins: Plugins) -> list[str] | None:
    if agents is None:
        return None
    names = [name.strip() for name in agents.split(",") if name.strip()]
    for name in names:
        if name not in plugins.plugins:
            raise click.UsageError(f"--agents {name}: there is no such agent; known: {', '.join(plugins.plugins)}")
    return names


def _settings(agents: list[str] | None, target: str | None, mode: str | None) -> Settings:
    given = {"agents": agents, "target": target, "mode": mode}
    return {key: value for key, value in given.items() if value is not None}


def _chosen(plugins: Plugins, names: tuple[str, ...]) -> list[AgentPlugin]:
    return [plugin for name, plugin in plugins.plugins.items() if not names or name in names]


def _reads(plugins: Plugins, config: Config, env: Environment) -> list[str]:
    """The folders whose sessions are read."""
    return [str(root) for plugin in _chosen(plugins, config.agents) for root in plugin.roots(env)]


def _writes(
    plugins: Plugins, config: Config, project: Project, root: Path, env: Environment
) -> list[tuple[str, list[str]]]:
    """The files that may get a block, and for whom."""
    from headroomd.blocks import targets_of
    from headroomd.options import plan_options

    options = plan_options(config, root, _seen(root) or tuple(plugins.plugins), home=env.home)
    files: dict[str, list[str]] = {}
    for plugin in _chosen(plugins, options.agents) if options and project.mode == "auto" else ():
        assert options is not None
        targets = targets_of(plugin, root, env, options)
        for file in dict.fromkeys((targets.context, targets.memory)) if targets else ():
            files.setdefault(str(file), []).append(plugin.title)
    return list(files.items())


def _allow_again(places: Places, root: Path) -> list[str]:
    """Files from which the user took the whole block out: asking for the project again is asking for them again."""
    from headroomd.ledger import Ledger

    if not places.ledger.exists():
        return []
    with Ledger.open(places.ledger) as ledger:
        files = ledger.blocks.refused(str(root))
        ledger.blocks.allow_again(str(root))
    return files


def _seen(root: Path) -> tuple[str, ...]:
    """The agents that have worked in a project so far."""
    from headroomd.ledger import Ledger

    ledger_path = Places.current().ledger
    if not ledger_path.exists():
        return ()
    with Ledger.open(ledger_path, read_only=True) as ledger:
        return next((one.agents for one in ledger.overview.projects() if one.path == str(root)), ())


def _sends(config: Config) -> list[str]:
    """What goes where: one entry, or none where no LLM is asked."""
    from headroomd.analysis.backends import select

    try:
        backend = select(None, os.environ, shutil.which, config)
    except ConfigError as error:
        complain(str(error))
        return []
    return [safe(backend.describe())] if backend is not None else []


def _explain(
    project: Project, reads: list[str], writes: list[tuple[str, list[str]]], sends: list[str], again: list[str]
) -> None:
    for number, folder in enumerate(reads):
        click.echo(f"  {'reads' if number == 0 else '':<8}{short_path(folder)}")
    if project.mode == "review":
        click.echo("  writes  what you accept in `headroomd review`")
    root = project.path.resolve()
    for number, (file, agents) in enumerate(writes):
        name = Path(file).relative_to(root) if Path(file).is_relative_to(root) else file
        label = "writes" if number == 0 else ""
        click.echo(f"  {label:<8}{safe(', '.join(agents)):<13} {short_path(name)}")
    click.echo(f"  sends   {sends[0] if sends else 'nothing: it learns without an LLM'}")
    if sends:
        click.echo("          This shell's variables chose that; a service has its own, and no keys of a shell.")
        click.echo('          With `model = "none"` below [analysis] in the config nothing is sent.')
    if writes:
        click.echo("\nIn those files only the text between the headroom markers is ever changed.")
    for file in again:
        click.echo(f"You had taken the block out of {short_path(file)}; it may stand there again.")


def _reload(places: Places) -> str:
    """Have a running daemon take the config over; what came of it, "" where none runs."""
    from headroomd.daemon.client import ask
    from headroomd.daemon.control import Command, Request

    try:
        reply = ask(places, Request(Command.RELOAD), answer_within=_ANSWERS_WITHIN)
    except ControlError as error:
        complain(str(error))
        return "The daemon runs and did not take the change over: `headroomd reload`."
    return "" if reply is None else "The daemon has taken it over: `headroomd status`."


def _what_runs(places: Places) -> str:
    from headroomd.daemon.client import holder

    if holder(places.lock) is not None:
        return "The daemon is running: `headroomd status`."
    return "No daemon is running: `headroomd service install` starts one for good, `headroomd run-now` works once."
