"""The service managers that can run the daemon: systemd's for one user, and launchd.

Each does the same five things; doing one twice changes nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headroomd.daemon.units import LABEL, UNIT, Unit, launchd_agent, program, remove, systemd_unit, write
from headroomd.errors import ConfigError
from headroomd.paths import Places, make_private

__all__ = ["Launchd", "Manager", "ServiceState", "Systemd", "manager"]

_TIMEOUT: Final = 90.0  # seconds: a stop may take TimeoutStopSec
_WITHOUT: Final = "run `headroomd run` from what starts your session (autostart, tmux, a container's command) instead"


@dataclass(frozen=True)
class ServiceState:
    """What the manager knows of the service."""

    installed: bool
    running: bool
    starts_by_itself: bool  # at login
    pid: int = 0
    said: str = ""  # what the service last said of itself, or why it failed


class Manager(ABC):
    """Installs, starts and stops the daemon as a service of this user."""

    title: str
    unit: Unit

    @abstractmethod
    def install(self) -> bool:
        """Put the unit in its place, start the service and have it start at every login; whether anything changed."""

    @abstractmethod
    def uninstall(self) -> bool:
        """Stop the service and take the unit away; whether there was one."""

    @abstractmethod
    def start(self) -> None:
        """Start it, if it does not run."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it until the next login or `start`."""

    @abstractmethod
    def state(self) -> ServiceState:
        """How it stands."""

    def _must_be_installed(self) -> None:
        if not self.unit.path.exists():
            raise ConfigError("the service is not installed", "`headroomd service install` installs and starts it")


class Systemd(Manager):
    """systemd --user."""

    title = "systemd"

    def __init__(self, variables: Mapping[str, str], home: Path) -> None:
        self.unit = systemd_unit(program(), variables, home)

    def install(self) -> bool:
        before = self.state()  # first of all, because it says where there is no systemd
        changed = write(self.unit)
        if changed:
            _run("systemctl", "--user", "daemon-reload")
        if not before.starts_by_itself:
            _run("systemctl", "--user", "enable", "--quiet", UNIT)
        _run("systemctl", "--user", "restart" if changed else "start", UNIT)
        return changed or not (before.running and before.starts_by_itself)

    def uninstall(self) -> bool:
        if self.state().installed:
            _run("systemctl", "--user", "disable", "--quiet", "--now", UNIT)
        removed = remove(self.unit.path)
        if removed:
            _run("systemctl", "--user", "daemon-reload")
        return removed

    def start(self) -> None:
        self._must_be_installed()
        _run("systemctl", "--user", "start", UNIT)

    def stop(self) -> None:
        self._must_be_installed()
        _run("systemctl", "--user", "stop", UNIT)

    def state(self) -> ServiceState:
        wanted = "LoadState,ActiveState,UnitFileState,MainPID,StatusText,Result"
        shown = _run("systemctl", "--user", "show", UNIT, f"--property={wanted}")
        values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        failed = values.get("ActiveState") == "failed" or values.get("Result", "success") != "success"
        why = f"it failed ({values.get('Result')}): journalctl --user -u {UNIT} shows why"
        return ServiceState(
            installed=values.get("LoadState") == "loaded",
            running=values.get("ActiveState") in ("active", "reloading"),
            starts_by_itself=values.get("UnitFileState") == "enabled",
            pid=int(values.get("MainPID") or 0),
            said=why if failed else values.get("StatusText", ""),
        )


class Launchd(Manager):
    """launchd, in the session of the user who is logged in."""

    title = "launchd"

    def __init__(self, variables: Mapping[str, str], home: Path, places: Places) -> None:
        self.unit = launchd_agent(program(), variables, home, places)
        self._logs = places.log.parent
        self._domain = f"gui/{os.getuid()}"
        self._target = f"{self._domain}/{LABEL}"

    def install(self) -> bool:
        make_private(self._logs)
        loaded = self._print() is not None
        changed = write(self.unit)
        if changed and loaded:
            _run("launchctl", "bootout", self._target)
        if changed or not loaded:
            _run("launchctl", "enable", self._target)
            _run("launchctl", "bootstrap", self._domain, str(self.unit.path))
        return changed or not loaded

    def uninstall(self) -> bool:
        if self._print() is not None:
            _run("launchctl", "bootout", self._target)
        return remove(self.unit.path)

    def start(self) -> None:
        self._must_be_installed()
        if self._print() is None:
            _run("launchctl", "bootstrap", self._domain, str(self.unit.path))
        else:
            _run("launchctl", "kickstart", self._target)

    def stop(self) -> None:
        self._must_be_installed()
        if self._print() is not None:  # a killed one would be started again
            _run("launchctl", "bootout", self._target)

    def state(self) -> ServiceState:
        shown = self._print() or ""
        pid = re.search(r"^\s*pid = (\d+)", shown, re.MULTILINE)
        ended = re.search(r"^\s*last exit code = ([1-9].*)", shown, re.MULTILINE)
        installed = self.unit.path.exists()
        said = f"it ended with status {ended[1]}" if ended and not pid else ""
        return ServiceState(installed, pid is not None, installed, int(pid[1]) if pid else 0, said)

    def _print(self) -> str | None:
        """What launchd knows of the agent; None where it is not loaded."""
        return _answer("launchctl", "print", self._target)


def manager(variables: Mapping[str, str] | None = None, home: Path | None = None) -> Manager:
    """The service manager of this machine. Raises ConfigError where there is none."""
    variables = os.environ if variables is None else variables
    home = home or Path.home()
    if sys.platform == "darwin":
        return Launchd(variables, home, Places.current(variables))
    if shutil.which("systemctl") is None:
        raise ConfigError("this machine has no systemd", _WITHOUT)
    return Systemd(variables, home)


def _run(*command: str) -> str:
    """The output of a command that must work. Raises ConfigError with its last line where it does not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"`{' '.join(command)}` did not work ({error})", "try it by hand") from error
    if done.returncode == 0:
        return done.stdout
    said = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()
    if any("bus" in line for line in said):
        raise ConfigError("this session has no systemd of its own (there is no user bus)", _WITHOUT)
    remedy = f"journalctl --user -u {UNIT} shows why" if command[0] == "systemctl" else "try it by hand"
    raise ConfigError(f"`{' '.join(command)}` did not work ({said[0]})", remedy)


def _answer(*command: str) -> str | None:
    """The output of a command that may fail: None."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
