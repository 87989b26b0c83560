"""The bar appears only where somebody waits for it."""

from __future__ import annotations

import io
import sys

import pytest

from headroomd.cli import progress
from headroomd.cli.progress import ScanProgress


class Terminal(io.StringIO):
    """A stream that calls itself a terminal."""

    def isatty(self) -> bool:
        return True


def _shown(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with ScanProgress() as told:
        for done in range(0, 101, 10):
            told(done, 100)
    return stream.getvalue()


def test_a_long_scan_on_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once patience has run out."""
    monkeypatch.setattr(progress, "_PATIENCE", 0.0)
    assert "Reading sessions" in _shown(Terminal(), monkeypatch)


def test_a_short_scan_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over within a second needs no bar."""
    monkeypatch.setattr(progress, "_PATIENCE", 3600.0)
    assert _shown(Terminal(), monkeypatch) == ""


def test_what_is_no_terminal_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs and pipes stay clean."""
    monkeypatch.setattr(progress, "_PATIENCE", 0.0)
    assert _shown(io.StringIO(), monkeypatch) == ""
