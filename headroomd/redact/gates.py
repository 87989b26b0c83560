"""Which of many literals a text holds, in one pass: a hundred `in` tests would cost more than all patterns together."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["Gates", "literal_pattern"]

_Trie = dict[str, "_Trie"]
_END: Final = ""


class Gates:
    """A set of literals. Those that begin with a letter or digit are found only where a word begins, if so asked."""

    def __init__(self, literals: Iterable[str], *, at_word_start: bool = False) -> None:
        every = sorted(set(literals))
        words = [literal for literal in every if at_word_start and literal[0].isalnum()]
        others = [literal for literal in every if literal not in words]
        parts = [f"(?<![A-Za-z0-9]){literal_pattern(words)}"] if words else []
        parts += [literal_pattern(others)] if others else []
        self._search = re.compile("|".join(parts)).search
        self._within = {literal: {inner for inner in every if inner in literal} for literal in every}

    def found(self, text: str) -> set[str]:
        """The literals that the text holds."""
        found: set[str] = set()
        at = 0
        while match := self._search(text, at):
            found |= self._within[match[0]]
            at = match.start() + 1
        return found


def literal_pattern(literals: Iterable[str]) -> str:
    """A pattern that tries each literal's letters once: `gl(?:pat-|rt-)` rather than `glpat-|glrt-`."""
    root: _Trie = {}
    for literal in literals:
        node = root
        for character in literal:
            node = node.setdefault(character, {})
        node[_END] = {}
    return _branches(root)


def _branches(node: _Trie) -> str:
    branches = [re.escape(character) + _branches(inner) for character, inner in sorted(node.items()) if character]
    if not branches:
        return ""
    joined = branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"
    return f"(?:{joined})?" if _END in node else joined
