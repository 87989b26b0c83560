"""What systems do to daemons: no room for watches, full disks, read-only projects, damaged ledgers, lost events.

Limits and mounts are real, in namespaces of their own, so that nothing of the machine changes.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest

from headroomd.ledger import Ledger
from tests.integration.daemon.conftest import Daemon, Sample
from tests.integration.daemon.test_learning import LESSON
from tests.support.waiting import until


def _works(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


UNSHARE = ("unshare", "--map-root-user", "--mount", "sh", "-ec")
namespaces = pytest.mark.skipif(
    not _works(*UNSHARE, "mount -t tmpfs none /mnt"), reason="no user and mount namespaces here (unshare)"
)


def inside(script: str) -> tuple[str, ...]:
    """A wrapper that runs a command in namespaces of its own, after `script`."""
    return (*UNSHARE, script + '; exec "$@"', "sh")


@namespaces
@pytest.mark.parametrize(
    ("limit", "code", "sysctl"),
    [
        ("user/max_inotify_watches", "inotify-watches", "fs.inotify.max_user_watches"),
        ("user/max_inotify_instances", "inotify-instances", "fs.inotify.max_user_instances"),
    ],
)
def test_no_room_for_watches(daemon: Daemon, sample: Sample, limit: str, code: str, sysctl: str) -> None:
    """It polls, says so with the setting to change, and learns all the same."""
    sample.claude.mkdir(parents=True)
    daemon.configure(sample.enabled())
    daemon.start(*inside(f"echo 0 > /proc/sys/{limit}"))
    problem = daemon.problems()[code]
    assert sysctl in problem["cause"]
    assert f"sysctl {sysctl}=" in problem["remedy"]
    (claude,) = [agent for agent in daemon.status()["agents"] if agent["name"] == "claude"]
    assert claude["roots"][0]["watching"] == "polling"
    assert sysctl in claude["roots"][0]["reason"]
    sample.play_all()
    until(lambda: LESSON in sample.block, 60)


def fill_up(path: Path) -> None:
    """Write until there is no room."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass


@namespaces
def test_full_disk_under_the_ledger(daemon: Daemon, sample: Sample) -> None:
    """It says so and goes on when there is room again; nothing is lost."""
    state = daemon.places.state
    state.mkdir(parents=True)
    ballast = state / "ballast"
    fill = f"mount -t tmpfs -o size=2m none {state}; dd if=/dev/zero of={ballast} bs=64k count=24 2>/dev/null"
    daemon.configure(sample.enabled(sweep_interval="1s"))
    daemon.start(*inside(fill))
    assert daemon.process is not None
    view = Path(f"/proc/{daemon.process.pid}/root{ballast}")
    fill_up(view.with_name("rest"))
    sample.play_all()
    problem = until(lambda: daemon.problems().get("disk-full"))
    assert "make room" in problem["remedy"]
    view.unlink()
    until(lambda: LESSON in sample.block, 60)
    until(lambda: "disk-full" not in daemon.problems(), 60)


READ_ONLY = "mount --bind {0} {0}; mount -o remount,ro,bind {0}"
FULL = "cp -r {0} {1}; mount -t tmpfs -o size=64k none {0}; cp -r {1}/. {0}; dd if=/dev/zero of={0}/x 2>/dev/null || :"


@namespaces
@pytest.mark.parametrize(
    ("mount", "code", "words"), [(READ_ONLY, "target", "read-only"), (FULL, "disk-full", "space")], ids=["ro", "full"]
)
def test_a_project_that_cannot_be_written(
    daemon: Daemon, sample: Sample, tmp_path: Path, mount: str, code: str, words: str
) -> None:
    """It is named with its remedy, and what it teaches is kept."""
    daemon.configure(sample.enabled())
    sample.play_all()
    daemon.start(*inside(mount.format(sample.project, tmp_path / "copy")))
    problem = until(lambda: daemon.problems().get(code))
    assert words in problem["cause"] + problem["remedy"]
    assert str(sample.project) in problem["cause"]
    assert not sample.block
    assert daemon.status()["queue"]["done"] == len(sample.sessions)


def test_damaged_ledger(daemon: Daemon) -> None:
    """It is never deleted: one line says what to do with it, and the exit status is 1."""
    daemon.places.state.mkdir(parents=True)
    daemon.places.ledger.write_bytes(b"not a database, but long enough to be looked at" * 100)
    assert daemon.launch().wait(20) == 1
    (line,) = daemon.log.read_text().splitlines()
    assert "damaged" in line
    assert "move it away" in line
    assert daemon.places.ledger.read_bytes().startswith(b"not a database")


def test_ledger_of_a_newer_version(daemon: Daemon) -> None:
    """It is left alone, and the line says to update."""
    daemon.places.state.mkdir(parents=True)
    with Ledger.open(daemon.places.ledger) as ledger:
        ledger._connection.execute("PRAGMA user_version = 999")
    assert daemon.launch().wait(20) == 1
    assert "newer headroomd" in daemon.log.read_text()
    assert "update headroomd" in daemon.log.read_text()


def test_a_root_that_goes_and_comes_back(daemon: Daemon, sample: Sample) -> None:
    """A folder that is replaced by another of the same name is watched again."""
    daemon.configure(sample.enabled())
    sample.play(sample.sessions[0])
    daemon.start()
    until(daemon.is_at_rest)
    shutil.rmtree(sample.claude)
    until(lambda: _watching(daemon) == "absent")
    sample.claude.mkdir()
    until(lambda: _watching(daemon) == "watching")
    sample.play_all()
    until(lambda: LESSON in sample.block)


def test_roots_that_are_links(daemon: Daemon, sample: Sample, tmp_path: Path) -> None:
    """Folders kept elsewhere (dotfiles) are watched where they are, and known by their usual name."""
    elsewhere = tmp_path / "dotfiles"
    elsewhere.mkdir()
    sample.claude.parent.mkdir(exist_ok=True)
    sample.claude.symlink_to(elsewhere)
    daemon.configure(sample.enabled(sweep_interval="1h"))
    daemon.start()
    until(lambda: _watching(daemon) == "watching")
    sample.play_all()
    until(lambda: LESSON in sample.block)


def _watching(daemon: Daemon) -> str:
    (claude,) = [agent for agent in daemon.status()["agents"] if agent["name"] == "claude"]
    return str(claude["roots"][0]["watching"])
