"""From a session's end to the block in the project: with a real daemon, real files and real events."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import zstandard

from headroomd.agents.codex import _thread_of
from headroomd.cli.demo import lay_out
from headroomd.ledger import Ledger, Status
from tests.integration.daemon.conftest import Daemon, Sample
from tests.support.waiting import until

LESSON = "lighthouse/core/tides.py"


def calls(daemon: Daemon) -> int:
    """Distinct calls that are known, as the ledger counts them."""
    with Ledger.open(daemon.places.ledger, read_only=True) as ledger:
        return ledger.facts.totals().calls


def test_closed_sessions_become_a_block(daemon: Daemon, sample: Sample) -> None:
    """Sessions that are written while the daemon runs, into folders that did not exist when it started."""
    daemon.configure(sample.enabled())
    daemon.start()
    assert {root["watching"] for agent in daemon.status()["agents"] for root in agent["roots"]} == {"absent"}
    sample.play_all()
    until(lambda: LESSON in sample.block)
    until(daemon.is_at_rest)
    state = daemon.status()
    (claude,) = [agent for agent in state["agents"] if agent["name"] == "claude"]
    assert claude["roots"][0]["watching"] == "watching"
    assert claude["last_event"] > 0
    assert str(sample.project / "CLAUDE.md") in state["last_run"]["written"]
    assert not state["problems"]


@pytest.mark.parametrize("settings", [None, 'mode = "review"\n', "enabled = false\n"])
def test_a_project_that_was_not_enabled_is_untouched(daemon: Daemon, sample: Sample, settings: str | None) -> None:
    """Its sessions are read and its lessons known, and not a byte of it changes; nor in review mode."""
    before = {path: path.read_bytes() for path in sample.project.rglob("*") if path.is_file()}
    daemon.configure('quiet_period = "1s"\n' if settings is None else sample.enabled() + settings)
    sample.play_all()
    daemon.start()
    until(lambda: daemon.status()["queue"]["done"] == len(sample.sessions))
    until(daemon.is_at_rest)
    assert daemon.status()["last_run"]["projects"] == [str(sample.project)]
    assert {path: path.read_bytes() for path in sample.project.rglob("*") if path.is_file()} == before
    with Ledger.open(daemon.places.ledger, read_only=True) as ledger:
        assert ledger.learnings.of_project(str(sample.project), Status.ACTIVE)


def test_a_session_that_grows_is_read_on(daemon: Daemon, sample: Sample) -> None:
    """Closed in the middle, it is opened again when it grows, and read from where it was read to."""
    daemon.configure(sample.enabled())
    daemon.start()
    for session in sample.sessions:
        half = len(session.read_bytes().splitlines()) // 2
        sample.play(session, 0, half)
    until(lambda: daemon.status()["last_run"] and daemon.is_at_rest())
    before = calls(daemon)
    for session in sample.sessions:
        half = len(session.read_bytes().splitlines()) // 2
        sample.play(session, half)
    until(lambda: LESSON in sample.block)
    until(daemon.is_at_rest)
    assert calls(daemon) == 16 > before


def test_an_open_session_waits_and_its_end_closes_it(daemon: Daemon, sample: Sample, home: Path) -> None:
    """What Codex has open is not closed by silence; when the lock is given back it closes at once."""
    shutil.rmtree(sample.project)
    lay_out(home)
    shutil.rmtree(home / ".claude")
    shutil.rmtree(home / ".gemini")
    rollouts = list((home / ".codex/sessions").rglob("rollout-*.jsonl"))
    locks = home / ".codex/thread-writer-locks"
    locks.mkdir()
    held = [(locks / f"{_thread_of(rollout)}.lock").open("w") for rollout in rollouts]
    for lock in held:
        fcntl.flock(lock, fcntl.LOCK_EX)
    daemon.configure(sample.enabled().replace('"1s"', '"10ms"', 1))
    daemon.start()
    until(lambda: daemon.status()["queue"]["open"] == len(rollouts))
    assert daemon.ask("reload") == {"changed": []}
    assert daemon.status()["queue"]["open"] == len(rollouts)
    daemon.configure(sample.enabled().replace('"1s"', '"1h"', 1))
    daemon.ask("reload")
    for lock in held:
        lock.close()
    until(lambda: daemon.is_at_rest() and daemon.status()["queue"]["done"])
    assert daemon.status()["last_run"]["files"] == len(rollouts)


def test_files_that_change_otherwise(daemon: Daemon, sample: Sample) -> None:
    """Rewritten, truncated, renamed, copied, compressed, deleted: every call still counts once."""
    daemon.configure(sample.enabled())
    daemon.start()
    sample.play_all()
    until(lambda: LESSON in sample.block)
    until(daemon.is_at_rest)
    first, second, third, fourth = (sample.path(session) for session in sample.sessions)
    data = first.read_bytes()
    first.write_bytes(b"".join(reversed(data.splitlines(keepends=True))))
    second.rename(second.with_name("0e1f0a5c-1111-4222-8333-444455556666.jsonl"))
    shutil.copy(third, third.with_name("0e1f0a5c-2222-4222-8333-444455556666.jsonl"))
    os.truncate(fourth, 100)
    third.unlink()
    until(lambda: {agent["name"]: agent for agent in daemon.status()["agents"]} and daemon.is_at_rest())
    daemon.ask("run-now", wait=True)
    assert calls(daemon) == 16
    assert LESSON in sample.block
    first.write_bytes(data)
    daemon.ask("run-now", wait=True)
    assert calls(daemon) == 16


def test_a_compressed_session_counts_once(daemon: Daemon, sample: Sample, home: Path) -> None:
    """Codex compresses old rollouts: a new file, the same calls."""
    lay_out(home)
    shutil.rmtree(home / ".claude")
    shutil.rmtree(home / ".gemini")
    daemon.configure(sample.enabled())
    daemon.start()
    until(lambda: daemon.is_at_rest() and daemon.status()["queue"]["done"])
    before = calls(daemon)
    rollouts = list((home / ".codex/sessions").rglob("rollout-*.jsonl"))
    for rollout in rollouts:
        rollout.with_suffix(".jsonl.zst").write_bytes(zstandard.compress(rollout.read_bytes()))
        rollout.unlink()
    until(lambda: daemon.status()["queue"]["done"] + daemon.status()["queue"]["nothing"] == len(rollouts))
    daemon.ask("run-now", wait=True)
    assert calls(daemon) == before


def test_kill_and_restart_counts_everything_once(daemon: Daemon, sample: Sample) -> None:
    """Killed while sessions are being written and read, it ends where an undisturbed run does."""
    daemon.configure(sample.enabled(sweep_interval="1s"))
    for part in range(4):
        daemon.start()
        for session in sample.sessions:
            sample.play(session, part * 5, part * 5 + 5)
        if part < 3:
            until(lambda: daemon.status()["last_run"] or daemon.status()["queue"]["open"])
            daemon.stop(signal.SIGKILL)
    until(lambda: LESSON in sample.block)
    until(daemon.is_at_rest)
    assert calls(daemon) == 16
    text = (sample.project / "CLAUDE.md").read_text()
    assert text.count(LESSON) == 1


def test_a_session_that_cannot_be_read(daemon: Daemon, sample: Sample) -> None:
    """It is tried again, named with its remedy, and the others are read."""
    path = sample.path(sample.sessions[0])
    path.parent.mkdir(parents=True)
    path.symlink_to("/proc/self/mem")  # a regular file that root cannot read either
    for session in sample.sessions[1:]:
        sample.play(session)
    daemon.configure(sample.enabled())
    daemon.start()
    until(lambda: sample.block)
    problem = until(lambda: daemon.problems().get("session"))
    assert path.name in problem["cause"]
    assert daemon.status()["queue"]["failed"] == 1


def test_nothing_of_a_session_is_logged(daemon: Daemon, sample: Sample) -> None:
    """The log holds events, paths and counts: one line a run, no word of any transcript."""
    daemon.configure(sample.enabled())
    sample.play_all()
    daemon.start()
    until(lambda: LESSON in sample.block)
    until(lambda: daemon.events("run_done"))
    log = daemon.log.read_text()
    assert LESSON not in log
    assert all(json.loads(line)["level"] == "info" for line in log.splitlines())
    assert len(daemon.events("run_done")) <= 3
