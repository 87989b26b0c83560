"""Private keys in PEM armour, whole or cut off, with real line ends or with the `\\n` of a JSON string."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

__all__ = ["redact_pem"]

_ARMOUR: Final = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?(?:-{1,5}|$)")
_BODY: Final = re.compile(r"(?:(?:Proc-Type|DEK-Info|Version|Comment): [^\n\\]*|[A-Za-z0-9+/=\s]|\\+[nrt])*")
_BODY_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\\ \n\r\t")
_TAG: Final = "[private-key]"


def redact_pem(text: str) -> str:
    """`text` with private keys replaced; one that was cut off is taken to reach as far as base64 goes."""
    if "PRIVATE KEY" not in text:
        return text
    pieces: list[str] = []
    at = 0
    armour: list[re.Match[str] | None] = list(_ARMOUR.finditer(text))
    for mark, following in pairwise([*armour, None]):
        if mark is None or mark.start() < at:  # the end of the key just replaced
            continue
        start, after = mark.span()
        if mark[1] == "END":
            while start > at and text[start - 1] in _BODY_CHARACTERS:
                start -= 1
        elif following and following[1] == "END":
            after = following.end()
        elif body := _BODY.match(text, after):
            after = body.end()
        pieces += (text[at:start], _TAG)
        at = after
    return "".join([*pieces, text[at:]])
