"""A progress bar for scans that take long enough to make a person wonder."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["ScanProgress"]

_PATIENCE: Final = 1.0  # seconds before a bar appears


class ScanProgress:
    """Called with bytes done and bytes to do; shows nothing unless standard error is a terminal. A context manager."""

    def __init__(self) -> None:
        self._appears_at = time.monotonic() + _PATIENCE if sys.stderr.isatty() else float("inf")
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        if self._bar is None and time.monotonic() >= self._appears_at:
            self._bar = _started_bar()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total)


def _started_bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("Reading sessions"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task("scan", total=None)
    bar.start()
    return bar
