"""What is told to people, and for how long."""

from __future__ import annotations

from headroomd.daemon.problems import Problems
from headroomd.daemon.state import Problem


def test_a_problem_is_told_once_until_it_is_mended() -> None:
    """Noting it again is no news; another under the same key takes its place."""
    problems = Problems()
    first, other = Problem("ledger", "full"), Problem("ledger", "locked")
    assert problems.note(first)
    assert not problems.note(first)
    assert problems.note(other)
    assert problems.all() == [other]
    problems.mended("ledger", "unheard-of")
    assert problems.all() == []


def test_what_is_over_is_shown_for_a_while() -> None:
    """A problem noted for some seconds goes by itself."""
    now = 0.0
    problems = Problems(lambda: now)
    problems.note(Problem("overflow", "lost"), seconds=10)
    problems.note(Problem("config", "bad"), key="other")
    now = 9.0
    assert len(problems.all()) == 2
    now = 11.0
    assert [problem.code for problem in problems.all()] == ["config"]
