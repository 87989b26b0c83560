"""The closing gate: when a session is over, so that it may be read.

Closing too early costs little: a session that grows again is opened again and read on from where it was read to.
"""

from __future__ import annotations

from typing import Final

from headroomd.agents.base import InUse

__all__ = ["is_closed", "next_look"]

_OFTEN: Final = 1.0  # seconds between looks at a session that somebody works in
_SELDOM: Final = 3.0  # at one that is in use and has been quiet for a while: its end is to be in the block in five
_QUIET_SHARE: Final = 60.0  # the longer it has been quiet, the less often it is looked at


def is_closed(now: float, last_change: float, in_use: InUse, quiet_period: float) -> bool:
    """Whether a session may be read.

    `last_change` is when its file last changed. An agent that says that the session has ended (cleanly, or because
    its process is gone) closes it at once; one that has it open keeps it open however quiet it is; of one that cannot
    tell, silence for `quiet_period` seconds is the only sign.
    """
    if in_use is InUse.ENDED:
        return True
    if in_use is InUse.YES:
        return False
    return now - last_change >= quiet_period


def next_look(now: float, last_change: float, in_use: InUse, quiet_period: float) -> float:
    """When to look again at a session that is not closed."""
    if in_use is InUse.CANNOT_TELL:
        return max(last_change + quiet_period, now + 0.01)
    return now + min(_SELDOM, max(_OFTEN, (now - last_change) / _QUIET_SHARE))
