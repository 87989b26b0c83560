"""Whether rules help, in numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.ledger.effects import Effect, Rate, Seen, Showing, Verdict, effect_of

N = 10


def seen(*, began: float, failed: bool = False, tried: bool = True, agent: str = "claude") -> Seen:
    return Seen(agent, began, tried or failed, failed)


@pytest.mark.parametrize(
    ("rate", "low", "high"),
    [(Rate(0, 10), 0.0, 0.2775), (Rate(5, 10), 0.2366, 0.7634), (Rate(10, 10), 0.7225, 1.0), (Rate(0, 0), 0.0, 1.0)],
)
def test_wilson(rate: Rate, low: float, high: float) -> None:
    """Values from the textbook formula; nothing counted, nothing known."""
    assert rate.interval == pytest.approx((low, high), abs=1e-4)


@given(st.integers(0, 200), st.integers(0, 200))
def test_interval_holds_the_rate(failed: int, more: int) -> None:
    """Between 0 and 1, and around what was counted."""
    rate = Rate(failed, failed + more)
    low, high = rate.interval
    assert 0.0 <= low <= rate.value + 1e-9
    assert rate.value - 1e-9 <= high <= 1.0


def test_before_and_after_are_told_by_the_session_s_beginning() -> None:
    """A session that began before the rule was shown is before; sessions between two showings are neither, nor are
    those before the first failure, when the world may have been another."""
    sessions = [
        seen(began=0.0),
        *(seen(began=at, failed=True) for at in (1.0, 2.0)),
        seen(began=3.0, tried=False),
        seen(began=10.0),
        seen(began=25.0, failed=True),  # the rule was taken out meanwhile
        seen(began=30.0, tried=False),
    ]
    effect = effect_of(sessions, [Showing("claude", 10.0, 20.0), Showing("claude", 30.0)])
    assert (effect.before, effect.after) == (Rate(2, 2), Rate(0, 1))
    assert (effect.sessions_before, effect.sessions_after) == (Rate(2, 3), Rate(0, 2))


def test_agents_that_were_never_told_count_for_nothing() -> None:
    """Neither their failures before nor after show what telling does."""
    sessions = [seen(began=1.0, failed=True, agent="codex"), seen(began=11.0)]
    effect = effect_of(sessions, [Showing("claude", 10.0)])
    assert (effect.before, effect.after) == (Rate(), Rate(0, 1))


def test_rewording_starts_the_count_anew() -> None:
    """What came of the old words is not held against the new ones."""
    sessions = [seen(began=1.0, failed=True), seen(began=11.0, failed=True), seen(began=21.0)]
    assert effect_of(sessions, [Showing("claude", 10.0)], counted_from=20.0).after == Rate(0, 1)


def test_verdicts() -> None:
    """Helping must be beyond chance; no help needs enough opportunities; all else is too early to tell."""
    often = Rate(8, 10)
    assert Effect(before=often, after=Rate(0, 10)).verdict(N) is Verdict.HELPS
    assert Effect(before=often, after=Rate(0, 1)).verdict(N) is Verdict.TOO_EARLY
    assert Effect(before=often, after=Rate(9, 9)).verdict(N) is Verdict.TOO_EARLY
    assert Effect(before=often, after=Rate(7, 10)).verdict(N) is Verdict.DOES_NOT
    assert Effect(before=often, after=Rate(1, 10)).verdict(N) is Verdict.HELPS
    assert Effect(before=often, after=Rate(3, 10)).verdict(N) is Verdict.TOO_EARLY
    assert Effect(before=Rate(1, 40), after=Rate(0, 10)).verdict(N) is Verdict.TOO_EARLY
    assert Effect(before=Rate(1, 40), after=Rate(1, 10)).verdict(N) is Verdict.TOO_EARLY  # once is not "again"
    assert Effect().verdict(N) is Verdict.TOO_EARLY


def test_sessions_without_an_opportunity_prove_nothing() -> None:
    """That a failure went away may just mean that nobody works there any more."""
    effect = Effect(before=Rate(5, 5), after=Rate(), sessions_before=Rate(5, 10), sessions_after=Rate(0, 90))
    assert effect.verdict(N) is Verdict.TOO_EARLY
