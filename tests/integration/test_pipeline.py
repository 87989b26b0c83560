"""The spine on real files and a real ledger, with a small agent."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headroomd import intake, pipeline
from headroomd.agents.base import Environment, FileShape, SessionReader, Targets
from headroomd.errors import LedgerError
from headroomd.ledger import Batch, Ledger, Status
from headroomd.pipeline import PlanOptions, plan, scan
from tests.support.toy import KEY, Toy, ToyReader, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path.resolve())


def test_from_session_to_block_and_back(world: World) -> None:
    """A failure and its fix become one bullet in the agent's file; undo takes it away again."""
    world.write("s1")
    [applied] = world.learn()
    target = world.project / "TOY.md"
    assert applied.problem is None
    assert "- `src/User.py` → actually at `lib/User.py`" in target.read_text()
    [undone] = world.undo()
    assert (undone.path, undone.problem) == (target, None)
    assert not target.exists()
    assert world.undo() == []


def test_report_counts_what_is_new(world: World) -> None:
    """Calls, failures, sessions, bytes and odd lines, of this scan and of all."""
    path = world.write("s1", b"not json\n")
    world.write("s2", name="Order", agent="other")
    report = world.scan()
    assert (report.files, report.read, report.sessions, report.calls, report.failed, report.odd) == (2, 2, 2, 4, 2, 1)
    assert report.bytes == path.stat().st_size + world.file("s2", "other").stat().st_size
    assert (report.totals.calls, report.totals.projects, report.problems) == (4, 1, [])


def test_second_run_changes_nothing(world: World) -> None:
    """Nothing is read, stored or written when nothing is new."""
    world.write("s1")
    world.learn()
    before = world.contents(), (world.project / "TOY.md").stat().st_mtime_ns
    report = world.scan()
    assert (report.files, report.read, report.bytes, report.calls) == (1, 0, 0, 0)
    assert world.learn() == []
    assert (world.contents(), (world.project / "TOY.md").stat().st_mtime_ns) == before


def test_growth_costs_what_grew(world: World) -> None:
    """Appended lines alone are read; the reader and the open failures go on where they stopped."""
    whole = world.lines("s1")
    head, tail = whole.splitlines(keepends=True)[:2], whole.splitlines(keepends=True)[2:]
    path = world.file("s1")
    path.write_bytes(b"".join(head))
    assert (world.scan().calls, world.contents()["evidence"]) == (1, [])
    with path.open("ab") as file:
        file.write(b"".join(tail))
    report = world.scan()
    assert (report.bytes, report.calls) == (len(b"".join(tail)), 1)
    grown = world.contents()
    assert len(grown["evidence"]) == 1
    world.path.unlink()
    world.scan()
    assert world.contents() == {**grown, "files": world.contents()["files"]}


def test_unfinished_line_waits(world: World) -> None:
    """Half a line is left for the next scan, and a file that did not change is not opened again."""
    path = world.write("s1")
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert world.scan().calls == 1
    assert world.scan().read == 0
    path.write_bytes(whole)
    assert world.scan().calls == 1
    assert len(world.contents()["evidence"]) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_fork_adds_only_what_is_its_own(world: World, workers: int) -> None:
    """Copied calls count once, for the session that was read first, however many workers read."""
    original = world.write("s1")
    fork = world.file("s2")
    fork.write_bytes(
        original.read_bytes().replace(b'"session": "s1"', b'"session": "s2"') + world.lines("s2", "Order", first=2)
    )
    os.utime(original, (1, 1))
    report = world.scan(workers=workers)
    assert (report.calls, report.failed) == (4, 2)
    sessions = {row[1]: row[6:] for row in world.contents()["sessions"]}
    assert sessions == {"s1": (2, 1), "s2": (2, 1)}
    [planned] = world.plan()
    assert {(one.lesson.subject, one.sessions) for one in planned.learnings} == {
        ("src/User.py", 1),
        ("src/Order.py", 1),
    }


@pytest.mark.parametrize("change", ["truncated", "rewritten", "replaced", "renamed"])
def test_changed_files_are_not_counted_twice(world: World, change: str) -> None:
    """A file that is read afresh adds what is new in it and nothing else."""
    path = world.write("s1", world.lines("s1", "Order", first=2))
    world.scan()
    before = world.contents()
    if change == "truncated":
        path.write_bytes(world.lines("s1"))
    elif change == "rewritten":
        path.write_bytes(path.read_bytes() + b'{"session": "s1", "at": 1, "cwd": ""}\n')
        path.write_bytes(b"\n" + path.read_bytes())
    elif change == "replaced":
        path.unlink()
        path.write_bytes(world.lines("s1", "Item", first=4))
    else:
        path.rename(world.file("archived"))
    report = world.scan()
    after = world.contents()
    new = 2 if change == "replaced" else 0
    assert report.calls == new
    assert len(after["calls"]) == 4 + new
    assert set(before["evidence"]) <= set(after["evidence"])
    assert len(after["files"]) == 1


def test_document_shape_is_reread_without_double_counting(world: World) -> None:
    """A file that the agent rewrites whole at every change counts its calls once."""

    class Whole(Toy):
        def shape(self, path: Path) -> FileShape:
            return FileShape.WHOLE

        def reader(self, path: Path, env: Environment, state: bytes = b"") -> SessionReader:
            reader = ToyReader(self.name, state)
            read = reader.read
            reader.read = lambda lines: read(line for document in lines for line in document.splitlines())  # type: ignore[method-assign]
            return reader

    world.plugins.plugins["toy"] = Whole()
    path = world.write("s1")
    assert world.scan().calls == 2
    path.write_bytes(path.read_bytes() + world.lines("s1", "Order", first=2))
    assert world.scan().calls == 2
    os.utime(path)
    assert (world.scan().calls, world.scan().read) == (0, 0)
    assert len(world.contents()["evidence"]) == 2


def test_large_file_is_stored_in_portions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cutting a file into portions changes nothing about what is found in it."""
    path = world.file("s1")
    path.write_bytes(
        world.lines("s1") + b"".join(world.lines("s1", "Order", first=2 * n, at=200.0 + n) for n in range(1, 40))
    )
    world.scan()
    whole = world.contents()
    world.path.unlink()
    monkeypatch.setattr(intake, "PORTION_BYTES", 1)
    world.scan()
    assert world.contents() == whole


def test_workers_find_what_one_process_finds(world: World) -> None:
    """The number of workers changes nothing."""
    for number in range(12):
        world.write(f"s{number}", name=("User", "Order", "Item")[number % 3])
    world.scan()
    alone = world.contents()
    world.path.unlink()
    world.scan(workers=3)
    assert world.contents() == alone


class Deadly(Toy):
    """Kills the process that reads it, unless that is the one that made it."""

    def __init__(self) -> None:
        super().__init__()
        self.maker = os.getpid()

    def reader(self, path: Path, env: Environment, state: bytes = b"") -> SessionReader:
        if os.getpid() != self.maker:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().reader(path, env, state)


def test_workers_that_die_cost_only_time(world: World) -> None:
    """Where worker processes are killed, the files are read here."""
    world.plugins.plugins["toy"] = Deadly()
    for number in range(8):
        world.write(f"s{number}")
    report = world.scan(workers=2)
    assert (report.calls, report.problems) == (16, [])


def test_broken_file_costs_itself(world: World) -> None:
    """A reader that raises is named with its file, and what came before and all other files count."""
    bad = world.write("bad", b'{"boom": true}\n')
    world.write("good", name="Order")
    report = world.scan()
    assert report.calls == 2
    [problem] = report.problems
    assert "'toy'" in problem.cause
    assert str(bad) in problem.cause
    assert {row[0]: bool(row[5]) for row in world.contents()["files"]} == {
        str(bad): True,
        str(world.file("good")): False,
    }
    bad.write_bytes(world.lines("bad"))
    report = world.scan()
    assert (report.calls, report.problems, report.totals.errors) == (2, [], {})


@pytest.mark.parametrize("workers", [1, 2])
def test_a_broken_plugin_is_one_problem(world: World, workers: int) -> None:
    """However many of its files cannot be read, and beside those that nobody can read."""
    for number in range(3):
        world.write(f"bad{number}", b'{"boom": true}\n')
    world.write("bad", b'{"boom": true}\n', agent="other")
    os.mkfifo(world.file("pipe"))
    report = world.scan(workers=workers)
    causes = sorted(problem.cause for problem in report.problems)
    assert len(causes) == len(world.plugins.plugins) + 1
    assert "pipe.log" in causes[0]
    assert causes[1].endswith("bad.log (KeyError: 'boom')")
    assert causes[2].endswith("(KeyError: 'boom'), and 2 more session files")
    assert len(report.totals.errors) == 5


def test_plugin_that_cannot_list_costs_itself(world: World) -> None:
    """One agent's plugin that raises leaves the others alone."""

    class Broken(Toy):
        def session_files(self, env: Environment) -> Iterator[Path]:
            raise OSError("no such luck")

        def targets(self, project: Path, env: Environment) -> Targets:
            raise ValueError("nor here")

    world.plugins.plugins["broken"] = Broken("broken")
    world.write("s1")
    report = world.scan()
    assert report.calls == 2
    assert [problem.cause for problem in report.problems] == [
        "agent plugin 'broken' could not list its session files (OSError: no such luck)"
    ]
    [planned] = world.plan(agents=("broken", "toy"))
    assert [problem.cause for problem in planned.problems] == [
        "agent plugin 'broken' could not name its files (ValueError: nor here)"
    ]
    assert [write.path.name for write in planned.writes] == ["TOY.md"]


def test_unreadable_file_is_named(world: World) -> None:
    """What is no readable file is reported, not raised."""
    world.file("pipe")
    os.mkfifo(world.file("pipe"))
    world.write("s1")
    report = world.scan()
    assert report.calls == 2
    assert "pipe.log cannot be read" in report.problems[0].cause


def test_agents_and_subagents_can_be_left_out(world: World) -> None:
    """`agents` and `main_only` choose what is read; a later scan reads the rest."""
    world.write("s1")
    world.write("sub-1", name="Order")
    world.write("s3", name="Item", agent="other")
    assert world.scan(agents=["toy"], main_only=True).calls == 2
    assert world.scan(agents=["toy"]).calls == 2
    assert world.scan().calls == 2


def test_progress_reaches_its_total(world: World) -> None:
    """Progress counts bytes, rises, and ends at its total."""
    for number in range(5):
        world.write(f"s{number}")
    seen: list[tuple[int, int]] = []
    world.scan(on_progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1] > 0


def test_sessions_without_a_project_are_only_counted(world: World) -> None:
    """The home folder, a folder that is gone and no folder at all: counted, written nowhere."""
    world.write("at-home", cwd=world.home)
    world.write("gone", cwd=world.home / "work/gone")
    world.file("nowhere").write_bytes(world.lines("nowhere").replace(str(world.project).encode(), b""))
    totals = world.scan().totals
    assert (totals.calls, totals.home, totals.missing, totals.unattributed, totals.projects) == (6, 1, 1, 1, 0)
    assert world.plan() == []


def test_project_that_comes_back_is_read_anew(world: World) -> None:
    """A disk that was not mounted: its sessions are learnt from as soon as the project is there."""
    gone = world.home / "work/mounted"
    world.write("s1", cwd=gone)
    world.scan()
    shutil.copytree(world.project, gone)
    report = world.scan()
    assert (report.calls, report.totals.calls, report.totals.missing) == (2, 2, 0)
    assert len(world.contents()["evidence"]) == 1


def test_gone_project_is_skipped(world: World) -> None:
    """No folder is made for a project that was deleted after it was read."""
    world.write("s1")
    world.scan()
    shutil.rmtree(world.project)
    assert world.plan() == []


def test_shared_with_every_agent_of_the_project(world: World) -> None:
    """What one agent learnt is written for the others too, unless the user does not want that."""
    world.write("s1")
    world.write("s2", name="Order", agent="other")
    world.scan()
    [own] = world.plan(share_across_agents=False)
    assert {draft.path.name: len(draft.bullets) for draft in own.drafts} == {"TOY.md": 1, "OTHER.md": 1}
    [shared] = world.plan()
    assert {draft.path.name: len(draft.bullets) for draft in shared.drafts} == {"TOY.md": 2, "OTHER.md": 2}


def test_agents_that_share_a_file_share_a_block(world: World) -> None:
    """A symlink from one agent's file to another's gives one block, not two that overwrite each other."""
    (world.project / "OTHER.md").write_text("# by hand\n")
    (world.project / "TOY.md").symlink_to("OTHER.md")
    world.write("s1")
    world.write("s2", name="Order", agent="other")
    assert len(world.learn(share_across_agents=False)) == 1
    text = (world.project / "OTHER.md").read_text()
    assert (text.count("- `src/"), text.count("headroom:learn:start")) == (2, 1)
    assert world.learn(share_across_agents=False) == []


def test_target_and_context_name_move_the_block(world: World) -> None:
    """`--target` and another name for an agent's context file."""
    world.write("s1")
    world.scan()
    [named] = world.plan(context_names={"toy": "TOY.local.md"})
    assert world.project / "TOY.local.md" in [write.path for write in named.writes]
    [aimed] = world.plan(target=Path("docs.md"))
    assert world.project / "docs.md" in [write.path for write in aimed.writes]


def test_block_follows_the_truth(world: World) -> None:
    """A lesson that the disk disproves leaves the block, and the block leaves the file with its last lesson."""
    target = world.project / "TOY.md"
    target.write_bytes(b"# by hand\r\n")
    world.write("s1")
    world.learn()
    (world.project / "lib/User.py").unlink()
    [applied] = world.learn()
    assert applied.problem is None
    assert target.read_bytes() == b"# by hand\r\n"
    [planned] = world.plan()
    assert planned.learnings[0].status is Status.RETIRED


def test_block_that_we_never_wrote_is_left_alone(world: World) -> None:
    """A block that came with the repository is not taken away because this ledger knows nothing."""
    target = world.project / "TOY.md"
    target.write_text("<!-- headroom:learn:start -->\n- a colleague's\n<!-- headroom:learn:end -->\n")
    world.file("s1").write_bytes(world.lines("s1").splitlines(keepends=True)[0])
    assert world.learn() == []
    assert "a colleague's" in target.read_text()


def test_unsafe_target_costs_itself(world: World) -> None:
    """A file that cannot be written safely is named and left; other files get their blocks."""
    world.write("s1")
    world.write("s2", name="Order", agent="other")
    broken = world.project / "TOY.md"
    broken.write_text("<!-- headroom:learn:start -->\nno end\n")
    world.scan()
    [planned] = world.plan()
    assert "TOY.md" in planned.problems[0].cause
    [applied] = world.learn()
    assert applied.draft.path.name == "OTHER.md"
    assert broken.read_text() == "<!-- headroom:learn:start -->\nno end\n"


def test_file_changed_meanwhile_is_read_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who writes between reading and swapping loses nothing, and the block is written all the same."""
    target = world.project / "TOY.md"
    target.write_text("one\n")
    world.write("s1")
    swap, calls = pipeline.files.swap, []

    def meddled(snapshot: Any, data: bytes | None, **options: Any) -> None:
        calls.append(1)
        if len(calls) < 3:
            target.write_text("one\n" + "more\n" * len(calls))
        swap(snapshot, data, **options)

    monkeypatch.setattr(pipeline.files, "swap", meddled)
    [applied] = world.learn()
    assert applied.problem is None
    assert target.read_text().startswith("one\nmore\nmore\n\n<!-- headroom:learn:start -->")
    with Ledger.open(world.path) as ledger:
        assert len(ledger.journal.history()) == 1


def test_file_that_never_stands_still_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After three tries the file is reported, and the journal knows of no write."""
    target = world.project / "TOY.md"
    world.write("s1")
    swap, calls = pipeline.files.swap, []

    def meddled(snapshot: Any, data: bytes | None, **options: Any) -> None:
        calls.append(1)
        target.write_text("x" * len(calls))
        swap(snapshot, data, **options)

    monkeypatch.setattr(pipeline.files, "swap", meddled)
    [applied] = world.learn()
    assert applied.problem is not None
    assert (len(calls), target.read_text()) == (3, "xxx")
    with Ledger.open(world.path) as ledger:
        assert ledger.journal.history() == []


def test_undo_puts_only_the_block_back_where_the_rest_changed(world: World) -> None:
    """What the user wrote since stays."""
    target = world.project / "TOY.md"
    target.write_text("by hand\n")
    world.write("s1")
    world.learn()
    target.write_text("first\n" + target.read_text() + "last\n")
    [undone] = world.undo(target)
    assert "only the block" in undone.outcome
    assert target.read_text() == "first\nby hand\nlast\n"


def test_undo_steps_back_through_the_writes(world: World) -> None:
    """Undoing twice gives what was there two writes ago; every step is byte for byte."""
    target = world.project / "TOY.md"
    target.write_bytes(b"\xef\xbb\xbfby hand")
    states = [target.read_bytes()]
    for name in ("User", "Order"):
        world.write(name, name=name)
        world.learn()
        states.append(target.read_bytes())
    assert len(set(states)) == 3
    for expected in states[-2::-1]:
        world.undo()
        assert target.read_bytes() == expected
    assert world.undo() == []


def test_undo_of_a_project_and_of_a_deleted_file(world: World) -> None:
    """A path may name a project; a file that is gone stays gone."""
    (world.project / "TOY.md").write_text("by hand\n")
    world.write("s1")
    world.write("s2", name="Order", agent="other")
    world.learn()
    (world.project / "TOY.md").unlink()
    undone = {one.path.name: one.outcome for one in world.undo(world.project)}
    assert undone == {"TOY.md": "left alone: it was deleted since", "OTHER.md": "removed: it did not exist before"}
    assert not (world.project / "TOY.md").exists()


def test_undo_after_a_crash_between_journal_and_write(world: World) -> None:
    """A write that was announced and never made is passed over; the one before it is undone."""
    target = world.project / "TOY.md"
    world.write("s1")
    world.learn()
    with Ledger.open(world.path) as ledger:
        ledger.journal.record(9, target, target.read_bytes(), b"never made", project=str(world.project))
    [undone] = world.undo()
    assert undone.outcome == "removed: it did not exist before"


def test_secrets_never_reach_the_database(world: World) -> None:
    """A key in an output, a command or a path is in no byte of the ledger, its log included."""
    world.write("s1")
    world.write("s2", name=f"{KEY}/User")
    (world.project / f"lib/{KEY}").mkdir()
    (world.project / f"lib/{KEY}/User.py").write_text("x\n")
    ledger = Ledger.open(world.path)
    scan(ledger, world.plugins, world.env)
    plan(ledger, [world.project], world.plugins, world.env, PlanOptions())
    stored = b"".join(path.read_bytes() for path in world.path.parent.glob("ledger.sqlite3*"))
    ledger.close()
    assert b"File does not exist" in stored
    assert KEY.encode() not in stored


def _files_stored(path: Path) -> int:
    try:
        with Ledger.open(path, read_only=True) as ledger:
            return ledger.facts.totals().files
    except LedgerError:
        return -1  # not there yet


@pytest.mark.parametrize("stored", [-1, 0, 1, 7, 20, 29])
def test_kill_in_the_middle_of_a_scan(world: World, monkeypatch: pytest.MonkeyPatch, stored: int) -> None:
    """After kill -9, be it between two portions of one file, the next scan ends where an undisturbed one does."""
    for number in range(30):
        more = b"".join(world.lines(f"s{number}", "Order", first=2 * n, at=100.0 + n) for n in range(1, 5))
        path = world.write(f"s{number}", more)
        os.utime(path, (number, number))
    world.scan()
    undisturbed = world.contents()
    for path in world.path.parent.glob("ledger.sqlite3*"):
        path.unlink()
    monkeypatch.setattr(intake, "PORTION_BYTES", 500)
    monkeypatch.setattr(Ledger, "batch", lambda self: Batch(self._connection, 500))
    process = multiprocessing.get_context("fork").Process(target=world.scan)
    process.start()
    while process.is_alive() and _files_stored(world.path) < stored:
        time.sleep(0.001)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    world.scan()
    assert world.contents() == undisturbed


def test_two_scans_at_once(world: World) -> None:
    """Two processes that scan the same home at the same time count nothing twice."""
    for number in range(30):
        path = world.write(f"s{number}", name=("User", "Order", "Item")[number % 3])
        os.utime(path, (number, number))
    context = multiprocessing.get_context("fork")
    scans = [context.Process(target=world.scan) for _ in range(2)]
    for process in scans:
        process.start()
    for process in scans:
        process.join(60)
    assert [process.exitcode for process in scans] == [0, 0]
    together = world.contents()
    world.path.unlink()
    world.scan()
    assert world.contents() == together
