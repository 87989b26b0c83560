"""From stored evidence to learnings that keep their status."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headroomd.agents.tail import Cursor
from headroomd.correlation.correlator import Findings
from headroomd.errors import LedgerError
from headroomd.ledger import Ledger, Portion, Status
from headroomd.ledger.facts import stable_hash
from headroomd.model import CallRef, Evidence, Lesson, Section, SessionStart
from headroomd.projects import Place, ProjectRoot

PROJECT = "/work/shop"
LESSON = Lesson(Section.PATHS, "a/x.py", "b/x.py")
CURSOR = Cursor("f", 1, 1, 10, 1, 10, 0, b"", b"")


def always(_: Lesson) -> str:
    return ""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite3") as ledger:
        yield ledger


def evidence(session: str, lesson: Lesson = LESSON, **more: object) -> Evidence:
    call = CallRef(f"claude:{session}:1", 5.0, "Read a/x.py", "File does not exist.")
    values: dict[str, object] = {
        "id": f"{session}-{lesson.identity}",
        "at": 5.0,
        "fixed": CallRef("k2", 6.0, "Read b/x.py"),
    }
    return Evidence(lesson=lesson, agent="claude", session=session, failed=call, **{**values, **more})  # type: ignore[arg-type]


def store(ledger: Ledger, session: str, *found: Evidence, **more: object) -> None:
    findings = Findings(evidence=list(found), calls=1, failed=1, **more)  # type: ignore[arg-type]
    portion = Portion(
        path=f"/files/{session}",
        agent="claude",
        start=SessionStart("claude", session, 1.0, PROJECT),
        root=ProjectRoot(Place.FOUND, PROJECT, PROJECT),
        first_at=1.0,
        last_at=9.0,
        keys=[stable_hash(one.failed.key) for one in found],
        findings=findings,
        cursor=CURSOR,
        state=b"",
        fresh=True,
    )
    with ledger.transaction():
        ledger.facts.store(portion)


def test_learning_with_its_evidence(ledger: Ledger) -> None:
    """A learning counts what shows it, and gives the calls back."""
    store(ledger, "s1", evidence("s1", wasted=40, note="gone"))
    store(ledger, "s2", evidence("s2"))
    [learning] = ledger.learnings.refresh(PROJECT, always)
    assert (learning.status, learning.sessions, learning.calls, learning.wasted) == (Status.ACTIVE, 2, 2, 40)
    assert (learning.project, learning.lesson, learning.agents, learning.note) == (PROJECT, LESSON, ("claude",), "gone")
    shown = ledger.learnings.evidence(learning)
    assert {one.session for one in shown} == {"s1", "s2"}
    assert shown[0].failed.answer == "File does not exist."
    assert shown[0].fixed == CallRef("k2", 6.0, "Read b/x.py")


def test_refreshing_twice_writes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    """The second look at the same evidence leaves the database alone."""
    store(ledger, "s1", evidence("s1"))
    first = ledger.learnings.refresh(PROJECT, always)
    before = (tmp_path / "ledger.sqlite3-wal").read_bytes()
    assert ledger.learnings.refresh(PROJECT, always) == first
    assert (tmp_path / "ledger.sqlite3-wal").read_bytes() == before


def test_status_from_proposed_to_active_to_retired_and_back(ledger: Ledger) -> None:
    """Believed when enough shows it, retired when the world disproves it, believed again when it is seen again."""
    store(ledger, "s1", evidence("s1", needs_sessions=2))
    [learning] = ledger.learnings.refresh(PROJECT, always)
    assert (learning.status, learning.reason) == (Status.PROPOSED, "seen in 1 of 2 sessions needed")
    store(ledger, "s2", evidence("s2", needs_sessions=2))
    assert ledger.learnings.refresh(PROJECT, always)[0].status is Status.ACTIVE
    [retired] = ledger.learnings.refresh(PROJECT, lambda _: "b/x.py is gone")
    assert (retired.status, retired.reason, retired.id) == (Status.RETIRED, "b/x.py is gone", learning.id)
    assert ledger.learnings.counts() == {PROJECT: {Status.RETIRED: 1}}
    [still] = ledger.learnings.refresh(PROJECT, always)
    assert (still.status, still.reason) == (Status.RETIRED, "b/x.py is gone")
    store(ledger, "s3", evidence("s3", at=time.time() + 60))
    [back] = ledger.learnings.refresh(PROJECT, always)
    assert (back.status, back.reason, back.changes) == (Status.ACTIVE, "", 3)


def test_best_first(ledger: Ledger) -> None:
    """What most sessions stumbled over comes first."""
    rare = Lesson(Section.PATHS, "a/y.py", "b/y.py")
    store(ledger, "s1", evidence("s1"), evidence("s1", rare))
    store(ledger, "s2", evidence("s2"))
    assert [learning.lesson for learning in ledger.learnings.refresh(PROJECT, always)] == [LESSON, rare]
    assert ledger.learnings.of_project(PROJECT, Status.RETIRED) == []


def test_find_by_prefix(ledger: Ledger) -> None:
    """Any unambiguous beginning of an id will do, in any case."""
    store(ledger, "s1", evidence("s1"))
    [learning] = ledger.learnings.refresh(PROJECT, always)
    assert ledger.learnings.find(learning.id[:4].upper()) == learning
    for wrong in ("", "zzzz", "%"):
        with pytest.raises(LedgerError, match="no learning has the id"):
            ledger.learnings.find(wrong)


def test_ambiguous_prefix(ledger: Ledger) -> None:
    """An id that fits several learnings is refused."""
    store(ledger, "s1", *[evidence("s1", Lesson(Section.PATHS, f"a/{n}", f"b/{n}")) for n in range(17)])
    ids = [learning.id for learning in ledger.learnings.refresh(PROJECT, always)]
    shared = next(id_[0] for id_ in ids if sum(other[0] == id_[0] for other in ids) > 1)
    with pytest.raises(LedgerError, match="give more of it"):
        ledger.learnings.find(shared)


def test_newer_evidence_replaces_and_withdraws(ledger: Ledger) -> None:
    """The same id again is the same evidence, better known; a withdrawn one is gone."""
    store(ledger, "s1", evidence("s1"))
    store(ledger, "s1", evidence("s1", note="the reason came later"))
    [learning] = ledger.learnings.refresh(PROJECT, always)
    assert [one.note for one in ledger.learnings.evidence(learning)] == ["the reason came later"]
    store(ledger, "s1", withdrawn=[evidence("s1").id])
    assert ledger.learnings.evidence(learning) == []


def test_learning_without_evidence_left_is_not_active(ledger: Ledger) -> None:
    """When all of its evidence was withdrawn, a learning is retired."""
    store(ledger, "s1", evidence("s1"))
    ledger.learnings.refresh(PROJECT, always)
    store(ledger, "s1", withdrawn=[evidence("s1").id])
    [learning] = ledger.learnings.refresh(PROJECT, always)
    assert (learning.status, learning.reason) == (Status.RETIRED, "its evidence was withdrawn")


def test_a_copied_failure_is_not_a_second_session(ledger: Ledger) -> None:
    """A fork that holds a copy of the failing call supports its lesson for the session the call was counted for."""
    original = evidence("s1")
    store(ledger, "s1", original)
    fork = Evidence(
        id="fork",
        lesson=LESSON,
        agent="claude",
        session="fork",
        at=5.0,
        failed=original.failed,
        fixed=CallRef("new", 7.0, "x"),
    )
    store(ledger, "fork", fork)
    [learning] = ledger.learnings.refresh(PROJECT, always)
    assert (learning.sessions, learning.calls) == (1, 1)


def test_approvals_are_found_by_the_attempts_key(ledger: Ledger) -> None:
    """Attempts are stored by the hash of their key and still answer whether something was let through since."""
    push = Lesson(Section.PERMISSIONS, "git push")
    for session in ("s1", "s2"):
        store(ledger, session, evidence(session, push, opportunity="run git push"))
    assert ledger.learnings.refresh(PROJECT, always)[0].status is Status.ACTIVE
    store(ledger, "s3", attempts={"run git push": (1, 0)})
    [learning] = ledger.learnings.refresh(PROJECT, always)
    assert (learning.status, learning.reason) == (Status.RETIRED, "approved since")
