"""What makes the daemon a service of this user: a systemd user unit or a launchd agent, rendered from service/."""

from __future__ import annotations

import os
import plistlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headroomd.errors import ConfigError
from headroomd.paths import Places

__all__ = ["LABEL", "UNIT", "Unit", "launchd_agent", "program", "remove", "systemd_unit", "write"]

UNIT: Final = "headroomd.service"
LABEL: Final = "dev.headroomd"

_CARRIED: Final = (
    *("PATH", "XDG_CONFIG_HOME", "XDG_STATE_HOME"),
    *("HEADROOMD_STATE_DIR", "HEADROOMD_CONFIG", "HEADROOMD_RUNTIME_DIR"),
    *("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "HEADROOM_LEARN_CLI"),
)
"""Variables of the shell that the service needs too, to find the same folders and programs. Keys never: a unit is a
file that other programs read."""


@dataclass(frozen=True)
class Unit:
    """A file that a service manager reads."""

    path: Path
    text: bytes


def program() -> list[str]:
    """The command that runs the daemon of this installation, wherever it is started from."""
    return [sys.executable, "-P", "-m", "headroomd", "run"]


def systemd_unit(command: Sequence[str], variables: Mapping[str, str], home: Path) -> Unit:
    """The user unit that runs `command`. Raises ConfigError where a value cannot stand in a unit."""
    lines = [f"Environment={_quoted(f'{name}={value}')}" for name, value in _carried(variables).items()]
    text = _template(UNIT).decode()
    text = text.replace("@PROGRAM@", " ".join(_quoted(part.replace("$", "$$")) for part in command))
    text = text.replace("@ENVIRONMENT@", "\n".join(lines))
    folder = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
    return Unit(folder / "systemd/user" / UNIT, text.encode())


def launchd_agent(command: Sequence[str], variables: Mapping[str, str], home: Path, places: Places) -> Unit:
    """The launchd agent that runs `command`; its log file takes what goes to the journal elsewhere."""
    agent = plistlib.loads(_template(f"{LABEL}.plist"))
    agent["ProgramArguments"] = list(command)
    agent["EnvironmentVariables"] = _carried(variables)
    agent["StandardErrorPath"] = str(places.log)
    return Unit(home / "Library/LaunchAgents" / f"{LABEL}.plist", plistlib.dumps(agent, sort_keys=False))


def write(unit: Unit) -> bool:
    """Put the unit in its place, whole or not at all; False where it stood there already. Raises ConfigError."""
    try:
        if unit.path.is_file() and unit.path.read_bytes() == unit.text:
            return False
        unit.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = unit.path.with_name(f".{unit.path.name}.{os.getpid()}")
        temporary.write_bytes(unit.text)
        temporary.replace(unit.path)
    except OSError as error:
        raise _unwritable(unit.path, error) from error
    return True


def remove(path: Path) -> bool:
    """Take a unit away; False where there was none. Raises ConfigError."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unwritable(path, error) from error
    return True


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{path} cannot be written ({error.strerror})", "check the owner and mode of its folder")


def _template(name: str) -> bytes:
    """From the wheel, or, where the package is used from its repository, from there."""
    package = Path(__file__).parents[1]
    folder = package / "_service"
    return ((folder if folder.is_dir() else package.parent / "service") / name).read_bytes()


def _carried(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: variables[name] for name in _CARRIED if variables.get(name)}


def _quoted(text: str) -> str:
    """One word of a unit file: systemd.syntax(7) and, for %, systemd.unit(5)."""
    if not text.isprintable():
        raise ConfigError(f"{text!r} cannot stand in a unit file", "take the control characters out")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'
