"""What the service managers are told, with stand-ins for systemctl and launchctl that write down what they hear."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headroomd.daemon.managers import Launchd, Manager, Systemd, manager
from headroomd.errors import ConfigError
from headroomd.paths import Places


class StandIn:
    """A program in front of all others on PATH; `answers` is shell that sees the arguments as "$*"."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._heard = folder / f"{name}.heard"

    def answers(self, script: str) -> None:
        path = self._folder / self._name
        path.write_text(f'#!/bin/sh\necho "$*" >>"{self._heard}"\ncase "$*" in\n{script}\nesac\n')
        path.chmod(0o755)

    def heard(self) -> list[str]:
        """What it was told since the last time, without the questions."""
        lines = self._heard.read_text().splitlines() if self._heard.exists() else []
        self._heard.unlink(missing_ok=True)
        return [line for line in lines if not line.startswith(("--user show", "print"))]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return programs


@pytest.fixture
def systemctl(folder: Path) -> StandIn:
    return StandIn(folder, "systemctl")


@pytest.fixture
def launchctl(folder: Path) -> StandIn:
    return StandIn(folder, "launchctl")


def shown(**properties: str) -> str:
    """How systemctl shows a unit."""
    lines = "\\n".join(f"{name}={value}" for name, value in properties.items())
    return f'*show*) printf "{lines}\\n";;'


RUNNING = shown(LoadState="loaded", ActiveState="active", UnitFileState="enabled", MainPID="77", StatusText="idle")
ABSENT = shown(LoadState="not-found", ActiveState="inactive", MainPID="0", Result="success")
FAILED = shown(LoadState="loaded", ActiveState="failed", UnitFileState="enabled", Result="exit-code")


def test_systemd_is_told_once(systemctl: StandIn, home: Path) -> None:
    """Installing again where everything is as it should be only makes sure that it runs."""
    service: Manager = Systemd({"PATH": "/bin"}, home)
    systemctl.answers(ABSENT)
    assert service.install()
    assert systemctl.heard() == [
        "--user daemon-reload",
        "--user enable --quiet headroomd.service",
        "--user restart headroomd.service",
    ]
    systemctl.answers(RUNNING)
    assert not service.install()
    assert systemctl.heard() == ["--user start headroomd.service"]
    state = service.state()
    assert (state.installed, state.running, state.starts_by_itself, state.pid, state.said) == (
        *(True, True, True),
        *(77, "idle"),
    )


def test_a_new_path_restarts_the_service(systemctl: StandIn, home: Path) -> None:
    """Another installation or PATH makes another unit."""
    systemctl.answers(RUNNING)
    Systemd({"PATH": "/bin"}, home).install()
    systemctl.heard()
    assert Systemd({"PATH": "/usr/bin"}, home).install()
    assert "--user restart headroomd.service" in systemctl.heard()


def test_a_failed_service_says_where_to_look(systemctl: StandIn, home: Path) -> None:
    """The journal knows why."""
    systemctl.answers(FAILED)
    state = Systemd({}, home).state()
    assert not state.running
    assert "journalctl --user -u headroomd.service" in state.said


def test_uninstalling_takes_the_unit_away(systemctl: StandIn, home: Path) -> None:
    """It is stopped first; a second time there is nothing to do."""
    service = Systemd({}, home)
    systemctl.answers(RUNNING)
    service.install()
    systemctl.heard()
    assert service.uninstall()
    assert systemctl.heard() == ["--user disable --quiet --now headroomd.service", "--user daemon-reload"]
    systemctl.answers(ABSENT)
    assert not service.uninstall()
    assert systemctl.heard() == []


def test_a_session_without_a_bus_is_one_line(systemctl: StandIn, home: Path) -> None:
    """With what to do instead, before anything is written."""
    systemctl.answers('*) echo "Failed to connect to bus: No medium found" >&2; exit 1;;')
    service = Systemd({}, home)
    with pytest.raises(ConfigError, match=r"no systemd of its own.*`headroomd run`"):
        service.install()
    assert not service.unit.path.exists()


def test_a_machine_without_systemd_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A container, or another init."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="this machine has no systemd"):
        manager()


@pytest.mark.parametrize("service", ["systemd", "launchd"])
@pytest.mark.parametrize("action", ["start", "stop"])
def test_what_is_not_installed_cannot_be_started(
    systemctl: StandIn, launchctl: StandIn, home: Path, service: str, action: str
) -> None:
    """The command that installs it is named."""
    systemctl.answers(ABSENT)
    launchctl.answers("*) exit 1;;")
    chosen: Manager = Systemd({}, home) if service == "systemd" else Launchd({}, home, Places.current())
    with pytest.raises(ConfigError, match="headroomd service install"):
        getattr(chosen, action)()


def test_launchd_is_told_once(launchctl: StandIn, home: Path) -> None:
    """Bootstrapped when it is not loaded, booted out before a changed agent is loaded again."""
    service = Launchd({"PATH": "/bin"}, home, Places.current())
    domain = f"gui/{os.getuid()}"
    launchctl.answers("print*) exit 113;;")
    assert service.install()
    assert launchctl.heard() == [f"enable {domain}/dev.headroomd", f"bootstrap {domain} {service.unit.path}"]
    assert not service.state().running

    launchctl.answers('print*) printf "\\tstate = running\\n\\tpid = 77\\n";;')
    assert not service.install()
    assert launchctl.heard() == []
    assert (service.state().running, service.state().pid) == (True, 77)

    changed = Launchd({"PATH": "/usr/bin"}, home, Places.current())
    assert changed.install()
    assert launchctl.heard()[0] == f"bootout {domain}/dev.headroomd"
    changed.start()
    assert launchctl.heard() == [f"kickstart {domain}/dev.headroomd"]
    changed.stop()
    assert changed.uninstall()
    assert launchctl.heard() == [f"bootout {domain}/dev.headroomd"] * 2
    assert not service.unit.path.exists()


def test_an_agent_that_ended_badly_says_so(launchctl: StandIn, home: Path) -> None:
    """By its exit status."""
    launchctl.answers('print*) printf "\\tstate = waiting\\n\\tlast exit code = 78: EX_CONFIG\\n";;')
    assert "78" in Launchd({}, home, Places.current()).state().said
