"""When a lesson may be believed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headroomd.ledger.policy import Judgement, Standing, Support, Tries, covers, judge
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


DAY = 86400.0


def standing(**more: object) -> Standing:
    return Standing(half_life=90 * DAY, **more)  # type: ignore[arg-type]


def verdicts(*evidence: Support, **more: object) -> dict[Lesson, str]:
    judged = judge(evidence, {}, lambda _: "", standing(**more))
    return {one.lesson: one.reason for one in judged}


def test_support_fades_by_half_lives() -> None:
    """A session counts half after one half-life, and what nobody sees for long is given up, unless it helps."""
    old = support(PATH, 1, at=1.0)
    [one] = judge([old], {}, lambda _: "", standing(now=90 * DAY))
    assert (round(one.support, 3), one.reason) == (0.5, "")
    assert verdicts(old, now=200 * DAY) == {PATH: "old and unseen"}
    assert verdicts(old, now=200 * DAY, proven=frozenset({PATH})) == {PATH: ""}
    assert verdicts(old, support(PATH, 2, at=190 * DAY), now=200 * DAY) == {PATH: ""}


def test_unknown_times_do_not_fade() -> None:
    """A record without a usable time is not taken for an old one."""
    assert verdicts(support(PATH, 1, at=0.0), now=900 * DAY) == {PATH: ""}


def test_only_newer_evidence_brings_a_retired_lesson_back() -> None:
    """What the world disproved once is not believed again because the world changed back, but because it was seen."""
    barred = {PATH: (100.0, "b/x.py is gone")}
    assert verdicts(support(PATH, 1, at=100.0), barred=barred) == {PATH: "b/x.py is gone"}
    assert verdicts(support(PATH, 1, at=101.0), barred=barred) == {PATH: ""}


def test_what_is_told_stays_unless_another_is_clearly_better() -> None:
    """One sighting more does not swap two commands that both work; twice as many do."""
    told, other = (Lesson(Section.COMMANDS, "pytest", remedy) for remedy in ("cd a && pytest", "uv run pytest"))
    evidence = [support(told, 1), support(told, 2), support(other, 3, at=1.0), support(other, 4, at=2.0)]
    assert not verdicts(*evidence, told=frozenset({told}))[told]
    assert not verdicts(*evidence)[other]
    evidence.append(support(other, 5, at=3.0))
    assert not verdicts(*evidence, told=frozenset({told}))[other]


def test_one_narrow_folder_is_one_learning_whatever_was_searched_then() -> None:
    """Sessions that found things in `apps` and in the root add up; the best supported is told, else the wider."""
    root, apps = Lesson(Section.SCOPE, "model", "."), Lesson(Section.SCOPE, "model", "apps")
    pooled = decide(support(root, 1, needs_sessions=2), support(apps, 2, at=1.0, needs_sessions=2))
    assert (pooled[root].reason, pooled[root].sessions) == ("", 2)
    assert pooled[apps].reason == "less well supported than model → ."
    evidence = [support(lesson, n, needs_sessions=2) for n, lesson in enumerate((root, apps, apps), 1)]
    assert believed(*evidence) == {apps}
    one_agent_each = [support(root, 1, needs_sessions=2), support(apps, 2, needs_sessions=2, agent="codex")]
    assert believed(*one_agent_each) == set()


def moved(*names: str, to: str = "lib") -> list[Support]:
    return [support(Lesson(Section.PATHS, f"src/{name}", f"{to}/{name}"), n) for n, name in enumerate(names, 1)]


def test_three_files_of_a_folder_are_one_move() -> None:
    """They add up to a lesson about the folder, with their sessions and names behind it."""
    move = Lesson(Section.PATHS, "src/", "lib/")
    assert move not in decide(*moved("a.py", "b.py"))
    one = decide(*moved("a.py", "deep/b.py", "c.py"))[move]
    assert (one.reason, one.sessions, one.note) == ("", 3, "a.py, deep/b.py, c.py")
    assert all(covers(move, other.lesson) for other in moved("a.py", "deep/b.py"))
    assert not covers(move, moved("a.py", to="other")[0].lesson)


def test_a_file_that_went_elsewhere_forbids_the_move() -> None:
    """So does a world in which the old folder still holds files."""
    move = Lesson(Section.PATHS, "src/", "lib/")
    assert move not in decide(*moved("a.py", "b.py", "c.py"), *moved("d.py", to="app"))
    three = moved("a.py", "b.py", "c.py")
    assert decide(*three, untrue={move: "src/ holds files"})[move].reason == "src/ holds files"


def test_the_more_general_covers_the_special() -> None:
    """Same words in front on both sides; a refusal of a program covers its verbs."""
    python = Lesson(Section.ENVIRONMENT, "python3", "uv run python3")
    assert covers(python, Lesson(Section.ENVIRONMENT, "python3 -m pytest", "uv run python3 -m pytest"))
    assert not covers(python, Lesson(Section.ENVIRONMENT, "python3 -m pytest", "make test"))
    assert not covers(python, Lesson(Section.ENVIRONMENT, "python3.12", "uv run python3.12"))
    gradle = Lesson(Section.PERMISSIONS, "./gradlew")
    assert covers(gradle, Lesson(Section.PERMISSIONS, "./gradlew build"))
    assert not covers(gradle, gradle)
