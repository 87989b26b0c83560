"""Which projects the config opts in, read without the fifth of a second that the whole config takes.

For commands that must start quickly: keys that they do not need are not looked at, so a file that passes here may still
be wrong (`headroomd config check` tells). Imports msgspec and tomllib only.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from headroomd.errors import ConfigError

__all__ = ["OptIn", "OptIns", "read_opt_ins"]


class OptIn(Struct, frozen=True):
    """One [[project]] table."""

    path: str
    agents: tuple[str, ...] = ()
    target: str = ""
    mode: Literal["auto", "review"] = "auto"
    enabled: bool = True

    @property
    def root(self) -> str:
        """The project's identity: its real path."""
        return os.path.realpath(Path(self.path).expanduser())


class OptIns(Struct, frozen=True):
    """What the config says of projects and agents."""

    agents: tuple[str, ...] = ()  # empty: every agent there is
    claude_context_file: str = "CLAUDE.md"
    project: tuple[OptIn, ...] = ()

    def enabled(self) -> dict[str, OptIn]:
        """The projects that may be written to, by the real path of their root; the first table of a path counts."""
        tables: dict[str, OptIn] = {}
        for table in self.project:
            tables.setdefault(table.root, table)
        return {root: table for root, table in tables.items() if table.enabled}


def read_opt_ins(config: Path) -> OptIns:
    """What the config file says; everything at its default where there is none.

    Raises ConfigError where it cannot be read or what is needed here makes no sense.
    """
    try:
        return msgspec.convert(tomllib.loads(config.read_bytes().decode()), OptIns)
    except FileNotFoundError:
        return OptIns()
    except OSError as error:
        raise ConfigError(f"{config} cannot be read ({error.strerror})", "check its owner and mode") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or a value of the wrong type
        raise ConfigError(f"{config} is wrong ({error})", "`headroomd config check` says what is allowed") from error
