"""What people do to a block is heeded at the next look, on real files and a real ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from headroomd.agents.base import Environment, Targets
from headroomd.agents.registry import Plugins
from headroomd.errors import TargetError
from headroomd.ledger import Decided, Learning, Status
from tests.support.toy import KEY, Toy, World

USER = "- `src/User.py` → actually at `lib/User.py`"
ORDER = "- `src/Order.py` → actually at `lib/Order.py`"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two agents have each learnt one thing, and both are told both."""
    world = World(tmp_path.resolve())
    world.write("s1")
    world.write("s2", agent="other", name="Order")
    world.learn()
    return world


def target(world: World, name: str = "TOY.md") -> Path:
    return world.project / name


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def learnings(world: World) -> dict[str, Learning]:
    with world.ledger() as ledger:
        return {one.lesson.subject: one for one in ledger.learnings.of_project(str(world.project))}


def test_both_files_hold_both(world: World) -> None:
    """The ground that the others stand on."""
    for name in ("TOY.md", "OTHER.md"):
        assert USER in target(world, name).read_text()
        assert ORDER in target(world, name).read_text()


def test_a_deleted_bullet_stays_deleted_everywhere(world: World) -> None:
    """Deleted in one file it goes from the other, and new evidence does not bring it back, nor another remedy."""
    edit(target(world), f"{USER}\n", "")
    world.learn()
    assert USER not in target(world, "OTHER.md").read_text()
    world.write("s3", at=900.0)
    (world.project / "lib/User.py").unlink()
    (world.project / "src2").mkdir()
    (world.project / "src2/User.py").touch()
    world.learn()
    assert "User.py" not in target(world).read_text() + target(world, "OTHER.md").read_text()
    assert ORDER in target(world).read_text()
    forgotten = learnings(world)["src/User.py"]
    assert (forgotten.status, forgotten.reason) == (Status.RETIRED, "you deleted it")


def test_a_dry_run_hears_it_too(world: World) -> None:
    """A deletion is taken down when it is first seen, whether or not something is written then."""
    edit(target(world), f"{USER}\n", "")
    world.plan()
    world.plan()
    assert learnings(world)["src/User.py"].status is Status.RETIRED


def test_put_back_by_hand_is_restored(world: World) -> None:
    """Who pastes a deleted bullet back wants it."""
    edit(target(world), f"{USER}\n", "")
    world.learn()
    edit(target(world), f"{ORDER}\n", f"{ORDER}\n{USER}\n")
    world.learn()
    assert USER in target(world, "OTHER.md").read_text()


def test_restore_brings_a_deleted_rule_back(world: World) -> None:
    """`restore` takes the tombstone away, although the bullet is still missing from the file."""
    edit(target(world), f"{USER}\n", "")
    world.learn()
    with world.ledger() as ledger:
        ledger.decisions.restore(learnings(world)["src/User.py"].id)
    world.learn()
    world.learn()
    assert USER in target(world).read_text()
    assert USER in target(world, "OTHER.md").read_text()


def test_a_reworded_bullet_is_kept_in_every_file(world: World) -> None:
    """As reworded and pinned: not even the truth takes it out."""
    edit(target(world), USER, "- The User class lives in `lib/User.py` now")
    world.learn()
    assert "- The User class lives in `lib/User.py` now" in target(world, "OTHER.md").read_text()
    (world.project / "src").mkdir()
    (world.project / "src/User.py").touch()
    assert world.learn() == []
    assert learnings(world)["src/User.py"].pinned


def test_a_bullet_added_by_hand_is_kept_in_every_file(world: World) -> None:
    """A rule of the user's own, under the heading where it was put; deleting it is heeded like any other."""
    edit(target(world), f"{USER}\n", f"{USER}\n- Ask Mia before touching `lib/Order.py`\n")
    world.learn()
    other = target(world, "OTHER.md")
    assert "- Ask Mia before touching `lib/Order.py`\n" in other.read_text()
    [mine] = [one for one in learnings(world).values() if one.origin == "user"]
    assert (mine.status, mine.pinned, mine.agents) == (Status.ACTIVE, True, ("toy",))
    edit(other, "- Ask Mia before touching `lib/Order.py`\n", "")
    world.learn()
    assert "Mia" not in target(world).read_text()


def test_a_secret_added_by_hand_goes_no_further(world: World) -> None:
    """What must not be stored is not taken over."""
    edit(target(world), f"{USER}\n", f"{USER}\n- use key {KEY}\n")
    world.learn()
    assert KEY not in target(world, "OTHER.md").read_text()
    assert all(KEY not in subject for subject in learnings(world))


@pytest.mark.parametrize("how", ["block", "file"])
def test_a_block_taken_out_whole_stays_out(world: World, how: str) -> None:
    """Nothing is written to that file until it is allowed again; other files, and the rules, live on."""
    path = target(world)
    path.write_text("# Mine\n") if how == "block" else path.unlink()
    world.write("s3", name="Item", wrong="old", at=900.0)
    world.learn()
    assert "Item.py" in target(world, "OTHER.md").read_text()
    assert path.read_text() == "# Mine\n" if how == "block" else not path.exists()
    [planned] = world.plan()
    assert planned.refused == [path]
    with world.ledger() as ledger:
        ledger.blocks.allow_again(str(world.project))
    world.learn()
    assert USER in path.read_text()
    assert "Item.py" in path.read_text()


def test_another_branch_is_another_file(world: World) -> None:
    """What git puts in the place of a file is no edit of it."""
    head = world.project / ".git/HEAD"
    head.write_text("ref: refs/heads/main\n")
    edit(target(world), f"{USER}\n", f"{USER}\n- one more rule to write\n")
    world.learn()
    before = target(world).read_text()
    world.learn()
    head.write_text("ref: refs/heads/old\n")
    target(world).write_text("# as it was\n")
    world.learn()
    assert USER in target(world).read_text()
    head.write_text("ref: refs/heads/main\n")
    target(world).write_text(before)
    world.learn()
    assert target(world).read_text() == before


def test_undo_is_no_edit(world: World) -> None:
    """Undoing takes rules out of the file without forgetting them."""
    world.write("s3", name="Item", wrong="old", at=900.0)
    world.learn()
    world.undo()
    world.undo()
    world.learn()
    assert "Item.py" in target(world).read_text()
    assert USER in target(world).read_text()
    with world.ledger() as ledger:
        assert ledger.decisions.of_project(str(world.project)) == []


def test_a_write_that_was_never_made_is_no_deletion(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between journal and file leaves rules that were announced and never written: nobody deleted them."""
    world.write("s3", name="Item", wrong="old", at=900.0)
    world.scan()

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("headroomd.pipeline.files.swap", die)
        with pytest.raises(KeyboardInterrupt):
            world.learn()
    world.learn()
    assert "Item.py" in target(world).read_text()


def test_a_crash_after_the_write_loses_no_edit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that was made and not confirmed is known by what the file holds: no bullet of it passes for a user's."""
    world.write("s3", name="Item", wrong="old", at=900.0)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("headroomd.ledger.Blocks.settle", die)
        with pytest.raises(KeyboardInterrupt):
            world.learn()
    world.learn()
    assert {one.origin for one in learnings(world).values()} == {"correlation"}
    edit(target(world), "- `old/Item.py` → actually at `lib/Item.py`\n", "")
    world.learn()
    assert "Item.py" not in target(world, "OTHER.md").read_text()


def test_broken_markers_say_nothing(world: World) -> None:
    """A file whose block cannot be found is left alone, and so are its rules."""
    edit(target(world), "<!-- headroom:learn:end -->", "")
    [planned] = world.plan()
    assert [type(problem) for problem in planned.problems] == [TargetError]
    assert learnings(world)["src/User.py"].status is Status.ACTIVE


def test_review_mode_writes_what_was_accepted(world: World) -> None:
    """In a project that is reviewed only accepted rules are added; what stands there stays."""
    world.write("s3", name="Item", wrong="old", at=900.0)
    assert world.learn(review=True) == []
    with world.ledger() as ledger:
        ledger.decisions.decide(learnings(world)["old/Item.py"].id, Decided.ACCEPTED, "")
    world.learn(review=True)
    assert USER in target(world).read_text()
    assert "old/Item.py" in target(world).read_text()


class Pointing(Toy):
    """An agent that has to be sent to its memory file."""

    def targets(self, project: Path, env: Environment) -> Targets:
        return Targets(project / "TOY.md", project / "notes.md", "Also read `notes.md`.")


def test_a_block_may_hold_nothing_but_the_way_to_the_memory(tmp_path: Path) -> None:
    """Without it the agent would never see its memory file; taken out by hand, it stays out."""
    world = World(tmp_path.resolve())
    world.plugins = Plugins({"toy": Pointing()})
    world.write("s1")
    world.learn()
    assert "notes.md" not in target(world).read_text()
    edit(target(world), f"### File Path Corrections\n{USER}\n", "### Retry Prevention\n- Run `make gen` first\n")
    world.learn()
    assert "- Run `make gen` first" in target(world, "notes.md").read_text()
    assert "Also read `notes.md`." in target(world).read_text()
    assert "make gen" not in target(world).read_text()
    assert world.learn() == []
    target(world).write_text("# mine\n")
    assert world.learn() == []
    assert target(world).read_text() == "# mine\n"
