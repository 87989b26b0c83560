"""How much support counts: sessions of one agent, not the same task tried in several."""

from __future__ import annotations

from headroomd.ledger.policy import Support, judge
from headroomd.model import Lesson, Section

LESSON = Lesson(Section.COMMANDS, "npm test", "pnpm test")


def _support(agent: str, session: int) -> Support:
    return Support(LESSON, session=session, call=session, agent=agent, at=float(session), needs_sessions=2)


def _reason(*support: Support) -> str:
    [judgement] = judge(support, {}, lambda lesson: "")
    return judgement.reason


def test_one_session_in_each_of_three_agents_is_one_experience() -> None:
    """A lesson that needs two sessions is not believed when each agent saw it once."""
    assert (
        _reason(_support("claude", 1), _support("codex", 2), _support("gemini", 3)) == "seen in 1 of 2 sessions needed"
    )


def test_two_sessions_of_one_agent_suffice() -> None:
    """The agent that saw it twice decides, whatever the others saw."""
    assert not _reason(_support("claude", 1), _support("codex", 2), _support("codex", 3))
