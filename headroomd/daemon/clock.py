"""Two clocks side by side: where they part, the machine slept or somebody set the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

__all__ = ["JUMP", "JumpDetector"]

JUMP: Final = 90.0
"""Seconds that the clocks may part between two looks before due times have to be thought over."""


class JumpDetector:
    """Compares wall time with monotonic time, which stands still in suspend (Linux and macOS)."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._last = (wall(), monotonic())

    def look(self) -> float:
        """Seconds by which wall time jumped since the last look, negative for backwards; 0.0 where it did not."""
        now = (self._wall(), self._monotonic())
        jump = (now[0] - self._last[0]) - (now[1] - self._last[1])
        self._last = now
        return jump if abs(jump) > JUMP else 0.0
