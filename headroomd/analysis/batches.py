"""Which evidence is asked about together: newest first, as much as fits one call. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from headroomd.analysis.backends.base import estimated_tokens
from headroomd.analysis.prompt import SYSTEM, item_line
from headroomd.ledger import Question
from headroomd.model import Evidence, Lesson

__all__ = ["MOST_ITEMS", "choose", "halves"]

MOST_ITEMS: Final = 60  # of one batch: an analyst that is asked about hundreds of things at once overlooks most
_EARLIER: Final = 3  # one in so many tokens may go to evidence that was asked about before


def choose(project: str, pending: Iterable[Evidence], earlier: Iterable[Evidence], tokens: int) -> Question | None:
    """The next batch of `pending`, both newest first, within about `tokens`; None where nothing is pending.

    Evidence for one lesson is one item. Earlier evidence that led to no rule comes along as far as there is room: what
    the user says for the second time today was said for the first time some batches ago. The first item is always
    taken, however long it is.
    """
    fresh = _by_lesson(pending)
    if not fresh:
        return None
    old = _by_lesson(earlier)
    chosen: list[list[Evidence]] = []
    spent = 0
    for lesson, evidence in fresh.items():
        item = evidence + old.pop(lesson, [])
        spent += _cost(item)
        if chosen and (spent > tokens or len(chosen) == MOST_ITEMS):
            break
        chosen.append(item)
    count = len(chosen)
    room = min(tokens - sum(map(_cost, chosen)), tokens // _EARLIER)
    for item in old.values():
        room -= _cost(item)
        if room < 0 or len(chosen) == MOST_ITEMS:
            break
        chosen.append(item)
    return _batch(project, chosen, count)


def halves(batch: Question) -> list[Question]:
    """Two batches in the place of one that was too long; earlier evidence is left out of them. [] if it is one item."""
    items = [item for number, item in batch.items.items() if number in batch.fresh]
    if len(items) < 2:
        return [_batch(batch.project, items, 1)] if len(batch.items) > len(items) == 1 else []
    middle = len(items) // 2
    return [_batch(batch.project, half, len(half)) for half in (items[:middle], items[middle:])]


def _batch(project: str, items: Sequence[Sequence[Evidence]], fresh: int) -> Question:
    numbered = {number: list(item) for number, item in enumerate(items, 1)}
    digest = hashlib.blake2b(f"{project}\x1f{SYSTEM}".encode("utf-8", "replace"), digest_size=10)
    for number, item in numbered.items():
        digest.update(f"\x1e{number}\x1f{','.join(one.id for one in item)}".encode())
    return Question(digest.hexdigest(), project, numbered, frozenset(range(1, fresh + 1)))


def _by_lesson(evidence: Iterable[Evidence]) -> dict[Lesson, list[Evidence]]:
    groups: dict[Lesson, list[Evidence]] = {}
    for one in evidence:
        groups.setdefault(one.lesson, []).append(one)
    return groups


def _cost(item: Sequence[Evidence]) -> int:
    return estimated_tokens(item_line(MOST_ITEMS, item))
