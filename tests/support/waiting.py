"""Waiting for what happens elsewhere: for the condition itself, never for a time that ought to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(condition: Callable[[], Any], seconds: float = 30.0, told: Callable[[], str] = lambda: "") -> Any:
    """What `condition` returned as soon as it was true; fails, with what is `told`, when it takes longer."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {condition}\n{told()}"
        time.sleep(0.02)
    return result
