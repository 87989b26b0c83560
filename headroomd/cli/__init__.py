"""What a person types. One module a group of commands, imported when one of them is asked for.

`headroomd status` must start within 0.15 s: this module, `output`, and the top level of every command module import
click and light modules only; pydantic, httpx, rich, apscheduler, the ledger and the agents are imported inside the
functions that use them (tests/integration/cli/test_startup.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from typing import Final

import click

from headroomd import __version__
from headroomd.cli.output import complain
from headroomd.errors import HeadroomError, LockHeldError

__all__ = ["cli", "main", "run"]

DONE, FAILED, WRONG_USAGE, LOCK_HELD = 0, 1, 2, 3
_SENTENCE: Final = 300  # characters of a command's first sentence at most
_INTERRUPTED: Final = 130  # as a shell reports it

_MODULES: Final = {
    "learn": "learn",
    "status": "status",
    "enable": "projects",
    "disable": "projects",
    "run-now": "control",
    "why": "evidence",
    "undo": "evidence",
    "history": "history",
    "forget": "decisions",
    "pin": "decisions",
    "restore": "decisions",
    "review": "review",
    "accept": "decisions",
    "reject": "decisions",
    "export": "transfer",
    "import": "transfer",
    "config": "settings",
    "doctor": "doctor",
    "service": "service",
    "run": "control",
    "pause": "control",
    "resume": "control",
    "reload": "control",
    "demo": "demo",
}
"""Which module of this package holds which command, in the order of `headroomd --help`.

The function has the command's name, with "_" for "-", and behind a Python keyword.
"""


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are first needed."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        name = cmd_name.replace("-", "_") + "_" * iskeyword(cmd_name)
        command = getattr(import_module(f"{__name__}.{_MODULES[cmd_name]}"), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command with its whole first sentence, which click would cut short."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(_SENTENCE)) for name, one in commands.items() if one])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="headroomd", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Learn from coding agents' failed tool calls what then worked.

    Reads what Claude Code, Codex CLI and Gemini CLI keep of their sessions, and puts a short block of project facts
    into the files that these agents load.
    """
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line; the exit status. Errors become one line on standard error."""
    try:
        status = cli.main(list(arguments), prog_name="headroomd", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return WRONG_USAGE
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "headroomd"
        complain(f"{error.format_message().rstrip('.')}: see {path} --help")
        return WRONG_USAGE
    except click.ClickException as error:
        complain(error.format_message())
        return FAILED
    except LockHeldError as error:
        complain(str(error))
        return LOCK_HELD
    except HeadroomError as error:
        complain(str(error))
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; keep Python from complaining again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return status if isinstance(status, int) else DONE


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))
