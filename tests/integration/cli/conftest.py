"""Commands run inside the test's own process, on the sample project of the demo."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from headroomd import cli
from headroomd.cli.demo import lay_out


class Answer(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


Run = Callable[..., Answer]
"""What the fixture `headroomd` is."""


@pytest.fixture(autouse=True)
def _no_llm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agents' CLIs that this machine may have are no LLM to be asked by tests."""
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name in ("claude", "codex", "gemini") else which(name))


@pytest.fixture
def headroomd(capsys: pytest.CaptureFixture[str]) -> Run:
    """Carries out one command line."""

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        status = cli.run([str(argument) for argument in arguments])
        return Answer(status, *capsys.readouterr())

    return run


@pytest.fixture
def project(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sample project with its sessions; the current directory."""
    folder = lay_out(home)
    monkeypatch.chdir(folder)
    return folder
