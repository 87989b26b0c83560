"""What the text of a rule must be by itself, whatever it says: one short plain line, for people to read. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from headroomd.analysis.prompt import LONGEST_RULE
from headroomd.redact import holds_secret
from headroomd.writing.wording import harmless, harmless_prose

__all__ = ["why_not_plain"]

_SHORTEST: Final = 12  # columns: a character of Chinese says as much as two letters
_LINK: Final = re.compile(r"://|\bwww\.|\bmailto:|\bdata:|\bjavascript:", re.IGNORECASE)
_ROLE: Final = re.compile(
    r"\b(?:system|assistant|user|human|developer|instructions?|important|note|warning)\s*[:：>]"
    r"|\b(?:you|your|yours|yourself|instructions?|prompts?|jailbreak|guidelines?|previous|above)\b"
    r"|\b(?:ai|llm|chatbot|claude|codex|gemini|gpt)\s+(?:must|should|shall|has|needs?|may|can|will)\b",
    re.IGNORECASE,
)
_ENCODED: Final = re.compile(
    r"[A-Za-z0-9+=]{20,}|(?:\\x[0-9a-f]{2}|%[0-9a-f]{2}|&#?\w+;|\\u[0-9a-f]{4}){2,}", re.IGNORECASE
)
_WAS_SECRET: Final = re.compile(r"\[[a-z]+(?:[- ][a-z0-9]+)*\]")  # as `redact` leaves it


def why_not_plain(text: str) -> str:
    """Why `text` cannot be shown to an agent, "" where it can."""
    if len(text) > LONGEST_RULE:
        return f"it is longer than {LONGEST_RULE} characters"
    if sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in text) < _SHORTEST:
        return "it says nothing"
    if not harmless(text):
        return "it holds line breaks, control or invisible characters, or the block's own marks"
    if _LINK.search(text):
        return "it holds a link"
    if holds_secret(text) or _WAS_SECRET.search(text):
        return "it holds a secret, or what was one"
    if not harmless_prose(text):
        return "it holds markup or an import"
    if any(_is_encoded(match[0]) for match in _ENCODED.finditer(text)):
        return "it holds encoded text"
    if _ROLE.search(text):
        return "it addresses the reader instead of stating a fact"
    return ""


def _is_encoded(run: str) -> bool:
    kinds = (any(map(str.isdigit, run)), any(map(str.isupper, run)), any(map(str.islower, run)))
    return all(kinds) or not run.isalpha()
