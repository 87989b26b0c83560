"""How a lesson is said: one Markdown bullet that a coding agent can act on, the same words for the same lesson.

Whatever a session held (commands, paths, errors) stands in code spans: agents neither render nor import what is in
them. Claude Code 2.1.197 walks `text` tokens only and Gemini CLI 0.61 leaves backtick regions out, so an `@word`
in a command pulls in no file. What cannot be shown both truly and safely is not shown at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final

from headroomd.model import Lesson, Section

__all__ = ["MARKER_WORDS", "harmless", "harmless_prose", "sentence"]

MARKER_WORDS: Final = ("<!--", "-->", "--!>", "headroom:learn")
"""What no bullet may hold: another program that looks for the markers may look less carefully than we do."""

_LONGEST: Final = 240  # characters of a sentence with its reason; the reason is left out rather than the sentence cut
_LONGEST_BARE: Final = 400  # two full paths of a deep source tree fit; a longer command is no rule to remember
_LONGEST_NOTE: Final = 100
_CODE_SPAN: Final = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_MARKUP: Final = re.compile(r"[<`*]|]\(|]\[|]:|__|://|(?:^|\s)@\S|^\s*(?:[#>|~+-]|\d+[.)]\s)")
_PLAIN_NOTE: Final = re.compile(r"[\w .,:;'/()+=%-]+")
_ROOT: Final = "."
_NEEDS_REMEDY: Final = (Section.ENVIRONMENT, Section.PATHS, Section.SCOPE, Section.COMMANDS)
# Blank, but a letter, mark or symbol by its category; variation selectors can carry a hidden text.
_BLANK: Final = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f\ufffd\U000e0100-\U000e01ef]")


def harmless(text: str) -> bool:
    """Whether `text` can be shown in a code span exactly as it is.

    False for several lines, control, zero-width and bidirectional characters, spaces other than the plain one (a
    path retyped from the bullet would be another path), undecodable bytes, comment marks and marker words.
    """
    return (
        bool(text)
        and text == text.strip()
        and not any(map(_invisible, text))
        and not _BLANK.search(text)
        and not any(word in text for word in MARKER_WORDS)
    )


def harmless_prose(text: str) -> bool:
    """Whether `text` can be shown as it is, with code in spans: harmless, and no markup, link or import around them."""
    return harmless(text) and not _MARKUP.search(_CODE_SPAN.sub("x", text))


def sentence(lesson: Lesson, note: str = "", lines: int | None = None) -> str:
    """The text of the bullet for `lesson`, without its dash: one line, the same for the same arguments.

    `note` says why it failed, or holds the pattern searched for (SCOPE) or some of the files of a folder that moved
    (PATHS, its subject ends in "/"); it is left out where it is too long or not
    harmless. `lines` is the length of a large file, rounded so that the sentence does not change with every edit.
    Returns "" for a lesson that cannot be said truly and safely; nothing may be written for it.
    """
    if not harmless(lesson.subject) or (lesson.remedy and not harmless(lesson.remedy)):
        return ""
    if not lesson.remedy and lesson.section in _NEEDS_REMEDY:
        return ""
    if lesson.section is Section.PREFERENCES and not harmless_prose(lesson.subject):
        return ""
    note = note.strip()
    if not harmless(note) or len(note) > _LONGEST_NOTE:
        note = ""
    if lesson.section is Section.LARGE_FILES:
        return _short(_large_file(lesson.subject, lines))
    say = _SAYINGS[lesson.section]
    said = say(lesson, note)
    if note and len(said) > _LONGEST:
        said = say(lesson, "")
    return _short(said)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_BARE else ""


def _invisible(char: str) -> bool:
    return char != " " and unicodedata.category(char)[0] in "CZ"


def _code(text: str) -> str:
    """A code span; the fence is longer than any run of backticks inside, which Gemini's own scanner needs too."""
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    if not longest:
        return f"`{text}`"
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}"


def _folder(path: str) -> str:
    return _code(path if path.endswith("/") else f"{path}/")


def _because(note: str) -> str:
    if not note:
        return ""
    plain = _PLAIN_NOTE.fullmatch(note) and "__" not in note and "://" not in note
    return f" ({note if plain else _code(note)})"


def _environment(lesson: Lesson, note: str) -> str:
    return f"Use {_code(lesson.remedy)}, not {_code(lesson.subject)}{_because(note)}"


def _path(lesson: Lesson, note: str) -> str:
    if not lesson.subject.endswith("/"):
        return f"{_code(lesson.subject)} → actually at {_code(lesson.remedy)}"
    said = f"{_code(lesson.subject)} → moved to {_code(lesson.remedy)}, with the same names below it"
    names = [_code(lesson.remedy + name) for name in note.split(", ")] if note else []
    while names and len(said) + len(files := f" (e.g. {', '.join(names)})") > _LONGEST:
        names.pop()
    return said + files if names else said


def _scope(lesson: Lesson, note: str) -> str:
    where = "from the repo root" if lesson.remedy == _ROOT else _folder(lesson.remedy)
    example = f" ({_code(note)} was found only there)" if note else ""
    return f"Don't search only {_folder(lesson.subject)} → search {where}{example}"


def _command(lesson: Lesson, note: str) -> str:
    in_a_folder = lesson.remedy.startswith("cd ") and lesson.remedy.endswith(f" && {lesson.subject}")
    place = " from the project root" if in_a_folder else ""
    return f"Run {_code(lesson.remedy)}, not {_code(lesson.subject)}{place}{_because(note)}"


def _retry(lesson: Lesson, note: str) -> str:
    if not lesson.remedy:
        return f"{_code(lesson.subject)} was retried in vain{_because(note)}: don't repeat it unchanged"
    return f"Before {_code(lesson.subject)}, run {_code(lesson.remedy)}: it fails otherwise{_because(note)}"


def _permission(lesson: Lesson, note: str) -> str:
    reason = f" (last reason given: {_code(note)})" if note else ""
    command = _code(lesson.subject)
    return f"{command}: the user keeps refusing to have it run{reason} — show the command instead of executing it"


def _preference(lesson: Lesson, _note: str) -> str:
    return lesson.subject


def _large_file(path: str, lines: int | None) -> str:
    about = f" (~{_rounded(lines)} lines)" if lines else ""
    return f"{_code(path)}{about} — always read in parts (offset/limit or a line range)"


def _rounded(lines: int) -> int:
    step = 1000 if lines >= 1000 else 100
    return max(step, round(lines / step) * step)


_SAYINGS: Final[dict[Section, Callable[[Lesson, str], str]]] = {
    Section.ENVIRONMENT: _environment,
    Section.PATHS: _path,
    Section.SCOPE: _scope,
    Section.COMMANDS: _command,
    Section.RETRY: _retry,
    Section.PERMISSIONS: _permission,
    Section.PREFERENCES: _preference,
}
