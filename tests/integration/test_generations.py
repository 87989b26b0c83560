"""A home folder with every format that the agents have written, as it was written and damaged at random."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headroomd.agents.base import Environment
from headroomd.agents.registry import Plugins, load_plugins
from headroomd.ledger import Ledger, Totals
from headroomd.pipeline import PlanOptions, plan, scan
from tests.support.generations import CALLS, Session, codex_forked, lay_out

SESSIONS = 140


def read(base: Path, workers: int = 1) -> Totals:
    """What `learn --all` finds in the home folder, which a second run does not change."""
    built_in = {name: one for name, one in load_plugins().plugins.items() if name in ("claude", "codex", "gemini")}
    plugins, env = Plugins(built_in), Environment(base / "home", {})
    with Ledger.open(base / f"ledger{workers}.sqlite3") as ledger:
        report = scan(ledger, plugins, env, workers=workers)
        assert report.problems == []
        plan(ledger, [Path(one.path) for one in ledger.facts.projects()], plugins, env, PlanOptions())
        again = scan(ledger, plugins, env)
        assert (again.read, again.calls, again.totals) == (0, 0, report.totals)
    return report.totals


def test_every_generation_counts_once(tmp_path: Path) -> None:
    """Each call of each format once, for a known project; copies, forks and migrated folders add nothing."""
    total, _ = lay_out(tmp_path / "home", SESSIONS)
    totals = read(tmp_path)
    assert total == SESSIONS * CALLS
    assert (totals.calls, totals.failed) == (total, SESSIONS)
    assert (totals.projects, totals.unattributed, totals.odd, totals.errors) == (3, 0, 0, {})
    assert read(tmp_path, workers=2) == totals


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("damage", [0.3, 1.0])
def test_damage_costs_what_it_hit(tmp_path: Path, damage: float, seed: int) -> None:
    """Whatever stands in a line, nothing raises and all sessions that are whole count.

    Where the line that ties a copy to its original is lost, both count: twice the damaged ones is the most.
    """
    total, whole = lay_out(tmp_path / "home", SESSIONS, seed, damage=damage)
    totals = read(tmp_path)
    assert whole < totals.calls <= whole + 2 * (total - whole)
    assert totals.odd > 0
    assert totals.errors == {}


@pytest.mark.parametrize("is_there", [True, False])
def test_equal_facts_count_equally_without_a_project(tmp_path: Path, is_there: bool) -> None:
    """A search that found nothing is no failure, whether or not the project is still there."""
    project = tmp_path / "home/work/shop"
    if is_there:
        project.mkdir(parents=True)
    session = Session(0, project)
    session.runs = [("rg nowhere", True), ("make", True)]
    for name, lines in codex_forked(session):
        path = tmp_path / "home" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    totals = read(tmp_path)
    assert (totals.calls, totals.failed, totals.projects) == (2, 1, int(is_there))
