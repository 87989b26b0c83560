"""Where fenced code stands in a Markdown file: enough of CommonMark to tell a marker from a picture of one."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["Fence", "find_fences"]

# A fence may open behind list and quote marks ("- ```sh"); the info string of a backtick fence holds no backtick.
_OPENING: Final = re.compile(
    rb"(?P<outer> {0,3}(?:(?:[-*+]|\d{1,9}[.)])[ \t]+|>[ ]?)*)(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})"
)
_CLOSING: Final = re.compile(rb"(?P<fence>`{3,}|~{3,})[ \t\r]*$")
_QUOTE: Final = re.compile(rb"(?:[ \t]*>[ ]?)+")


class Fence(NamedTuple):
    """Bytes of a fenced code block, from the start of its first line to the end of its last."""

    start: int
    end: int
    closed: bool  # False: nothing closes it, so that a line added to the file would be inside it


def find_fences(data: bytes, start: int = 0) -> list[Fence]:
    """The fenced code blocks in `data` from byte `start` on. Lines end in LF or CRLF; a lone CR ends no line."""
    fences: list[Fence] = []
    opened: re.Match[bytes] | None = None
    begin = at = start
    for line in data[start:].split(b"\n"):
        end = min(at + len(line) + 1, len(data))
        if opened and _leaves(opened["outer"], line):  # the list item or quote that held the fence is over
            fences.append(Fence(begin, at, closed=True))
            opened = None
        if opened is None:
            opened, begin = _OPENING.match(line), at
        elif _closes(opened, line):
            fences.append(Fence(begin, end, closed=True))
            opened = None
        at = end
    if opened:
        fences.append(Fence(begin, len(data), closed=bool(opened["outer"].strip())))
    return fences


def _leaves(outer: bytes, line: bytes) -> bool:
    if b">" in outer:
        return not line.lstrip().startswith(b">")
    text = line.lstrip()
    # Fewer columns than the item's text starts at; up to three of them may be the fence's own indentation.
    return bool(text) and bool(outer.strip()) and len(line) - len(text) < len(outer.rstrip()) + 1


def _closes(opened: re.Match[bytes], line: bytes) -> bool:
    if b">" in opened["outer"] and (quote := _QUOTE.match(line)):
        line = line[quote.end() :]
    text = line.lstrip(b" \t")
    found = _CLOSING.match(text)
    if found is None or len(line) - len(text) > len(opened["outer"]) + 3:
        return False
    return found["fence"].startswith(opened["fence"])
