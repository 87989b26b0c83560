"""The service files: what they say, and that a service manager takes them."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headroomd.daemon.units import UNIT, Unit, launchd_agent, program, remove, systemd_unit, write
from headroomd.errors import ConfigError
from headroomd.paths import Places

HOME = Path("/home/sam")


def unit(command: list[str] | None = None, **variables: str) -> str:
    return systemd_unit(command or program(), variables, HOME).text.decode()


def test_the_program_is_named_by_absolute_path() -> None:
    """A service manager has another PATH and another current folder."""
    command = program()
    assert Path(command[0]).is_absolute()
    assert command[1:] == ["-P", "-m", "headroomd", "run"]


@pytest.mark.parametrize(
    "line",
    [
        *("Type=notify", "WatchdogSec=120", "ExecReload=/bin/kill -HUP $MAINPID", "Restart=on-failure"),
        *("RestartPreventExitStatus=78", "KillMode=mixed", "Nice=10", "CPUSchedulingPolicy=idle"),
        *("IOSchedulingClass=idle", "NoNewPrivileges=yes", "WantedBy=default.target"),
    ],
)
def test_the_unit_is_a_quiet_notifying_one(line: str) -> None:
    """What the service relies on is in the unit."""
    assert line in unit().splitlines()


@pytest.mark.parametrize(
    "setting", ["ProtectHome", "PrivateTmp", "UMask", "MemoryDenyWriteExecute", "RuntimeDirectory"]
)
def test_the_unit_has_no_setting_that_breaks_it(setting: str) -> None:
    """These either fail in user units or change what headroomd writes (docs/decisions/008)."""
    assert not any(line.startswith(f"{setting}=") for line in unit().splitlines())


def test_words_are_quoted_as_systemd_reads_them() -> None:
    """Blanks, quotes, %, $ and backslashes in a path mean themselves."""
    text = unit(['/opt/my py/100%/$x/"q"\\b'])
    assert 'ExecStart="/opt/my py/100%%/$$x/\\"q\\"\\\\b"' in text


def test_folders_and_path_are_carried_and_keys_are_not() -> None:
    """The service finds the same sessions and programs; no secret gets into a file that others read."""
    text = unit(PATH="/opt/bin:/bin", CODEX_HOME="/srv/codex", ANTHROPIC_API_KEY="sk-secret", LANG="C")
    assert 'Environment="PATH=/opt/bin:/bin"\nEnvironment="CODEX_HOME=/srv/codex"' in text
    assert "secret" not in text
    assert "LANG" not in text


def test_a_line_break_cannot_add_a_setting() -> None:
    """A variable with control characters is refused."""
    with pytest.raises(ConfigError, match="cannot stand in a unit file"):
        unit(PATH="/bin\nExecStartPre=/bin/evil")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    """`systemd-analyze verify` accepts the rendered unit without a word."""
    path = tmp_path / UNIT
    path.write_text(unit(PATH="/usr/bin:/bin"))
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_goes_to_the_users_folder() -> None:
    """XDG_CONFIG_HOME moves it."""
    assert systemd_unit(program(), {}, HOME).path == HOME / ".config/systemd/user" / UNIT
    moved = systemd_unit(program(), {"XDG_CONFIG_HOME": "/srv/conf"}, HOME).path
    assert moved == Path("/srv/conf/systemd/user") / UNIT


def test_the_agent_is_a_quiet_one_that_comes_back(tmp_path: Path) -> None:
    """launchd starts it at login, again after a failure, and at low priority; the file reads back as it was meant."""
    places = Places(tmp_path, tmp_path / "c.toml", tmp_path, tmp_path / "log/headroomd.log")
    made = launchd_agent(["/opt/py <3>", "run"], {"PATH": "/opt/bin", "OPENAI_API_KEY": "sk-secret"}, HOME, places)
    assert made.path == HOME / "Library/LaunchAgents/dev.headroomd.plist"
    agent = plistlib.loads(made.text)
    assert agent == {
        "Label": "dev.headroomd",
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "ExitTimeOut": 30,
        "ProcessType": "Background",
        "LowPriorityIO": True,
        "LowPriorityBackgroundIO": True,
        "Nice": 10,
        "ProgramArguments": ["/opt/py <3>", "run"],
        "EnvironmentVariables": {"PATH": "/opt/bin"},
        "StandardErrorPath": str(tmp_path / "log/headroomd.log"),
    }


def test_writing_twice_writes_once(tmp_path: Path) -> None:
    """An unchanged unit is left alone, another one takes its place, and nothing else stays behind."""
    path = tmp_path / "a/b" / UNIT
    assert write(Unit(path, b"one"))
    assert not write(Unit(path, b"one"))
    assert write(Unit(path, b"two"))
    assert path.read_bytes() == b"two"
    assert [one.name for one in path.parent.iterdir()] == [UNIT]
    assert remove(path)
    assert not remove(path)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """The error names the file."""
    (tmp_path / "a").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be written"):
        write(Unit(tmp_path / "a/b" / UNIT, b""))
