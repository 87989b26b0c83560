"""Asks the analyst about the evidence that waits, and takes over what the contract lets through.

    evidence ─► question (stored) ─► answer (stored, with what it cost) ─► rules and refusals

Wherever this is interrupted, the next run goes on: what was paid for is looked through first.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field
from msgspec.structs import replace

from headroomd.analysis import batches, prompt
from headroomd.analysis.backends.base import (
    Backend,
    Garbled,
    Overloaded,
    Rejected,
    Request,
    TooLong,
    estimated_tokens,
)
from headroomd.analysis.contract import Given, Known, Unusable, review
from headroomd.errors import ConfigError, HeadroomError
from headroomd.ledger import Learning, Ledger, Question, Refusal, Spent, Status, day_of, learning_id
from headroomd.ledger.rules import ORIGIN
from headroomd.model import Lesson, Section
from headroomd.redact import redact
from headroomd.writing.wording import sentence

if TYPE_CHECKING:
    from headroomd.config import Analysis

__all__ = ["AnalysisReport", "View", "affords", "analyse"]

_PENDING: Final = 2000  # pieces of evidence that are looked at for one batch
_EARLIER: Final = 300
_FACTS_SHARE: Final = 4  # one in so many tokens of a call may say what is known already
_LEAST_EVIDENCE: Final = 300  # tokens
_MOST_GARBLED: Final = 2  # times that a useless answer is asked for again
_FIRST_PAUSE: Final = 60.0  # seconds; each further failure makes it four times as long
_LONGEST_PAUSE: Final = 6 * 3600.0
_REJECTED_PAUSE: Final = 3600.0  # a key does not become valid by itself


class View(Struct, frozen=True):
    """A project as it is now."""

    learnings: Sequence[Learning]  # all of them, best first
    by_hand: Sequence[str]  # lines that people wrote into the files that blocks stand in
    exists: Callable[[str], bool]  # whether a relative path is in the project


class AnalysisReport(Struct):
    """What one run did."""

    asked: int = 0  # calls, failed ones included
    input_tokens: int = 0
    output_tokens: int = 0
    rules: int = 0  # that passed every check, paraphrases of known ones included
    refused: int = 0
    changed: list[str] = field(default_factory=list)  # paths of projects that have new rules
    problem: HeadroomError | None = None  # why the run stopped early
    is_spent: bool = False  # the budget of the day stopped it

    def add(self, other: AnalysisReport) -> None:
        """Count another run as a part of this one."""
        self.asked += other.asked
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.rules += other.rules
        self.refused += other.refused
        self.changed += other.changed
        self.problem = self.problem or other.problem
        self.is_spent |= other.is_spent


def analyse(
    ledger: Ledger,
    projects: Iterable[Path],
    backend: Backend,
    settings: Analysis,
    look: Callable[[Path], View],
    *,
    clock: Callable[[], float] = time.time,
    eager: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> AnalysisReport:
    """Ask about what waits in `projects`, one after the other, within the budget of the day.

    `eager` asks again at once what failed before, rather than when it is due. A backend that fails stops the run; its
    question stays in the queue. Raises LedgerError, and ConfigError where a call has no room for evidence.
    """
    if settings.max_tokens_per_call < prompt.overhead() + _LEAST_EVIDENCE:
        cause = f"analysis.max_tokens_per_call = {settings.max_tokens_per_call} leaves no room for evidence"
        raise ConfigError(cause, f"allow at least {prompt.overhead() + _LEAST_EVIDENCE}")
    run = _Run(ledger, backend, settings, look, clock, eager, should_stop)
    for project in projects:
        if should_stop() or not run.analyse(project):
            break
    return run.report


def affords(ledger: Ledger, settings: Analysis, tokens: int, now: float) -> bool:
    """Whether the budget of the day has room for one more call of so many tokens."""
    calls, spent = ledger.analyses.spent_on(day_of(now))
    return calls < settings.max_calls_per_day and spent + tokens <= settings.max_tokens_per_day


class _Run:
    def __init__(
        self,
        ledger: Ledger,
        backend: Backend,
        settings: Analysis,
        look: Callable[[Path], View],
        clock: Callable[[], float],
        eager: bool,
        should_stop: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._backend = backend
        self._settings = settings
        self._look = look
        self._clock = clock
        self._eager = eager
        self._should_stop = should_stop
        self.report = AnalysisReport()

    def analyse(self, project: Path) -> bool:
        """Ask about everything that waits in one project; False where the run has to stop."""
        view: View | None = None
        while not self._should_stop():
            view = view or self._look(project)
            question = self._next(project, view)
            if question is None:
                return True
            if not question.fresh:  # its evidence was withdrawn meanwhile
                self._ledger.analyses.settle(question, [], [], self._clock())
                continue
            if not question.answer:
                answered = self._ask(question, view)
                if answered is None:
                    if self.report.problem is not None or self.report.is_spent:
                        return False
                    continue
                question = answered
            if self._settle(question, view):
                view = None
        return False

    def _next(self, project: Path, view: View) -> Question | None:
        analyses = self._ledger.analyses
        waiting = analyses.next_batch(str(project), math.inf if self._eager else self._clock())
        if waiting is not None or analyses.next_due(str(project)) is not None:
            return waiting  # nothing new is asked while something that failed waits for its time
        pending = analyses.pending(str(project), _PENDING)
        earlier = analyses.earlier(str(project), _EARLIER) if pending else []
        facts = sum(map(estimated_tokens, self._facts(view)))
        room = self._settings.max_tokens_per_call - prompt.overhead() - facts
        chosen = batches.choose(str(project), pending, earlier, room)
        if chosen is not None:
            analyses.add(chosen, self._clock())
        return chosen

    def _facts(self, view: View) -> list[str]:
        """What is known already, best first, as far as there is room."""
        room = self._settings.max_tokens_per_call // _FACTS_SHARE - prompt.overhead() // _FACTS_SHARE
        lines = []
        for learning in view.learnings:
            if learning.status is Status.RETIRED or (learning.status is Status.PROPOSED and learning.origin != ORIGIN):
                continue
            line = prompt.learning_line(learning, _said(learning))
            room -= estimated_tokens(line)
            if room < 0:
                break
            lines.append(line)
        return lines

    # -- asking --------------------------------------------------------------------------------------------------

    def _ask(self, question: Question, view: View) -> Question | None:
        """The question with its answer; None where there is none now, with the reason kept."""
        request = prompt.ask_about(question.items, self._facts(view), question.project)
        size = estimated_tokens(request.system + request.prompt)
        if not affords(self._ledger, self._settings, size + request.max_output_tokens, self._clock()):
            self.report.is_spent = True
            return None
        analyses, failed = self._ledger.analyses, self._spent(0, 0)
        self.report.asked += 1
        try:
            return self._answered(question, request)
        except TooLong as error:
            smaller = batches.halves(question)
            if smaller:
                analyses.split(question.id, smaller, self._clock(), failed)
            else:
                analyses.set_aside(question.id, error.cause, failed)
        except Garbled as error:
            self._garbled(question, error.cause, self._spent(size, 0))
        except (Overloaded, Rejected) as error:
            analyses.postpone(question.id, str(error), self._clock() + _pause(error, question.attempts), failed)
            self.report.problem = error
        return None

    def _answered(self, question: Question, request: Request) -> Question:
        answer = self._backend.ask(request)
        text = redact(answer.text)  # an analyst could repeat, or make up, what looks like a secret
        spent = self._spent(answer.input_tokens, answer.output_tokens, answer.model)
        self._ledger.analyses.store_answer(question.id, text, spent)
        return replace(question, answer=text)

    def _garbled(self, question: Question, reason: str, spent: Spent | None) -> None:
        if question.garbled < _MOST_GARBLED:
            self._ledger.analyses.postpone(question.id, reason, self._clock(), spent, is_garbled=True)
        else:
            self._ledger.analyses.set_aside(question.id, reason, spent)

    def _spent(self, sent: int, received: int, model: str = "") -> Spent:
        """One call's cost, counted in the report as well."""
        self.report.input_tokens += sent
        self.report.output_tokens += received
        backend = self._backend
        return Spent(day_of(self._clock()), backend.name, model or backend.model, 1, sent, received)

    # -- believing -----------------------------------------------------------------------------------------------

    def _settle(self, question: Question, view: View) -> bool:
        """Look through an answer; whether anything of it is believed."""
        try:
            found = review(question.answer, self._given(question, view))
        except Unusable as error:
            self._garbled(question, str(error), None)
            return False
        now = self._clock()
        refusals = [Refusal(one.rule, one.reason, now) for one in found.refused]
        self._ledger.analyses.settle(question, found.rules, refusals, now)
        self.report.rules += len(found.rules)
        self.report.refused += len(refusals)
        if found.rules and question.project not in self.report.changed:
            self.report.changed.append(question.project)
        return bool(found.rules)

    def _given(self, question: Question, view: View) -> Given:
        learnings = {learning.id: learning for learning in view.learnings}
        known = {
            id_: Known(id_, one.lesson.section, _said(one), is_rule=one.origin == ORIGIN)
            for id_, one in learnings.items()
            if one.status is Status.ACTIVE or one.origin == ORIGIN
        }
        known |= {
            id_: Known(id_, lesson.section, lesson.subject, is_rule=True)
            for id_, lesson in self._ledger.analyses.rules.of_project(question.project).items()
            if id_ not in known
        }
        return Given(
            items={f"e{number}": item for number, item in question.items.items()},
            exists=view.exists,
            known=known,
            evidence_of=lambda id_: self._ledger.learnings.evidence(learnings[id_]) if id_ in learnings else (),
            by_hand=view.by_hand,
            name=_namer(question.project),
        )


def _said(learning: Learning) -> str:
    return learning.wording or sentence(learning.lesson, learning.note)


def _namer(project: str) -> Callable[[Section, str], str]:
    return lambda section, text: learning_id(project, Lesson(section, text))


def _pause(error: Overloaded | Rejected, attempts: int) -> float:
    """Seconds until a question is asked again: growing, and not the same for everybody."""
    pause = (
        _REJECTED_PAUSE if isinstance(error, Rejected) else min(_FIRST_PAUSE * 4 ** min(attempts, 8), _LONGEST_PAUSE)
    )
    asked_for = error.retry_after or 0.0 if isinstance(error, Overloaded) else 0.0
    return max(pause * (0.75 + secrets.randbelow(500) / 1000), asked_for)
