"""The value of one shell word: quotes and escapes taken away, expansions left as they are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from headroomd.shell.tree import plain

if TYPE_CHECKING:  # loaded at the first text that needs it
    from tree_sitter import Node

__all__ = ["Word", "node_text", "read_word"]

_BARE: Final = re.compile(r"\\(\n|.)", re.DOTALL)
_WINDOWS: Final = re.compile(r"(?:[A-Za-z]:|\.{1,2})\\\w")
_QUOTED: Final = re.compile(r"\\([\\\"$`\n])")
_ANSI: Final = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|([0-7]{1,3})|(.))", re.DOTALL)
_ANSI_LETTERS: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v"}
_SUBSTITUTIONS: Final = frozenset({"command_substitution", "process_substitution"})
_EXPANSIONS: Final = _SUBSTITUTIONS | {"simple_expansion", "expansion", "arithmetic_expansion"}
_DEFAULTS: Final = frozenset({":-", "-", ":=", "=", ":+", "+"})


class Word(NamedTuple):
    """One word of a command."""

    value: str  # without quotes; expansions as written, `${NAME:-value}` as `${NAME}`
    source: str  # as written, values of assignments left out
    expands: bool  # what it stands for is known only when it runs


def node_text(node: Node) -> str:
    """The source text of a node."""
    return plain(node.text)


def read_word(node: Node, substitution: Callable[[Node], str]) -> Word:
    """The word that `node` is. `substitution` renders the `$(...)` that it holds, and hears of each."""
    kind = node.type
    if kind in ("word", "number") or not node.children:
        text = node_text(node)
        if text == "\\-":  # see tree.py
            return Word("-", "-", expands=False)
        if kind == "raw_string":
            return Word(text[1:-1], text, expands=False)
        if kind == "ansi_c_string":
            return Word(_unescape_ansi(text[2:-1]), text, expands=False)
        return Word(_unescape_bare(text), text, expands=False)
    if kind == "concatenation":
        parts = [read_word(child, substitution) for child in node.children]
        joined = "".join(part.source for part in parts)
        return Word("".join(part.value for part in parts), joined, any(part.expands for part in parts))
    source, expands = _render(node, substitution)
    if kind in ("string", "translated_string"):
        return Word(_unescape_quoted(source[source.find('"') + 1 : -1]), source, expands)
    return Word(source, source, expands)


def _render(node: Node, substitution: Callable[[Node], str]) -> tuple[str, bool]:
    """The text of a node with its substitutions rendered, and whether it expands at all."""
    if node.type in _SUBSTITUTIONS:
        text = node_text(node)
        return text[: len(text) - len(text.lstrip())] + substitution(node), True  # the node may begin with blanks
    if node.type == "expansion" and any(child.type in _DEFAULTS for child in node.children):
        text = node_text(node)
        name = re.search(r"\w+", text)
        for child in node.named_children:
            _render(child, substitution)
        return text[: len(text) - len(text.lstrip())] + f"${{{name[0] if name else ''}}}", True
    source = node.text or b""
    pieces: list[str] = []
    expands = node.type in _EXPANSIONS
    at = 0
    for child in node.children:
        if child.child_count:
            start, end = child.start_byte - node.start_byte, child.end_byte - node.start_byte
            rendered, inner = _render(child, substitution)
            pieces += (plain(source[at:start]), rendered)
            expands |= inner
            at = end
    pieces.append(plain(source[at:]))
    return "".join(pieces), expands


def _unescape_bare(text: str) -> str:
    """Text outside quotes: `\\x` is x, and a backslash before a line end joins the lines.

    `C:\\x` and `.\\x` stay: a word that begins so was written for PowerShell or cmd.exe.
    """
    if _WINDOWS.match(text):
        return text
    return _BARE.sub(lambda match: "" if match[1] == "\n" else match[1], text) if "\\" in text else text


def _unescape_quoted(text: str) -> str:
    """Text between double quotes, where a backslash protects only itself, quotes, `$`, backquotes and line ends."""
    return _QUOTED.sub(lambda match: "" if match[1] == "\n" else match[1], text) if "\\" in text else text


def _unescape_ansi(text: str) -> str:
    """Text between `$'` and `'`."""
    return _ANSI.sub(_ansi_character, text) if "\\" in text else text


def _ansi_character(match: re.Match[str]) -> str:
    if code := match[1] or match[2]:
        return chr(int(code, 16))
    if match[3]:
        return chr(int(match[3], 8) & 0xFF)
    return _ANSI_LETTERS.get(match[4], match[4])
