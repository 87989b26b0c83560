"""What the user keeps refusing."""

from __future__ import annotations

import pytest

from headroomd.model import Section


def _notes(story):
    """The notes of the refusals; what the user said is evidence of its own, too."""
    return {one.note for one in story.evidence if one.lesson.section is Section.PERMISSIONS}


def test_command_and_its_program(story):
    """A program that serves one purpose is refused as a whole, a verb for itself."""
    assert story.refused("./gradlew build --info").lessons == {
        "PERMISSIONS: ./gradlew build": 2,
        "PERMISSIONS: ./gradlew": 2,
    }
    assert [one.opportunity for one in story.evidence] == ["run ./gradlew build", "run ./gradlew"]


@pytest.mark.parametrize(
    ("command", "lesson"),
    [
        ("git push origin main", "git push"),
        ("npm publish", "npm publish"),
        ("docker compose down -v", "docker compose down"),
        ("rm -rf build", "rm -rf build"),
        ("cd api && cargo publish", "cargo publish"),
        ("sudo systemctl restart shop", "sudo systemctl restart"),
    ],
)
def test_general_tools_are_refused_by_what_they_do(story, command, lesson):
    """Refusing one use of a tool of many says nothing about the others."""
    assert story.refused(command).lessons == {f"PERMISSIONS: {lesson}": 2}


@pytest.mark.parametrize(
    "command", ["make a && make b", "python3 -c 'import os; os.remove(\"x\")'", "for f in *; do rm $f; done", ""]
)
def test_what_was_refused_is_not_plain(story, command):
    """Several commands, or code: what the user minded is not known."""
    assert all("make" not in lesson and "import" not in lesson for lesson in story.refused(command).lessons)


def test_reason_of_the_refusal(story):
    """What the user typed when refusing is kept with the evidence."""
    assert _notes(story.refused("./deploy prod", "I do that\nmyself")) == {"I do that myself"}


def test_next_words_are_the_reason(story):
    """Without a typed reason, the next message says why."""
    assert _notes(story.refused("./deploy prod").said("Show me the command")) == {"Show me the command"}


def test_words_after_another_call_are_not(story):
    """Once the agent has gone on, the user's words are about something else."""
    assert {one.note for one in story.refused("./deploy prod").run("ls").said("fine").evidence} == {""}


def test_other_tools_are_not_commands(story):
    """A refused edit or plan is no refused command."""
    from headroomd.model import Outcome

    assert story.edit("a.py", Outcome.REJECTED).lessons == {}
