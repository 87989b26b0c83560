"""For every test: a home of its own, so that none can touch the real one; and what many tests need."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path

import pytest
from hypothesis import settings

# In CI the same examples every time: a run tells of the change, not of its luck. At the desk new ones every time.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

_FOREIGN = re.compile(r"XDG_|HEADROOM|CLAUDE|CODEX|GEMINI|GOOGLE_|ANTHROPIC|OPENAI|NO_COLOR|FORCE_COLOR|GIT_|.*API_KEY")
"""Variables that would let the machine that tests run on show through."""


def pytest_report_header() -> str:
    return f"SQLite {sqlite3.sqlite_version}"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, and no variable that points anywhere else."""
    folder = tmp_path / "home"
    runtime = tmp_path / "run"
    for path in (folder, runtime):
        path.mkdir()
    for name in list(os.environ):
        if _FOREIGN.match(name):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return folder
