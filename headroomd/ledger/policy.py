"""When a lesson may be believed: pure rules over what the evidence of one project says.

In doubt a lesson is not believed: a wrong rule costs every future session.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from headroomd.model import Lesson, Section

__all__ = [
    "CLEARLY",
    "FLOOR",
    "Check",
    "Judgement",
    "LifecycleRules",
    "Standing",
    "Support",
    "Tries",
    "covers",
    "folder_moves",
    "is_folder_move",
    "judge",
]

Check = Callable[[Lesson], str]
"""Why a lesson does not hold in the world as it is now; "" where it does."""

FLOOR: Final = 0.25
"""The faded support below which a lesson counts as old and unseen: one session two half-lives ago."""

CLEARLY: Final = 1.2
"""How many times better a rival must be to take the place of what is told already: so that nothing flaps."""

_MOVED: Final = 3  # files that make a moved folder
_REVERSIBLE: Final = frozenset({Section.PATHS, Section.ENVIRONMENT, Section.COMMANDS, Section.SCOPE})


class LifecycleRules(Struct, frozen=True):
    """What the user decides about how learnings age."""

    half_life: float = 90 * 86400.0  # seconds in which a session's support fades to half
    ineffective_after: int = 10  # opportunities after which a rule that does not help is given up


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
    support: float  # sessions, each faded by its age
    weight: float  # the same, of those that show this very remedy
    is_weak: bool = False  # the reason is that too little shows it


class Standing(Struct, frozen=True):
    """What is known beside the evidence: the time, what is told already, and what may not come back."""

    now: float = 0.0  # of the project's latest session: what nobody works on does not grow old
    half_life: float = LifecycleRules().half_life
    told: frozenset[Lesson] = frozenset()  # those that are active
    proven: frozenset[Lesson] = frozenset()  # those that help: they need not be seen again
    barred: Mapping[Lesson, tuple[float, str]] = {}  # since when, and why: only newer evidence brings these back

    def faded(self, group: Iterable[Support]) -> float:
        """The sessions of `group`, each worth half as much for every half-life since it last showed the lesson."""
        latest: dict[int, float] = {}
        for one in group:
            latest[one.session] = max(one.at, latest.get(one.session, 0.0))
        ages = (max(self.now - at, 0.0) if at else 0.0 for at in latest.values())
        return sum(math.exp2(-age / self.half_life) for age in ages)

    def held(self, lesson: Lesson, last_seen: float) -> str:
        """Why a lesson may not come back, "" where it may."""
        since, reason = self.barred.get(lesson, (0.0, ""))
        return reason if last_seen <= since else ""

    def is_kept(self, lesson: Lesson) -> bool:
        """Whether a lesson need not be seen again: it helps, or is told as part of a folder's move, which grows old as
        a whole."""
        return lesson in self.proven or any(is_folder_move(told) and covers(told, lesson) for told in self.told)

    def is_clear(self, better: float, worse: float) -> bool:
        """Whether one support is so much larger than another that places may change."""
        return better >= CLEARLY * worse


def judge(
    evidence: Iterable[Support],
    tries: Mapping[int, Sequence[Tries]],
    check: Check,
    standing: Standing | None = None,
) -> list[Judgement]:
    """Every lesson that `evidence` speaks for, folder moves that several of them add up to included.

    `tries` holds, by opportunity, each session that had one.
    """
    standing = standing or Standing()
    groups: dict[Lesson, list[Support]] = defaultdict(list)
    pools: dict[str, list[Support]] = defaultdict(list)
    for support in evidence:
        groups[support.lesson].append(support)
        if support.lesson.section is Section.SCOPE:
            pools[support.lesson.subject].append(support)
    judged = [
        _judge_alone(lesson, group, pools.get(lesson.subject, group), tries, check, standing)
        if lesson.section is Section.SCOPE
        else _judge_alone(lesson, group, group, tries, check, standing)
        for lesson, group in groups.items()
    ]
    judged = _without_contradictions(judged, standing)
    for move, members in folder_moves(one.lesson for one in judged if not one.reason).items():
        group = [support for member in members for support in groups[member]]
        judged.append(_judge_alone(move, group, group, tries, check, standing))
    return judged


def covers(general: Lesson, other: Lesson) -> bool:
    """Whether who is told `general` need not be told `other`, too."""
    if general.section is not other.section or general == other:
        return False
    match general.section:
        case Section.PATHS:
            tail = other.subject.removeprefix(general.subject)
            return (
                is_folder_move(general)
                and other.subject.startswith(general.subject)
                and bool(tail)
                and other.remedy == general.remedy + tail
            )
        case Section.PERMISSIONS:
            return other.subject.startswith(f"{general.subject} ")
        case Section.ENVIRONMENT | Section.COMMANDS:
            words = other.subject.removeprefix(general.subject)
            return words.startswith(" ") and other.remedy == general.remedy + words
    return False


def is_folder_move(lesson: Lesson) -> bool:
    """Whether a path correction speaks of all the files of a folder."""
    return lesson.section is Section.PATHS and lesson.subject.endswith("/")


def folder_moves(lessons: Iterable[Lesson]) -> dict[Lesson, list[Lesson]]:
    """The folders whose files all moved to one other folder, as three or more of `lessons` show, none contradicting.

    The remedy of a move is the folder with the same files below it, under the same names.
    """
    members: dict[Lesson, list[Lesson]] = defaultdict(list)
    paths = [lesson for lesson in lessons if lesson.section is Section.PATHS and not is_folder_move(lesson)]
    for lesson in paths:
        if (move := _folder_move(lesson)) is not None:
            members[move].append(lesson)
    return {
        move: its
        for move, its in members.items()
        if len(its) >= _MOVED and all(covers(move, one) for one in paths if one.subject.startswith(move.subject))
    }


def _folder_move(lesson: Lesson) -> Lesson | None:
    """The move of the highest folder that would explain a path correction; None where names differ."""
    wrong, right = lesson.subject.split("/"), lesson.remedy.split("/")
    while wrong and right and wrong[-1] == right[-1]:
        wrong.pop()
        right.pop()
    if not wrong or not right or len(wrong) == lesson.subject.count("/") + 1:
        return None
    return Lesson(Section.PATHS, "/".join(wrong) + "/", "/".join(right) + "/")


def _judge_alone(
    lesson: Lesson,
    group: list[Support],
    pool: list[Support],
    tries: Mapping[int, Sequence[Tries]],
    check: Check,
    standing: Standing,
) -> Judgement:
    """`pool` is what speaks for the subject whatever the remedy: one folder found too narrow twice is one learning."""
    reason, is_weak = check(lesson), False
    if not reason:
        reason, is_weak = _unproven(lesson, pool, tries)
    last_seen, support = max(one.at for one in pool), standing.faded(pool)
    reason = reason or standing.held(lesson, last_seen)
    if not reason and support < FLOOR and not standing.is_kept(lesson):
        reason = "old and unseen"
    return Judgement(
        lesson=lesson,
        reason=reason,
        sessions=len({one.session for one in pool}),
        calls=len({one.call for one in pool}),
        agents=tuple(sorted({one.agent for one in pool})),
        first_seen=min(one.at for one in pool),
        last_seen=last_seen,
        wasted=sum({one.call: one.wasted for one in pool}.values()),
        note=_examples(group, lesson) if is_folder_move(lesson) else _usual_note(group),
        agent_specific=all(one.agent_specific for one in pool),
        support=support,
        weight=standing.faded(group),
        is_weak=is_weak,
    )


def _unproven(lesson: Lesson, pool: list[Support], tries: Mapping[int, Sequence[Tries]]) -> tuple[str, bool]:
    """Why what was seen does not suffice, "" where it does; and whether more of the same would."""
    chances = [
        tried for key in {support.opportunity for support in pool} if key is not None for tried in tries.get(key, ())
    ]
    needed = min(support.needs_sessions for support in pool)
    counted = pool
    if lesson.section is Section.PERMISSIONS:
        needed = max(needed, 2)
        counted = _since_approval(pool, chances)
    sessions = _independent_sessions(counted)
    if sessions < needed:
        is_weak = len(counted) == len(pool)
        return f"seen in {sessions} of {needed} sessions needed" if is_weak else "approved since", is_weak
    if lesson.section is Section.SCOPE and chances:
        found, missed = sum(tried.ok for tried in chances), sum(tried.failed for tried in chances)
        if missed <= found:
            return f"searches there find something more often than not ({found} of {found + missed})", False
    return "", False


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


def _examples(group: list[Support], move: Lesson) -> str:
    """Some of the files that moved, the earliest seen first."""
    tails = dict.fromkeys(
        support.lesson.subject.removeprefix(move.subject) for support in sorted(group, key=lambda one: one.at)
    )
    return ", ".join(list(tails)[:_MOVED])


def _since_approval(refusals: list[Support], tries: Sequence[Tries]) -> list[Support]:
    """The refusals that came after the last session in which the same thing was let through.

    Tries have no times of their own, so one in the same session may have come before the refusal. It still shows
    that the user does not always refuse.
    """
    approved = max((tried.last_at for tried in tries if tried.ok), default=float("-inf"))
    return [refusal for refusal in refusals if refusal.at > approved]


def _without_contradictions(judged: list[Judgement], standing: Standing) -> list[Judgement]:
    """`judged`, with what believable lessons contradict no longer believable."""
    by_subject: dict[tuple[Section, str], list[Judgement]] = defaultdict(list)
    for one in judged:
        if not one.reason:
            by_subject[one.lesson.section, one.lesson.subject].append(one)
    best = {key: _best(rivals, standing) for key, rivals in by_subject.items()}
    return [_settled(one, by_subject, best, standing) if not one.reason else one for one in judged]


def _settled(
    one: Judgement,
    by_subject: Mapping[tuple[Section, str], list[Judgement]],
    best: Mapping[tuple[Section, str], Judgement],
    standing: Standing,
) -> Judgement:
    section, subject, remedy = one.lesson.section, one.lesson.subject, one.lesson.remedy
    others = [other for other in by_subject[section, subject] if other.lesson != one.lesson]
    opposed: list[Judgement] = []
    if section in _REVERSIBLE:
        opposed = [other for other in by_subject.get((section, remedy), ()) if other.lesson.remedy == subject]
    if section is Section.PATHS:
        # Two right places for one wrong path cannot both be true; two commands that work can, and one is enough.
        opposed += others
    for other in opposed:
        if not (one.last_seen > other.last_seen and standing.is_clear(one.weight, other.weight)):
            return _disbelieved(one, "contradicted by", other)
    winner = best[section, subject]
    if section is not Section.PATHS and winner is not one:
        return _disbelieved(one, "less well supported than", winner)
    return one


def _best(rivals: list[Judgement], standing: Standing) -> Judgement:
    """Which of several remedies is told. The one that is told already stays unless another is clearly better."""
    best = max(rivals, key=_preference)
    told = next((one for one in rivals if one.lesson in standing.told), best)
    return best if standing.is_clear(best.weight, told.weight) else told


def _preference(one: Judgement) -> tuple[float, int, float, str]:
    lesson = one.lesson
    if lesson.section is Section.SCOPE:  # of equals, the wider
        return round(one.weight), -len(PurePosixPath(lesson.remedy).parts), one.last_seen, lesson.remedy
    return round(one.weight, 1), one.calls, one.last_seen, lesson.remedy


def _disbelieved(one: Judgement, why: str, other: Judgement) -> Judgement:
    lesson = other.lesson
    return replace(one, reason=f"{why} {lesson.subject} → {lesson.remedy}")
