"""What a person did to a block: which bullets were deleted, reworded or added since it was written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from msgspec import Struct, field

__all__ = ["Edits", "find_edits"]

_SAME: Final = 0.5  # from 0 (nothing in common) to 1: how alike a bullet and its rewording are at least
_SAME_CODE: Final = 0.6  # what it counts that both name the same path or command
_SAME_PLACE: Final = 0.2  # ... and that one stands where the other stood
_CODE_SPAN: Final = re.compile(r"`+ ?([^`]{3,}?) ?`+")


class Edits(Struct):
    """Bullets by the ids under which they were written."""

    deleted: list[str] = field(default_factory=list)
    reworded: dict[str, str] = field(default_factory=dict)  # what they say now
    added: list[tuple[str, str]] = field(default_factory=list)  # heading and text of what we never wrote


def find_edits(written: Sequence[tuple[str, str]], found: Sequence[tuple[str, str]]) -> Edits:
    """What was done to a block that held `written` (id and text) and holds `found` (heading and text) now.

    The order does not matter. What is left of the one and of the other is paired, the most alike first: same words,
    the same path or command, the same place between neighbours that stayed. A bullet without a partner was deleted.
    """
    texts = [text for _, text in found]
    gone = [(index, id_, text) for index, (id_, text) in enumerate(written) if text not in texts]
    kept = {text for _, text in written}
    new = [(index, heading, text) for index, (heading, text) in enumerate(found) if text not in kept]
    pairs = sorted(
        (
            (-_likeness(text, now, _before(written, at) == _before(found, place)), at, place)
            for at, _, text in gone
            for place, _, now in new
        ),
    )
    reworded: dict[int, int] = {}
    for unlike, at, place in pairs:
        if -unlike >= _SAME and at not in reworded and place not in reworded.values():
            reworded[at] = place
    return Edits(
        deleted=[id_ for at, id_, _ in gone if at not in reworded],
        reworded={id_: texts[reworded[at]] for at, id_, _ in gone if at in reworded},
        added=[(heading, text) for place, heading, text in new if place not in reworded.values()],
    )


def _likeness(one: str, other: str, is_same_place: bool) -> float:
    alike = SequenceMatcher(None, one, other, autojunk=False).ratio()
    if set(_CODE_SPAN.findall(one)) & set(_CODE_SPAN.findall(other)):
        alike = max(alike, _SAME_CODE)
    return alike + _SAME_PLACE * is_same_place


def _before(bullets: Sequence[tuple[str, str]], index: int) -> str:
    return bullets[index - 1][1] if index else ""
