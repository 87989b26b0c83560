"""An agent whose format is small enough to read here, and a home folder with one project in which it works."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from headroomd import pipeline
from headroomd.agents.base import AgentPlugin, Environment, FileShape, SessionReader, Targets
from headroomd.agents.registry import Plugins
from headroomd.ledger import Ledger
from headroomd.model import Action, Event, Operation, Outcome, SessionStart, ToolCall
from headroomd.pipeline import PlanOptions, apply, plan, scan, undo

__all__ = ["KEY", "Toy", "ToyReader", "World"]

KEY = "AKIAIOSFODNN7EXAMPLE"  # what Amazon's documentation shows as an access key id


class ToyReader(SessionReader):
    """Each line is one event as JSON; the state is the last one, raw, as readers carry a call without a result."""

    def __init__(self, agent: str, state: bytes) -> None:
        self._agent = agent
        self._last = state

    def read(self, lines: Iterable[bytes]) -> Iterator[Event]:
        for line in lines:
            self._last = line
            try:
                record = msgspec.json.decode(line)
            except msgspec.DecodeError:
                self.odd_lines += 1
                continue
            if record.pop("boom", False):
                raise KeyError("boom")
            yield self._event(record)

    def _event(self, record: dict[str, Any]) -> Event:
        session = record["session"]
        if "cwd" in record:
            return SessionStart(self._agent, session, record["at"], record["cwd"])
        return ToolCall(
            key=f"{self._agent}:{record['id']}",
            agent=self._agent,
            session=session,
            stream=session,
            at=record["at"],
            cwd=record["in"],
            tool="toy",
            operation=Operation(Action.READ, path=record["path"]),
            outcome=Outcome(record["outcome"]),
            output=record.get("output", ""),
        )

    def dump(self) -> bytes:
        return self._last


class Toy(AgentPlugin):
    """An agent that keeps `<home>/.<name>/sessions/*.log` and loads `<NAME>.md`."""

    shape_of_files = FileShape.LINES

    def __init__(self, name: str = "toy") -> None:
        self.name = name
        self.title = name.title()

    def roots(self, env: Environment) -> list[Path]:
        return [env.home / f".{self.name}/sessions"]

    def session_files(self, env: Environment) -> Iterator[Path]:
        yield from self.roots(env)[0].glob("*.log")

    def is_session_file(self, path: Path, env: Environment) -> bool:
        return path.suffix == ".log"

    def is_subagent_file(self, path: Path) -> bool:
        return path.name.startswith("sub-")

    def reader(self, path: Path, env: Environment, state: bytes = b"") -> SessionReader:
        return ToyReader(self.name, state)

    def targets(self, project: Path, env: Environment) -> Targets:
        return Targets(project / f"{self.name.upper()}.md", project / f"{self.name.upper()}.md")


class World:
    """A home folder with one project, a ledger beside it, and agents."""

    def __init__(self, base: Path, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.home = base / "home"
        self.project = self.home / "work/shop"
        (self.project / ".git").mkdir(parents=True)
        (self.project / "lib").mkdir()
        for name in ("User", "Order", "Item"):
            (self.project / f"lib/{name}.py").write_text("x\n")
        self.env = Environment(self.home, {})
        self.path = base / "ledger.sqlite3"
        self.plugins = Plugins({"toy": Toy(), "other": Toy("other")})

    def file(self, session: str, agent: str = "toy") -> Path:
        folder = self.home / f".{agent}/sessions"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{session}.log"

    def lines(
        self,
        session: str,
        name: str = "User",
        *,
        first: int = 0,
        cwd: Path | None = None,
        at: float = 100.0,
        wrong: str = "src",
        right: str = "lib",
    ) -> bytes:
        """A session that reads src/<name>.py in vain and finds it in lib."""
        folder = str(cwd or self.project)
        call = {"session": session, "in": folder}
        wrong_path, right_path = f"{folder}/{wrong}/{name}.py", f"{folder}/{right}/{name}.py"
        missing = {"outcome": "failed", "output": f"File does not exist. token={KEY}"}
        records: list[dict[str, object]] = [{"session": session, "at": at, "cwd": folder}] if not first else []
        records += [
            {**call, "id": f"{session}-{first}", "at": at + 1, "path": wrong_path, **missing},
            {
                **call,
                "id": f"{session}-{first + 1}",
                "at": at + 2,
                "path": right_path,
                "outcome": "ok",
            },
        ]
        return b"".join(json.dumps(record).encode() + b"\n" for record in records)

    def write(self, session: str, *more: bytes, agent: str = "toy", **options: Any) -> Path:
        path = self.file(session, agent)
        path.write_bytes(self.lines(session, **options) + b"".join(more))
        return path

    def ledger(self) -> Ledger:
        return Ledger.open(self.path, clock=self.clock)

    def scan(self, **options: Any) -> pipeline.ScanReport:
        with self.ledger() as ledger:
            return scan(ledger, self.plugins, self.env, **options)

    def plan(self, **options: Any) -> list[pipeline.ProjectPlan]:
        with self.ledger() as ledger:
            projects = [Path(facts.path) for facts in ledger.facts.projects()]
            return plan(ledger, projects, self.plugins, self.env, PlanOptions(**options))

    def learn(self, **options: Any) -> list[pipeline.Applied]:
        """Scan, plan and apply, as `headroomd learn --all --apply` does."""
        self.scan()
        with self.ledger() as ledger:
            projects = [Path(facts.path) for facts in ledger.facts.projects()]
            return apply(ledger, plan(ledger, projects, self.plugins, self.env, PlanOptions(**options)))

    def undo(self, path: Path | None = None) -> list[pipeline.Undone]:
        with self.ledger() as ledger:
            return undo(ledger, path)

    def contents(self) -> dict[str, list[tuple[object, ...]]]:
        """Everything that scanning stores, without row numbers, which depend on how the work was cut."""
        of_session = "JOIN (SELECT id, session AS name FROM sessions) AS owner ON owner.id ="
        queries = {
            "sessions": "SELECT agent, session, place, cwd, first_at, last_at, calls, failed FROM sessions",
            "calls": f"SELECT key, name FROM calls {of_session} calls.session",
            "failures": f"SELECT name, kind, calls FROM failures {of_session} failures.session",
            "attempts": f"SELECT name, key, ok, failed FROM attempts {of_session} attempts.session",
            "evidence": f"SELECT evidence.id, subject, remedy, name, note FROM evidence {of_session} evidence.session",
            "files": "SELECT path, agent, cursor, state, odd, error FROM files",
        }
        with closing(sqlite3.connect(self.path)) as plain:
            return {name: sorted(plain.execute(query).fetchall()) for name, query in queries.items()}
