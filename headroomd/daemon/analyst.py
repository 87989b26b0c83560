"""The LLM's turn: beside the loop, because it may take minutes, and never twice at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection
from typing import Final

import structlog

from headroomd.config import Config
from headroomd.daemon.problems import PASSING, Problems
from headroomd.daemon.state import Problem
from headroomd.errors import HeadroomError

__all__ = ["Analyse", "Analyst", "only"]

Analyse = Callable[[Config, Callable[[], bool]], Collection[str]]
"""Gives waiting evidence to an LLM; returns the paths of the projects whose learnings changed.

Called in a thread of its own (so with a ledger of its own) with the config, and with a question that is answered True
when it should stop. Raises HeadroomError.
"""

_JOIN: Final = 2.0  # seconds; a call that hangs on its backend must not keep the daemon from stopping


def only(config: Config, project: str) -> Config:
    """The config as if no other project than the one at `project` had been enabled; "" leaves it as it is."""
    if not project:
        return config
    return config.model_copy(
        update={"project": tuple(one for one in config.project if str(one.path.resolve()) == project)}
    )


class Analyst:
    """Runs `analyse` when told to; `wake` is called when it has results to `take`."""

    def __init__(
        self, analyse: Analyse | None, problems: Problems, wake: Callable[[], None], should_stop: Callable[[], bool]
    ) -> None:
        self._analyse = analyse
        self._problems = problems
        self._wake = wake
        self._should_stop = should_stop
        self._thread: threading.Thread | None = None
        self._changed: deque[str] = deque()
        self._log = structlog.get_logger()

    def start(self, config: Config) -> None:
        """Begin, unless there is no analyst or it is still at it."""
        is_wanted = config.analysis.model != "none"  # a thread that only finds that out costs 2 MB for good
        if self._analyse is None or not is_wanted or self.is_busy:
            return
        self._thread = threading.Thread(target=self._run, args=(self._analyse, config), name="analysis", daemon=True)
        self._thread.start()

    @property
    def is_busy(self) -> bool:
        """Whether something is being asked now."""
        return self._thread is not None and self._thread.is_alive()

    def changed(self) -> list[str]:
        """Projects whose learnings changed, until `take` is told that they were seen to."""
        return list(self._changed)

    def take(self, count: int) -> None:
        """Forget the first `count` projects: they were seen to."""
        for _ in range(count):
            self._changed.popleft()

    def stop(self) -> None:
        """Wait a moment for what is being asked."""
        if self._thread is not None:
            self._thread.join(_JOIN)

    def _run(self, analyse: Analyse, config: Config) -> None:
        try:
            self._changed.extend(analyse(config, self._should_stop))
            self._problems.mended("analysis")
        except HeadroomError as error:
            self._problems.note(Problem("analysis", error.cause, error.remedy), seconds=PASSING)
            self._log.warning("analysis_failed", reason=error.cause)
        except Exception:  # nothing that the LLM's part does may take the daemon down
            self._log.exception("analysis_failed")
        self._wake()
