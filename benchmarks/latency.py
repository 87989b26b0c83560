"""From a session's end to the block on the disk, with thousands of other sessions present.

    python -m benchmarks.latency [--others 10000] [--sessions 40]

A daemon with the default config first reads `--others` sessions of all agents. Then sessions are played one after the
other, in projects that were enabled: written line by line while their agent has them in use (Claude Code: its
sessions/<pid>.json; Codex: its lock on the thread), left alone for some seconds, or, every other pair, as if for an
hour (the file is dated back: quiet sessions are looked at less often), and ended cleanly. The clock runs from there to
the moment in which the project's file names the file that was looked for. Prints one line of JSON and one for people.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.workload import SINGLES, Daemon, SessionFile, Stage, until

_AIM: Final = 5.0  # seconds
_CONTEXT: Final = {"claude": "CLAUDE.md", "codex": "AGENTS.md"}
_READING: Final = (1.0, 5.0)  # seconds between the last line and the end
_AWAY: Final = 3600.0  # seconds that some seem to have been left alone for


@contextlib.contextmanager
def in_use(stage: Stage, agent: str, session: str) -> Iterator[None]:
    """What an agent leaves on the disk for as long as it has a session open."""
    if agent == "claude":
        mark = stage.home / f".claude/sessions/{os.getpid()}.json"
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(json.dumps({"pid": os.getpid(), "sessionId": session}))
        yield
        mark.unlink()
        return
    lock = stage.home / f".codex/thread-writer-locks/{session}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
        lock.unlink()


def play(
    stage: Stage, agent: str, file: SessionFile, target: Path, lesson: str, away: float, chance: random.Random
) -> float:
    """Seconds from the end of the session to the block."""
    file.path.parent.mkdir(parents=True, exist_ok=True)
    with in_use(stage, agent, file.id):
        for line in file.lines:
            with file.path.open("ab") as open_file:
                open_file.write(line)
            time.sleep(0.02)
        if away:
            os.utime(file.path, (time.time() - away,) * 2)
        time.sleep(chance.uniform(*_READING))
    ended = time.perf_counter()
    until(lambda: target.exists() and lesson in target.read_text())
    return time.perf_counter() - ended


def measure(folder: Path, others: int, sessions: int, seed: int) -> dict[str, float]:
    stage, chance = Stage(folder), random.Random(seed)
    stage.crowd(others)
    projects = [stage.project(f"enabled-{number}") for number in range((sessions + 1) // 2)]
    tables = "".join(f'[[project]]\npath = "{project}"\n' for project in projects)
    stage.config.write_text('analysis.model = "none"\n' + tables)
    daemon = Daemon(stage, folder / "state")
    daemon.start()
    try:
        began = time.perf_counter()
        daemon.settle()
        caught_up = time.perf_counter() - began
        times = []
        for number in range(sessions):
            agent = "claude" if number % 2 else "codex"
            project, lesson = projects[number // 2], f"gauge_of_{agent}"
            (file,) = stage.sessions(SINGLES[agent], project, others + number, lesson)
            away = _AWAY if number % 4 > 1 else 0.0
            times.append(play(stage, agent, file, project / _CONTEXT[agent], lesson, away, chance))
    finally:
        daemon.stop()
    return {
        "others": others,
        "sessions": sessions,
        "catch_up_seconds": round(caught_up, 1),
        "p50": round(statistics.median(times), 2),
        "p95": round(statistics.quantiles(times, n=20, method="inclusive")[-1], 2),
        "longest": round(max(times), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", type=int, default=10_000)
    parser.add_argument("--sessions", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), arguments.others, arguments.sessions, arguments.seed)
    print(json.dumps(found))
    print(
        f"{found['sessions']:.0f} sessions beside {found['others']:,.0f} others: from the end to the block"
        f" {found['p50']} s (median), {found['p95']} s (p95, aim {_AIM:g}), {found['longest']} s at most"
    )


if __name__ == "__main__":
    main()
