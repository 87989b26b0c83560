"""Looking at processes that a test has started."""

from __future__ import annotations

import os
import time
from pathlib import Path


def is_gone(pid: int, seconds: float = 5.0) -> bool:
    """Whether a process has ended, or does so within `seconds`; a zombie that nobody reaps has ended too."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/stat")
        if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False
