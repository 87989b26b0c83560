"""What a person types while a daemon runs, and where none does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headroomd.daemon.lock import InstanceLock
from headroomd.paths import make_private
from tests.integration.analysis.test_learn_with_model import Transcript, saying
from tests.integration.daemon.conftest import START, Daemon, Sample
from tests.support.model_server import ModelServer
from tests.support.waiting import until


def headroomd(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headroomd", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def status() -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(headroomd("status", "--json").stdout)
    return shown


def has_read(daemon: Daemon) -> bool:
    """Whether it has looked through all folders and read everything that it found there."""
    return bool(daemon.status()["last_sweep"]) and daemon.is_at_rest()


def test_status_of_a_running_daemon(daemon: Daemon, sample: Sample) -> None:
    """Its own word: pid, what it watches, the queue and what comes next."""
    sample.play_all()
    daemon.configure(sample.enabled())
    daemon.start()
    until(lambda: has_read(daemon))
    shown = status()
    assert daemon.process is not None
    assert (shown["state"], shown["daemon"]["pid"]) == ("running", daemon.process.pid)
    assert shown["daemon"]["started_by"] == "manual"
    watching = {agent["name"]: [folder["watching"] for folder in agent["folders"]] for agent in shown["agents"]}
    assert watching["claude"] == ["watching"]
    assert watching["gemini"] == ["absent"]
    assert shown["queue"]["done"] + shown["queue"]["nothing"] == len(sample.sessions)
    assert {"sweep", "analysis", "revalidation"} <= set(shown["next_runs"])
    assert str(sample.project / "CLAUDE.md") in [write["path"] for write in shown["written"]]
    screen = headroomd("status").stdout
    assert screen.startswith("● headroomd is running: idle\n")
    assert max(map(len, screen.splitlines())) <= 80, screen


def test_enabling_has_a_running_daemon_write(daemon: Daemon, sample: Sample) -> None:
    """Without a further command; disabling has it stop."""
    sample.play_all()
    daemon.configure('quiet_period = "1s"\n')
    daemon.start()
    until(lambda: has_read(daemon))
    assert sample.block == ""
    done = headroomd("enable", sample.project)
    assert "The daemon has taken it over" in done.stdout
    until(lambda: sample.block)
    done = headroomd("disable", sample.project)
    assert "The daemon has taken it over" in done.stdout
    assert sample.block.startswith(START)


def test_run_now_through_the_daemon(daemon: Daemon, sample: Sample) -> None:
    """--wait tells what was done; without it the command returns at once."""
    daemon.configure(sample.enabled().replace('"1s"', '"1h"'))
    daemon.start()
    sample.play_all()
    done = headroomd("run-now", "--project", sample.project, "--wait", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told) == {"version", "command", "done", "queued", "problems"}
    assert str(sample.project / "CLAUDE.md") in told["done"]["written"]
    assert sample.block
    done = headroomd("run-now")
    assert done.stdout.startswith("The daemon has nothing new to read")


@pytest.mark.parametrize("with_daemon", [True, False])
def test_run_now_asks_the_llm_and_waits_for_it(
    daemon: Daemon, sample: Sample, monkeypatch: pytest.MonkeyPatch, *, with_daemon: bool
) -> None:
    """About enabled projects only; what it teaches is in the block when the command returns."""
    monkeypatch.delenv("HEADROOMD_ANALYSIS__MODEL")
    sample.play_all()
    words = Transcript(daemon.home, sample.project, "words")
    words.said("From now on use pnpm, not npm, in web/.")
    with ModelServer(reply=saying("Use `pnpm`, not `npm`, in `web/`.", "pnpm")) as model:
        llm = f'[analysis]\nmodel = "ollama/tiny"\nbase_url = "{model.url}/v1"\n'
        daemon.configure(llm)
        if with_daemon:
            daemon.start()
        assert headroomd("run-now", "--wait").returncode == 0
        assert model.received == []
        headroomd("enable", sample.project)
        done = headroomd("run-now", "--wait")
        assert (done.returncode, done.stderr) == (0, "")
        assert model.received
    assert "Use `pnpm`, not `npm`" in sample.block


def test_what_learn_has_read_is_seen_to(daemon: Daemon, sample: Sample) -> None:
    """`headroomd learn` for another project reads this one's sessions, too: what waits here is told all the same."""
    other = sample.project.parent / "other"
    (other / ".git").mkdir(parents=True)
    sample.play_all()
    headroomd("learn", "--model", "none", "--project", other)
    (before,) = [one for one in status()["projects"] if one["path"] == str(sample.project)]
    assert before["active"] == 0
    daemon.start()
    until(lambda: [one for one in status()["projects"] if one["active"]])
    assert sample.block == ""


def test_pause_resume_and_reload(daemon: Daemon, sample: Sample) -> None:
    """Each says what holds from now on."""
    daemon.configure(sample.enabled())
    daemon.start()
    assert headroomd("pause").returncode == 0
    assert status()["state"] == "paused"
    assert headroomd("status").stdout.startswith("● headroomd is paused\n")
    assert headroomd("resume").returncode == 0
    assert status()["state"] == "running"
    daemon.configure(sample.enabled(sweep_interval="7m"))
    assert "sweep_interval" in headroomd("reload").stdout
    daemon.configure("sweep_intervall = 3\n")
    done = headroomd("reload")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the config from before is still in force: did you mean sweep_interval?" in done.stderr
    assert "config" in {problem["code"] for problem in status()["problems"]}


@pytest.mark.parametrize("command", ["pause", "resume", "reload"])
def test_without_a_daemon_there_is_nobody_to_tell(command: str) -> None:
    """One line with what starts one, status 1."""
    done = headroomd(command)
    assert (done.returncode, done.stdout) == (1, "")
    expected = "headroomd: no daemon is running: `headroomd service start` or `headroomd run` starts one\n"
    assert done.stderr == expected


def test_run_now_without_a_daemon_does_the_work_itself(sample: Sample, daemon: Daemon) -> None:
    """Open sessions too; a second time there is nothing to do; the daemon that starts next reads nothing twice."""
    sample.play_all()
    daemon.configure(sample.enabled())
    done = headroomd("run-now")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Wrote ~/code/lighthouse/CLAUDE.md" in done.stdout
    assert sample.block
    assert "Nothing to write" in headroomd("run-now").stdout
    daemon.start()
    until(lambda: has_read(daemon))
    assert all(event["files"] == 0 for event in daemon.events("run_done"))


def test_run_now_names_what_could_not_be_done(sample: Sample, daemon: Daemon) -> None:
    """One line a problem, status 1; the other files get their block."""
    sample.play_all()
    daemon.configure(sample.enabled())
    (sample.project / "CLAUDE.md").write_text(f"{START}\nno end\n")
    done = headroomd("run-now")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "CLAUDE.md" in line


def test_run_now_beside_one_that_holds_the_lock(daemon: Daemon) -> None:
    """Status 3, and who it is; nothing is read."""
    make_private(daemon.places.state)
    with InstanceLock(daemon.places.lock):
        done = headroomd("run-now")
        assert (done.returncode, done.stdout) == (3, "")
        assert f"pid {os.getpid()}" in done.stderr


def test_status_beside_one_that_does_not_answer(daemon: Daemon, tmp_path: Path) -> None:
    """It holds the lock and has no socket: that is said, with its pid."""
    make_private(daemon.places.state)
    code = (
        "import sys, time; from pathlib import Path; from headroomd.daemon.lock import InstanceLock;"
        f"lock = InstanceLock(Path({str(daemon.places.lock)!r})).acquire(); print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert status()["state"] == "unresponsive"
        assert headroomd("status").stdout.startswith(f"● headroomd is at work (pid {other.pid}) and does not answer")
        other.terminate()
    assert status()["state"] == "stopped"


def test_a_wrong_config_ends_run_with_78(daemon: Daemon) -> None:
    """The service manager then does not start it again and again."""
    daemon.configure("blok_limit = 3\n")
    done = headroomd("run")
    assert done.returncode == 78
    assert len(done.stderr.splitlines()) == 1
