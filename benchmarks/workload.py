"""What the daemon's benchmarks work on: any number of sessions cut from recorded ones, and a daemon that reads them.

Run the benchmarks from the repository's root: python -m benchmarks.latency
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from headroomd.daemon import client
from headroomd.daemon.control import Request
from headroomd.errors import ControlError
from headroomd.paths import Places

__all__ = ["FAMILIES", "SINGLES", "Daemon", "SessionFile", "Stage", "until"]

_CROWD_PROJECTS: Final = 100
_PATIENCE: Final = 900.0  # seconds for reading all the sessions that there are

_REPOSITORY: Final = Path(__file__).resolve().parent.parent
_DEMO: Final = _REPOSITORY / "headroomd/demo/home"
_FIXTURES: Final = _REPOSITORY / "tests/fixtures"
_UUID: Final = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{6})[0-9a-f]{6}")


class Recording(NamedTuple):
    """Sessions that belong together (one, or one and its forks, in the order in which they were begun)."""

    agent: str
    project: str  # in which they were recorded
    sources: tuple[Path, ...]
    name: str  # where in the agent's home folder such a file lies; {name} is the source's own, without its suffix
    missed: tuple[str, str] = ("", "")  # name of a file that is looked for in vain first, and the folder that holds it


_LIGHTHOUSE: Final = "/home/sam/code/lighthouse"
_CLAUDE: Final = ".claude/projects/{folder}/{name}.jsonl"
_CODEX: Final = ".codex/sessions/2026/11/23/{name}.jsonl"
_GEMINI: Final = ".gemini/tmp/{project}/chats/session-2026-11-23T01-32-{number:08x}.jsonl"

SINGLES: Final = {
    "claude": Recording(
        "claude",
        _LIGHTHOUSE,
        (_DEMO / ".claude/projects/-home-sam-code-lighthouse/be1571ea-3d1a-43f0-88d0-1aa21a1ac31e.jsonl",),
        _CLAUDE,
        ("tides.py", "core"),
    ),
    "codex": Recording(
        "codex",
        _LIGHTHOUSE,
        (next((_DEMO / ".codex/sessions/2026/11/23").glob("rollout-2026-11-23T01-31-52-*")),),
        _CODEX,
        ("tides.py", "core"),
    ),
    "gemini": Recording(
        "gemini",
        _LIGHTHOUSE,
        (_DEMO / ".gemini/tmp/lighthouse/chats/session-2026-11-23T01-32-81461c25.jsonl",),
        _GEMINI,
        ("beacons.py", "io"),
    ),
}

_SVC: Final = _FIXTURES / "claude/-home-dev-work-svc"
FAMILIES: Final = (
    *SINGLES.values(),
    Recording("claude", "/home/dev/work/svc", tuple(sorted(_SVC.glob("*.jsonl"), reverse=True)), _CLAUDE),
    Recording(
        "codex",
        "/home/dev/work/shop",
        tuple(_FIXTURES / f"codex/{name}.jsonl" for name in ("source", "fork", "fork_of_fork")),
        _CODEX,
    ),
)
"""Every kind of session there is: each agent's, and those that were forked."""


class SessionFile(NamedTuple):
    """A session as its agent would write it."""

    path: Path
    lines: list[bytes]

    @property
    def id(self) -> str:
        """What the agent calls it."""
        return self.path.stem[-36:]

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"".join(self.lines))


class Stage:
    """A home folder with projects and sessions, below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.config = folder / "config.toml"
        self.home.mkdir(parents=True)
        self._sources: dict[Path, str] = {}

    def project(self, name: str) -> Path:
        """A small repository with a CLAUDE.md of its own."""
        project = self.home / "code" / name
        (project / ".git").mkdir(parents=True)
        (project / ".git/HEAD").write_text("ref: refs/heads/main\n")
        (project / "CLAUDE.md").write_text(f"# {name}\n\nHeights are metres above chart datum.\n")
        return project

    def sessions(self, recording: Recording, project: Path, number: int, lesson: str = "") -> list[SessionFile]:
        """The recording as it would have been made in `project`; not written yet. Each `number` is another one.

        With `lesson`, a file of that name is what was looked for in the wrong place, and lies in the project.
        """
        replaced = {recording.project: str(project), _digest(recording.project): _digest(str(project))}
        name, folder = recording.missed
        if lesson:
            right = project / "lighthouse" / f"{lesson}s" / f"{lesson}.py"
            right.parent.mkdir(parents=True, exist_ok=True)
            right.touch()
            replaced |= {f"lighthouse/{folder}/{name}": f"lighthouse/{lesson}s/{lesson}.py", name: f"{lesson}.py"}
        if recording.agent == "gemini":
            root = self.home / ".gemini/tmp" / project.name / ".project_root"
            root.parent.mkdir(parents=True, exist_ok=True)
            root.write_text(str(project))
        files = []
        for source in recording.sources:
            text = self._text(source)
            for old, new in replaced.items():
                text = text.replace(old, new)
            text = _numbered(text, number).replace("toolu_", f"toolu_{number:06d}_")
            place = recording.name.format(
                folder=re.sub(r"[^A-Za-z0-9]", "-", str(project)),
                project=project.name,
                name=_numbered(source.stem if "-" in source.stem else _rollout(text), number),
                number=number,
            )
            files.append(SessionFile(self.home / place, text.encode().splitlines(keepends=True)))
        return files

    def crowd(self, count: int) -> None:
        """Write so many sessions of all agents, in projects that nobody has enabled."""
        projects = [self.project(f"crowd-{number}") for number in range(min(count, _CROWD_PROJECTS))]
        agents = ("claude", "claude", "codex", "claude", "codex", "gemini")
        for number in range(count):
            recording, project = SINGLES[agents[number % len(agents)]], projects[number % len(projects)]
            for file in self.sessions(recording, project, number):
                file.write()

    def _text(self, source: Path) -> str:
        if source not in self._sources:
            self._sources[source] = source.read_text("utf-8")
        return self._sources[source]


def _digest(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()


def _numbered(text: str, number: int) -> str:
    return _UUID.sub(rf"\g<1>{number:06x}", text)


def _rollout(text: str) -> str:
    """The name of the file in which Codex would keep a thread."""
    meta = msgspec.json.decode(text.partition("\n")[0])["payload"]
    return f"rollout-2026-11-23T01-31-52-{meta['id']}"


class Daemon:
    """`headroomd run` in a process of its own; `state` is its state folder."""

    def __init__(self, stage: Stage, state: Path) -> None:
        self.state = state
        variables = {
            "HOME": str(stage.home),
            "HEADROOMD_STATE_DIR": str(state),
            "HEADROOMD_RUNTIME_DIR": str(state / "run"),
            "HEADROOMD_CONFIG": str(stage.config),
        }
        self.places = Places.current(variables)
        no_llm = {"HEADROOMD_ANALYSIS__MODEL": "none"}  # the CLIs of this machine are not measured
        self._variables = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **no_llm, **variables}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def launch(self) -> None:
        """Start it, without waiting."""
        self.state.mkdir(parents=True, exist_ok=True)
        with (self.state / "daemon.log").open("ab") as log:
            command = [sys.executable, "-m", "headroomd", "run"]
            self._process = subprocess.Popen(command, env=self._variables, stdout=log, stderr=log)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.launch()
        until(self.answers)

    def answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"the daemon has ended, see {self.state / 'daemon.log'}")
        try:
            return client.ask(self.places, Request("ping")) is not None
        except ControlError:
            return False

    def ask(self, cmd: str, *, wait: bool = False) -> dict[str, Any]:
        """The answer of the running daemon; with `wait`, when it has done all that there is to do."""
        reply = client.ask(self.places, Request(cmd, wait=wait), answer_within=_PATIENCE)
        assert reply is not None
        result: dict[str, Any] = msgspec.json.decode(reply.result)
        return result

    def settle(self) -> None:
        """Have everything read that there is, and every block brought up to date."""
        self.ask("run-now", wait=True)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(20)
            self._process = None


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Returns as soon as the condition holds. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s in vain")
        time.sleep(0.005)
