"""`headroomd doctor`: the whole set-up, each part with what to do where it is not well."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from headroomd.cli.output import emit_json, safe
from headroomd.paths import Places

if TYPE_CHECKING:
    from headroomd.daemon.checkup import Check

__all__ = ["doctor"]

_WIDTH: Final = 80
_MARGIN: Final = 16
_COLOURS: Final = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def doctor(as_json: bool) -> int:
    """Check the whole set-up: config, ledger, agents, blocks, watching, socket, daemon and service.

    Exit status 1 where something does not work; a warning is no failure.
    """
    from headroomd.agents.base import Environment
    from headroomd.daemon.checkup import Verdict, examine

    checks = examine(Places.current(), Environment.current())
    failed = [check for check in checks if check.verdict is Verdict.FAIL]
    if as_json:
        shown = [
            {"name": one.name, "verdict": one.verdict.value, "found": safe(one.found), "remedy": safe(one.remedy)}
            for one in checks
        ]
        emit_json("doctor", well=not failed, checks=shown)
        return 1 if failed else 0
    for check in checks:
        _show(check)
    warnings = sum(check.verdict is Verdict.WARN for check in checks)
    click.echo(f"\n{len(checks)} checks: {len(failed)} failed, {warnings} to look at.")
    return 1 if failed else 0


def _show(check: Check) -> None:
    verdict = click.style(f"{check.verdict.value:<5}", fg=_COLOURS[check.verdict.value])
    for number, line in enumerate(_wrapped(check.found)):
        click.echo(" " * _MARGIN + line if number else f"{verdict} {check.name:<9} {line}")
    for number, line in enumerate(_wrapped(check.remedy)):
        click.echo(" " * _MARGIN + ("  " if number else "→ ") + line)


def _wrapped(text: str) -> list[str]:
    """A sentence in lines; commands and paths in it stay whole."""
    text = safe(text).replace(f"{Path.home()}/", "~/")
    return textwrap.wrap(text, _WIDTH - _MARGIN - 2, break_long_words=False, break_on_hyphens=False)
