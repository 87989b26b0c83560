"""What a write would do: planned from what was read, shown as a diff, put in place by `files.swap`."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final

from msgspec import Struct

from headroomd.errors import TargetError
from headroomd.writing.block import DEFAULT_LIMIT, Bullet, put_block, render
from headroomd.writing.files import Snapshot

__all__ = ["Write", "diff", "plan_write", "visible"]

_CONTEXT: Final = 3  # unchanged lines on either side of a change


class Write(Struct, frozen=True):
    """One change of one file."""

    path: Path  # as asked for
    before: bytes
    after: bytes
    existed: bool  # whether there was a file before; undoing puts `before` back, or takes the file away
    shown: tuple[str, ...] = ()  # ids of the bullets that the block holds
    project: Path = Path()
    agent: str = ""
    reason: str = ""

    @property
    def result(self) -> bytes | None:
        """What `swap` is to put: None where the file held nothing but the block that goes."""
        return self.after or None

    @property
    def undone(self) -> bytes | None:
        """What `swap` is to put to undo this write: None where it created the file."""
        return self.before if self.existed else None


def plan_write(
    snapshot: Snapshot,
    bullets: Sequence[Bullet],
    limit: int = DEFAULT_LIMIT,
    pointer: str = "",
    *,
    most_bytes: int | None = None,
    project: Path = Path(),
    agent: str = "",
    reason: str = "",
) -> Write | None:
    """The write that makes the block of `snapshot` hold `bullets` (see `block.render`), or None if nothing changes.

    With `most_bytes` the file grows to no more than that: the block is shorter then, or not there at all.
    Raises TargetError where `block.find_block` does, with the path named.
    """
    block = render(bullets, limit, pointer)
    try:
        after = put_block(snapshot.data, block.text)
        while most_bytes is not None and block.text and len(after) > most_bytes:
            # A character has four bytes at most, so that no bullet is left out that would have had room.
            block = render(bullets, len(block.text) - max((len(after) - most_bytes) // 4, 1), pointer)
            after = put_block(snapshot.data, block.text)
    except TargetError as error:
        raise TargetError(f"{snapshot.path}: {error.cause}", error.remedy) from error
    if after == snapshot.data:
        return None
    return Write(snapshot.path, snapshot.data, after, snapshot.existed, block.shown, project, agent, reason)


def diff(write: Write) -> str:
    """A unified diff of `write`, safe to print: control and invisible characters are shown as escapes."""
    before, after = _lines(write.before), _lines(write.after)
    # Only the block differs: what is equal before and behind it is cut off first, so that size does not matter.
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    top = max(head - _CONTEXT, 0)
    old = before[top : len(before) - max(tail - _CONTEXT, 0)]
    new = after[top : len(after) - max(tail - _CONTEXT, 0)]
    out = [
        f"--- {visible(str(write.path)) if write.existed else '/dev/null'}",
        f"+++ {visible(str(write.path)) if write.after else '/dev/null'}",
        f"@@ -{_range(top, old)} +{_range(top, new)} @@",
    ]
    for tag, i, j, m, n in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            out += [_shown(" ", line) for line in old[i:j]]
        else:
            out += [_shown("-", line) for line in old[i:j]] + [_shown("+", line) for line in new[m:n]]
    return "\n".join(out) + "\n"


def visible(text: str) -> str:
    """`text` with every character that a terminal would act on, or not show, as an escape; tabs stay."""
    return "".join(
        char if char == "\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else ascii(char)[1:-1]
        for char in text
    )


def _lines(data: bytes) -> list[str]:
    return [line.decode("utf-8", "replace") for line in data.splitlines(keepends=True)]


def _common(one: list[str], other: list[str]) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def _range(start: int, lines: list[str]) -> str:
    return f"{start + 1 if lines else start},{len(lines)}"


def _shown(sign: str, line: str) -> str:
    text = sign + visible(line.rstrip("\r\n"))
    return text if line.endswith(("\n", "\r")) else f"{text}\n\\ No newline at end of file"
