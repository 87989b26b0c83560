"""Learnings and their evidence, as people read them and as JSON."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from headroomd.cli.output import counted, safe, short_path, timestamp

if TYPE_CHECKING:
    from headroomd.ledger import Effect, Learning, Rate
    from headroomd.model import CallRef, Evidence

__all__ = [
    "dated",
    "effect_json",
    "effect_lines",
    "evidence_json",
    "evidence_lines",
    "learning_json",
    "learning_lines",
    "rule",
    "support",
]


def rule(learning: Learning) -> str:
    """The learning in words: the user's own where there are any, else as its bullet says it."""
    from headroomd.writing.wording import sentence

    lesson = learning.lesson
    said = learning.wording or sentence(lesson, learning.note)
    return safe(said or " → ".join(filter(None, (lesson.subject, lesson.remedy))))


def learning_json(learning: Learning) -> dict[str, Any]:
    """A learning, for `--json`."""
    return {
        "id": learning.id,
        "project": learning.project,
        "section": learning.lesson.section.value,
        "rule": rule(learning),
        "subject": safe(learning.lesson.subject),
        "remedy": safe(learning.lesson.remedy),
        "status": learning.status.value,
        "reason": safe(learning.reason),
        "sessions": learning.sessions,
        "calls": learning.calls,
        "agents": list(learning.agents),
        "first_seen": timestamp(learning.first_seen),
        "last_seen": timestamp(learning.last_seen),
        "wasted_characters": learning.wasted,
        "origin": learning.origin,
        "pinned": learning.pinned,
        "accepted": learning.accepted,
        "verdict": learning.verdict or None,
        "rank": _rank_json(learning),
    }


def learning_lines(learning: Learning) -> list[str]:
    """Where a learning stands and what it rests on, in a few lines."""
    status = learning.status.value + (f" ({safe(learning.reason)})" if learning.reason else "")
    seen = f"{support(learning)}, last on {dated(learning.last_seen)}; cost {learning.wasted:,} characters so far"
    return [
        f"{learning.id}  {learning.lesson.section.value}  {status}",
        f"  {rule(learning)}",
        f"  {short_path(learning.project)}: {seen}",
        f"  {_ranked(learning)}",
    ]


def effect_lines(effect: Effect, verdict: str) -> list[str]:
    """Whether a rule helps, in numbers: how many sessions failed, before it was shown and since."""
    return [
        f"  since agents are told: {verdict}",
        f"    of the sessions that tried it  {_change(effect.before, effect.after)}",
        f"    of all sessions                {_change(effect.sessions_before, effect.sessions_after)}",
    ]


def effect_json(effect: Effect) -> dict[str, Any]:
    """How often its failure occurred before and after it was told, for `--json`."""
    return {
        "opportunities": {"before": _rate_json(effect.before), "after": _rate_json(effect.after)},
        "sessions": {"before": _rate_json(effect.sessions_before), "after": _rate_json(effect.sessions_after)},
    }


def support(learning: Learning) -> str:
    """ "2 sessions, 3 failed calls (claude, codex)"."""
    if learning.origin == "user":
        return "written by you"
    agents = ", ".join(learning.agents)
    return f"{counted(learning.sessions, 'session')}, {counted(learning.calls, 'failed call')} ({agents})"


def _ranked(learning: Learning) -> str:
    """How its place in the block comes about."""
    if learning.pinned:
        return "pinned: comes first, and stays whatever the evidence says"
    return (
        f"rank {learning.score:,.0f} = {learning.waste:,.0f} characters a session × {learning.support:.2f} sessions,"
        f" faded by age × {learning.confidence:.2f} sure"
    )


def _rank_json(learning: Learning) -> dict[str, Any]:
    return {
        "score": None if learning.pinned else round(learning.score, 3),
        "waste": round(learning.waste, 3),
        "support": round(learning.support, 3),
        "confidence": round(learning.confidence, 3),
    }


def _change(before: Rate, after: Rate) -> str:
    return f"before: {_rate(before)}   since: {_rate(after)}"


def _rate(rate: Rate) -> str:
    low, high = rate.interval
    return f"{rate.failed} of {rate.of} failed ({low:.0%} to {high:.0%})" if rate.of else "none"


def _rate_json(rate: Rate) -> dict[str, Any]:
    low, high = rate.interval
    return {"failed": rate.failed, "of": rate.of, "low": round(low, 4), "high": round(high, 4)}


def evidence_json(evidence: Evidence) -> dict[str, Any]:
    """One piece of evidence, for `--json`."""
    return {
        "id": evidence.id,
        "agent": evidence.agent,
        "session": safe(evidence.session),
        "at": timestamp(evidence.at),
        "failed": _call_json(evidence.failed),
        "fixed": _call_json(evidence.fixed) if evidence.fixed else None,
        "note": safe(evidence.note),
    }


def evidence_lines(evidence: Evidence) -> list[str]:
    """The call that failed and the one that worked, with what they answered."""
    lines = [f"{dated(evidence.at, time=True)}  {evidence.agent} session {safe(evidence.session)}"]
    lines += _call_lines("failed", evidence.failed)
    if evidence.fixed:
        lines += _call_lines("worked", evidence.fixed)
    return lines


def dated(at: float, *, time: bool = False) -> str:
    """A day, or a minute, in the user's own time zone."""
    if not at:
        return "unknown date"
    local = datetime.datetime.fromtimestamp(at, datetime.UTC).astimezone()
    return f"{local:%Y-%m-%d %H:%M}" if time else f"{local:%Y-%m-%d}"


def _call_json(call: CallRef) -> dict[str, Any]:
    answer = "\n".join(map(safe, call.answer.splitlines()))
    return {"at": timestamp(call.at), "call": safe(call.text), "answer": answer}


def _call_lines(verdict: str, call: CallRef) -> list[str]:
    return [f"  {verdict}  {safe(call.text)}", *(f"            {safe(line)}" for line in call.answer.splitlines())]
