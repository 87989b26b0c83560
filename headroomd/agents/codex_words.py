"""The words that a person typed, among the `user` messages that Codex CLI records.

Codex sends its own texts as the user too: instructions, the environment, skills, notices. Since 0.16x each piece of a
message says where it comes from; before that, what Codex adds is wrapped in a tag or begins with a fixed heading.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from msgspec import Struct

__all__ = ["ContentItem", "Passthrough", "cwd_in", "key_of", "texts_of", "typed_text"]

_WRAPPED: Final = re.compile(r"\s*<(?P<tag>[A-Za-z][\w-]*)\b[^>]*>.*</(?P=tag)>\s*$", re.DOTALL)
_HEADING: Final = "# AGENTS.md instructions"
_IDE_REQUEST: Final = "## My request for Codex:"  # what the IDE extension puts before the words that were typed
_CWD: Final = re.compile(r"<cwd>([^<\n]+)</cwd>|^Current working directory: (.+)$", re.MULTILINE)


class ContentItem(Struct, gc=False):
    """A piece of a message or of an answer; one without text is an image or a file."""

    text: str | None = None


class Provenance(Struct, gc=False):
    """Who put a piece of text there."""

    type: str | None = None


class Piece(Struct, gc=False):
    """One piece of a message."""

    provenance: Provenance | None = None


class Passthrough(Struct, gc=False):
    """What Codex 0.16x and later notes beside each message, piece by piece."""

    turn_id: str | None = None
    content_item_metadata: list[Piece | None] | None = None


def texts_of(content: Sequence[ContentItem | None] | str | None) -> list[str]:
    """The texts of a message's pieces, in order."""
    if content is None or isinstance(content, str):
        return [content] if content else []
    return [(item.text or "") if item else "" for item in content]


def typed_text(texts: list[str], passthrough: Passthrough | None = None) -> str:
    """What of a message was typed; "" where nothing was."""
    pieces = passthrough.content_item_metadata if passthrough else None
    if pieces:
        texts = [
            text
            for text, piece in zip(texts, pieces, strict=False)
            if piece and piece.provenance and piece.provenance.type == "user"
        ]
    typed = [text for text in texts if not _WRAPPED.match(text) and not text.lstrip().startswith(_HEADING)]
    return "\n".join(typed).rpartition(_IDE_REQUEST)[2].strip()


def cwd_in(texts: list[str]) -> str:
    """The working directory that the environment given to the model names; "" where none does."""
    found = _CWD.search("\n".join(texts))
    return (found[1] or found[2]).strip() if found else ""


def key_of(thread: str, text: str) -> str:
    """The same for every copy of a message."""
    return f"codex:{thread}:user:{blake2b(text.encode('utf-8', 'replace'), digest_size=8).hexdigest()}"
