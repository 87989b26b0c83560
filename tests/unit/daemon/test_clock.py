"""Sleep and set clocks are noticed by two clocks that part."""

from __future__ import annotations

import pytest

from headroomd.daemon.clock import JumpDetector


@pytest.mark.parametrize(
    ("wall", "steady", "jump"), [(60, 60, 0), (149, 60, 0), (3600, 60, 3540), (-3600, 60, -3660), (60.5, 60, 0)]
)
def test_jumps(wall: float, steady: float, jump: float) -> None:
    """What parts by less than a minute and a half is no jump; what does counts either way, once."""
    times = {"wall": 1000.0, "steady": 5.0}
    detector = JumpDetector(lambda: times["wall"], lambda: times["steady"])
    times["wall"] += wall
    times["steady"] += steady
    assert detector.look() == jump
    assert detector.look() == 0
