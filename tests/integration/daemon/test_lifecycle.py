"""Starting, stopping, one instance, reloading: with a real process, socket and signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headroomd.agents.base import Environment
from headroomd.daemon.report import report
from tests.integration.daemon.conftest import Daemon, Sample
from tests.support.waiting import until


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket on which a service manager listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(20)
        yield listening


def heard(manager: socket.socket, wanted: str) -> list[str]:
    """What was told up to and with the first message that begins with `wanted`."""
    messages: list[str] = []
    deadline = time.monotonic() + 20
    while not messages or not messages[-1].startswith(wanted):
        assert time.monotonic() < deadline, messages
        messages.append(manager.recv(4096).decode())
    return messages


def test_starts_answers_and_stops(daemon: Daemon, manager: socket.socket) -> None:
    """READY=1 comes when the socket answers, WATCHDOG=1 while it works, STOPPING=1 at SIGTERM, then status 0."""
    daemon.launch(NOTIFY_SOCKET=manager.getsockname(), WATCHDOG_USEC="1000000")
    heard(manager, "READY=1")
    state = daemon.status()
    assert (state["pid"], state["mode"]) == (daemon.process and daemon.process.pid, "systemd")
    assert "STATUS=idle" in heard(manager, "WATCHDOG=1")
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 5
    heard(manager, "STOPPING=1")
    assert not daemon.places.socket.exists()


def test_socket_is_private(daemon: Daemon) -> None:
    """The socket is 0600 in a folder of 0700, and so is the ledger's."""
    daemon.start()
    assert stat.S_IMODE(daemon.places.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(daemon.places.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(daemon.places.ledger.stat().st_mode) == 0o600


def test_second_daemon_names_the_first(daemon: Daemon, home: Path) -> None:
    """It exits with status 3 and says who holds the lock; the first one goes on."""
    daemon.start()
    assert daemon.process is not None
    other = Daemon(home)
    other.log = home.parent / "other.log"
    assert other.launch().wait(20) == 3
    assert f"pid {daemon.process.pid}" in other.log.read_text()
    assert daemon.answers()


def test_killed_daemon_leaves_no_lock(daemon: Daemon) -> None:
    """After kill -9 the next one starts, removing the socket that was left."""
    daemon.start()
    assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    assert daemon.places.socket.exists()
    daemon.start()


def test_second_signal_ends_at_once(daemon: Daemon) -> None:
    """SIGTERM twice ends it even where it cannot finish: the exit status tells of the signal."""
    daemon.start()
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGSTOP)  # both signals arrive before it can act on the first
    daemon.process.send_signal(signal.SIGTERM)
    daemon.process.send_signal(signal.SIGINT)
    daemon.process.send_signal(signal.SIGCONT)
    assert daemon.process.wait(10) in (128 + signal.SIGTERM, 128 + signal.SIGINT)


def test_reload_takes_a_good_config(daemon: Daemon, sample: Sample) -> None:
    """SIGHUP makes a project enabled that was not: its block appears."""
    daemon.configure('quiet_period = "1s"\n')
    sample.play_all()
    daemon.start()
    until(lambda: daemon.status()["queue"]["done"] == len(sample.sessions))
    assert not sample.block
    daemon.configure(sample.enabled())
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: sample.block)
    (reloaded,) = daemon.events("config_reloaded")
    assert "project" in reloaded["changed"]


def test_reload_keeps_the_old_config_where_the_new_is_bad(daemon: Daemon) -> None:
    """SIGHUP and `reload` name what is wrong, in the log, in the answer and in `status`, until it is mended."""
    daemon.configure('quiet_period = "7m"\n')
    daemon.start()
    daemon.configure("quiet_periot = 1\n")
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    problem = until(lambda: daemon.problems().get("config"))
    assert "quiet_periot" in problem["cause"]
    assert "still in force" in problem["cause"]
    assert "did you mean quiet_period" in problem["remedy"]
    assert daemon.events("config_not_reloaded")
    with pytest.raises(Exception, match="quiet_periot"):
        daemon.ask("reload")
    daemon.configure('quiet_period = "8m"\n')
    assert daemon.ask("reload") == {"changed": ["quiet_period"]}
    assert "config" not in daemon.problems()


@pytest.mark.parametrize(
    "text",
    [
        "quiet_period = 'soon'\n",
        "[schedule]\nanalysis_cron = 'every noon'\n",
        "[schedule]\nanalysis_cron = '0 0 31 2 *'\n",
    ],
)
def test_bad_config_at_the_start(daemon: Daemon, text: str) -> None:
    """One line that names the key, and exit status 78, at which no service manager starts it again."""
    daemon.configure(text)
    assert daemon.launch().wait(20) == 78
    (line,) = daemon.log.read_text().splitlines()
    assert "quiet_period" in line or "analysis_cron" in line
    told = [problem for problem in report(daemon.places, Environment.current()).problems if problem.code == "config"]
    assert told[0].cause.startswith("the daemon did not start: ")
    daemon.configure("")
    daemon.start()
    daemon.stop()
    assert report(daemon.places, Environment.current()).problems == ()


def test_pause_survives_a_restart(daemon: Daemon, sample: Sample) -> None:
    """What is paused reads and writes nothing, after a restart too; `resume` lets it go on."""
    daemon.configure(sample.enabled())
    daemon.start()
    assert daemon.ask("pause") == {"paused": True}
    daemon.stop()
    sample.play_all()
    daemon.start()
    until(lambda: daemon.status()["queue"]["queued"] == len(sample.sessions))
    state = daemon.status()
    assert state["paused"]
    assert state["activity"] == "paused"
    assert not sample.block
    assert daemon.ask("resume") == {"paused": False}
    until(lambda: sample.block)


def test_run_now_reads_open_sessions(daemon: Daemon, sample: Sample) -> None:
    """`run-now` with wait comes back when what was open has been read and written; another project's is left."""
    daemon.configure(sample.enabled().replace('"1s"', '"1h"', 1))
    sample.play_all()
    daemon.start()
    until(lambda: daemon.status()["queue"]["open"] == len(sample.sessions))
    assert daemon.ask("run-now", wait=True)["files"] == len(sample.sessions)
    assert sample.block


def test_slow_clients_do_not_hold_others_up(daemon: Daemon) -> None:
    """A client that says nothing, and one that says nonsense, cost the others nothing."""
    daemon.start()
    silent = [socket.socket(socket.AF_UNIX) for _ in range(5)]
    for client in silent:
        client.connect(str(daemon.places.socket))
    began = time.monotonic()
    assert daemon.answers()
    assert time.monotonic() - began < 1
    for line, cause in (
        (b"hello\n", "not understood"),
        (b'{"v":9,"cmd":"ping"}\n', "protocol 9"),
        (b'{"cmd":"fly"}\n', "'fly'"),
    ):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(daemon.places.socket))
            client.sendall(line)
            reply = json.loads(client.makefile().readline())
        assert not reply["ok"]
        assert cause in reply["cause"]
    for client in silent:
        client.close()


def test_long_runtime_path(daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime folder whose path is too long for a socket is stood in for by a short one."""
    monkeypatch.setenv("HEADROOMD_RUNTIME_DIR", str(tmp_path / ("long" * 30)))
    daemon.places = type(daemon.places).current()
    daemon.start()
    assert len(os.fsencode(daemon.places.socket)) <= 100
    daemon.stop()
    daemon.places.socket.parent.rmdir()
