"""`headroomd config`: what is in force, and whether the file is right."""

from __future__ import annotations

import os
from typing import Any

import click

from headroomd.cli.output import emit_json, note, short_path
from headroomd.paths import OVERRIDES, Places

__all__ = ["config"]


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the configuration as JSON.")
@click.pass_context
def config(ctx: click.Context, as_json: bool) -> None:
    """Show the configuration in force: defaults, config file and HEADROOMD_* variables together."""
    if ctx.invoked_subcommand:
        return
    import tomlkit

    places = Places.current()
    values = _effective(places)
    if as_json:
        emit_json("config", path=str(places.config), exists=places.config.exists(), config=values)
        return
    note(f"# {short_path(places.config)}" + ("" if places.config.exists() else " (not there: defaults)"))
    click.echo(tomlkit.dumps(values), nl=False)


@config.command()
def path() -> None:
    """Print where the config file belongs."""
    click.echo(Places.current().config)


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def check(as_json: bool) -> None:
    """Say whether the config file and the variables are right."""
    from headroomd.config import load_config
    from headroomd.daemon.schedule import check_config

    places = Places.current()
    check_config(load_config(places))
    variables = sorted(name for name in os.environ if name.startswith("HEADROOMD_") and name not in OVERRIDES)
    if as_json:
        emit_json(
            "config check", path=str(places.config), exists=places.config.exists(), variables=variables, valid=True
        )
        return
    file = f"{short_path(places.config)} is right" if places.config.exists() else "no config file: the defaults hold"
    click.echo(file + (f"; on top of it: {', '.join(variables)}" if variables else ""))


def _effective(places: Places) -> dict[str, Any]:
    from headroomd.config import load_config

    values = load_config(places).model_dump(mode="json")
    values["analysis"]["key_file"] = values["analysis"]["key_file"] or ""  # TOML knows no null
    return values
