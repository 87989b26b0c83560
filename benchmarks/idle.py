"""What the daemon costs while nobody works: memory and processor time, with thousands of session files watched.

    python -m benchmarks.idle [--files 10000] [--seconds 300]

A daemon with the default config reads all the sessions, comes to rest, and is then only looked at. Linux only (/proc).
Prints one line of JSON and one for people.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.workload import Daemon, Stage, until

_MEMORY_AIM, _CPU_AIM = 60.0, 0.1  # MB, per cent of one core
_SETTLING: Final = 10.0  # seconds after the last work
_BETWEEN: Final = 5.0  # seconds between looks


class Usage(NamedTuple):
    cpu: float  # seconds of processor time since the start of the process, all threads
    resident: float  # MB


def usage(pid: int) -> Usage:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])  # utime and stime
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


def measure(folder: Path, files: int, seconds: float) -> dict[str, float]:
    stage = Stage(folder)
    stage.crowd(files)
    stage.config.write_text(f'analysis.model = "none"\n[[project]]\npath = "{stage.project("enabled")}"\n')
    daemon = Daemon(stage, folder / "state")
    daemon.start()
    try:
        daemon.settle()
        until(lambda: daemon.ask("status")["activity"] == "idle")
        watched = sum(agent["files"] for agent in daemon.ask("status")["agents"])
        time.sleep(_SETTLING)
        before, began = usage(daemon.pid), time.monotonic()
        resident = before.resident
        while time.monotonic() - began < seconds:
            time.sleep(_BETWEEN)
            resident = max(resident, usage(daemon.pid).resident)
        used, passed = usage(daemon.pid).cpu - before.cpu, time.monotonic() - began
    finally:
        daemon.stop()
    return {
        "files": watched,
        "seconds": round(passed),
        "resident_mb": round(resident, 1),
        "cpu_seconds": round(used, 2),
        "cpu_percent": round(100 * used / passed, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=300)
    arguments = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("this benchmark reads /proc, which only Linux has")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), arguments.files, arguments.seconds)
    print(json.dumps(found))
    print(
        f"{found['files']:,.0f} session files watched for {found['seconds']:.0f} s: at most {found['resident_mb']} MB"
        f" resident (aim {_MEMORY_AIM:g}), {found['cpu_percent']} % of a core (aim {_CPU_AIM:g})"
    )


if __name__ == "__main__":
    main()
