"""What the running daemon tells about itself: one immutable snapshot, as `status` receives it over the socket.

Imports msgspec only: `headroomd status` must start quickly. Times are seconds since the epoch, UTC; 0.0 is never.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

__all__ = [
    "AgentState",
    "DaemonState",
    "Mode",
    "Problem",
    "QueueDepths",
    "RootState",
    "RunState",
    "Watching",
]


class Mode(StrEnum):
    """Who started the daemon."""

    SYSTEMD = "systemd"
    LAUNCHD = "launchd"
    MANUAL = "manual"


class Watching(StrEnum):
    """How changes below a root are noticed."""

    WATCHING = "watching"  # by events, and by the sweep for what they miss
    POLLING = "polling"  # by looking often; `reason` says why
    ABSENT = "absent"  # the folder does not exist (yet)
    UNWATCHED = "unwatched"  # it exists, and no daemon runs


class RootState(Struct, frozen=True):
    """One folder in which session files appear."""

    path: str
    watching: Watching
    reason: str = ""  # why it is polled; "" where it is watched


class AgentState(Struct, frozen=True):
    """One agent as the daemon sees it."""

    name: str  # "claude"
    title: str  # "Claude Code"
    roots: tuple[RootState, ...]
    files: int  # session files at the last sweep
    last_event: float  # when a session file of it was last seen to change


class QueueDepths(Struct, frozen=True):
    """How many session files are in each state of the queue."""

    open: int = 0  # growing, or in use
    queued: int = 0  # closed, waiting to be read
    leased: int = 0  # being read
    failed: int = 0  # to be tried again
    given_up: int = 0
    done: int = 0
    nothing: int = 0  # read; held nothing to learn


class RunState(Struct, frozen=True):
    """The last learning run."""

    at: float
    seconds: float
    files: int
    calls: int  # new distinct ones
    evidence: int  # pieces found
    projects: tuple[str, ...]  # whose learnings were looked at again
    written: tuple[str, ...]  # files that were changed


class Problem(Struct, frozen=True):
    """Something that a person should know of: a stable code, what happened, and what to do."""

    code: str  # "inotify-watches", "inotify-instances", "overflow", "network-folder", "watcher-died", "clock-jump",
    # "disk-full", "target", "config", "plugin", "session", "ledger", "analysis"
    cause: str
    remedy: str = ""


class DaemonState(Struct, frozen=True):
    """Everything that the status screen needs to hear from the daemon itself."""

    pid: int
    version: str
    started_at: float
    mode: Mode
    paused: bool
    activity: str  # for people, one line: "idle", "catching up: 812 sessions to read", "paused"
    agents: tuple[AgentState, ...]
    queue: QueueDepths
    last_sweep: float
    last_run: RunState | None
    next_runs: dict[str, float]  # by the name of what runs: "sweep", "correlation", "analysis", "revalidation"
    problems: tuple[Problem, ...]
    config: str  # path of the file that is in force (which may not exist)
    at: float  # when this was written down
