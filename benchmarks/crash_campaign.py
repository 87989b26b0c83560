"""kill -9 at random moments, while sessions are being written and blocks rewritten: what is known afterwards?

    python -m benchmarks.crash_campaign [--kills 200] [--rounds 10] [--seed 1]

A writer plays recorded sessions of all agents line by line: it appends (half lines, too), begins forks, truncates files
and rewrites them. The daemon that reads them is killed again and again. After every kill the ledger must be sound and
count no call twice. At the end of every round the writer finishes, the daemon settles, and another daemon with an empty
ledger reads the same files undisturbed: calls, attempts, evidence, learnings and blocks must be the same. Meanwhile a
checker reads the blocks' files without pause: each version must be whole, with every byte outside the block in place.

The seed decides what is written and how long each daemon lives; what it is doing when it dies is the machine's choice.
Exit status 1, with what differed, where a promise was not kept.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import asdict

from benchmarks.workload import FAMILIES, Daemon, SessionFile, Stage

__all__ = ["Campaign", "Result"]

_START, _END = b"<!-- headroom:learn:start -->", b"<!-- headroom:learn:end -->"
_TARGETS: Final = ("CLAUDE.md", "AGENTS.md", "GEMINI.md", "instructions.md")
_LONGEST_LIFE: Final = 2.0  # seconds; a daemon is at work after about half a second
_INSTANT: Final = 0.2  # seconds in which a daemon does most of what it finds to do when it starts
_AT_ONCE: Final = 6  # families of sessions that are written at the same time
# Where a block is full, the rules that came first stay: then two runs would end with different blocks.
_CONFIG: Final = """block_limit = 32000
quiet_period = "200ms"
sweep_interval = "1s"
analysis.model = "none"
schedule.correlate_delay = "10ms"
"""

# All that does not depend on when or in what order something was read. A call that a fork copied counts for the session
# that was read first; so a session and its forks, whose ids end alike here, are compared together.
_FAMILY: Final = "agent || substr(sessions.session, -6)"
_FACTS: Final = {
    "calls": f"SELECT key, {_FAMILY} FROM calls JOIN sessions ON sessions.id = calls.session",
    "sessions": f"""SELECT {_FAMILY}, count(*), min(place), max(cwd), max(path), min(first_at), max(last_at),
        sum(calls), sum(failed) FROM sessions LEFT JOIN projects ON projects.id = project GROUP BY 1""",
    "failures": f"""SELECT {_FAMILY}, kind, sum(failures.calls)
        FROM failures JOIN sessions ON sessions.id = failures.session GROUP BY 1, 2""",
    "attempts": f"""SELECT {_FAMILY}, key, sum(ok), sum(attempts.failed)
        FROM attempts JOIN sessions ON sessions.id = attempts.session GROUP BY 1, 2""",
    "evidence": f"""SELECT evidence.id, path, {_FAMILY}, section, subject, remedy, at, failed_call, evidence.failed,
        fixed, note, needs_sessions, wasted, opportunity, agent_specific FROM evidence
        JOIN projects ON projects.id = evidence.project JOIN sessions ON sessions.id = evidence.session""",
    "learnings": """SELECT learnings.id, path, section, subject, remedy, status, reason, sessions, calls, agents,
        first_seen, last_seen, wasted, note, agent_specific
        FROM learnings JOIN projects ON projects.id = project""",
}


class Result(Struct):
    """What a campaign came to."""

    kills: int = 0
    kills_reading: int = 0  # with session files leased
    kills_writing: int = 0  # with projects still to be brought up to date
    comparisons: int = 0
    calls: int = 0
    evidence: int = 0
    learnings: int = 0
    versions: int = 0  # of files with blocks, seen by the checker
    looks: int = 0  # at such files
    litter: int = 0  # temporary files that kills left
    faults: list[str] = field(default_factory=list)


class Campaign:
    """One campaign in a folder of its own."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.result = Result()
        self._random = random.Random(seed)
        self._stage = Stage(folder)
        self._folder = folder
        self._projects = [self._stage.project(name) for name in ("harbour", "lightship", "pier")]
        tables = "".join(f'[[project]]\npath = "{project}"\n' for project in self._projects)
        self._stage.config.write_text(_CONFIG + tables)
        self._daemon = Daemon(self._stage, folder / "state")
        self._checker = Checker(self._projects)
        self._families = 0

    def run(self, kills: int, rounds: int) -> Result:
        for number in range(rounds):
            share = kills * (number + 1) // rounds - kills * number // rounds
            self._disturb(share)
            self._compare()
        result, checker = self.result, self._checker
        result.faults += checker.faults
        result.versions, result.looks = checker.versions, checker.looks
        result.litter = sum(1 for project in self._projects for _ in project.glob(".headroom*.tmp"))
        return result

    def _disturb(self, kills: int) -> None:
        """Kill the daemon so often, while the writer writes; then let it read in peace what it has not read."""
        seconds = kills * (_LONGEST_LIFE / 2 + 0.2)
        families = [self._begin_family() for _ in range(max(_AT_ONCE, kills * 2))]
        writer = Writer(families, random.Random(self._random.random()), seconds)
        with self._checker.at_work(), writer.at_work():
            for _ in range(kills):
                self._daemon.launch()
                self._let_live()
                self._daemon.kill()
                self._look_at_ledger()
            writer.finish()
            self._daemon.start()
            self._daemon.settle()
        self._daemon.stop()

    def _let_live(self) -> None:
        """Any time at all; for every other daemon an instant after it has begun to write to the ledger."""
        if self._random.random() < 0.5:
            time.sleep(self._random.uniform(0.0, _LONGEST_LIFE))
            return
        wal = self._daemon.places.ledger.with_name("ledger.sqlite3-wal")
        before, end = _written(wal), time.monotonic() + _LONGEST_LIFE
        while _written(wal) == before and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(self._random.uniform(0.0, _INSTANT))

    def _begin_family(self) -> list[SessionFile]:
        self._families += 1
        recording = self._random.choice(FAMILIES)
        project = self._random.choice(self._projects)
        lesson = f"{_letters(self._families)}_gauge" if recording.missed[0] else ""
        return self._stage.sessions(recording, project, self._families, lesson)

    def _look_at_ledger(self) -> None:
        """It is sound, and no call counts twice, at whatever moment the daemon died."""
        self.result.kills += 1
        ledger, copy = self._daemon.places.ledger, self._folder / "copy.sqlite3"
        if not ledger.exists():
            return
        for suffix in ("", "-wal"):  # opened where it lies, it would be mended before the next daemon sees it
            Path(f"{copy}{suffix}").unlink(missing_ok=True)
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(f"{ledger}{suffix}", f"{copy}{suffix}")
        with contextlib.closing(sqlite3.connect(copy)) as db:
            if not db.execute("SELECT name FROM sqlite_master WHERE name = 'stale_projects'").fetchone():
                return
            (sound,) = db.execute("PRAGMA quick_check").fetchone()
            (known,) = db.execute("SELECT count(*) FROM calls").fetchone()
            (counted,) = db.execute("SELECT total(calls) FROM sessions").fetchone()
            (leased,) = db.execute("SELECT count(*) FROM jobs WHERE state = 'leased'").fetchone()
            (stale,) = db.execute("SELECT count(*) FROM stale_projects").fetchone()
        self.result.kills_reading += leased > 0
        self.result.kills_writing += leased == 0 and stale > 0
        if sound != "ok" or known != counted:
            self.result.faults.append(f"kill {self.result.kills}: {sound}, {known} calls, {counted:.0f} counted")

    def _compare(self) -> None:
        """Another daemon, with an empty ledger and the projects as they were, ends with the same."""
        result = self.result
        found, blocks = _facts(self._daemon.places.ledger), self._blocks()
        for path, text in self._checker.originals.items():
            path.unlink(missing_ok=True)
            if text:
                path.write_bytes(text)
        undisturbed = Daemon(self._stage, self._folder / f"undisturbed-{result.comparisons}")
        undisturbed.start()
        undisturbed.settle()
        undisturbed.stop()
        expected = _facts(undisturbed.places.ledger)
        for what in _FACTS:
            lost, extra = expected[what] - found[what], found[what] - expected[what]
            if lost or extra:
                result.faults.append(
                    f"{what} differ: {len(lost)} lost {sorted(lost, key=repr)[:3]},"
                    f" {len(extra)} too many {sorted(extra, key=repr)[:3]}"
                )
        for path, text in self._blocks().items():
            if _unordered(text) != _unordered(blocks[path]):
                result.faults.append(f"{path} differs:\n{blocks[path].decode()}\nundisturbed:\n{text.decode()}")
            path.unlink(missing_ok=True)
            if blocks[path]:
                path.write_bytes(blocks[path])
        result.comparisons += 1
        result.calls, result.evidence, result.learnings = (
            len(expected[what]) for what in ("calls", "evidence", "learnings")
        )
        shutil.rmtree(undisturbed.state)

    def _blocks(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() if path.exists() else b"" for path in self._checker.originals}


class Writer:
    """Plays sessions for about so many seconds, as agents would: several at once, each fork after its parent."""

    def __init__(self, families: list[list[SessionFile]], chance: random.Random, seconds: float) -> None:
        self._waiting = [family[::-1] for family in families]
        self._chance = chance
        lines = sum(len(file.lines) for family in families for file in family)
        self._pause = seconds / lines
        self._playing: list[tuple[list[SessionFile], SessionFile, int]] = []  # what follows, the file, lines written
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._play)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self.finish()

    def finish(self) -> None:
        """Write the rest at once."""
        self._hurry.set()
        self._thread.join()

    def _play(self) -> None:
        while self._waiting or self._playing:
            while self._waiting and len(self._playing) < _AT_ONCE:
                family = self._waiting.pop()
                self._playing.append((family, family.pop(), 0))
            index = self._chance.randrange(len(self._playing))
            family, file, written = self._playing[index]
            written = self._step(file, written)
            if written < len(file.lines):
                self._playing[index] = (family, file, written)
            elif family:
                self._playing[index] = (family, family.pop(), 0)
            else:
                del self._playing[index]
            self._hurry.wait(self._chance.uniform(0, 2) * self._pause)

    def _step(self, file: SessionFile, written: int) -> int:
        """Do what an agent may do to a session's file; how many lines it holds then."""
        file.path.parent.mkdir(parents=True, exist_ok=True)
        line = file.lines[written]
        what = self._chance.random()
        if what < 0.02 and written and not self._hurry.is_set():
            kept = self._chance.randrange(written)
            with file.path.open("r+b") as open_file:
                open_file.truncate(sum(map(len, file.lines[:kept])))
            return kept
        if what < 0.05:
            temporary = file.path.with_suffix(".tmp")
            temporary.write_bytes(b"".join(file.lines[: written + 1]))
            temporary.replace(file.path)
            return written + 1
        with file.path.open("ab", buffering=0) as open_file:
            half = self._chance.randrange(len(line)) if what < 0.2 else 0
            if half:
                open_file.write(line[:half])
                self._hurry.wait(self._pause)
            open_file.write(line[half:])
        return written + 1


class Checker:
    """Reads the files that hold blocks, without pause while it is at work."""

    def __init__(self, projects: list[Path]) -> None:
        self.originals = {
            project / name: (project / name).read_bytes() if (project / name).exists() else b""
            for project in projects
            for name in _TARGETS
        }
        self.faults: list[str] = []
        self.versions = self.looks = 0
        self._seen: dict[Path, bytes] = {}

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=self._read, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _read(self, over: threading.Event) -> None:
        while not over.wait(0.001):
            for path, original in self.originals.items():
                try:
                    data = path.read_bytes()
                except FileNotFoundError:
                    data = b""
                self.looks += 1
                if data != self._seen.get(path, original):
                    self._seen[path] = data
                    self.versions += 1
                    if fault := torn(data, original):
                        self.faults.append(f"{path} {fault}:\n{data.decode('utf-8', 'replace')}")


def torn(data: bytes, original: bytes) -> str:
    """What is wrong with a version of a file that held `original` before it had a block; "" where it is whole."""
    if data == original:
        return ""
    if (data.count(_START), data.count(_END)) != (1, 1):
        return "holds markers that are no pair"
    before, _, rest = data.partition(_START)
    block, _, after = rest.partition(_END)
    if not before.startswith(original) or (before[len(original) :] + after).strip():
        return "was changed outside of the block"
    lines = block.decode().splitlines()[1:]
    if not lines or not all(line.startswith(("#", "*", "- ", "Also read")) for line in lines if line):
        return "holds half a line"
    return "" if any(line.startswith("- ") for line in lines) and after == b"\n" else "holds half a block"


def _facts(ledger: Path) -> dict[str, set[Any]]:
    with contextlib.closing(sqlite3.connect(ledger)) as db:
        return {what: set(db.execute(query)) for what, query in _FACTS.items()}


def _written(path: Path) -> tuple[int, int]:
    try:
        info = path.stat()
    except FileNotFoundError:
        return 0, 0
    return info.st_size, info.st_mtime_ns


def _unordered(text: bytes) -> list[bytes]:
    """A block keeps the order in which its rules were learnt, which is not the same in two runs."""
    return sorted(text.splitlines())


def _letters(number: int) -> str:
    """The number in letters: numbered files would pass for siblings of each other."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        result = Campaign(Path(folder), arguments.seed).run(arguments.kills, arguments.rounds)
    for fault in result.faults:
        print(fault, file=sys.stderr)
    seconds = round(time.monotonic() - began)
    print(json.dumps(asdict(result) | {"faults": len(result.faults), "seconds": seconds}))
    sys.exit(1 if result.faults else 0)


if __name__ == "__main__":
    main()
