"""Refusals in words that help: from an HTTP status and the vendor's wording to one of base.py's failures.

The vendor's own message is looked at and never repeated: it may echo the prompt or the key.
"""

from __future__ import annotations

import re
from typing import Final

from headroomd.analysis.backends.base import Overloaded, Rejected, TooLong
from headroomd.errors import BackendError

__all__ = ["from_status", "from_words"]

_TOO_LONG: Final = re.compile(
    r"context[ _-]?(length|window|size|limit)|prompt is too long|request_too_large|maximum model length"
    r"|output token (maximum|limit)"
    r"|(input|prompt|request)\b.{0,60}\bexceed|exceed.{0,60}\b(context|input)\b",
    re.IGNORECASE | re.DOTALL,
)
_BAD_KEY: Final = re.compile(r"API_KEY_INVALID|API key (not valid|expired)|invalid.{0,10}api.?key", re.IGNORECASE)
_NO_CREDIT: Final = re.compile(
    r"insufficient_quota|credit balance|exceeded your current quota.{0,80}billing", re.IGNORECASE
)
# a number that stands for an HTTP status: no part of an address, a version, or a place in a stack trace
_STATUS: Final = re.compile(r"(?<![\w.])(?<!\d:)(?<!\.js:)(4(?:0[0-9]|13|22|29)|5(?:0[0-9]|29))(?!\w|[.:]\d)")
_NOT_LOGGED_IN: Final = re.compile(
    r"log ?in\b|sign ?in\b|authenticat|unauthori[sz]ed|credentials?\b|api[ _]key|auth method", re.IGNORECASE
)
_BUSY: Final = re.compile(
    r"rate.?limit|usage limit|overloaded|high demand|too many requests|quota|timed? ?out|disconnect|connect"
    r"|ECONN|ENOTFOUND|EAI_AGAIN|fetch failed|network",
    re.IGNORECASE,
)


def from_status(
    who: str, status: int, said: str, *, credential: str, model: str, retry_after: float | None = None
) -> BackendError:
    """What an answer with an error status means.

    Args:
        who: "Anthropic", "http://127.0.0.1:11434/v1": the subject of the sentence.
        said: the body of the answer, or what a CLI printed.
        credential: "the key in ANTHROPIC_API_KEY", "Claude Code's login".
    """
    answered = f"{who} answered {status}"
    if status == 413 or (status in (400, 422, 500) and _TOO_LONG.search(said)):
        return TooLong(f"{answered}: the request does not fit into the context of {model}", "ask about less at once")
    if status == 402 or (status in (400, 403, 429) and _NO_CREDIT.search(said)):
        return Rejected(f"{answered}: the account has no credit left", "top it up, or choose another --model", 402)
    if status == 401 or (status in (400, 403) and _BAD_KEY.search(said)):
        return Rejected(f"{answered}: {credential} is not valid", status=401)
    if status == 403:
        return Rejected(f"{answered}: {credential} may not use {model}", status=status)
    if status == 404:
        return Rejected(f"{answered}: there is no model {model}, or the base URL is wrong", status=status)
    if status in (408, 409, 425, 429) or status >= 500:
        why = "too many requests" if status == 429 else "it is overloaded or out of order"
        return Overloaded(f"{answered}: {why}", "it is tried again later", retry_after)
    if 300 <= status < 400:
        return Rejected(f"{answered}: a redirect, which is not followed with a key", "correct the base URL", status)
    return Rejected(f"{answered}: it does not accept the request", f"check that {model} is the right model", status)


def from_words(who: str, said: str, *, credential: str, model: str, code: int) -> BackendError:
    """What a CLI that gave up with exit status `code` meant, as far as what it printed tells."""
    status = _STATUS.search(said)
    if status:
        return from_status(who, int(status[1]), said, credential=credential, model=model)
    if _TOO_LONG.search(said):
        return TooLong(f"{who}: the request does not fit into the context of the model", "ask about less at once")
    if _BUSY.search(said):
        return Overloaded(f"{who} could not reach its model, or was told to wait", "it is tried again later")
    if _NOT_LOGGED_IN.search(said):
        return Rejected(
            f"{who} gave up (exit status {code}): {credential} is missing or has expired", "log in to it", 401
        )
    return Rejected(f"{who} gave up (exit status {code})", "run it by hand to see why, or choose another --model")
