"""Asks the analyst to say a rule that does not help more plainly, once, and believes only the same fact in other words.

The new wording passes the contract that every rule of an analyst does (contract.py). Beyond that it must say the same:
what is right is urged, what is wrong is denied, each of them once, and nothing follows that could turn it round.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headroomd.analysis.backends.base import Answer, Backend, Garbled, Overloaded, Rejected, TooLong, estimated_tokens
from headroomd.analysis.contract import Given, review
from headroomd.analysis.prompt import ask_anew
from headroomd.analysis.rule_text import RuleText, parse, polarity
from headroomd.analysis.run import AnalysisReport, affords
from headroomd.ledger import Learning, Ledger, LifecycleRules, Spent, day_of, later
from headroomd.ledger.policy import Check
from headroomd.ledger.rules import ORIGIN
from headroomd.model import Evidence, Lesson, Section
from headroomd.redact import redact
from headroomd.writing.wording import sentence

if TYPE_CHECKING:
    from headroomd.config import Analysis

__all__ = ["Rewording", "accepted"]

_MOST_ITEMS: Final = 4
_CLAUSE: Final = re.compile(r"[,;:.()—–]")
_URGED: Final = re.compile(r"\b(?:use|run|open|read|search|call|see)(?:\s+(?:in|the))?\s*$", re.IGNORECASE)
_BEFORE: Final = re.compile(r"\bbefore\s*$", re.IGNORECASE)
_END: Final = re.compile(r"(?: instead)?\.?")
_ROOT: Final = "."  # a remedy that is said in words


class Rewording:
    """Says rules anew for one run, within the budget of the day; after a failure it asks no more."""

    def __init__(
        self, ledger: Ledger, backend: Backend, settings: Analysis, clock: Callable[[], float] = time.time
    ) -> None:
        self._ledger = ledger
        self._backend = backend
        self._settings = settings
        self._clock = clock
        self.report = AnalysisReport()

    def refresh(
        self, project: Path, check: Check, exists: Callable[[str], bool], rules: LifecycleRules
    ) -> list[Learning]:
        """Learnings.refresh, with rules that do not help said anew; `exists` knows the project's relative paths.

        The analyst is asked between two refreshes: while it thinks, the user may decide otherwise.
        """
        useless: list[Learning] = []

        def collect(learning: Learning) -> None:
            useless.append(learning)

        learnings = self._ledger.learnings.refresh(str(project), check, rules, collect)
        wordings = {learning.id: self._ask(learning, exists) for learning in useless}
        if all(wording is None for wording in wordings.values()):
            return learnings
        self.report.changed.append(str(project))
        return self._ledger.learnings.refresh(
            str(project), check, rules, lambda one: wordings[one.id] if one.id in wordings else later(one)
        )

    def _ask(self, learning: Learning, exists: Callable[[str], bool]) -> str | None:
        """Another wording; "" where there is none to be had, None where it is worth asking another day."""
        if self.report.problem is not None or self.report.is_spent:
            return None
        items = _items(self._ledger.learnings.evidence(learning))
        request = ask_anew(learning, _said(learning), dict(enumerate(items, 1)))
        size = estimated_tokens(request.system + request.prompt) + request.max_output_tokens
        settings = self._settings
        if not (items and settings.max_calls_per_day):
            return ""
        if size > min(settings.max_tokens_per_call, settings.max_tokens_per_day):
            return ""
        if not affords(self._ledger, settings, size, self._clock()):
            self.report.is_spent = True
            return None
        self.report.asked += 1
        try:
            answer = self._backend.ask(request)
        except (Overloaded, Rejected) as error:
            self._spend(0, 0)
            self.report.problem = error
            return None
        except (Garbled, TooLong):
            self._spend(size - request.max_output_tokens, 0)
            return ""
        return self._accepted(answer, learning, items, exists)

    def _accepted(
        self, answer: Answer, learning: Learning, items: Sequence[Sequence[Evidence]], exists: Callable[[str], bool]
    ) -> str:
        self._spend(answer.input_tokens, answer.output_tokens, answer.model)
        wording = accepted(redact(answer.text), learning, items, exists)
        self.report.refused += not wording
        return wording

    def _spend(self, sent: int, received: int, model: str = "") -> None:
        self.report.input_tokens += sent
        self.report.output_tokens += received
        backend = self._backend
        spent = Spent(day_of(self._clock()), backend.name, model or backend.model, 1, sent, received)
        self._ledger.analyses.spend(spent)


def accepted(
    answer: str, learning: Learning, items: Sequence[Sequence[Evidence]], exists: Callable[[str], bool]
) -> str:
    """The wording in `answer` where it is safe, shown by `items`, and says what `learning` says; else ""."""
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(said, dict) or said.keys() != {"rule"} or not isinstance(said["rule"], str):
        return ""
    given = Given({f"e{number}": item for number, item in enumerate(items, 1)}, exists)
    cited = {"section": learning.lesson.section.value, "rule": said["rule"], "evidence": list(given.items)}
    rules = review(json.dumps({"rules": [cited]}), given).rules
    if not rules or rules[0].is_tainted or rules[0].text == _said(learning):
        return ""
    text = parse(rules[0].text)
    is_same = _says_rule(text, _said(learning)) if learning.origin == ORIGIN else _says_lesson(text, learning.lesson)
    return rules[0].text if is_same else ""


def _says_rule(text: RuleText, old: str) -> bool:
    """Whether a rule of the analyst keeps its names, and of each whether it is denied."""
    was = parse(old)
    return bool(was.names) and polarity(text.prose) == polarity(was.prose) and _denials(text) == _denials(was)


def _denials(text: RuleText) -> list[tuple[str, bool]]:
    return sorted((name, polarity(_clause(before))) for name, before in zip(text.names, text.before, strict=True))


def _says_lesson(text: RuleText, lesson: Lesson) -> bool:
    before = dict(zip(text.names, map(_clause, text.before), strict=True))
    names = [name for name in (lesson.subject, lesson.remedy) if name and name != _ROOT]
    if any(text.names.count(name) != 1 for name in names):
        return False
    if not lesson.remedy:
        return polarity(text.prose) == polarity(sentence(lesson))
    if not _END.fullmatch(text.rendered[text.rendered.rfind("`") + 1 :]):
        return False
    remedy = before.get(lesson.remedy, "")
    if lesson.remedy in before and (polarity(remedy) or not _URGED.search(remedy)):
        return False
    if lesson.section is Section.RETRY:
        return bool(_BEFORE.search(before[lesson.subject])) and not polarity(text.prose)
    return polarity(before[lesson.subject])


def _clause(before: str) -> str:
    """What stands right before a name, of its own clause."""
    return _CLAUSE.split(before)[-1]


def _items(evidence: Sequence[Evidence]) -> list[list[Evidence]]:
    """The evidence by lesson, the newest first."""
    by_lesson: dict[Lesson, list[Evidence]] = {}
    for one in evidence:
        by_lesson.setdefault(one.lesson, []).append(one)
    return list(by_lesson.values())[:_MOST_ITEMS]


def _said(learning: Learning) -> str:
    return learning.wording or sentence(learning.lesson, learning.note)
