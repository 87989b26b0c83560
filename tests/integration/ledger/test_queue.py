"""The daemon's queue: leases, attempts, and what a crash leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headroomd.ledger import JobState, Ledger, Queue, SessionJob
from headroomd.ledger.queue import ATTEMPTS


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger") as ledger:
        yield ledger


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(ledger: Ledger, clock: Clock) -> Queue:
    return Queue(ledger._connection, clock)


def job(path: str, state: JobState = JobState.QUEUED, *, changed_at: float = 0.0, due: float = 0.0) -> SessionJob:
    return SessionJob(path, "claude", state, 10, 20, changed_at, due)


def test_newest_first(queue: Queue) -> None:
    """Of what is due, the sessions that changed last are read first; each is leased once."""
    queue.put([job(f"/{number}", changed_at=number) for number in range(5)])
    queue.put([job("/later", changed_at=9, due=2_000_000), job("/open", JobState.OPEN, changed_at=9)])
    assert [one.path for one in queue.lease(2)] == ["/4", "/3"]
    assert [one.path for one in queue.lease(9)] == ["/2", "/1", "/0"]
    assert queue.lease(9) == []
    assert queue.depths() == {JobState.LEASED: 5, JobState.QUEUED: 1, JobState.OPEN: 1}


def test_a_lease_runs_out(queue: Queue, clock: Clock) -> None:
    """What nobody settles is handed out again, at once where its holder is known to be dead."""
    queue.put([job("/a")])
    assert queue.lease(1)
    assert not queue.has_due()
    clock.now = queue.next_due() or 0.0
    assert queue.lease(1)
    queue.release()
    assert queue.lease(1)


def test_what_is_given_back_costs_no_attempt(queue: Queue) -> None:
    """A stop is not a failure of the session that waits."""
    queue.put([job("/a")])
    for _ in range(ATTEMPTS + 2):
        queue.lease(1)
        queue.release(["/a"])
    queue.lease(1)
    queue.fail("/a", "odd")
    found = queue.find("/a")
    assert found is not None
    assert (found.state, found.attempts) == (JobState.FAILED, 1)


def test_failures_are_tried_again_ever_less_often(queue: Queue, clock: Clock) -> None:
    """After so many attempts a session is given up; `hasten` gives it another chance."""
    queue.put([job("/a")])
    pauses = []
    for _ in range(ATTEMPTS):
        assert queue.lease(1)
        queue.fail("/a", "no token ghp_012345678901234567890123456789012345 here")
        pauses.append((queue.find("/a") or job("/a")).due - clock.now)
        clock.now += pauses[-1]
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[-1]
    assert queue.depths() == {JobState.GIVEN_UP: 1}
    assert not queue.has_due()
    assert "ghp_" not in queue.errors()["/a"]
    assert queue.hasten() == 1
    assert queue.has_due()


def test_settling_is_part_of_the_callers_transaction(ledger: Ledger, queue: Queue) -> None:
    """What is rolled back with the facts leaves the job as it was."""
    queue.put([job("/a")])
    queue.lease(1)

    def settle_and_fail() -> None:
        with ledger.transaction():
            queue.settle("/a", 30, 40, has_taught=True)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        settle_and_fail()
    assert queue.depths() == {JobState.LEASED: 1}
    with ledger.transaction():
        queue.settle("/a", 30, 40, has_taught=False)
    found = queue.find("/a")
    assert found is not None
    assert (found.state, found.size, found.mtime_ns, found.attempts) == (JobState.NOTHING, 30, 40, 0)


def test_files_whose_facts_were_forgotten_are_new_again(ledger: Ledger, queue: Queue) -> None:
    """A project that was gone and came back has its sessions read anew."""
    queue.put([job("/done", JobState.DONE), job("/waits")])
    paths = ["/done", "/waits", "/never seen"]
    assert queue.seen(paths) == {"/waits": (10, 20)}
    ledger.facts.fail("/done", "claude", "")
    assert set(queue.seen(paths)) == {"/done", "/waits"}
    assert set(queue.paths("claude")) == {"/done", "/waits"}
    assert not list(queue.paths("codex"))
    queue.forget(["/done"])
    assert queue.find("/done") is None


def test_hastening_one_project(ledger: Ledger, queue: Queue) -> None:
    """Its own files, and those of which nobody knows whose they are; not another project's."""
    ledger._connection.execute("INSERT INTO projects (id, path) VALUES (1, '/p'), (2, '/q')")
    ledger._connection.execute(
        "INSERT INTO sessions (id, agent, session, place, project)"
        " VALUES (1, 'a', 'p', 'found', 1), (2, 'a', 'q', 'found', 2)"
    )
    ledger._connection.execute("INSERT INTO files (path, agent, session) VALUES ('/of-p', 'a', 1), ('/of-q', 'a', 2)")
    queue.put([job(path, JobState.OPEN, due=9e9) for path in ("/of-p", "/of-q", "/new")])
    assert queue.hasten("/p") == 2
    assert {one.path for one in queue.lease(9)} == {"/of-p", "/new"}
    assert queue.hasten() == 1


def test_stale_projects(ledger: Ledger, queue: Queue, clock: Clock) -> None:
    """They wait until they were seen to, or until they are due again; unknown ones are nobody's business."""
    ledger._connection.execute("INSERT INTO projects (id, path) VALUES (1, '/p'), (2, '/q')")
    queue.mark_stale("/p")
    queue.mark_stale("/unknown")
    assert queue.stale() == ["/p"]
    queue.mark_stale("/p", clock.now + 60)
    assert queue.stale() == []
    assert queue.next_stale() == clock.now + 60
    queue.mark_all_stale()  # neither has learnings
    assert queue.stale() == []
    queue.refreshed("/p")
    assert queue.next_stale() is None


def test_timetable_and_notes(queue: Queue) -> None:
    """When something is due and was done, and small things worth remembering."""
    assert queue.due("sweep") is None
    queue.set_due("sweep", 10.0, done_at=5.0)
    queue.set_due("sweep", 20.0)
    assert queue.due("sweep") == 20.0
    assert queue.timetable() == {"sweep": (20.0, 5.0)}
    assert queue.note("paused") == ""
    queue.set_note("paused", "yes")
    assert queue.note("paused") == "yes"
