"""A real daemon in a process of its own, on the sample project of the demo, its sessions held back until a test wants
them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headroomd.cli.demo import lay_out
from headroomd.daemon import client
from headroomd.daemon.control import Request
from headroomd.errors import ControlError
from headroomd.paths import Places
from tests.support.waiting import until

START = "<!-- headroom:learn:start -->"


class Daemon:
    """`headroomd run`, as a user starts it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.places = Places.current()
        self.log = home.parent / "daemon.log"
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, text: str) -> None:
        self.places.config.parent.mkdir(parents=True, exist_ok=True)
        self.places.config.write_text(text)

    def launch(self, *wrapper: str, **variables: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*wrapper, sys.executable, "-m", "headroomd", "run"],
                env=os.environ | variables,
                stdout=log,
                stderr=log,
            )
        return self.process

    def start(self, *wrapper: str, **variables: str) -> None:
        """Start it, and wait until it answers."""
        process = self.launch(*wrapper, **variables)
        until(lambda: process.poll() is not None or self.answers())
        assert process.poll() is None, self.log.read_text()

    def answers(self) -> bool:
        try:
            return client.ask(self.places, Request("ping")) is not None
        except ControlError:
            return False

    def ask(self, cmd: str, **fields: Any) -> dict[str, Any]:
        reply = client.ask(self.places, Request(cmd, **fields), answer_within=30)
        assert reply is not None
        return msgspec.json.decode(reply.result)

    def status(self) -> dict[str, Any]:
        return self.ask("status")

    def problems(self) -> dict[str, dict[str, str]]:
        """The problems that `status` tells of, by code."""
        return {problem["code"]: problem for problem in self.status()["problems"]}

    def is_at_rest(self) -> bool:
        """Whether everything that there is has been read and settled."""
        state = self.status()
        queue = state["queue"]
        return state["activity"] == "idle" and not queue["open"] + queue["queued"] + queue["leased"]

    def events(self, name: str) -> list[dict[str, Any]]:
        """What it logged under an event's name."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end; the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(10)


@pytest.fixture(autouse=True)
def _no_llm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agents' CLIs that this machine may have are no LLM to be asked by tests."""
    monkeypatch.setenv("HEADROOMD_ANALYSIS__MODEL", "none")


@pytest.fixture
def daemon(home: Path) -> Iterator[Daemon]:
    """One daemon of this test's home; not started yet."""
    daemon = Daemon(home)
    yield daemon
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.process.kill()
        daemon.process.wait()


class Sample:
    """The sample project, with its sessions on the shelf."""

    def __init__(self, home: Path) -> None:
        self.project = lay_out(home)
        self.claude = home / ".claude/projects"
        shelf = home.parent / "shelf"
        shutil.copytree(self.claude, shelf)
        shutil.rmtree(self.claude)
        for folder in (".codex", ".gemini"):
            shutil.rmtree(home / folder)
        self.sessions = sorted(shelf.rglob("*.jsonl"))
        self._shelf = shelf

    def path(self, session: Path) -> Path:
        """Where the agent keeps a session."""
        return self.claude / session.relative_to(self._shelf)

    def play(self, session: Path, first: int = 0, last: int | None = None) -> Path:
        """Append lines of a session where its agent would; returns the file."""
        path = self.path(session)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.writelines(session.read_bytes().splitlines(keepends=True)[first:last])
        return path

    def play_all(self) -> None:
        for session in self.sessions:
            self.play(session)

    @property
    def block(self) -> str:
        """What stands in the project's CLAUDE.md from the block on; "" where there is none."""
        text = (self.project / "CLAUDE.md").read_text()
        return text[text.index(START) :] if START in text else ""

    def enabled(self, **settings: str) -> str:
        """A config in which the project may be written, and sessions close quickly."""
        more = "".join(f'{key} = "{value}"\n' for key, value in settings.items())
        return (
            f'quiet_period = "1s"\n{more}[schedule]\ncorrelate_delay = "100ms"\n[[project]]\npath = "{self.project}"\n'
        )


@pytest.fixture
def sample(home: Path) -> Sample:
    return Sample(home)
