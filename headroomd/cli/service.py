"""`headroomd service`: the daemon as a service of this user, by systemd or launchd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from headroomd.cli.output import emit_json, note, safe, short_path

if TYPE_CHECKING:
    from headroomd.daemon.managers import Manager

__all__ = ["service"]


@click.group()
def service() -> None:
    """Have the daemon run by itself, from login on (systemd --user on Linux, launchd on macOS)."""


@service.command()
@click.option("--dry-run", is_flag=True, help="Print the unit and where it would go; change nothing.")
def install(dry_run: bool) -> None:
    """Install the service and start it. Can be repeated: after an update, or when PATH has changed."""
    manager = _manager()
    if dry_run:
        note(f"# {short_path(manager.unit.path)}")
        click.echo(manager.unit.text.decode(), nl=False)
        return
    if not manager.install():
        click.echo(f"The service is installed and running already: {short_path(manager.unit.path)}")
        return
    click.echo(f"Installed {short_path(manager.unit.path)}; the daemon runs now, and from every login on.")
    click.echo("`headroomd status` shows what it does, `headroomd enable` names a project that it may write to.")


@service.command()
def uninstall() -> None:
    """Stop the service and remove it. Config, ledger and blocks stay."""
    manager = _manager()
    if manager.uninstall():
        click.echo(f"Stopped, and removed {short_path(manager.unit.path)}. Config, ledger and blocks stay.")
    else:
        click.echo("The service is not installed.")


@service.command()
def start() -> None:
    """Start the service."""
    _manager().start()
    click.echo("The daemon runs: `headroomd status`.")


@service.command()
def stop() -> None:
    """Stop the service. It starts again at the next login, or by `headroomd service start`."""
    _manager().stop()
    click.echo("The daemon has stopped.")


@service.command()
@click.option("--json", "as_json", is_flag=True, help="Print the state as JSON.")
def status(as_json: bool) -> None:
    """Show whether the service is installed and running. `headroomd status` shows what it does."""
    manager = _manager()
    state = manager.state()
    if as_json:
        emit_json(
            "service status",
            manager=manager.title,
            unit=str(manager.unit.path),
            installed=state.installed,
            running=state.running,
            starts_by_itself=state.starts_by_itself,
            pid=state.pid or None,
            said=safe(state.said),
        )
        return
    if not state.installed:
        click.echo("The service is not installed: `headroomd service install` installs and starts it.")
        return
    running = f"running (pid {state.pid})" if state.running else "not running"
    at_login = "starts at login" if state.starts_by_itself else "does not start at login"
    click.echo(f"{short_path(manager.unit.path)}: {running}, {at_login}")
    if state.said:
        click.echo(f"  {safe(state.said)}")


def _manager() -> Manager:
    from headroomd.daemon.managers import manager

    return manager()
