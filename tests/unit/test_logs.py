"""Logs take the form that their reader wants, and hold no secret."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from headroomd.logs import configure


class Terminal(io.StringIO):
    """A stream that calls itself a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_program_gets_json_lines() -> None:
    """One object a line, with time, level and the fields."""
    stream = io.StringIO()
    configure(stream=stream, variables={}).info("batch_done", calls=3, project="/ä")
    logged = json.loads(stream.getvalue())
    assert logged.pop("at").endswith("Z")
    assert logged == {"event": "batch_done", "level": "info", "calls": 3, "project": "/ä"}


def test_a_terminal_gets_key_value() -> None:
    """Readable, time first."""
    stream = Terminal()
    configure(stream=stream, variables={}).warning("watch_failed", reason="no room")
    assert stream.getvalue().startswith("at=")
    assert stream.getvalue().endswith('level=warning event=watch_failed reason="no room"\n')


def test_the_journal_gets_a_priority_and_no_time(tmp_path: Path) -> None:
    """Where JOURNAL_STREAM is this stream's device and inode, and only there."""
    path = tmp_path / "log"
    with path.open("w") as stream:
        info = os.fstat(stream.fileno())
        configure(stream=stream, variables={"JOURNAL_STREAM": f"{info.st_dev}:{info.st_ino}"}).error("no", n=1)
        configure(stream=stream, variables={"JOURNAL_STREAM": "1:2"}).error("no", n=1)
    journal, plain = path.read_text().splitlines()
    assert journal == "<3>event=no n=1"
    assert plain.startswith("{")


def test_lines_below_the_level_are_left_out() -> None:
    """Debug is silent unless asked for."""
    stream = io.StringIO()
    configure(stream=stream, variables={}).debug("detail")
    assert stream.getvalue() == ""
    configure("debug", stream=stream, variables={}).debug("detail")
    assert "detail" in stream.getvalue()


def test_secrets_and_line_breaks_do_not_get_through() -> None:
    """An error message that quotes a key is logged without it, on one line, traceback included."""
    stream = Terminal()
    logger = configure(stream=stream, variables={})
    try:
        raise ValueError("refused\npassword=AKIAIOSFODNN7EXAMPLE")
    except ValueError:
        logger.exception("call_failed", cause="AKIAIOSFODNN7EXAMPLE")
    assert "AKIAIOSFODNN7EXAMPLE" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1
