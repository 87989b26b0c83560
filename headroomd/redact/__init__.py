"""Replaces secrets by typed tags (`[aws-key]`, `[password]`) before anything is stored, shown, sent or written.

Three layers, each a table: kinds that are told by their own shape (kinds.py), values whose place in a command, header,
URL or sentence gives them away (places.py), and values of names that say "secret" (names.py). Pure; never raises; runs
in linear time: repetitions are bounded or cannot overlap.

Redaction errs on the side of redacting: a leaked key costs more than a lesson that reads `[token]`.
"""

from __future__ import annotations

from typing import Final

from headroomd.redact.gates import Gates
from headroomd.redact.kinds import KINDS
from headroomd.redact.names import redact_named
from headroomd.redact.pem import redact_pem
from headroomd.redact.places import PLACES

__all__ = ["holds_secret", "redact"]

_SHAPE_GATES: Final = Gates((gate for kind in KINDS for gate in kind.gates), at_word_start=True)
_PLACE_GATES: Final = Gates(gate for place in PLACES for gate in place.gates)
_ROUNDS: Final = 4
"""A replacement may bring a name and a value together that a longer secret kept apart; two rounds settle real text."""


def redact(text: str) -> str:
    """`text` with every secret replaced by its kind in brackets; the same text again where it holds none."""
    for _ in range(_ROUNDS):
        redacted = _round(text)
        if redacted == text:
            break
        text = redacted
    return text


def holds_secret(text: str) -> bool:
    """Whether `redact` would change the text."""
    return _round(text) != text


def _round(text: str) -> str:
    text = redact_pem(text)
    shapes = _SHAPE_GATES.found(text)
    for kind in KINDS:
        if not shapes.isdisjoint(kind.gates):
            text = kind.redact(text)
    places = _PLACE_GATES.found(text.lower())
    for place in PLACES:
        if not places.isdisjoint(place.gates):
            text = place.redact(text)
    return redact_named(text)
