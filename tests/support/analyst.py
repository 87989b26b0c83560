"""Evidence as correlation makes it, and answers as an analyst gives them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headroomd.agents.tail import Cursor
from headroomd.analysis.backends.base import Answer, Backend, Request
from headroomd.analysis.contract import Given, Known
from headroomd.correlation.correlator import Findings
from headroomd.ledger import Ledger, Portion
from headroomd.ledger.facts import stable_hash
from headroomd.model import CallRef, Evidence, Lesson, Section, SessionStart
from headroomd.projects import Place, ProjectRoot

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


def store(ledger: Ledger, *evidence: Evidence, project: str = "/work/shop") -> None:
    """As if a scan had found it: each piece in the session that it names."""
    for one in evidence:
        portion = Portion(
            path=f"/files/{one.id}",
            agent=one.agent,
            start=SessionStart(one.agent, one.session, 1.0, project),
            root=ProjectRoot(Place.FOUND, project, project),
            first_at=1.0,
            last_at=9.0,
            keys=[stable_hash(one.failed.key)],
            findings=Findings(evidence=[one], calls=1, failed=1),
            cursor=Cursor("f", 1, 1, 10, 1, 10, 0, b"", b""),
            state=b"",
            fresh=True,
        )
        with ledger.transaction():
            ledger.facts.store(portion)


class Scripted(Backend):
    """An analyst that says, or fails with, what it is told, in this order; then it has nothing to say."""

    name = "scripted"
    model = "test-1"

    def __init__(self, *script: str | Exception | Callable[[Request], str]) -> None:
        self.script = list(script)
        self.asked: list[Request] = []

    def describe(self) -> str:
        return "scripted: nothing leaves this process"

    def ask(self, request: Request) -> Answer:
        self.asked.append(request)
        said = self.script.pop(0) if self.script else '{"rules": []}'
        if isinstance(said, Exception):
            raise said
        text = said if isinstance(said, str) else said(request)
        return Answer(text, 1000, 50, self.model, self.name)
