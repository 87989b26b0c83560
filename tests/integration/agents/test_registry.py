"""Plugins: the built-ins are there, others are found where pip puts them, and a broken one is named and left out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headroomd.agents.base import AgentPlugin, Environment
from headroomd.agents.registry import Plugins, load_plugins
from headroomd.agents.tail import open_tail
from headroomd.model import Action, Operation, Outcome, SessionStart, ToolCall, UserMessage

EXAMPLE = Path(__file__).parents[2] / "fixtures/plugin_example"
BUILT_IN = ["claude", "codex", "gemini"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which installed packages are found."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def put(site: Path, module: str, source: str, value: str = "plugin") -> None:
    """Lay a package with one plugin as pip would lay it."""
    (site / f"{module}.py").write_text(source)
    info = site / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[headroom.learn_plugin]\n{module} = {module}:{value}\n")


def test_built_ins() -> None:
    """The agents of the package are found by looking through it."""
    found = load_plugins()
    assert list(found.plugins) == BUILT_IN
    assert found.broken == []
    assert all(plugin.title for plugin in found.plugins.values())


def test_the_example_installed_with_pip(tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's example plugin: installed, found, and its agent's session read in two parts."""
    source = shutil.copytree(EXAMPLE, tmp_path / "source")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*install, "--target", str(site), str(source)], check=True, timeout=120)
    monkeypatch.delitem(sys.modules, "headroomd_tinker", raising=False)

    found = load_plugins()
    assert (list(found.plugins), found.broken) == ([*BUILT_IN, "tinker"], [])
    env = Environment(home=tmp_path, variables={})
    check_example(found.plugins["tinker"], env)


def check_example(plugin: AgentPlugin, env: Environment) -> None:
    path = plugin.roots(env)[0] / "s1.jsonl"
    path.parent.mkdir(parents=True)
    records: list[object] = [
        {"at": 1.0, "folder": "/home/dev/app"},
        {"at": 2.0, "user": "please build it"},
        {"at": 3.0, "call": "c1", "tool": "shell", "input": {"command": "mk"}},
        ["not a record"],
        {"at": 4.0, "result": "c1", "exit": 127, "text": "mk: not found"},
        {"at": 5.0, "call": "c2", "tool": "open", "input": {"path": "a.py", "first_line": 7}},
        {"at": 6.0, "result": "c2", "text": "error: none"},
    ]
    lines = [json.dumps(record) + "\n" for record in records]
    assert (list(plugin.session_files(env)), plugin.is_session_file(path, env)) == ([], True)
    path.write_text("".join(lines[:4]))
    assert list(plugin.session_files(env)) == [path]
    with open_tail(path, None) as tail:
        reader = plugin.reader(path, env)
        events = list(reader.read(tail.lines()))
        cursor, state = tail.cursor(), reader.dump()
    assert reader.odd_lines == 1
    with path.open("a") as file:
        file.writelines(lines[4:])
    with open_tail(path, cursor) as tail:
        assert not tail.fresh
        events += plugin.reader(path, env, state).read(tail.lines())

    start, message, failed, worked = events
    assert start == SessionStart("tinker", "s1", 1.0, "/home/dev/app")
    assert isinstance(message, UserMessage)
    assert message.text == "please build it"
    assert isinstance(failed, ToolCall)
    assert failed.operation == Operation(Action.RUN, command="mk")
    assert (failed.outcome, failed.exit_code, failed.output) == (Outcome.FAILED, 127, "mk: not found")
    assert isinstance(worked, ToolCall)
    assert (worked.operation.partial, worked.outcome, worked.output) == (True, Outcome.OK, "")
    assert plugin.targets(Path("/home/dev/app"), env).context == Path("/home/dev/app/TINKER.md")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("x = 1", "AttributeError"),
        ("plugin = None", "expected an instance of AgentPlugin, found NoneType"),
        ("plugin = object()", "expected an instance of AgentPlugin, found object"),
        ("from headroomd.agents.base import AgentPlugin\nplugin = AgentPlugin()", "TypeError"),
        (
            "from headroomd.agents.claude import ClaudeCode\nclass P(ClaudeCode): name = ''\nplugin = P()",
            "it has no name",
        ),
        (
            "from headroomd.agents.claude import ClaudeCode\nplugin = ClaudeCode()",
            "an agent named 'claude' is there already",
        ),
    ],
)
def test_broken_plugin(site: Path, source: str, reason: str) -> None:
    """What does not load, is no plugin, or would take a built-in's place is named with a remedy; the others work."""
    module = f"broken_{abs(hash(source))}"
    put(site, module, source)
    found = load_plugins()
    assert list(found.plugins) == BUILT_IN
    (error,) = found.broken
    assert f"'{module}' of {module}" in error.cause
    assert reason in error.cause
    assert module in error.remedy
    assert built_in_is_untouched(found)


def built_in_is_untouched(found: Plugins) -> bool:
    return type(found.plugins["claude"]).__module__ == "headroomd.agents.claude"


def test_not_loaded_for_nothing() -> None:
    """importlib.metadata is not paid for by importing the registry."""
    code = "import sys, headroomd.agents.registry; sys.exit('importlib.metadata' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
