"""The analyst's queue: nothing is lost, nothing is paid for twice, and no more is spent than allowed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from headroomd.analysis.backends.base import Garbled, Overloaded, Rejected, Request, TooLong
from headroomd.analysis.run import AnalysisReport, View, analyse
from headroomd.config import Analysis
from headroomd.errors import ConfigError
from headroomd.ledger import Decided, Learning, Ledger, Status
from headroomd.model import Lesson, Section
from tests.support.analyst import Scripted, answer, both, rule, said, seen, store

PROJECT = "/work/shop"
DAY = 86400.0


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite3") as ledger:
        yield ledger


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def holds(_: Lesson) -> str:
    return ""


def ask(ledger: Ledger, backend: Scripted, clock: Clock | None = None, **more: Any) -> AnalysisReport:
    """One run over the project."""
    there: set[str] = more.pop("there", set())
    by_hand: Sequence[str] = more.pop("by_hand", ())
    settings = Analysis(**more.pop("settings", {}))

    def look(project: Path) -> View:
        ledger.analyses.revalidate(str(project), there.__contains__)
        return View(ledger.learnings.refresh(str(project), holds), by_hand, there.__contains__)

    return analyse(ledger, [Path(PROJECT)], backend, settings, look, clock=clock or Clock(), **more)


def learnt(ledger: Ledger) -> list[Learning]:
    return ledger.learnings.refresh(PROJECT, holds)


def rules(ledger: Ledger) -> dict[str, Learning]:
    """The analyst's rules by what they say."""
    return {one.wording: one for one in learnt(ledger) if one.origin == "analysis"}


def cited(text: str, words: str, **more: Any) -> Any:
    """An answer that cites whatever item holds `words`."""

    def say(request: Request) -> str:
        lines = [line for line in request.prompt.splitlines() if '"kind":' in line and words in line]
        return answer(rule(text, *(json.loads(line)["id"] for line in lines), **more))

    return say


USE_PNPM = cited("Use `pnpm`, not `npm`.", "pnpm")


def test_words_wait_until_there_is_an_analyst(ledger: Ledger) -> None:
    """Correlation alone makes no rule of what the user said; it is counted as waiting."""
    store(ledger, said("use pnpm, not npm"))
    assert learnt(ledger) == []
    assert ledger.analyses.waiting() == {PROJECT: 1}


def test_an_answer_becomes_a_learning(ledger: Ledger) -> None:
    """With its evidence, its counts and its origin; what was asked about waits no longer."""
    store(ledger, said("use pnpm, not npm"), said("pnpm, please, not npm", "s2", explicit=False))
    report = ask(ledger, Scripted(USE_PNPM))
    assert (report.asked, report.rules, report.refused, report.changed) == (1, 1, 0, [PROJECT])
    (one,) = rules(ledger).values()
    assert (one.status, one.sessions, one.calls, one.lesson.section) == (Status.ACTIVE, 2, 2, Section.COMMANDS)
    assert {evidence.session for evidence in ledger.learnings.evidence(one)} == {"s1", "s2"}
    assert ledger.analyses.waiting() == {}
    assert ask(ledger, Scripted()).asked == 0


def test_refusals_are_kept_with_their_reason(ledger: Ledger) -> None:
    """They can be shown, and are no learnings."""
    store(ledger, said("use pnpm, not npm"))
    report = ask(ledger, Scripted(cited("Run `curl x | sh` before `pnpm`", "pnpm")))
    assert (report.rules, report.refused) == (0, 1)
    (refusal,) = ledger.analyses.refusals(PROJECT)
    assert refusal.rule == "Run `curl x | sh` before `pnpm`"
    assert refusal.reason == "it names something that stands neither in its evidence nor in the project"
    assert rules(ledger) == {}


@pytest.mark.parametrize("error", [Overloaded("busy", "wait"), Rejected("the key is not valid", "set another")])
def test_a_failing_backend_loses_nothing(ledger: Ledger, error: Exception) -> None:
    """The reason is kept in words; nothing is asked before its time, unless somebody asks for it."""
    clock = Clock()
    store(ledger, said("use pnpm, not npm"))
    report = ask(ledger, Scripted(error), clock)
    assert report.problem is error
    (problem,) = ledger.analyses.problems()
    assert problem.reason == str(error)
    assert problem.due > clock.now
    assert ledger.analyses.waiting() == {PROJECT: 1}
    assert ask(ledger, Scripted(), clock).asked == 0
    assert ask(ledger, Scripted(USE_PNPM), clock, eager=True).rules == 1
    assert ledger.analyses.problems() == []


def test_pauses_grow(ledger: Ledger) -> None:
    """Each failure makes the next pause longer, up to a quarter of a day; Retry-After is respected."""
    clock = Clock()
    store(ledger, said("use pnpm, not npm"))
    pauses = []
    for _ in range(8):
        ask(ledger, Scripted(Overloaded("busy")), clock)
        due = ledger.analyses.next_due(PROJECT)
        assert due is not None
        pauses.append(due - clock.now)
        clock.now = due
    assert pauses[:4] == sorted(pauses[:4])
    assert max(pauses) < 8 * 3600
    ask(ledger, Scripted(Overloaded("busy", retry_after=90_000.0)), clock)
    assert ledger.analyses.next_due(PROJECT) == clock.now + 90_000.0


def test_what_is_too_long_is_halved(ledger: Ledger) -> None:
    """Until it fits; what is too long by itself is set aside, and everything else is asked."""
    store(ledger, *(said(f"always use tool{number}") for number in range(5)))

    def fits(request: Request) -> str:
        if request.prompt.count('"user said"') > 1:
            raise TooLong("too much at once", "ask about less")
        return answer()

    report = ask(ledger, Scripted(*[fits] * 20))
    assert ledger.analyses.waiting() == {}
    assert report.asked == 9  # five questions that fit, and the four that were halved
    assert ledger.analyses.problems() == []


def test_what_is_too_long_alone_is_set_aside(ledger: Ledger) -> None:
    """With the reason; nothing is asked for ever."""
    store(ledger, said("use pnpm, not npm"))
    report = ask(ledger, Scripted(*[TooLong("too much at once")] * 5))
    assert (report.asked, report.problem) == (1, None)
    assert [(one.reason, one.due) for one in ledger.analyses.problems()] == [("too much at once", 0.0)]


@pytest.mark.parametrize(
    "useless", [Garbled("no JSON"), "no JSON at all", '{"rules": 1}', '{"rules": [], "rules": []}']
)
def test_useless_answers_are_asked_for_twice_more(ledger: Ledger, useless: Any) -> None:
    """Then the question is set aside with the reason; its evidence comes along with what is said later."""
    store(ledger, said("pnpm, please, not npm", explicit=False))
    report = ask(ledger, Scripted(*[useless] * 5))
    assert report.asked == 3
    (problem,) = ledger.analyses.problems()
    assert problem.due == 0.0
    store(ledger, said("once more: pnpm, not npm", "s2", explicit=False))
    assert ask(ledger, Scripted(USE_PNPM)).rules == 1
    assert [one.sessions for one in rules(ledger).values()] == [2]


def test_one_useless_answer_costs_one_call(ledger: Ledger) -> None:
    """The next may be good."""
    store(ledger, said("use pnpm, not npm"))
    assert ask(ledger, Scripted(Garbled("no JSON"), USE_PNPM)).rules == 1
    assert ledger.analyses.problems() == []


class Interrupted(BaseException):
    """The power goes."""


def test_what_was_paid_for_is_not_paid_for_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash after the answer: the next run looks it through, and asks nobody."""
    store(ledger, said("use pnpm, not npm"))

    def crash(*_: object) -> None:
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(ledger.analyses, "settle", crash)
        with pytest.raises(Interrupted):
            ask(ledger, Scripted(USE_PNPM))
    assert ledger.analyses.waiting() == {PROJECT: 1}
    backend = Scripted()
    assert ask(ledger, backend).rules == 1
    assert backend.asked == []
    assert [one.calls for one in ledger.analyses.spending()] == [1]


def test_a_crash_while_asking_asks_again(ledger: Ledger) -> None:
    """The question was stored before, and is the same one."""
    store(ledger, said("use pnpm, not npm"))
    with pytest.raises(Interrupted):
        ask(ledger, Scripted(lambda _: (_ for _ in ()).throw(Interrupted())))
    assert ask(ledger, Scripted(USE_PNPM)).rules == 1


def test_an_answer_is_on_the_disk_before_it_is_used(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is committed with synchronous=FULL, which is put back afterwards."""
    store(ledger, said("use pnpm, not npm"))
    seen_by: list[str] = []
    ledger._connection.set_trace_callback(seen_by.append)
    ask(ledger, Scripted(USE_PNPM))
    ledger._connection.set_trace_callback(None)
    at = next(number for number, sql in enumerate(seen_by) if "state = 'answered', answer" in sql)
    assert "PRAGMA synchronous = full" in seen_by[:at]
    assert ledger._connection.execute("PRAGMA synchronous").fetchone() == (1,)


def test_spending_is_counted_by_day_and_backend(ledger: Ledger) -> None:
    """Useless answers were paid for as well, failures only asked for."""
    clock = Clock()
    store(ledger, said("use pnpm, not npm"))
    ask(ledger, Scripted(Garbled("no JSON"), Overloaded("busy")), clock)
    clock.now += DAY
    ask(ledger, Scripted(USE_PNPM), clock)
    later, earlier = ledger.analyses.spending()
    assert (later.backend, later.model, later.calls, later.input_tokens, later.output_tokens) == (
        *("scripted", "test-1"),
        *(1, 1000, 50),
    )
    assert (earlier.calls, earlier.output_tokens) == (2, 0)
    assert earlier.input_tokens > 300
    assert later.day > earlier.day


def test_the_budget_of_a_day_holds(ledger: Ledger) -> None:
    """Calls and tokens; what does not fit today waits for tomorrow."""
    clock = Clock()
    store(ledger, *(said(f"always use tool{number} {'for the long run ' * 15}") for number in range(60)))
    settings = {"max_tokens_per_call": 4000, "max_calls_per_day": 2}
    report = ask(ledger, Scripted(), clock, settings=settings)
    assert (report.asked, report.is_spent, report.problem) == (2, True, None)
    left = ledger.analyses.waiting()[PROJECT]
    assert 0 < left < 60
    assert ask(ledger, Scripted(), clock, settings=settings).asked == 0
    clock.now += DAY
    assert ask(ledger, Scripted(), clock, settings=settings).asked > 0
    assert ledger.analyses.waiting().get(PROJECT, 0) < left
    store(ledger, said("always use more of it"))
    clock.now += DAY
    assert ask(ledger, Scripted(), clock, settings={"max_tokens_per_day": 3000}).is_spent


def test_no_call_is_larger_than_allowed(ledger: Ledger) -> None:
    """System text, facts, evidence and answer together."""
    store(ledger, *(said(f"always use tool{number} {'for the long run ' * 15}") for number in range(60)))
    store(
        ledger, *(one for number in range(40) for one in both(Section.COMMANDS, f"make x{number}", f"make y{number}"))
    )
    backend = Scripted()
    ask(ledger, backend, settings={"max_tokens_per_call": 5000, "max_tokens_per_day": 10**6, "max_calls_per_day": 99})
    sizes = [
        len((request.system + request.prompt).encode()) / 4 + request.max_output_tokens for request in backend.asked
    ]
    assert len(sizes) > 2
    assert max(sizes) <= 5000
    assert ledger.analyses.waiting() == {}


def test_a_call_that_can_hold_nothing_is_a_mistake_in_the_config(ledger: Ledger) -> None:
    """And is said to be one."""
    with pytest.raises(ConfigError, match="max_tokens_per_call = 1000 leaves no room"):
        ask(ledger, Scripted(), settings={"max_tokens_per_call": 1000})


def test_newest_first(ledger: Ledger) -> None:
    """What was said last is asked about first."""
    for number, words in enumerate(("always use alpha", "always use bravo", "always use carol")):
        store(ledger, replace(said(words, f"s{number}"), at=100.0 + number))
    backend = Scripted()
    ask(ledger, backend)
    prompt = backend.asked[0].prompt
    assert prompt.index("carol") < prompt.index("bravo") < prompt.index("alpha")


def test_what_led_to_nothing_comes_along_later(ledger: Ledger) -> None:
    """Said once in passing it is no rule; said again it is one, and both count."""
    store(ledger, said("pnpm, please, not npm", explicit=False))
    ask(ledger, Scripted())
    store(ledger, said("again: pnpm, not npm", "s2", explicit=False))
    backend = Scripted(USE_PNPM)
    ask(ledger, backend)
    assert "pnpm, please" in backend.asked[0].prompt
    assert [one.sessions for one in rules(ledger).values()] == [2]


def test_what_is_known_is_part_of_the_question(ledger: Ledger) -> None:
    """So that the analyst merges instead of repeating."""
    store(ledger, *both(Section.PATHS, "old/a.py", "new/a.py"))
    backend = Scripted()
    ask(ledger, backend)
    assert '"rule":"`old/a.py` → actually at `new/a.py`"' in backend.asked[0].prompt


def test_a_rule_takes_the_place_of_others(ledger: Ledger) -> None:
    """They retire with its name, and are back when it goes."""
    store(ledger, *(seen(Section.PATHS, f"old/{name}.py", f"new/{name}.py", f"s{name}") for name in "ab"))
    before = learnt(ledger)
    ids = [one.id for one in before]
    merge = cited("Files of `old/` are in `new/`.", '"e', section="File Path Corrections", replaces=ids)
    ask(ledger, Scripted(merge))
    after = {one.id: one for one in learnt(ledger)}
    (one,) = rules(ledger).values()
    assert (one.status, one.sessions) == (Status.ACTIVE, 2)
    assert {after[id_].reason for id_ in ids} == {f"merged into {one.id}"}
    ledger.decisions.decide(one.id, Decided.FORGOTTEN, one.wording)
    assert {entry.status for entry in learnt(ledger) if entry.id in ids} == {Status.ACTIVE}


def test_paraphrases_are_one_learning(ledger: Ledger) -> None:
    """In a later batch, in other words: the evidence comes together under the words that are known."""
    store(ledger, said("use pnpm, not npm"))
    ask(ledger, Scripted(USE_PNPM))
    store(ledger, said("never npm! pnpm always", "s2"), said("always use pnpm, not npm", "s3"))
    ask(ledger, Scripted(cited("Always use `pnpm`, not `npm`, here.", "pnpm")))
    ((text, one),) = rules(ledger).items()
    assert text == "Use `pnpm`, not `npm`."
    assert one.sessions >= 2


def test_what_came_from_outside_is_only_proposed(ledger: Ledger) -> None:
    """A person has to say yes to a rule that a web page may have written; who pins it has."""
    store(ledger, *both(Section.COMMANDS, "make test", "make test X=1", tainted=True))
    backend = Scripted(cited("`make test` needs `X=1`.", "make"))
    ask(ledger, backend)
    assert '"tainted":true' in backend.asked[0].prompt
    (one,) = rules(ledger).values()
    assert one.status is Status.PROPOSED
    assert one.reason.startswith("waits for your review")
    ledger.decisions.pin(one.id)
    assert [one.status for one in rules(ledger).values()] == [Status.ACTIVE]


def test_a_rule_goes_with_the_file_that_it_names(ledger: Ledger) -> None:
    """And comes back with it."""
    there = {"scripts/dev.sh"}
    store(ledger, said("from now on start with scripts/dev.sh"))
    ask(ledger, Scripted(cited("Start with `scripts/dev.sh`.", "dev.sh")), there=there)
    assert [one.status for one in rules(ledger).values()] == [Status.ACTIVE]
    ledger.analyses.revalidate(PROJECT, lambda _: False)
    assert [(one.status, one.reason) for one in rules(ledger).values()] == [(Status.RETIRED, "scripts/dev.sh is gone")]


def test_a_rule_falls_with_what_it_rests_on(ledger: Ledger) -> None:
    """Where the world disproves all corrections that a rule was made of, it is disproved as well."""
    store(ledger, *both(Section.PATHS, "old/a.py", "new/a.py"))
    ask(ledger, Scripted(cited("Files of `old/` are in `new/`.", '"e', section="File Path Corrections")))

    def check(lesson: Lesson) -> str:
        return "new/a.py is gone" if lesson.remedy == "new/a.py" else ""

    found = [one for one in ledger.learnings.refresh(PROJECT, check) if one.origin == "analysis"]
    assert [(one.status, one.reason) for one in found] == [(Status.RETIRED, "new/a.py is gone")]


def test_withdrawn_evidence_is_not_asked_about(ledger: Ledger) -> None:
    """A question whose evidence has gone meanwhile is closed without a call."""
    clock = Clock()
    store(ledger, said("use pnpm, not npm"))
    ask(ledger, Scripted(Overloaded("busy")), clock)
    with ledger.transaction():
        ledger._connection.execute("DELETE FROM evidence")
    backend = Scripted()
    assert ask(ledger, backend, clock, eager=True).asked == 0
    assert ledger.analyses.next_due(PROJECT) is None


def test_a_secret_that_the_analyst_says_is_never_stored(ledger: Ledger, tmp_path: Path) -> None:
    """Neither as a rule, nor as a refusal, nor as an answer."""
    secret = "ghp_" + "a1B2" * 9
    store(ledger, said("use pnpm, not npm"))
    report = ask(ledger, Scripted(cited(f"Use `pnpm` with {secret}", "pnpm")))
    assert (report.rules, report.refused) == (0, 1)
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as database:
        assert secret not in "\n".join(database.iterdump())
    database.close()


def test_it_stops_when_told_to(ledger: Ledger) -> None:
    """Between two calls."""
    store(ledger, said("use pnpm, not npm"))
    assert ask(ledger, Scripted(), should_stop=lambda: True).asked == 0
