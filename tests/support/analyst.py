"""Evidence as correlation makes it, and answers as an analyst gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from headroomd.analysis.contract import Given, Known
from headroomd.model import CallRef, Evidence, Lesson, Section

FILES = frozenset(
    {"backend/api.py", "scripts/dev.sh", "package.json", "src/app", "server/proxy.py", "curl", "docs/setup.md", ".env"}
)
"""What the project holds; a file may well be called `curl`."""


def said(words: str, session: str = "s1", *, explicit: bool = True, agent: str = "claude", **more: Any) -> Evidence:
    """What the user said."""
    call = CallRef(f"{session}:{words[:9]}", 5.0, "(no call)", f"the user said: {words}")
    return Evidence(
        id=f"{session}|{words}",
        lesson=Lesson(Section.PREFERENCES, words),
        agent=agent,
        session=session,
        at=5.0,
        failed=call,
        needs_sessions=1 if explicit else 2,
        **more,
    )


def seen(
    section: Section, subject: str, remedy: str = "", session: str = "s1", *, answer: str = "", **more: Any
) -> Evidence:
    """A correction that one session shows."""
    return Evidence(
        id=f"{session}|{subject}|{remedy}",
        lesson=Lesson(section, subject, remedy),
        agent="claude",
        session=session,
        at=5.0,
        failed=CallRef(f"{session}:{subject[:9]}", 5.0, subject, answer),
        fixed=CallRef("k", 6.0, remedy) if remedy else None,
        **more,
    )


def both(section: Section, subject: str, remedy: str = "", **more: Any) -> list[Evidence]:
    """The same correction in two sessions."""
    return [seen(section, subject, remedy, session, **more) for session in ("s1", "s2")]


def given(*items: Sequence[Evidence], known: Mapping[str, Known] | None = None, **more: Any) -> Given:
    """What an answer is held against; the items are e1, e2 in their order."""
    numbered = {f"e{number}": item for number, item in enumerate(items, 1)}
    return Given(numbered, lambda path: path.rstrip("/") in FILES, known or {}, **more)


def rule(text: str, *cites: str, section: str = "Command Patterns", replaces: Sequence[str] = ()) -> dict[str, Any]:
    """One rule as an analyst gives it."""
    return {"section": section, "rule": text, "evidence": list(cites or ("e1",)), "replaces": list(replaces)}


def answer(*rules: Any) -> str:
    """A whole answer."""
    return json.dumps({"rules": list(rules)}, ensure_ascii=False)
