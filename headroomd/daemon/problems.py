"""What a person should know of: each problem once, until it is mended or has been shown long enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from headroomd.daemon.state import Problem

__all__ = ["PASSING", "Problems"]

PASSING: Final = 3600.0
"""Seconds that something that happened and is over (an overflow, a clock that jumped) is shown."""


class Problems:
    """By key: a problem noted under the key of another takes its place."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noted: dict[str, tuple[Problem, float]] = {}

    def note(self, problem: Problem, *, key: str = "", seconds: float = float("inf")) -> bool:
        """Note a problem (under its code, unless a key is given); whether it was not there before."""
        key = key or problem.code
        is_new = self._noted.get(key, (None,))[0] != problem
        self._noted[key] = (problem, self._clock() + seconds)
        return is_new

    def mended(self, *keys: str) -> None:
        """These are none any more."""
        for key in keys:
            self._noted.pop(key, None)

    def all(self) -> list[Problem]:
        """What there is to tell now."""
        now = self._clock()
        self._noted = {key: (problem, until) for key, (problem, until) in self._noted.items() if until > now}
        return [problem for problem, _ in self._noted.values()]
