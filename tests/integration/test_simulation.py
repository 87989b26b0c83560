"""Months of work in a project, with a seeded chance and a clock of its own: every rule ends where it should.

Agents that are told a fact hardly get it wrong any more; those that are not go on failing. The ledger, the files and
the passing of time are real but for their speed.
"""

from __future__ import annotations

import itertools
import json
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import Struct

from headroomd.ledger import Entry, EntryState, Learning, Ledger, LifecycleRules, Status, Verdict
from headroomd.pipeline import PlanOptions, apply, plan, scan
from headroomd.writing.block import find_block
from tests.support.toy import World

DAY = 86400.0
START = 1_700_000_000.0
SESSIONS = 500
HEADING = "### File Path Corrections"
BEFORE = 20  # sessions that took place before headroomd was installed
LIMIT = 900  # characters of a block: not enough for everything
RULES = LifecycleRules(half_life=30 * DAY, ineffective_after=10)
MOST_CHANGES = 3  # of a status: believed, disproved, and once more believed when it was seen again


class Fact(Struct):
    """Where a file is, and where agents look for it."""

    wrong: str
    right: str
    untold: float = 0.5  # the share of sessions that get it wrong, not having been told
    told: float = 0.01
    touched: float = 0.5  # the share of sessions that need the file at all
    until: int = SESSIONS  # nobody needs it from this session on


class Simulation:
    """One project, two agents that take turns, one session every twelve hours."""

    def __init__(self, base: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = START
        self.world = World(base, clock=lambda: self.now)
        self.ledger = self.world.ledger()
        self.facts: list[Fact] = []
        self.number = 0

    def know(self, *facts: Fact) -> None:
        for fact in facts:
            self.put(fact.right)
        self.facts += facts

    def put(self, path: str) -> None:
        file = self.world.project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x\n")

    def move(self, old: str, new: str) -> None:
        (self.world.project / old).unlink()
        self.put(new)

    def target(self, agent: str) -> Path:
        return self.world.project / f"{agent.upper()}.md"

    def text(self, agent: str) -> str:
        return self.target(agent).read_text() if self.target(agent).exists() else ""

    def session(self) -> None:
        """One session of the agent whose turn it is."""
        self.now += DAY / 2
        agent = ("toy", "other")[self.number % 2]
        name, folder, told = f"s{self.number}", str(self.world.project), self.text(agent)
        records: list[dict[str, object]] = [{"session": name, "at": self.now, "cwd": folder}]
        for fact in self.facts:
            if self.number >= fact.until or self.random.random() > fact.touched:
                continue
            folder_of = f"`{fact.wrong.partition('/')[0]}/` → moved"
            is_told = f"`{fact.wrong}`" in told or f"{fact.right}`" in told or folder_of in told
            if self.random.random() < (fact.told if is_told else fact.untold):
                records.append(self.read(name, len(records), fact.wrong, "failed"))
            records.append(self.read(name, len(records), fact.right, "ok"))
        data = b"".join(json.dumps(record).encode() + b"\n" for record in records)
        self.world.file(name, agent).write_bytes(data)
        self.number += 1

    def read(self, session: str, index: int, path: str, outcome: str) -> dict[str, object]:
        output = {"output": "File does not exist."} if outcome == "failed" else {}
        folder = str(self.world.project)
        return {
            "session": session,
            "id": f"{session}-{index}",
            "at": self.now + index,
            "in": folder,
            "path": f"{folder}/{path}",
            "outcome": outcome,
            **output,
        }

    def learn(self) -> list[Learning]:
        """What the daemon does after a session; the invariants hold after every one."""
        self.now += 600
        scan(self.ledger, self.world.plugins, self.world.env)
        options = PlanOptions(agents=("toy", "other"), block_limit=LIMIT, rules=RULES)
        plans = plan(self.ledger, [self.world.project], self.world.plugins, self.world.env, options)
        assert all(applied.problem is None for applied in apply(self.ledger, plans))
        for agent in ("toy", "other"):
            data = self.text(agent).encode()
            span = find_block(data)
            assert span is None or len(data[span.start : span.end].decode()) <= LIMIT
        return plans[0].learnings

    def run(self, events: dict[int, Callable[[], None]]) -> dict[tuple[str, str], Learning]:
        learnings: list[Learning] = []
        while self.number < SESSIONS:
            events.get(self.number, lambda: None)()
            self.session()
            if self.number >= BEFORE and self.number % 2 == 0:  # both agents have had their turn
                learnings = self.learn()
        return {(one.lesson.subject, one.lesson.remedy): one for one in learnings}

    def edit(self, agent: str, old: str, new: str) -> None:
        [line] = [line for line in self.text(agent).splitlines(keepends=True) if old in line]
        self.target(agent).write_text(self.text(agent).replace(line, new))


@pytest.fixture
def simulation(tmp_path: Path) -> Simulation:
    return Simulation(tmp_path.resolve(), seed=7)


def writes(ledger: Ledger) -> dict[str, list[Entry]]:
    """The journal, oldest first, by file."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in reversed(ledger.journal.history()):
        assert entry.state is EntryState.DONE
        found[entry.path].append(entry)
    return found


def test_500_sessions(simulation: Simulation) -> None:
    """Rules appear, help, do not help, go stale, are contradicted, grow old, and are deleted and reworded by hand."""
    helps, useless = Fact("src/helps.py", "lib/helps.py"), Fact("old/useless.py", "lib/useless.py", told=0.6)
    stale, moves = Fact("src2/stale.py", "lib/stale.py"), Fact("src3/moves.py", "lib/moves.py")
    back = Fact("up/back.py", "down/back.py")
    deleted, reworded = Fact("src4/deleted.py", "lib/deleted.py"), Fact("src5/reworded.py", "lib/reworded.py")
    unseen = Fact("src6/unseen.py", "lib/unseen.py", until=30)
    folder = [Fact(f"pkg/{name}.py", f"core/{name}.py", touched=0.2) for name in ("one", "two", "three", "four")]
    simulation.know(helps, useless, stale, moves, back, deleted, reworded, unseen, *folder)

    def goes_stale() -> None:
        (simulation.world.project / stale.right).unlink()
        simulation.facts.remove(stale)

    def moves_on() -> None:
        simulation.move("lib/moves.py", "app/moves.py")
        moves.right = "app/moves.py"

    def moves_back() -> None:
        simulation.move("down/back.py", "up/back.py")
        back.wrong, back.right = back.right, back.wrong

    learnt = simulation.run(
        {
            100: lambda: simulation.edit("toy", deleted.wrong, ""),
            120: lambda: simulation.edit("other", reworded.wrong, "- `lib/reworded.py` is where the rewording lives\n"),
            150: moves_on,
            200: goes_stale,
            250: moves_back,
            300: lambda: simulation.edit("toy", HEADING, f"{HEADING}\n- Mind the gap in `lib`\n"),
        }
    )

    def fate(wrong: str, right: str) -> tuple[Status, str]:
        return learnt[wrong, right].status, learnt[wrong, right].reason

    active = (Status.ACTIVE, "")
    assert fate(helps.wrong, helps.right) == active
    assert learnt[helps.wrong, helps.right].verdict == Verdict.HELPS
    assert learnt[useless.wrong, useless.right].given_up
    assert learnt[useless.wrong, useless.right].status is Status.RETIRED
    assert fate(stale.wrong, stale.right) == (Status.RETIRED, "lib/stale.py is gone")
    assert fate(moves.wrong, "lib/moves.py") == (Status.RETIRED, "lib/moves.py is gone")
    assert fate(moves.wrong, "app/moves.py") == active
    assert learnt["up/back.py", "down/back.py"].status is Status.RETIRED
    assert fate("down/back.py", "up/back.py") == active
    assert fate(deleted.wrong, deleted.right) == (Status.RETIRED, "you deleted it")
    assert learnt[reworded.wrong, reworded.right].pinned
    assert fate(unseen.wrong, unseen.right) == (Status.RETIRED, "old and unseen")
    assert fate("pkg/", "core/") == active
    assert learnt["Mind the gap in `lib`", ""].origin == "user"

    for agent in ("toy", "other"):
        text = simulation.text(agent)
        assert "- `lib/reworded.py` is where the rewording lives\n" in text
        assert "- Mind the gap in `lib`\n" in text
        assert "- `pkg/` → moved to `core/`" in text
        for gone in (deleted, stale, useless, unseen):
            assert gone.wrong not in text
    assert {one.lesson: one.changes for one in learnt.values() if one.changes > MOST_CHANGES} == {}


def test_the_history_of_200_runs_holds_only_changes_that_mean_something(simulation: Simulation) -> None:
    """With evidence for forty rules coming in at random, no write only reorders, and none puts back what went."""
    simulation.know(
        *(Fact(f"w{n}/f{n}.py", f"lib/f{n}.py", untold=0.5, told=0.3, touched=0.15) for n in range(40)),
    )
    for _ in range(200):
        simulation.session()
        simulation.learn()
    history = writes(simulation.ledger)
    assert set(history) == {str(simulation.target(agent)) for agent in ("toy", "other")}
    for entries in history.values():
        assert 10 < len(entries) < 100
        for before, after in itertools.pairwise(entries):
            stayed = [one for one in before.bullets if one in after.bullets]
            assert set(before.bullets) != set(after.bullets)
            assert stayed == [one for one in after.bullets if one in before.bullets]
        states = [frozenset(entry.bullets) for entry in entries]
        assert len(set(states)) == len(states)
