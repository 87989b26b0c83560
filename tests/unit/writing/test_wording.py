"""Sentences: what an agent reads, true and safe whatever the session held."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.model import Lesson, Section
from headroomd.writing.block import Bullet, read_bullets, render
from headroomd.writing.wording import MARKER_WORDS, harmless, harmless_prose, sentence

ODD = st.sampled_from(
    [
        "`", "``", "<!--", "-->", "headroom:learn", "@a.md", " @", "](http://x)", "\n", "\u200b", "\u202e", "\x1b",
        "<b>", "*", " ", "a",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=40), st.lists(ODD, max_size=8).map("".join))
LESSONS = st.builds(Lesson, section=st.sampled_from(list(Section)), subject=TEXTS, remedy=TEXTS)


@pytest.mark.parametrize(
    ("lesson", "note", "expected"),
    [
        (
            Lesson(Section.ENVIRONMENT, "python3", "uv run python3"),
            "ModuleNotFoundError: fastledger",
            "Use `uv run python3`, not `python3` (ModuleNotFoundError: fastledger)",
        ),
        (
            Lesson(Section.PATHS, "formats/src/main/java/User.java", "common/src/main/scala/User.scala"),
            "no such file",
            "`formats/src/main/java/User.java` → actually at `common/src/main/scala/User.scala`",
        ),
        (
            Lesson(Section.SCOPE, "axion-model", "."),
            "RetentionDays",
            "Don't search only `axion-model/` → search from the repo root (`RetentionDays` was found only there)",
        ),
        (Lesson(Section.SCOPE, "a/b/", "a"), "", "Don't search only `a/b/` → search `a/`"),
        (
            Lesson(Section.COMMANDS, "npm run build", "cd frontend && npm run build"),
            "missing script: build",
            "Run `cd frontend && npm run build`, not `npm run build` from the project root (missing script: build)",
        ),
        (Lesson(Section.COMMANDS, "npm test", "pnpm test"), "", "Run `pnpm test`, not `npm test`"),
        (
            Lesson(Section.COMMANDS, "make", "export A=1 && make"),
            "needs `A`",
            "Run `export A=1 && make`, not `make` (`` needs `A` ``)",
        ),
        (
            Lesson(Section.LARGE_FILES, "proxy/server.py"),
            "",
            "`proxy/server.py` (~8000 lines) — always read in parts (offset/limit or a line range)",
        ),
        (
            Lesson(Section.RETRY, "make test", "make db-up"),
            "connection refused",
            "Before `make test`, run `make db-up`: it fails otherwise (connection refused)",
        ),
        (Lesson(Section.RETRY, "make"), "", "`make` was retried in vain: don't repeat it unchanged"),
        (
            Lesson(Section.PERMISSIONS, "./gradlew"),
            "",
            "`./gradlew`: the user keeps refusing to have it run — show the command instead of executing it",
        ),
        (Lesson(Section.PREFERENCES, "Use `ruff`, not black"), "", "Use `ruff`, not black"),
    ],
)
def test_each_section_has_its_sentence(lesson: Lesson, note: str, expected: str) -> None:
    """Wrong and right stand in code spans, with the reason where there is one."""
    assert sentence(lesson, note, lines=8123) == expected


@pytest.mark.parametrize(
    ("lines", "told"), [(None, ""), (40, "~100"), (849, "~800"), (1499, "~1000"), (41_800, "~42000")]
)
def test_the_length_of_a_file_is_rounded(lines: int | None, told: str) -> None:
    """The sentence must not change with every edit of the file."""
    said = sentence(Lesson(Section.LARGE_FILES, "a.py"), lines=lines)
    assert said == f"`a.py`{f' ({told} lines)' if told else ''} — always read in parts (offset/limit or a line range)"


def test_a_reason_that_is_too_long_is_left_out_and_a_command_never_cut() -> None:
    """Half a command is another command: what has no room is not said at all."""
    command = "run " + "x" * 90
    lesson = Lesson(Section.COMMANDS, command, f"{command} --fast")
    assert sentence(lesson, "n" * 90) == f"Run `{command} --fast`, not `{command}`"
    assert sentence(lesson, "n" * 500) == f"Run `{command} --fast`, not `{command}`"
    assert sentence(Lesson(Section.COMMANDS, "x" * 300, "y" * 300)) == ""


@pytest.mark.parametrize("section", [Section.ENVIRONMENT, Section.PATHS, Section.SCOPE, Section.COMMANDS])
def test_a_correction_without_its_remedy_is_not_said(section: Section) -> None:
    """There is nothing to correct it to."""
    assert sentence(Lesson(section, "a")) == ""


@pytest.mark.parametrize(
    "text",
    [
        "", " a", "a\nb", "a\tb", "a\x1b[31m", "a\u200bb", "a\u202eb", "a\u00a0b", "a\ufeff", "a\ufffdb", "a\ud83d",
        "a\ufe0f", "a\U000e0041", "a\u3164", "<!-- a", "a -->", "headroom:learn:end",
    ],
)  # fmt: skip
def test_what_cannot_be_shown_truly_is_not_harmless(text: str) -> None:
    """An invisible or changed character would make the path or command in the bullet another one."""
    assert not harmless(text)
    assert sentence(Lesson(Section.PATHS, text, "b")) == ""
    assert sentence(Lesson(Section.PATHS, "b", text or "\n")) == ""
    assert sentence(Lesson(Section.ENVIRONMENT, "a", "b"), f"x{text}y" if text.strip() else "") in (
        "Use `b`, not `a`",
        "Use `b`, not `a` (x ay)",
    )


@pytest.mark.parametrize(
    "text", ["src/größe.py", "a b", "echo `date`", "pnpm --filter @app/web test", "日本/x.py", "a < b"]
)
def test_ordinary_text_is_harmless(text: str) -> None:
    """Other scripts, blanks, backticks and scoped packages are shown."""
    assert harmless(text)
    assert text in sentence(Lesson(Section.COMMANDS, text, "make"))


@pytest.mark.parametrize(
    "text",
    [
        "see @docs/a.md", "@a.md", "[x](y)", "![x](y)", "[x][y]", "[x]: y", "<b>", "# Title", "- x", "1. x", "**x**",
        "https://x.example", "`open", "__x__", "> x", "| x",
    ],
)  # fmt: skip
def test_markup_is_no_prose(text: str) -> None:
    """A rule in words may hold code spans, but no link, import, heading, list or HTML."""
    assert harmless(text)
    assert not harmless_prose(text)
    assert sentence(Lesson(Section.PREFERENCES, text)) == ""


@given(LESSONS, TEXTS, st.none() | st.integers(0, 10**6))
def test_every_sentence_can_stand_in_a_block(lesson: Lesson, note: str, lines: int | None) -> None:
    """One line without markup outside its code spans, and a block with it holds exactly it."""
    said = sentence(lesson, note, lines)
    assert said == sentence(lesson, note, lines)
    if not said:
        return
    assert harmless_prose(said)
    assert len(said) <= 400
    assert not any(word in said for word in MARKER_WORDS)
    assert read_bullets(render([Bullet("1", lesson.section, said)]).text.encode()) == [said]


@given(LESSONS, TEXTS)
def test_gemini_imports_nothing_from_a_sentence(lesson: Lesson, note: str) -> None:
    """Gemini CLI 0.61 takes any two equal runs of backticks for a code region and imports `@word` outside them."""
    said = sentence(lesson, note)
    outside = re.sub(r"(`+)[\s\S]*?\1", "", said)
    assert not re.search(r"(?:^|\s)@[\w./]", outside)


def test_a_moved_folder_names_some_of_its_files() -> None:
    """One bullet for many files; names that cannot be shown are left out."""
    move = Lesson(Section.PATHS, "src/", "lib/")
    assert sentence(move, "User.py, deep/Order.py") == (
        "`src/` → moved to `lib/`, with the same names below it (e.g. `lib/User.py`, `lib/deep/Order.py`)"
    )
    long = "x" * 90
    assert sentence(move, f"{long}, y").endswith(f"(e.g. `lib/{long}`, `lib/y`)")
    far = Lesson(Section.PATHS, f"{long}/", f"{'y' * 60}/")
    assert sentence(far, "a.py, b.py").endswith("with the same names below it")
    assert sentence(move, "a\nb") == "`src/` → moved to `lib/`, with the same names below it"
