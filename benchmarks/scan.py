"""How long a cold `learn --all` takes over a home folder, measured against a parser that does nothing but parse.

    scan.py HOME [--rounds 3]

Two things are timed in turn, each round of each in a fresh process, over the same session files:

    learn    headroomd reads and correlates all of them into a new ledger, then plans every project (one process)
    orjson   orjson parses every line of them once and drops the result

Prints one line of JSON and one for people. Nothing in HOME is written. Reading comes from the page cache after the
first round, so the first is not counted. Processor time is given as well as elapsed time: on a machine that has other
things to do, only its ratio means anything. Needs orjson (in the `dev` extra).
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from headroomd import pipeline
from headroomd.agents.base import AgentPlugin, Environment, FileShape
from headroomd.agents.registry import load_plugins
from headroomd.ledger import Ledger

RATIO_AIM, MEMORY_AIM = 1.0, 150


def learn(home: Path) -> dict[str, float]:
    """One cold `learn --all` as far as the plan."""
    env, plugins = Environment(home=home, variables={}), load_plugins()
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder) / "ledger.sqlite3") as ledger:
        began, cpu_began = time.perf_counter(), time.process_time()
        report = pipeline.scan(ledger, plugins, env)
        scanned = time.perf_counter()
        projects = [Path(facts.path) for facts in ledger.facts.projects()]
        plans = pipeline.plan(ledger, projects, plugins, env, pipeline.PlanOptions())
        return {
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - cpu_began,
            "scan_seconds": scanned - began,
            "calls": report.calls,
            "projects": len(plans),
            "rules": sum(len(draft.bullets) for plan in plans for draft in plan.drafts),
        }


def parse(home: Path) -> dict[str, float]:
    """Every line of the same files through orjson once."""
    import orjson

    env = Environment(home=home, variables={})
    paths = [(plugin, path) for plugin in load_plugins().plugins.values() for path in plugin.session_files(env)]
    size = lines = 0
    began, cpu_began = time.perf_counter(), time.process_time()
    for plugin, path in paths:
        for line in _lines(plugin, path):
            size += len(line)
            lines += 1
            try:
                orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu_began,
        "files": len(paths),
        "bytes": size,
        "lines": lines,
    }


def _lines(plugin: AgentPlugin, path: Path) -> Iterator[bytes]:
    if plugin.shape(path) is FileShape.WHOLE:
        yield path.read_bytes()
    elif path.suffix == ".zst":
        import io

        import zstandard

        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
            yield from io.BufferedReader(stream)
    else:
        with path.open("rb") as file:
            yield from file


TASKS = {"learn": learn, "orjson": parse}


def child(task: str, home: Path) -> None:
    result = TASKS[task](home)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux, bytes on macOS
    result["peak_mb"] = peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
    print(json.dumps(result))


def measure(home: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
    """The results of every counted round; the tasks take turns."""
    results: dict[str, list[dict[str, float]]] = {task: [] for task in TASKS}
    for round_ in range(rounds + 1):
        for task in TASKS:
            command = [sys.executable, __file__, str(home), "--task", task]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            if round_:
                results[task].append(json.loads(done.stdout))
    return results


def summary(results: dict[str, list[dict[str, float]]]) -> dict[str, float]:
    learnt, parsed = results["learn"], results["orjson"]
    times = {task: [result["seconds"] for result in found] for task, found in results.items()}
    cpu = {task: min(result["cpu_seconds"] for result in found) for task, found in results.items()}
    megabytes = parsed[0]["bytes"] / 1e6
    return {
        "files": parsed[0]["files"],
        "megabytes": round(megabytes, 1),
        "calls": learnt[0]["calls"],
        "projects": learnt[0]["projects"],
        "rules": learnt[0]["rules"],
        "learn_best": round(min(times["learn"]), 3),
        "learn_median": round(statistics.median(times["learn"]), 3),
        "orjson_best": round(min(times["orjson"]), 3),
        "orjson_median": round(statistics.median(times["orjson"]), 3),
        "ratio_best": round(min(times["learn"]) / min(times["orjson"]), 3),
        "ratio_median": round(statistics.median(times["learn"]) / statistics.median(times["orjson"]), 3),
        "learn_cpu": round(cpu["learn"], 3),
        "orjson_cpu": round(cpu["orjson"], 3),
        "ratio_cpu": round(cpu["learn"] / cpu["orjson"], 3),
        "learn_mb_per_s": round(megabytes / min(times["learn"]), 1),
        "learn_peak_mb": round(max(result["peak_mb"] for result in learnt), 1),
        "orjson_peak_mb": round(max(result["peak_mb"] for result in parsed), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="a home folder with .claude, .codex and .gemini in it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    home = arguments.home.resolve()
    if arguments.task:
        child(arguments.task, home)
        return
    found = summary(measure(home, arguments.rounds))
    print(json.dumps(found))
    print(
        f"{found['megabytes']:,.0f} MB, {found['calls']:,.0f} calls: learn {found['learn_best']} s"
        f" ({found['learn_mb_per_s']:.0f} MB/s), orjson alone {found['orjson_best']} s,"
        f" ratio {found['ratio_best']} best / {found['ratio_median']} median / {found['ratio_cpu']} of processor time"
        f" (aim {RATIO_AIM}),"
        f" peak {found['learn_peak_mb']:.0f} MB (aim {MEMORY_AIM})"
    )


if __name__ == "__main__":
    main()
