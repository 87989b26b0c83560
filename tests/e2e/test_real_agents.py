"""The whole promise, with the real agents: one session fails and finds the way, and the next one is told beforehand.

The CLIs are the real ones; only the model is ours, and listens on 127.0.0.1. The daemon is the installed program.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Installed
from tests.support.model_server import ModelServer, Received, Turn
from tests.support.real_cli import real_cli
from tests.support.waiting import until

pytestmark = pytest.mark.real_cli

WRONG, RIGHT = "harbour/gauge_readings.py", "harbour/sensors/gauge_readings.py"
POINTER = "read `instructions.md`"
CHECK = """#!/bin/sh
test -f build/index || { echo 'the index has not been built'; exit 4; }
echo 'all charts are there'
"""
Call = tuple[str, Any]


@dataclass(frozen=True)
class Agent:
    """How one CLI is started unattended, and what its tools are called."""

    name: str
    command: list[str]  # before the prompt
    read: Callable[[Path, str], Call]
    run: Callable[[str], Call]
    context: str  # the file for facts about the project
    memory: Callable[[Path, Path], Path]  # of home and project: where preparations are told

    def prepare(self, home: Path, project: Path, url: str) -> None:
        """The little that it must be told to run unattended."""
        folder = home / f".{self.name}"
        folder.mkdir(exist_ok=True)
        if self.name == "claude":
            known = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
            settings = {"hasCompletedOnboarding": True, "projects": {str(project): known}}
            (home / ".claude.json").write_text(json.dumps(settings))
        elif self.name == "codex":
            (folder / "config.toml").write_text(
                f'model = "gpt-5-codex"\nmodel_provider = "here"\n[projects."{project}"]\ntrust_level = "trusted"\n'
                f'[model_providers.here]\nname = "here"\nbase_url = "{url}/v1"\nwire_api = "responses"\n'
                'env_key = "HERE_KEY"\n'
            )
        else:
            settings = {
                "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
                "privacy": {"usageStatisticsEnabled": False},
                "general": {"disableAutoUpdate": True, "enableAutoUpdate": False},
            }
            (folder / "settings.json").write_text(json.dumps(settings))


def _environment(home: Path, url: str) -> dict[str, str]:
    return {
        "HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "dumb",
        "ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "sk-ant-test", "HERE_KEY": "k",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1",
        "GEMINI_API_KEY": "g", "GOOGLE_GEMINI_BASE_URL": url,
    }  # fmt: skip


def _claude_memory(home: Path, project: Path) -> Path:
    (folder,) = (home / ".claude/projects").glob(f"*-{project.name}")
    return folder / "memory/MEMORY.md"


AGENTS = {
    agent.name: agent
    for agent in (
        Agent(
            "claude",
            ["--model", "claude-sonnet-4-5", "--allowedTools", "Bash,Read", "-p"],
            lambda project, path: ("Read", {"file_path": str(project / path)}),
            lambda command: ("Bash", {"command": command, "description": "Run a command"}),
            "CLAUDE.md",
            _claude_memory,
        ),
        Agent(
            "codex",
            ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"],
            lambda _, path: ("exec_command", {"cmd": f"cat {path}"}),
            lambda command: ("exec_command", {"cmd": command}),
            "AGENTS.md",
            lambda _, project: project / "instructions.md",
        ),
        Agent(
            "gemini",
            ["-m", "gemini-2.5-pro", "--yolo", "-p"],
            lambda _, path: ("read_file", {"file_path": path}),
            lambda command: ("run_shell_command", {"command": command}),
            "GEMINI.md",
            lambda _, project: project / "GEMINI.md",
        ),
    )
}


class User:
    """Somebody with one agent and a headroomd that was installed and left running."""

    def __init__(self, agent: Agent, cli: str, home: Path, installed: Installed) -> None:
        self.agent, self.home = agent, home
        self._cli = cli
        self._program = str(installed.script)
        self._variables = {
            **os.environ,
            "PYTHONPATH": installed.packages,
            "HEADROOMD_QUIET_PERIOD": "2s",
            "HEADROOMD_ANALYSIS__MODEL": "none",
        }
        self._log = home.parent / "daemon.log"
        self._daemon: subprocess.Popen[bytes] | None = None

    def headroomd(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._program, *arguments], env=self._variables, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start_daemon(self) -> None:
        with self._log.open("wb") as log:
            self._daemon = subprocess.Popen([self._program, "run"], env=self._variables, stdout=log, stderr=log)
        self.until(lambda: self.status()["state"] == "running")

    def stop_daemon(self) -> None:
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGTERM)
            self._daemon.wait(10)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.headroomd("status", "--json"))
        return status

    def until(self, condition: Callable[[], Any]) -> None:
        until(condition, told=lambda: f"{self.status()}\n{self._log.read_text()}")

    def makes_project(self, name: str) -> Path:
        """A repository in which two things are not where, or not as, one would think."""
        project = self.home / "work" / name
        for path, text in (
            (RIGHT, "LEVELS = [0.4, 3.1, 2.2]\n"),
            ("tools/check-charts", CHECK),
            ("tools/build-index", "#!/bin/sh\nmkdir -p build && touch build/index && echo built\n"),
            ("README.md", "# harbour\n"),
            (self.agent.context, "# harbour\n\nLevels are metres above chart datum.\n"),
        ):
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text(text)
        for tool in (project / "tools").iterdir():
            tool.chmod(0o755)
        (project / ".git").mkdir()
        (project / ".git/HEAD").write_text("ref: refs/heads/main\n")  # enough to be a repository's root for all of us
        return project

    def plays(self, project: Path, prompt: str, calls: list[Call]) -> list[Received]:
        """One real session, from its start to its end; what the model was sent."""
        steps = [Turn(calls=[call]) for call in calls]
        with ModelServer(steps=steps, final="That is all.") as model:
            self.agent.prepare(self.home, project, model.url)
            done = subprocess.run(
                [self._cli, *self.agent.command, prompt],
                cwd=project,
                env=_environment(self.home, model.url),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=90,
            )
        asked = [request for request in model.received if request.offers_tools]
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(asked) >= len(calls) + 1, done.stdout + done.stderr
        return asked

    def stumbles(self, project: Path, prompt: str) -> None:
        """A session that reads where nothing is, and checks before it builds; what it built is gone afterwards."""
        agent = self.agent
        self.plays(
            project,
            prompt,
            [
                agent.read(project, WRONG),
                agent.read(project, RIGHT),
                agent.run("./tools/check-charts"),
                agent.run("./tools/build-index"),
                agent.run("./tools/check-charts"),
            ],
        )
        shutil.rmtree(project / "build")


@pytest.fixture(params=AGENTS)
def user(request: pytest.FixtureRequest, home: Path, installed: Installed) -> Iterator[User]:
    user = User(AGENTS[request.param], real_cli(request.param), home, installed)
    yield user
    user.stop_daemon()


def said(request: Received) -> str:
    """All that the model can read of a request, as it reads it: every text in its body."""

    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                yield from texts(item)

    return "\n".join(texts(request.body))


def bullets(path: Path) -> list[str]:
    """The rules of a file's block."""
    if not path.exists():
        return []
    block = path.read_text().partition("<!-- headroom:learn:start -->")[2].partition("<!-- headroom:learn:end -->")[0]
    return [line for line in block.splitlines() if line.startswith("- ")]


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_one_session_learns_the_next_one_is_told(user: User) -> None:
    """The block appears by itself, and a new session's model receives it; a project not enabled stays as it was."""
    project, other = user.makes_project("harbour"), user.makes_project("elsewhere")
    before = contents(other)
    user.headroomd("enable", str(project))
    user.start_daemon()

    user.stumbles(other, "Where are the levels kept?")
    user.stumbles(project, "Where are the levels kept?")
    user.until(lambda: any(RIGHT in bullet for bullet in bullets(project / user.agent.context)))
    user.stumbles(project, "Are the charts complete?")
    memory = user.agent.memory(user.home, project)
    user.until(lambda: any("build-index" in bullet for bullet in bullets(memory)))

    first_request = said(user.plays(project, "What is the highest level?", [])[0])
    written = {*bullets(project / user.agent.context), *bullets(memory)}
    assert len(written) >= 2
    told = bullets(project / user.agent.context) if user.agent.name == "codex" else written
    assert [bullet for bullet in told if bullet not in first_request] == []
    if user.agent.name == "codex":  # it loads AGENTS.md only, which says where the rest is
        assert POINTER in first_request

    user.until(lambda: user.status()["queue"]["open"] == 0)
    learnt = {one["path"]: one for one in user.status()["projects"]}
    assert learnt[str(other)]["sessions"] == 1  # read and counted
    assert not learnt[str(other)]["enabled"]
    assert contents(other) == before
    assert not bullets(user.agent.memory(user.home, other))  # Claude's lies elsewhere
