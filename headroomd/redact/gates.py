"""Which kinds of secret a text can hold at all, told by literals that are looked for in one pass.

A hundred `in` tests would cost more than all patterns together, and so would asking each kind about its literals.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from headroomd.redact.kinds import Kind

__all__ = ["Gates", "literal_pattern"]

_Trie = dict[str, "_Trie"]
_END: Final = ""


class Gates:
    """The gates of many kinds. Those that begin with a letter or digit count only where a word begins, if so asked."""

    def __init__(self, kinds: Iterable[Kind], *, at_word_start: bool = False) -> None:
        self._kinds = tuple(kinds)
        every = sorted({gate for kind in self._kinds for gate in kind.gates})
        words = [literal for literal in every if at_word_start and literal[0].isalnum()]
        others = [literal for literal in every if literal not in words]
        parts = [f"(?<![A-Za-z0-9]){literal_pattern(words)}"] if words else []
        parts += [literal_pattern(others)] if others else []
        self._search = re.compile("|".join(parts)).search
        self._behind = {  # literal -> places in the table of the kinds that it opens
            literal: {at for at, kind in enumerate(self._kinds) if any(gate in literal for gate in kind.gates)}
            for literal in every
        }

    def opened_by(self, text: str) -> list[Kind]:
        """The kinds of which the text holds a gate, in the order of their table."""
        opened: set[int] = set()
        at = 0
        while match := self._search(text, at):
            opened |= self._behind[match[0]]
            at = match.start() + 1
        return [self._kinds[at] for at in sorted(opened)]


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
