"""How learnings live in the ledger: shown, of help or not, given up, reworded, merged."""

from __future__ import annotations

from pathlib import Path

import pytest

from headroomd.ledger import Decided, KnownBlock, Learning, LifecycleRules, Status, Verdict
from headroomd.ledger.blocks import Blocks
from headroomd.model import Lesson, Section
from tests.support.toy import World

RULES = LifecycleRules(ineffective_after=4)
MOVE = ("src/", "lib/")


class Ageing(World):
    """A project with a clock of its own."""

    def __init__(self, base: Path) -> None:
        super().__init__(base, lambda: self.now)
        self.now = 1000.0


@pytest.fixture
def world(tmp_path: Path) -> Ageing:
    return Ageing(tmp_path.resolve())


def session(world: Ageing, *, fails: bool = True, name: str = "User") -> None:
    """One more session, two hundred seconds later, which needs a file and may look in the wrong place first."""
    world.now += 200.0
    number = int(world.now)
    lines = world.lines(f"s{number}", name, at=world.now - 100.0).splitlines(keepends=True)
    world.file(f"s{number}").write_bytes(b"".join(lines if fails else [lines[0], lines[2]]))


def learn(world: Ageing) -> dict[tuple[str, str], Learning]:
    world.learn(rules=RULES)
    with world.ledger() as ledger:
        learnings = ledger.learnings.of_project(str(world.project))
    return {(one.lesson.subject, one.lesson.remedy): one for one in learnings}


def user(world: Ageing) -> Learning:
    return learn(world)["src/User.py", "lib/User.py"]


def test_a_rule_that_helps(world: Ageing) -> None:
    """Failures before, none after: beyond chance it helps, and that is kept with it."""
    for _ in range(4):
        session(world)
    assert user(world).verdict == ""
    assert user(world).verdict == Verdict.TOO_EARLY
    for _ in range(8):
        session(world, fails=False)
    helped = user(world)
    assert (helped.verdict, helped.status) == (Verdict.HELPS, Status.ACTIVE)
    with world.ledger() as ledger:
        effect = ledger.learnings.effects(str(world.project))[helped.id]
        [totals] = ledger.overview.projects()
    assert (effect.before.failed, effect.before.of, effect.after.failed, effect.after.of) == (4, 4, 0, 8)
    assert (totals.helping, totals.not_helping) == (1, 0)


def test_a_rule_of_no_help_is_given_up_until_it_is_restored(world: Ageing) -> None:
    """After enough opportunities it leaves the file with its reason, and new evidence does not bring it back; the user
    can, and then it has as many opportunities again."""
    session(world)
    learn(world)
    for _ in range(RULES.ineffective_after):
        session(world)
    gone = user(world)
    assert (gone.status, gone.given_up) == (Status.RETIRED, True)
    assert gone.reason == "it does not help: its failure came back in 4 of 4 sessions that tried"
    assert not (world.project / "TOY.md").exists()
    session(world)
    assert user(world).reason == gone.reason
    with world.ledger() as ledger:
        ledger.decisions.restore(gone.id)
    assert user(world).status is Status.ACTIVE
    for _ in range(RULES.ineffective_after):
        session(world)
    assert user(world).given_up


def test_a_rule_of_no_help_is_said_anew_once(world: Ageing) -> None:
    """With an analyst it gets other words and another chance; after that it is given up like any other."""
    session(world)
    learn(world)
    for _ in range(RULES.ineffective_after):
        session(world)
    world.scan()
    asked: list[str] = []

    def reword(learning: Learning) -> str:
        asked.append(learning.id)
        return "`src/User.py` does not exist: open `lib/User.py`"

    def refresh() -> Learning:
        with world.ledger() as ledger:
            [one] = ledger.learnings.refresh(str(world.project), lambda _: "", RULES, reword)
            return one

    reworded = refresh()
    assert (reworded.status, reworded.wording) == (Status.ACTIVE, "`src/User.py` does not exist: open `lib/User.py`")
    world.learn(rules=RULES)
    assert "- `src/User.py` does not exist: open `lib/User.py`\n" in (world.project / "TOY.md").read_text()
    for _ in range(RULES.ineffective_after):
        session(world)
    world.scan()
    assert (refresh().status, len(asked)) == (Status.RETIRED, 1)


def test_three_files_become_one_line_with_all_evidence_behind_it(world: Ageing) -> None:
    """The move is told, its members are not; `why` has the calls of all of them."""
    for name in ("User", "Order", "Item"):
        session(world, name=name)
    learnt = learn(world)
    text = (world.project / "TOY.md").read_text()
    assert (
        "- `src/` → moved to `lib/`, with the same names below it (e.g. `lib/User.py`, `lib/Order.py`, `lib/Item.py`)\n"
        in text
    )
    assert text.count("\n- ") == 1
    with world.ledger() as ledger:
        assert len(ledger.learnings.evidence(learnt[MOVE])) == 3
    assert learnt["src/User.py", "lib/User.py"].status is Status.ACTIVE


def test_forgetting_a_move_forgets_its_files(world: Ageing) -> None:
    """Deleting the one line means all of it."""
    for name in ("User", "Order", "Item"):
        session(world, name=name)
    move = learn(world)[MOVE]
    with world.ledger() as ledger:
        ledger.decisions.decide(move.id, Decided.FORGOTTEN, "")
    assert {one.status for one in learn(world).values()} == {Status.RETIRED}
    assert not (world.project / "TOY.md").exists()


def test_a_file_that_appears_again_ends_the_move_and_spares_the_others(world: Ageing) -> None:
    """Two files are left: they are told one by one."""
    for name in ("User", "Order", "Item"):
        session(world, name=name)
    learn(world)
    (world.project / "src").mkdir()
    (world.project / "src/Item.py").touch()
    learnt = learn(world)
    assert learnt[MOVE].status is Status.RETIRED
    text = (world.project / "TOY.md").read_text()
    assert "src/User.py" in text
    assert "src/Order.py" in text
    assert "Item" not in text


def test_a_session_from_the_future_makes_nothing_old(world: Ageing) -> None:
    """A wrong clock somewhere must not take every rule out."""
    session(world)
    learn(world)
    world.write("future", name="Order", at=9e9)
    assert learn(world)["src/User.py", "lib/User.py"].status is Status.ACTIVE


def test_a_rule_that_nobody_sees_any_more_leaves_the_file(world: Ageing) -> None:
    """Two half-lives of work in the project later, and comes back with the next sighting."""
    session(world)
    learn(world)
    world.now += 2.1 * RULES.half_life
    session(world, name="Order")
    learnt = learn(world)
    assert learnt["src/User.py", "lib/User.py"].reason == "old and unseen"
    assert "User.py" not in (world.project / "TOY.md").read_text()
    session(world)
    world.now += 200.0
    session(world, name="Order")
    assert user(world).status is Status.ACTIVE


def test_what_is_shown_where_and_since_when(world: Ageing) -> None:
    """Each agent that loads a file has its own times; what leaves the file is closed, what returns opened anew."""
    session(world)
    learn(world)
    with world.ledger() as ledger:
        blocks: Blocks = ledger.blocks
        [block] = blocks.of_project(str(world.project))
        id_ = block.bullets[0][0]

        def showings() -> list[tuple[str, float, float | None]]:
            return list(
                blocks._db.execute("SELECT agent, since, until FROM showings WHERE learning = ? ORDER BY since", (id_,))
            )

        began = world.now
        assert showings() == [("toy", began, None)]
        world.now += 50.0
        blocks.settle(KnownBlock(block.path, block.project, "", (), block.write), ["toy"])
        assert showings() == [("toy", began, began + 50.0)]
        world.now += 50.0
        blocks.settle(block, ["toy", "other"])
        assert sorted(showings()[1:]) == [("other", began + 100.0, None), ("toy", began + 100.0, None)]


def test_scope_evidence_is_shown_whatever_was_searched_then(world: Ageing) -> None:
    """A folder found too narrow is one learning: both corrections stand behind the one that is told."""
    from tests.integration.ledger.test_learnings import PROJECT, always, evidence, store

    root, apps = Lesson(Section.SCOPE, "model", "."), Lesson(Section.SCOPE, "model", "apps")
    with world.ledger() as ledger:
        store(ledger, "s1", evidence("s1", root, needs_sessions=2))
        store(ledger, "s2", evidence("s2", apps, needs_sessions=2))
        told = [one for one in ledger.learnings.refresh(PROJECT, always) if one.status is Status.ACTIVE]
        assert [one.lesson for one in told] == [root]
        assert {one.session for one in ledger.learnings.evidence(told[0])} == {"s1", "s2"}
