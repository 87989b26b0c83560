"""Learnings and their evidence, as people read them and as JSON."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from headroomd.cli.output import counted, safe, short_path, timestamp

if TYPE_CHECKING:
    from headroomd.ledger import Learning
    from headroomd.model import CallRef, Evidence

__all__ = ["dated", "evidence_json", "evidence_lines", "learning_json", "learning_lines", "rule", "support"]


def rule(learning: Learning) -> str:
    """The learning in words: the user's own where there are any, else as its bullet says it."""
    from headroomd.writing.wording import sentence

    lesson = learning.lesson
    said = learning.wording or sentence(lesson, learning.note)
    return safe(said or " → ".join(filter(None, (lesson.subject, lesson.remedy))))


def learning_json(learning: Learning) -> dict[str, Any]:
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
    }


def learning_lines(learning: Learning) -> list[str]:
    """Where a learning stands and what it rests on, in a few lines."""
    status = learning.status.value + (f" ({safe(learning.reason)})" if learning.reason else "")
    seen = f"{support(learning)}, last on {dated(learning.last_seen)}; cost {learning.wasted:,} characters so far"
    return [
        f"{learning.id}  {learning.lesson.section.value}  {status}",
        f"  {rule(learning)}",
        f"  {short_path(learning.project)}: {seen}",
    ]


def support(learning: Learning) -> str:
    """ "2 sessions, 3 failed calls (claude, codex)"."""
    agents = ", ".join(learning.agents)
    return f"{counted(learning.sessions, 'session')}, {counted(learning.calls, 'failed call')} ({agents})"


def evidence_json(evidence: Evidence) -> dict[str, Any]:
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
    return {"at": timestamp(call.at), "call": safe(call.text), "answer": safe(call.answer)}


def _call_lines(verdict: str, call: CallRef) -> list[str]:
    return [f"  {verdict}  {safe(call.text)}", *(f"            {safe(line)}" for line in call.answer.splitlines())]
