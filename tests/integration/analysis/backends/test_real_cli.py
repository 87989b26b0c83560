"""The real CLIs as backends, talking to a model on this machine."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from headroomd.agents.base import AgentPlugin, Environment
from headroomd.agents.claude import plugin as claude
from headroomd.agents.codex import plugin as codex
from headroomd.agents.gemini import plugin as gemini
from headroomd.analysis.backends import Backend, Overloaded, Rejected, is_analyst_folder, select
from headroomd.config import Analysis, Config
from headroomd.model import SessionStart
from tests.support.asking import REPLY, REQUEST
from tests.support.model_server import ModelServer
from tests.support.real_cli import REAL_CLI_FOLDERS, real_cli

pytestmark = pytest.mark.real_cli

PLUGINS: dict[str, AgentPlugin] = {"claude": claude, "codex": codex, "gemini": gemini}


@pytest.fixture(params=PLUGINS)
def name(request: pytest.FixtureRequest) -> str:
    real_cli(request.param)
    return str(request.param)


@pytest.fixture
def user(home: Path) -> Path:
    """A home whose owner has hooks, MCP servers and instructions of their own, all of which leave traces."""
    hook = [{"hooks": [{"type": "command", "command": f"touch {home}/TRAPPED-hook"}]}]
    server = {"trap": {"command": "touch", "args": [f"{home}/TRAPPED-server"]}}
    login = {"auth": {"selectedType": "gemini-api-key"}}
    files = {
        ".claude/settings.json": json.dumps({"hooks": {"SessionStart": hook, "UserPromptSubmit": hook}}),
        ".claude.json": json.dumps({"mcpServers": server}),
        ".gemini/settings.json": json.dumps({"security": login, "hooks": {"SessionStart": hook}, "mcpServers": server}),
        ".claude/CLAUDE.md": "OWN-INSTRUCTIONS",
        "CLAUDE.md": "OWN-INSTRUCTIONS",
        "AGENTS.md": "OWN-INSTRUCTIONS",
        "GEMINI.md": "OWN-INSTRUCTIONS",
    }
    for path, text in files.items():
        (home / path).parent.mkdir(exist_ok=True)
        (home / path).write_text(text)
    return home


def backend(name: str, home: Path, model: ModelServer, timeout: float = 90.0) -> Backend:
    codex_home = home / ".codex"
    codex_home.mkdir(exist_ok=True)
    (codex_home / "config.toml").write_text(
        f'model = "some-model"\nmodel_provider = "here"\nnotify = ["touch", "{home}/TRAPPED-notify"]\n'
        f'[model_providers.here]\nname = "here"\nbase_url = "{model.url}/v1"\nenv_key = "HERE_KEY"\n'
        f'request_max_retries = 1\n[mcp_servers.trap]\ncommand = "touch"\nargs = ["{home}/TRAPPED-server"]\n'
    )
    variables = {
        "HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HEADROOMD_STATE_DIR": str(home / "state"),
        "ANTHROPIC_API_KEY": "sk-ant-test", "ANTHROPIC_BASE_URL": model.url, "HERE_KEY": "k",
        "GEMINI_API_KEY": "g", "GOOGLE_GEMINI_BASE_URL": model.url,
    }  # fmt: skip
    config = Config(analysis=Analysis(model=f"{name}-cli", timeout=timeout))
    chosen = select(None, variables, lambda program: shutil.which(program, path=REAL_CLI_FOLDERS), config)
    assert chosen is not None
    return chosen


def test_answer(name: str, user: Path) -> None:
    """The real CLI answers; no tool is offered, no hook, server or instruction of the user comes into play."""
    with ModelServer(REPLY) as model:
        answer = backend(name, user, model).ask(REQUEST)
    assert (answer.text, answer.input_tokens, answer.output_tokens) == (REPLY, 1000, 50)
    asked = [request for request in model.received if "PROMPT-TEXT" in request.raw.decode()]
    assert len(asked) == 1
    assert not asked[0].offers_tools
    assert "SYSTEM-TEXT" in asked[0].raw.decode()
    assert "OWN-INSTRUCTIONS" not in asked[0].raw.decode()
    assert list(user.glob("TRAPPED*")) == []


def test_nothing_to_learn_from(name: str, user: Path) -> None:
    """What the CLI records of such a run is nothing, or a session whose folder says what it is."""
    with ModelServer(REPLY) as model:
        backend(name, user, model, timeout=30.0).ask(REQUEST)
    plugin, env = PLUGINS[name], Environment(user, {})
    recorded = list(plugin.session_files(env))
    assert bool(recorded) == (name == "gemini")
    for path in recorded:
        starts = [
            e
            for e in plugin.reader(path, env).read(path.read_bytes().splitlines(keepends=True))
            if isinstance(e, SessionStart)
        ]
        assert starts
        assert all(is_analyst_folder(start.cwd) for start in starts)
    left = [p for p in user.rglob("*") if p.is_file() and b"PROMPT-TEXT" in p.read_bytes()]
    assert set(left) == set(recorded)
    assert [p.name for p in (user / "state").iterdir()] == [f"headroomd-analyst-{name}"]


@pytest.mark.parametrize(("fault", "failure"), [("401", Rejected), ("500", Overloaded), ("429", Overloaded)])
def test_faults(name: str, user: Path, fault: str, failure: type[Exception]) -> None:
    """The real CLI's complaint is understood, in whatever time it takes to complain."""
    with ModelServer(REPLY, faults=[fault] * 40) as model, pytest.raises(failure):
        backend(name, user, model, timeout=30.0).ask(REQUEST)


def test_time_limit(name: str, user: Path) -> None:
    """A CLI whose model does not answer is ended in time."""
    with ModelServer(REPLY, faults=["hang"] * 10) as model:
        start = time.monotonic()
        with pytest.raises(Overloaded, match="no answer within"):
            backend(name, user, model, timeout=16.0).ask(REQUEST)
        assert time.monotonic() - start < 60
