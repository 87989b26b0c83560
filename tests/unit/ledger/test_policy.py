"""When a lesson may be believed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headroomd.ledger.policy import Judgement, Support, Tries, judge
from headroomd.model import Lesson, Section

PATH = Lesson(Section.PATHS, "a/x.py", "b/x.py")


def support(lesson: Lesson = PATH, session: int = 1, at: float = 0.0, **more: object) -> Support:
    values: dict[str, object] = {"agent": "claude", "call": hash((session, at, lesson.identity)), **more}
    return Support(lesson, session, at=at, **values)  # type: ignore[arg-type]


def decide(
    *evidence: Support, tries: dict[int, list[Tries]] | None = None, untrue: dict[Lesson, str] | None = None
) -> dict[Lesson, Judgement]:
    judged = judge(evidence, tries or {}, lambda lesson: (untrue or {}).get(lesson, ""))
    return {one.lesson: one for one in judged}


def believed(*evidence: Support, **more: object) -> set[Lesson]:
    return {lesson for lesson, one in decide(*evidence, **more).items() if not one.reason}  # type: ignore[arg-type]


def test_counts_are_of_distinct_sessions_and_calls() -> None:
    """Two pieces of evidence for one call of one session count once, and their waste once."""
    one = decide(
        support(session=1, call=7, at=5, wasted=100),
        support(session=1, call=7, at=5, wasted=100),
        support(session=2, call=8, at=9, wasted=30, agent="codex"),
    )[PATH]
    assert (one.sessions, one.calls, one.agents, one.wasted) == (2, 2, ("claude", "codex"), 130)
    assert (one.first_seen, one.last_seen, one.reason) == (5, 9, "")


def test_evidence_says_how_many_sessions_it_takes() -> None:
    """The strongest piece of evidence decides what is needed."""
    weak = Lesson(Section.ENVIRONMENT, "python", "uv run python")
    assert decide(support(weak, 1, needs_sessions=2))[weak].reason == "seen in 1 of 2 sessions needed"
    assert believed(support(weak, 1, needs_sessions=2), support(weak, 2, needs_sessions=2)) == {weak}
    assert believed(support(weak, 1, needs_sessions=2), support(weak, 1, at=1.0, needs_sessions=1)) == {weak}


def test_what_the_world_disproves_is_not_believed() -> None:
    """However many sessions showed it."""
    one = decide(support(session=1), support(session=2), untrue={PATH: "b/x.py is gone"})[PATH]
    assert (one.reason, one.sessions) == ("b/x.py is gone", 2)


def test_permission_needs_two_refusals() -> None:
    """One refusal says nothing, whatever its evidence asks for."""
    push = Lesson(Section.PERMISSIONS, "git push")
    assert believed(support(push, 1)) == set()
    assert believed(support(push, 1), support(push, 2)) == {push}


def test_approval_voids_earlier_refusals() -> None:
    """Refusals count only after the last session in which the same thing was let through."""
    push = Lesson(Section.PERMISSIONS, "git push")
    refusals = [support(push, 1, at=10.0, opportunity=7), support(push, 2, at=20.0, opportunity=7)]
    assert believed(*refusals, tries={7: [Tries(ok=0, failed=1, last_at=30.0)]}) == {push}
    assert believed(*refusals, tries={7: [Tries(ok=1, failed=0, last_at=5.0)]}) == {push}
    assert decide(*refusals, tries={7: [Tries(ok=1, failed=0, last_at=15.0)]})[push].reason == "approved since"
    later = [support(push, 3, at=40.0, opportunity=7), support(push, 4, at=50.0, opportunity=7)]
    assert believed(*refusals, *later, tries={7: [Tries(ok=1, failed=0, last_at=30.0)]}) == {push}


def test_scope_must_miss_more_often_than_it_hits() -> None:
    """A folder in which searches mostly find something is not too narrow."""
    scope = Lesson(Section.SCOPE, "model", ".")
    seen = support(scope, opportunity=7)
    assert believed(seen, tries={7: [Tries(ok=1, failed=3, last_at=0.0)]}) == {scope}
    assert believed(seen, tries={7: [Tries(ok=1, failed=3, last_at=0.0), Tries(ok=2, failed=0, last_at=0.0)]}) == set()
    assert believed(seen) == {scope}


def test_two_right_paths_for_one_wrong_one() -> None:
    """Only one that is both newer and better supported is believed; else neither."""
    other = Lesson(Section.PATHS, PATH.subject, "c/x.py")
    assert believed(support(PATH, 1, at=1.0), support(other, 2, at=2.0)) == set()
    newer_and_stronger = [support(PATH, 1, at=1.0), support(other, 2, at=2.0), support(other, 3, at=3.0)]
    assert believed(*newer_and_stronger) == {other}
    older_and_stronger = [support(PATH, 1, at=5.0), support(other, 2, at=2.0), support(other, 3, at=3.0)]
    assert believed(*older_and_stronger) == set()


def test_a_right_path_that_is_gone_is_no_rival() -> None:
    """What the world disproves contradicts nothing."""
    other = Lesson(Section.PATHS, PATH.subject, "c/x.py")
    assert believed(support(PATH, 1), support(other, 2), untrue={other: "c/x.py is gone"}) == {PATH}


def test_there_and_back_again() -> None:
    """A → B and B → A are never both believed."""
    there, back = Lesson(Section.ENVIRONMENT, "npm", "pnpm"), Lesson(Section.ENVIRONMENT, "pnpm", "npm")
    assert believed(support(there, 1, at=1.0), support(back, 2, at=2.0)) == set()
    assert believed(support(there, 1, at=1.0), support(back, 2, at=2.0), support(back, 3, at=3.0)) == {back}


def test_one_remedy_for_each_command() -> None:
    """Of several commands that work, the best supported is enough, the newest where they are equal."""
    first, second = (
        Lesson(Section.COMMANDS, "pytest", "cd a && pytest"),
        Lesson(Section.COMMANDS, "pytest", "uv run pytest"),
    )
    assert believed(support(first, 1, at=1.0), support(second, 2, at=2.0)) == {second}
    assert believed(support(first, 1, at=1.0), support(first, 3, at=1.5), support(second, 2, at=2.0)) == {first}


def test_note_stays_when_new_sightings_say_it_otherwise() -> None:
    """The note stands in the block: the usual one, not the newest."""
    one = decide(
        support(session=1, note="a"), support(session=2, at=1.0, note="a"), support(session=3, at=2.0, note="b")
    )
    assert one[PATH].note == "a"


def test_agent_specific_only_if_all_evidence_is() -> None:
    """What two agents' own tools show alike holds for all of them."""
    assert decide(support(agent_specific=True))[PATH].agent_specific
    assert not decide(support(agent_specific=True), support(session=2))[PATH].agent_specific


lessons = st.builds(
    Lesson, st.sampled_from(Section), st.sampled_from(["a", "b", "c"]), st.sampled_from(["a", "b", "c", ""])
)
supports = st.builds(
    Support,
    lessons,
    session=st.integers(1, 4),
    call=st.integers(1, 9),
    agent=st.sampled_from(["claude", "codex"]),
    at=st.floats(0, 10),
    needs_sessions=st.integers(1, 2),
)


@given(st.lists(supports, max_size=30))
def test_never_both_sides_of_a_contradiction(evidence: list[Support]) -> None:
    """Whatever the evidence: one remedy a subject, no lesson with its reverse, and every lesson is judged once."""
    judged = judge(evidence, {}, lambda _: "")
    assert {one.lesson for one in judged} == {one.lesson for one in evidence}
    kept = [one.lesson for one in judged if not one.reason]
    assert len({(lesson.section, lesson.subject) for lesson in kept}) == len(kept)
    reversible = {Section.PATHS, Section.ENVIRONMENT, Section.COMMANDS, Section.SCOPE}
    pairs = {(lesson.section, lesson.subject, lesson.remedy) for lesson in kept if lesson.section in reversible}
    assert not any((s, b, a) in pairs for s, a, b in pairs if a != b)


@given(st.lists(supports, max_size=30), st.randoms())
def test_order_of_evidence_does_not_matter(evidence: list[Support], random: object) -> None:
    """The ledger's answer does not depend on which file was read first."""
    before = {one.lesson: one.reason for one in judge(evidence, {}, lambda _: "")}
    random.shuffle(evidence)  # type: ignore[attr-defined]
    assert {one.lesson: one.reason for one in judge(evidence, {}, lambda _: "")} == before
