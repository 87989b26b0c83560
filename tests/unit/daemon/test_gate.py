"""When a session is over, and when to look again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.agents.base import InUse
from headroomd.daemon.gate import is_closed, next_look

QUIET = 600.0
seconds = st.floats(0, 1e10)


@pytest.mark.parametrize(
    ("in_use", "quiet_for", "closed"),
    [
        (InUse.ENDED, 0.0, True),
        (InUse.YES, 1e9, False),
        (InUse.CANNOT_TELL, QUIET - 1, False),
        (InUse.CANNOT_TELL, QUIET, True),
        (InUse.CANNOT_TELL, -3600.0, False),
    ],
)
def test_closing(in_use: InUse, quiet_for: float, closed: bool) -> None:
    """An end closes at once, use keeps open for ever, and where nobody can tell, silence decides."""
    assert is_closed(1e6, 1e6 - quiet_for, in_use, QUIET) is closed


@given(seconds, seconds, st.sampled_from(InUse), st.floats(0, 1e6))
def test_an_open_session_is_looked_at_again(now: float, changed: float, in_use: InUse, quiet: float) -> None:
    """Never in the past; while somebody works in it, within three seconds."""
    if is_closed(now, changed, in_use, quiet):
        return
    due = next_look(now, changed, in_use, quiet)
    assert due >= now
    if in_use is InUse.YES:
        assert due - now == pytest.approx(2, abs=1.001)


def test_silence_is_looked_at_when_it_is_long_enough() -> None:
    """One look, at the moment when the quiet period is over."""
    assert next_look(1000.0, 900.0, InUse.CANNOT_TELL, QUIET) == 1500.0
