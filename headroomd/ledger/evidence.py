"""Evidence as it is read back. Attempt keys are stored as hashes and do not come back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from headroomd.ledger.db import Connection
from headroomd.model import CallRef, Evidence, Lesson, Section

__all__ = ["select_evidence"]

_SELECT: Final = """
    SELECT evidence.id, section, subject, remedy, sessions.agent, sessions.session, at, evidence.failed, fixed, note,
           needs_sessions, wasted, agent_specific, tainted
    FROM evidence JOIN projects ON projects.id = evidence.project JOIN sessions ON sessions.id = evidence.session
    WHERE """
_decode_call = msgspec.json.Decoder(CallRef).decode


def select_evidence(
    connection: Connection, condition: str, parameters: Sequence[object], limit: int = -1
) -> list[Evidence]:
    """The evidence that an SQL condition on evidence, sessions and projects holds for, newest first."""
    rows = connection.execute(
        f"{_SELECT}{condition} ORDER BY at DESC, evidence.id LIMIT ?",
        (*parameters, limit),
    )
    return [_evidence(row) for row in rows]


def _evidence(row: tuple[Any, ...]) -> Evidence:
    id_, section, subject, remedy, agent, session, at, failed, fixed, note, needs, wasted, specific, tainted = row
    return Evidence(
        id=id_,
        lesson=Lesson(Section(section), subject, remedy),
        agent=agent,
        session=session,
        at=at,
        failed=_decode_call(failed),
        fixed=_decode_call(fixed) if fixed else None,
        note=note,
        needs_sessions=needs,
        wasted=wasted,
        agent_specific=bool(specific),
        tainted=bool(tainted),
    )
