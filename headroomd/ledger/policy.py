"""When a lesson may be believed: pure rules over what the evidence of one project says.

In doubt a lesson is not believed: a wrong rule costs every future session.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from headroomd.model import Lesson, Section

__all__ = ["Check", "Judgement", "Support", "Tries", "judge"]

Check = Callable[[Lesson], str]
"""Why a lesson does not hold in the world as it is now; "" where it does."""

_REVERSIBLE: Final = frozenset({Section.PATHS, Section.ENVIRONMENT, Section.COMMANDS, Section.SCOPE})


class Support(Struct, frozen=True):
    """One piece of evidence, as far as it counts."""

    lesson: Lesson
    session: int
    call: int
    agent: str
    at: float
    needs_sessions: int = 1
    wasted: int = 0
    note: str = ""
    opportunity: int | None = None
    agent_specific: bool = False


class Tries(Struct, frozen=True):
    """How one session fared with one operation."""

    ok: int
    failed: int
    last_at: float  # of the session


class Judgement(Struct, frozen=True):
    """A lesson with what speaks for it, and why it may not be believed ("" where it may)."""

    lesson: Lesson
    reason: str
    sessions: int
    calls: int
    agents: tuple[str, ...]
    first_seen: float
    last_seen: float
    wasted: int
    note: str
    agent_specific: bool

    @property
    def weight(self) -> tuple[int, int]:
        return self.sessions, self.calls


def judge(evidence: Iterable[Support], tries: Mapping[int, Sequence[Tries]], check: Check) -> list[Judgement]:
    """Every lesson that `evidence` speaks for. `tries` holds, by opportunity, each session that had one."""
    groups: dict[Lesson, list[Support]] = defaultdict(list)
    for support in evidence:
        groups[support.lesson].append(support)
    judged = [_judge_alone(lesson, group, tries, check) for lesson, group in groups.items()]
    return _without_contradictions(judged)


def _judge_alone(lesson: Lesson, group: list[Support], tries: Mapping[int, Sequence[Tries]], check: Check) -> Judgement:
    reason = check(lesson)
    chances = [
        tried for key in {support.opportunity for support in group} if key is not None for tried in tries.get(key, ())
    ]
    counted = _since_approval(group, chances) if lesson.section is Section.PERMISSIONS else group
    sessions = _independent_sessions(counted)
    needed = min(support.needs_sessions for support in group)
    if lesson.section is Section.PERMISSIONS:
        needed = max(needed, 2)
    if not reason and sessions < needed:
        reason = "approved since" if len(counted) < len(group) else f"seen in {sessions} of {needed} sessions needed"
    if not reason and lesson.section is Section.SCOPE:
        found, missed = sum(tried.ok for tried in chances), sum(tried.failed for tried in chances)
        if chances and missed <= found:
            reason = f"searches there find something more often than not ({found} of {found + missed})"
    return Judgement(
        lesson=lesson,
        reason=reason,
        sessions=len({support.session for support in group}),
        calls=len({support.call for support in group}),
        agents=tuple(sorted({support.agent for support in group})),
        first_seen=min(support.at for support in group),
        last_seen=max(support.at for support in group),
        wasted=sum({support.call: support.wasted for support in group}.values()),
        note=_usual_note(group),
        agent_specific=all(support.agent_specific for support in group),
    )


def _independent_sessions(group: Iterable[Support]) -> int:
    """The most sessions of any one agent: one task tried in several agents is not several people's experience."""
    by_agent: dict[str, set[int]] = defaultdict(set)
    for support in group:
        by_agent[support.agent].add(support.session)
    return max(map(len, by_agent.values()), default=0)


def _usual_note(group: list[Support]) -> str:
    """The most frequent note, the earliest of several: it stands in the block, which should not change with every
    new sighting."""
    notes = Counter(support.note for support in sorted(group, key=lambda support: support.at) if support.note)
    return max(notes, key=lambda note: notes[note], default="")


def _since_approval(refusals: list[Support], tries: Sequence[Tries]) -> list[Support]:
    """The refusals that came after the last session in which the same thing was let through.

    Tries have no times of their own, so one in the same session may have come before the refusal. It still shows
    that the user does not always refuse.
    """
    approved = max((tried.last_at for tried in tries if tried.ok), default=float("-inf"))
    return [refusal for refusal in refusals if refusal.at > approved]


def _without_contradictions(judged: list[Judgement]) -> list[Judgement]:
    """`judged`, with what believable lessons contradict no longer believable."""
    believable = [one for one in judged if not one.reason]
    by_subject: dict[tuple[Section, str], list[Judgement]] = defaultdict(list)
    for one in believable:
        by_subject[one.lesson.section, one.lesson.subject].append(one)
    return [_settled(one, by_subject) if not one.reason else one for one in judged]


def _settled(one: Judgement, by_subject: Mapping[tuple[Section, str], list[Judgement]]) -> Judgement:
    section, subject, remedy = one.lesson.section, one.lesson.subject, one.lesson.remedy
    others = [other for other in by_subject[section, subject] if other.lesson != one.lesson]
    reverse: list[Judgement] = []
    if section in _REVERSIBLE:
        reverse = [other for other in by_subject.get((section, remedy), ()) if other.lesson.remedy == subject]
    # Two right places for one wrong path cannot both be true; two commands that work can, and one is enough.
    opposed = reverse + others if section is Section.PATHS else reverse
    for other in opposed:
        if not (one.last_seen > other.last_seen and one.weight > other.weight):
            return _disbelieved(one, "contradicted by", other)
    for other in others:
        if _preference(other) > _preference(one):
            return _disbelieved(one, "less well supported than", other)
    return one


def _preference(one: Judgement) -> tuple[int, int, float, str]:
    return *one.weight, one.last_seen, one.lesson.remedy


def _disbelieved(one: Judgement, why: str, other: Judgement) -> Judgement:
    lesson = other.lesson
    return replace(one, reason=f"{why} {lesson.subject} → {lesson.remedy}")
