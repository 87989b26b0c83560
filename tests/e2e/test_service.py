"""`headroomd service` under a real systemd of the user's own, started in a mount namespace for the occasion."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import until

UNIT = "headroomd.service"

# systemd wants a machine that was booted with it and a cgroup of its own; the namespace shows it both.
_MANAGER = """
set -e
mkdir -p /run/systemd
mount -t tmpfs none /run/systemd
mkdir /run/systemd/system
mount -t tmpfs none /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
own=/sys/fs/cgroup/headroomd-test-$$
mkdir $own
echo $$ > $own/cgroup.procs
set +e
/lib/systemd/systemd --user
echo $$ > /sys/fs/cgroup/cgroup.procs
find $own -depth -type d -exec rmdir {} +
"""


class User:
    """Somebody whose session has a systemd."""

    def __init__(self, manager: subprocess.Popen[bytes], environment: dict[str, str]) -> None:
        self._manager = manager
        self._environment = environment

    def runs(self, *command: str) -> subprocess.CompletedProcess[str]:
        inside = ["nsenter", "--mount", "--target", str(self._manager.pid), "--", *command]
        return subprocess.run(
            inside, env=self._environment, capture_output=True, text=True, check=False, timeout=60, cwd="/"
        )

    def headroomd(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.runs(sys.executable, "-P", "-m", "headroomd", *arguments)

    def shows(self, name: str) -> str:
        """A property of the service."""
        return self.runs("systemctl", "--user", "show", UNIT, f"--property={name}", "--value").stdout.strip()


@pytest.fixture
def user(home: Path) -> Iterator[User]:
    """A user manager that is gone afterwards, with all that it started."""
    needed = ("unshare", "nsenter", "systemctl")
    if sys.platform != "linux" or not Path("/lib/systemd/systemd").exists() or not all(map(shutil.which, needed)):
        pytest.skip("systemd and util-linux are needed")
    if os.geteuid() != 0:
        pytest.skip("mounting a cgroup for a systemd of its own needs root")
    runtime = tempfile.mkdtemp(prefix="hd-", dir="/tmp")  # sockets have short paths
    environment = {**os.environ, "XDG_RUNTIME_DIR": runtime, "HOME": str(home)}
    environment.pop("DBUS_SESSION_BUS_ADDRESS", None)
    manager = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", _MANAGER],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    user = User(manager, environment)
    try:
        until(lambda: manager.poll() is not None or (Path(runtime) / "systemd/private").exists(), 10)
        if manager.poll() is not None:
            pytest.skip("no cgroup can be mounted here for a systemd of its own")
        yield user
    finally:
        user.runs("systemctl", "--user", "exit")
        try:
            manager.wait(30)
        except subprocess.TimeoutExpired:
            manager.send_signal(signal.SIGKILL)
            manager.wait()
        shutil.rmtree(runtime, ignore_errors=True)


def test_it_is_installed_runs_reloads_stops_and_goes(user: User, home: Path) -> None:
    """Type=notify is kept: systemd calls the service active when it is ready; every command can be repeated."""
    done = user.headroomd("service", "install")
    assert done.returncode == 0, done.stderr
    assert user.shows("ActiveState") == "active"
    assert (user.shows("UnitFileState"), user.shows("Type")) == ("enabled", "notify")
    status = json.loads(user.headroomd("status", "--json").stdout)
    pid = user.shows("MainPID")
    assert (status["state"], status["daemon"]["started_by"], str(status["daemon"]["pid"])) == (
        "running",
        "systemd",
        pid,
    )
    until(lambda: user.shows("StatusText") == "idle")

    again = user.headroomd("service", "install")
    assert "installed and running already" in again.stdout
    assert user.shows("MainPID") == pid
    assert user.runs("systemctl", "--user", "reload", UNIT).returncode == 0
    assert (user.shows("ActiveState"), user.shows("MainPID")) == ("active", pid)

    assert user.headroomd("service", "stop").returncode == 0
    assert (user.shows("ActiveState"), user.shows("Result")) == ("inactive", "success")
    assert "not running" in user.headroomd("service", "status").stdout
    assert user.headroomd("service", "start").returncode == 0
    assert "running (pid" in user.headroomd("service", "status").stdout
    assert user.headroomd("service", "uninstall").returncode == 0
    assert not (home / ".config/systemd/user" / UNIT).exists()
    assert user.shows("ActiveState") == "inactive"
    assert "not installed" in user.headroomd("service", "uninstall").stdout


def test_a_wrong_config_is_not_tried_again_and_again(user: User, home: Path) -> None:
    """Exit status 78 ends it, with a line in the journal; a daemon that was killed is started again."""
    assert user.headroomd("service", "install").returncode == 0
    assert user.headroomd("service", "stop").returncode == 0
    config = home / ".config/headroomd/config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text('quiet_period = "soon"\n')
    started = user.headroomd("service", "start")
    assert (started.returncode, len(started.stderr.splitlines())) == (1, 1)
    until(lambda: user.shows("ActiveState") == "failed")
    assert (user.shows("ExecMainStatus"), user.shows("NRestarts")) == ("78", "0")

    config.unlink()
    assert user.headroomd("service", "start").returncode == 0
    pid = user.shows("MainPID")
    os.kill(int(pid), signal.SIGKILL)
    until(lambda: user.shows("ActiveState") == "active" and user.shows("MainPID") not in ("0", pid))
    assert user.shows("NRestarts") == "1"
