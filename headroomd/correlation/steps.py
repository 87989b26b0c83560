"""A call on its way through the correlation, and how evidence is made of two of them."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from msgspec import Struct, structs

from headroomd.correlation.kinds import Cause, telling_lines
from headroomd.correlation.operations import Meaning
from headroomd.model import Action, CallRef, Evidence, FailureKind, Lesson, Outcome, ToolCall
from headroomd.redact import redact

__all__ = ["Failure", "Step", "clean", "cleaned", "evidence", "evidence_id", "failure", "note_of", "one_line"]

_SHOWN: Final = 300  # characters of a request or an answer that evidence keeps
_NOTE: Final = 100
_READ: Final = 2000  # ... and what is looked at for that


class Step(Struct, frozen=True):
    """One call, understood; `at` counts the calls of its stream."""

    call: ToolCall
    meaning: Meaning
    outcome: Outcome
    at: int
    cause: Cause | None = None


class Failure(Struct, frozen=True):
    """What is remembered of a failed call until the call that worked comes."""

    ref: CallRef
    agent: str
    session: str
    size: int
    opportunity: str
    is_clean: bool = False  # redacting takes longer than correlating: it waits until something is kept or told


def failure(step: Step, opportunity: str) -> Failure:
    """A failed call as evidence shows it."""
    call = step.call
    ref = CallRef(call.key, call.at, asked(call), telling_lines(call.output, _SHOWN))
    return Failure(ref, call.agent, call.session, call.size, opportunity)


def cleaned(failed: Failure) -> Failure:
    """The failure with its texts redacted: what may be stored."""
    if failed.is_clean:
        return failed
    ref = structs.replace(failed.ref, text=clean(failed.ref.text), answer=clean(failed.ref.answer))
    return structs.replace(failed, ref=ref, is_clean=True)


def evidence_id(lesson: Lesson, *calls: str) -> str:
    """The id of evidence for `lesson` that rests on the calls or messages with these keys."""
    seen = "\x1f".join((lesson.identity, *calls))
    return hashlib.sha256(seen.encode("utf-8", "replace")).hexdigest()[:20]


def evidence(
    lesson: Lesson, failed: Failure, fixed: ToolCall | None, *, needs: int, note: str = "", wasted: int = 0
) -> Evidence:
    """Evidence for `lesson`; its id follows from the lesson and the calls, so reading them again gives it again."""
    return Evidence(
        id=evidence_id(lesson, failed.ref.key, fixed.key if fixed else ""),
        lesson=lesson,
        agent=failed.agent,
        session=failed.session,
        at=failed.ref.at,
        failed=cleaned(failed).ref,
        fixed=CallRef(fixed.key, fixed.at, clean(asked(fixed))) if fixed else None,
        note=clean(note, _NOTE),
        needs_sessions=needs,
        wasted=wasted or failed.size,
        opportunity=failed.opportunity,
    )


def asked(call: ToolCall) -> str:
    """What a call asked for, for a person to read; not yet redacted."""
    operation = call.operation
    if operation.action is Action.RUN:
        return operation.command[:_READ]
    if operation.action is Action.SEARCH:
        return f"Search {operation.pattern[:_SHOWN]} in {operation.path or '.'}"
    return f"{operation.action.value.capitalize()} {operation.path}" if operation.path else call.tool


def clean(text: str, limit: int = _SHOWN) -> str:
    """Redacted and short. Redaction comes first: a secret cut in half is no longer known as one."""
    text = redact(text[:_READ]).strip()
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def note_of(cause: Cause) -> str:
    """Why it failed, composed of our own words and a checked identifier; "" where the kind says nothing."""
    if cause.kind is FailureKind.OTHER:
        return ""
    return f"{cause.kind.value}: {cause.detail}" if cause.detail else cause.kind.value


def one_line(text: str) -> str:
    """A person's words as a note."""
    return clean(re.sub(r"\s+", " ", text), _NOTE)
