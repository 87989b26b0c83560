"""What evidence may lend to a rule: the words of what was called and of what the user typed. Pure.

What a tool answered lends nothing: a web page, a file's content, a test's output could have been written to do so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from headroomd.analysis.rule_text import roots
from headroomd.model import Evidence, Section

__all__ = ["grounds", "is_grounded", "is_path", "source"]

_OWN_NOTES: Final = (Section.PERMISSIONS, Section.SCOPE)
_SHELL: Final = re.compile(r"[|;&<>$()]")


def source(evidence: Iterable[Evidence]) -> str:
    """What may lend words to a rule: what was called, what the lesson says, what the user typed. No answers.

    A note may hold a name out of an error message ("module not found: x"), which a hostile package could choose; only
    those count that are the user's words, or the pattern that the agent searched for.
    """
    parts: list[str] = []
    for one in evidence:
        parts += [one.lesson.subject, one.lesson.remedy]
        if one.lesson.section in _OWN_NOTES:
            parts.append(one.note)
        if one.lesson.section is not Section.PREFERENCES:
            parts += [one.failed.text, one.fixed.text if one.fixed else ""]
    return "\n".join(parts)


def grounds(evidence: Iterable[Evidence]) -> set[str]:
    """The roots of all words that a rule may take from `evidence`."""
    return roots(source(evidence))


def is_grounded(word: str, own: set[str]) -> bool:
    """Whether a word is one of `own`; of scripts without blanks between words, half of its pairs of characters."""
    mine = roots(word)
    is_wide = any(not pair.isascii() for pair in mine)
    return mine <= own or (is_wide and len(mine & own) * 2 >= len(mine))


def is_path(name: str) -> bool:
    """Whether a name can only be a path: a file of the project may be called `curl`."""
    is_word = " " in name or name.startswith("-") or _SHELL.search(name)
    return not is_word and ("/" in name or "." in name)
