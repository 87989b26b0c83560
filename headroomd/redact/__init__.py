"""Replaces secrets by typed tags (`[aws-key]`, `[password]`) before anything is stored, shown, sent or written.

Three layers, each a table: kinds that are told by their own shape (kinds.py), values whose place in a command, header,
URL or sentence gives them away (places.py), and values of names that say "secret" (names.py). Pure; never raises; runs
in linear time: repetitions are bounded or cannot overlap.

Redaction errs on the side of redacting: a leaked key costs more than a lesson that reads `[token]`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from headroomd.redact.gates import Gates
from headroomd.redact.kinds import KINDS
from headroomd.redact.names import redact_named
from headroomd.redact.pem import redact_pem
from headroomd.redact.places import PLACES

__all__ = ["holds_secret", "redact"]

_SHAPES: Final = Gates(KINDS, at_word_start=True)
_PLACES: Final = Gates(PLACES)
_ROUNDS: Final = 4
"""A replacement may bring a name and a value together that a longer secret kept apart; two rounds settle real text."""


_CACHED_LENGTH: Final = 2000
"""Characters: the same commands fail with the same words again and again, and are redacted where they are found and
again where they are stored; longer texts are rare, and would make the cache large."""


def redact(text: str) -> str:
    """`text` with every secret replaced by its kind in brackets; the same text again where it holds none."""
    return _redact_cached(text) if len(text) <= _CACHED_LENGTH else _redact(text)


def holds_secret(text: str) -> bool:
    """Whether `redact` would change the text."""
    return redact(text) != text


def _redact(text: str) -> str:
    for _ in range(_ROUNDS):
        redacted = _round(text)
        if redacted == text:
            break
        text = redacted
    return text


_redact_cached = lru_cache(maxsize=2048)(_redact)


def _round(text: str) -> str:
    text = redact_pem(text)
    for kind in _SHAPES.opened_by(text):
        text = kind.redact(text)
    for place in _PLACES.opened_by(text.lower()):
        text = place.redact(text)
    return redact_named(text)
