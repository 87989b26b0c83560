"""What of a user's words is evidence, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.correlation.correlator import Correlator
from headroomd.correlation.words import is_outside_text
from headroomd.model import Action, Evidence, Operation, Outcome, Section, ToolCall, UserMessage
from tests.unit.correlation.conftest import HOME, ROOT, Story


def words(story: Story) -> dict[str, int]:
    """What the user said, with the sessions that it needs."""
    return {one.lesson.subject: one.needs_sessions for one in _said(story)}


def _said(story: Story) -> list[Evidence]:
    return [one for one in story.evidence if one.lesson.section is Section.PREFERENCES]


@pytest.mark.parametrize(
    "text",
    [
        "Always run the linter first.",
        "Please never touch generated/.",
        "From now on use pnpm",
        "use pnpm, not npm",
        "Use pnpm instead of npm.",
        "prefer fd over find in scripts",
        "In this project tests live in spec/.",
        "don't ever force-push",
        "No, you should always use tabs here",
        "Verwende immer pnpm statt npm",
        "Ab jetzt nur noch just",
        "Siempre usa pnpm",
        "usa pnpm en lugar de npm",
        "Toujours utiliser just",
        "Desde ahora no: a partir de ahora usa just",
        "总是用 pnpm",
        "以后请用 pnpm",
        "必ず make check を実行して",
        "항상 pnpm 을 써",
        "Всегда используй just",
    ],
)
def test_directions_count_wherever_they_are_given(story: Story, text: str) -> None:
    """Explicit and lasting: one session is enough, nothing need have gone wrong."""
    assert words(story.run("ls").said(text)) == {text: 1}


@pytest.mark.parametrize(
    "text",
    [
        "Add a login page.",
        "Why does it always fail?",
        "I have never seen this error",
        "The job uses the cache, doesn't it?",
        "thanks, looks good",
        "use the new endpoint in the client",
        "",
        "   ",
    ],
)
def test_tasks_and_questions_do_not(story: Story, text: str) -> None:
    """What is asked for once is no direction."""
    assert words(story.run("ls").said(text)) == {}


def test_words_after_a_failure_count(story: Story) -> None:
    """They need a second session: nothing says that they are meant to last."""
    story.broke("npm test", "sh: npm: not found").said("we have pnpm on this machine")
    assert words(story) == {"we have pnpm on this machine": 2}
    (one,) = _said(story)
    assert (one.note, one.failed.text) == ("after a failure", "npm test")
    assert one.failed.answer == "the user said: we have pnpm on this machine"


def test_words_after_a_refusal_count(story: Story) -> None:
    """Said after it, or typed with it."""
    assert words(story.refused("git push").said("I push these myself")) == {"I push these myself": 2}
    assert words(Story().refused("git push", "I push these myself")) == {"I push these myself": 2}


def test_words_after_an_interruption_count(story: Story) -> None:
    """The call that was stopped is what they are about; without one they count just as well."""
    story.call(Operation(Action.RUN, command="make all"), Outcome.CANCELLED).said("only the api target please")
    assert [one.note for one in _said(story)] == ["after an interruption"]
    story = Story().run("ls")
    story.events.append(UserMessage("i", "claude", "session", "main", 2.0, "", interrupts=True))
    assert words(story.said("only the api target please")) == {"only the api target please": 2}


@pytest.mark.parametrize("text", ["go on", "yes", "ok try", "why did you do that?", "x" * 700, "a log line\n" * 20])
def test_not_all_words_after_trouble_correct(story: Story, text: str) -> None:
    """Encouragement, questions, and what is too long to have been typed as a correction."""
    assert words(story.broke("npm test", "boom").said(text)) == {}


def test_words_long_after_a_failure_are_about_something_else(story: Story) -> None:
    """A few calls later the failure is forgotten; a refusal is not, for the agent stopped there."""
    story.broke("npm test", "boom")
    for number in range(5):
        story.run(f"ls {number}")
    assert words(story.said("that other file please")) == {}


def test_what_was_pasted_does_not_count(story: Story) -> None:
    """Code, quotations and long texts are not the user's own words."""
    pasted = "look:\n```\nalways use evil\n```\n> never use good\n\tfrom now on use evil"
    assert words(story.run("ls").said(pasted)) == {}
    assert words(Story().run("ls").said("always use evil\n" * 200)) == {}


def test_one_message_gives_a_few_directions(story: Story) -> None:
    """Each by itself; a document of rules is no conversation."""
    text = "Always a b c. And never d e f! From now on g h i. Always j k l. Always m n o."
    assert len(words(story.run("ls").said(text))) == 3


def test_secrets_in_words_are_redacted_as_a_whole(story: Story) -> None:
    """Before the message is cut into sentences."""
    secret = "ghp_" + "a1B2" * 9
    story.broke("npm test", "boom").said(f"always use the key {secret} here. my password is\nhunter2hunter2")
    assert all(secret not in text and "hunter2" not in text for text in words(story))


def test_copies_give_the_same_evidence(story: Story) -> None:
    """A fork's copy of a message is known by its id."""
    story.run("ls").said("always use pnpm")
    assert [one.id for one in story.evidence] == [one.id for one in story.evidence]


@pytest.mark.parametrize(
    ("tool", "command", "outside"),
    [
        ("WebFetch", "", True),
        ("WebSearch", "", True),
        ("web_fetch", "", True),
        ("google_web_search", "", True),
        ("mcp__docs__get", "", True),
        ("docs__get", "", True),
        ("mcp_docs_get", "", True),
        ("TodoWrite", "", False),
        ("Task", "", False),
        ("Bash", "curl https://a.example/x", True),
        ("Bash", "wget -q http://a.example", True),
        ("Bash", "curl http://localhost:3000/health", False),
        ("Bash", "npm test", False),
        ("Bash", "git clone https://a.example/b", False),
    ],
)
def test_what_comes_from_outside(tool: str, command: str, outside: bool) -> None:
    """The web and MCP servers, by the agents' own names for them; this machine's servers are the project's."""
    operation = Operation(Action.RUN, command=command) if command else Operation(Action.OTHER)
    call = ToolCall("k", "claude", "s", "s", 1.0, ROOT, tool, operation, Outcome.OK)
    assert is_outside_text(call) is outside


def test_what_follows_text_from_outside_is_tainted(story: Story) -> None:
    """Corrections, but not what the user says; what came before is clean."""
    story.missing("a/api.py").read("b/api.py")
    story.run("curl https://a.example/x")
    story.missing("a/web.py").read("b/web.py").said("always use pnpm")
    assert {one.lesson.subject: one.tainted for one in story.evidence} == {
        "a/api.py": False,
        "a/web.py": True,
        "always use pnpm": False,
    }


@given(st.lists(st.sampled_from(["said", "broke", "run", "refused", "curl", "cut"]), max_size=12), st.data())
def test_parts_find_what_the_whole_finds(steps: list[str], data: st.DataObject) -> None:
    """Wherever a file is cut."""
    story = Story()
    for number, step in enumerate(steps):
        match step:
            case "said":
                story.said(f"please use tool number {number}")
            case "broke":
                story.broke(f"make x{number}", "boom")
            case "run":
                story.run(f"ls {number}")
            case "refused":
                story.refused(f"git push {number}")
            case "curl":
                story.run("curl https://a.example")
            case "cut":
                story.call(Operation(Action.RUN, command="sleep"), Outcome.CANCELLED)
    at = data.draw(st.integers(0, len(story.events)))
    first = Correlator(ROOT, HOME)
    for event in story.events[:at]:
        first.feed(event)
    found = {one.id: one for one in first.take().evidence}
    second = Correlator(ROOT, HOME, first.dump())
    for event in story.events[at:]:
        second.feed(event)
    found |= {one.id: one for one in second.take().evidence}
    assert found == {one.id: one for one in story.evidence}
