"""Logging, set up once by whoever runs for long: lines for a person, for the journal, or for a program.

Imports structlog (a fifth of a second): import this module only in commands that log.

Events are stable snake_case names with ids and counts as fields. What a session or a prompt held, and the environment,
are never logged.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from headroomd.redact import redact

__all__ = ["configure"]

_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}  # sd-daemon(3)


def configure(
    level: str = "info", stream: TextIO | None = None, variables: Mapping[str, str] | None = None
) -> FilteringBoundLogger:
    """Log to `stream` (default: standard error) from now on, in the form that its reader wants.

    key=value on a terminal, the same without time and with <priority> for the systemd journal, else JSON lines.
    """
    stream = sys.stderr if stream is None else stream
    variables = os.environ if variables is None else variables
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            _redacted,
            *_renderers(stream, variables),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def _renderers(stream: TextIO, variables: Mapping[str, str]) -> list[Processor]:
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True, key="at")
    if _is_journal(stream, variables):
        return [_for_journal]
    if stream.isatty():
        return [stamp, structlog.processors.LogfmtRenderer(key_order=["at", "level", "event"])]
    return [stamp, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _is_journal(stream: TextIO, variables: Mapping[str, str]) -> bool:
    """Whether `stream` is the journal itself: systemd.exec(5) gives its device and inode in JOURNAL_STREAM."""
    try:
        info = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return variables.get("JOURNAL_STREAM") == f"{info.st_dev}:{info.st_ino}"


def _for_journal(logger: WrappedLogger, name: str, event: EventDict) -> str:
    priority = _PRIORITIES[str(event.pop("level", "info"))]
    line = structlog.processors.LogfmtRenderer(key_order=["event"])(logger, name, event)
    return f"<{priority}>{line}"


def _redacted(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """The last net: no call site logs what may hold a secret, but error messages quote."""
    return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}
