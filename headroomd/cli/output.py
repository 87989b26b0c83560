"""What commands print: text that cannot act on a terminal, and JSON that scripts can rely on.

Light imports only: every command passes through here.
"""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any, Final

import click

__all__ = ["JSON_VERSION", "complain", "counted", "emit_json", "note", "safe", "short_path", "timestamp"]

JSON_VERSION: Final = 1
"""Raised when a key of some `--json` output changes its meaning or goes; new keys may come without that."""


def safe(text: str) -> str:
    """`text` that came from a session, fit to be shown: secrets out, control characters visible, on one line."""
    from headroomd.redact import redact
    from headroomd.writing.plan import visible

    return visible(redact(text))


def emit_json(command: str, **fields: Any) -> None:
    """One JSON document on standard output, in the envelope that all commands share."""
    click.echo(json.dumps({"version": JSON_VERSION, "command": command, **fields}, indent=2, ensure_ascii=False))


def note(text: str) -> None:
    """A line for the person at the terminal, which is no part of the result."""
    click.echo(text, err=True)


def complain(text: str) -> None:
    """An error: one line, on standard error."""
    click.echo(f"headroomd: {' '.join(text.split())}", err=True, color=None if sys.stderr.isatty() else False)


def counted(number: int, noun: str) -> str:
    """ "1 session", "2 sessions", "1,200 calls"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def timestamp(at: float) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC, for JSON; None for an unknown time (0.0)."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat(timespec="seconds") if at else None


def short_path(path: Path | str) -> str:
    """A path as a person writes it: ~ for the home folder."""
    path = Path(path)
    home = Path.home()
    return safe(f"~/{path.relative_to(home)}" if path.is_relative_to(home) and path != home else str(path))
