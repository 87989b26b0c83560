"""The daily look: what the world and the machine disprove."""

from __future__ import annotations

from pathlib import Path

import pytest

from headroomd.correlation.correlator import Findings
from headroomd.ledger import Learning, LifecycleRules, Status
from headroomd.ledger.facts import stable_hash
from headroomd.model import CallRef, Evidence, Lesson, Section
from headroomd.revalidation import revalidate_project
from tests.support.toy import World

COMPOSE = Lesson(Section.ENVIRONMENT, "docker-compose", "docker compose")


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path.resolve())
    world.write("s1")
    world.scan()
    return world


def programs(folder: Path, *names: str) -> str:
    """A PATH on which just these programs are."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name in names:
        (folder / name).touch(0o755)
    return str(folder)


def look(world: World, path: str) -> list[Learning]:
    with world.ledger() as ledger:
        return revalidate_project(ledger, world.project, LifecycleRules(), path)


def teach(world: World, lesson: Lesson) -> None:
    """Store one piece of evidence for `lesson`, as if session s1 had shown it."""
    call = CallRef("toy:c", 101.0, lesson.subject)
    evidence = Evidence(id="e", lesson=lesson, agent="toy", session="s1", at=101.0, failed=call, fixed=call)
    with world.ledger() as ledger, ledger.transaction():
        row = ledger.facts._db.execute("SELECT id, project FROM sessions").fetchone()
        ledger.facts._store_evidence(row[0], row[1], Findings(evidence=[evidence]))
        ledger.facts._db.execute("INSERT OR IGNORE INTO calls VALUES (?, ?)", (stable_hash("toy:c"), row[0]))
    world.plan()


def status(world: World, subject: str) -> tuple[Status, str]:
    with world.ledger() as ledger:
        [one] = [one for one in ledger.learnings.of_project(str(world.project)) if one.lesson.subject == subject]
    return one.status, one.reason


def test_a_program_that_went_takes_its_lesson_along(world: World, tmp_path: Path) -> None:
    """It was there, on the same PATH, and is no more; after that only newer evidence brings the lesson back."""
    teach(world, COMPOSE)
    bin_ = tmp_path / "bin"
    look(world, programs(bin_, "docker"))
    assert look(world, programs(bin_, "docker")) == []
    [changed] = look(world, programs(bin_))
    assert (changed.lesson, changed.reason) == (COMPOSE, "docker is no longer on PATH")
    world.learn()
    assert status(world, "docker-compose") == (Status.RETIRED, "docker is no longer on PATH")


def test_a_program_that_came_ends_the_lesson_that_it_is_missing(world: World, tmp_path: Path) -> None:
    """What is there now need not be replaced by something else."""
    teach(world, COMPOSE)
    bin_ = tmp_path / "bin"
    look(world, programs(bin_, "docker"))
    [changed] = look(world, programs(bin_, "docker", "docker-compose"))
    assert changed.reason == "docker-compose is on PATH now"


def test_a_program_that_was_never_seen_proves_nothing(world: World, tmp_path: Path) -> None:
    """The daemon's PATH is not the shell's, and another PATH is another machine."""
    teach(world, COMPOSE)
    look(world, programs(tmp_path / "bin"))
    look(world, programs(tmp_path / "bin"))
    look(world, programs(tmp_path / "there", "docker"))
    look(world, programs(tmp_path / "elsewhere"))
    assert status(world, "docker-compose") == (Status.ACTIVE, "")


def test_the_world_is_looked_at_and_edits_are_heeded(world: World, tmp_path: Path) -> None:
    """A right path that is gone, and a bullet that was deleted."""
    world.write("s2", name="Order", at=200.0)
    world.learn()
    target = world.project / "TOY.md"
    target.write_text(target.read_text().replace("- `src/Order.py` → actually at `lib/Order.py`\n", ""))
    (world.project / "lib/User.py").unlink()
    changed = look(world, programs(tmp_path / "bin"))
    assert {(one.lesson.subject, one.reason) for one in changed} == {("src/User.py", "lib/User.py is gone")}
    assert status(world, "src/Order.py") == (Status.RETIRED, "you deleted it")
