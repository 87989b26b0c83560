"""Plugins: the built-ins are there, others are found where pip puts them, and a broken one is named and left out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headroomd.agents.base import AgentPlugin, Environment
from headroomd.agents.claude import ClaudeCode
from headroomd.agents.registry import load_plugins
from headroomd.agents.tail import open_tail
from headroomd.model import Action, Operation, Outcome, SessionStart, ToolCall

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
    monkeypatch.delitem(sys.modules, "headroom_learn_scribe", raising=False)

    found = load_plugins()
    assert (list(found.plugins), found.broken) == ([*BUILT_IN, "scribe"], [])
    env = Environment(home=tmp_path, variables={})
    check_example(found.plugins["scribe"], env)


def check_example(plugin: AgentPlugin, env: Environment) -> None:
    path = plugin.roots(env)[0] / "s1.jsonl"
    path.parent.mkdir(parents=True)
    records: list[object] = [
        {"session": "s1", "cwd": "/home/dev/app", "at": 1.0},
        ["not a record"],
        {"call": "c1", "tool": "shell", "input": "mk", "ok": False, "output": "mk: not found", "at": 2.0},
        {"call": "c2", "tool": "read", "input": "a.py", "ok": True, "output": "error: none", "at": 3.0},
    ]
    lines = [json.dumps(record) + "\n" for record in records]
    path.write_text("".join(lines[:2]))
    assert list(plugin.session_files(env)) == [path]
    with open_tail(path, None) as tail:
        reader = plugin.reader(path, env)
        events = list(reader.read(tail.lines()))
        cursor, state = tail.cursor(), reader.dump()
    assert reader.odd_lines == 1
    with path.open("a") as file:
        file.writelines(lines[2:])
    with open_tail(path, cursor) as tail:
        assert not tail.fresh
        events += plugin.reader(path, env, state).read(tail.lines())

    start, failed, worked = events
    assert start == SessionStart("scribe", "s1", 1.0, "/home/dev/app")
    assert isinstance(failed, ToolCall)
    assert failed.operation == Operation(Action.RUN, command="mk")
    assert (failed.session, failed.outcome, failed.output) == ("s1", Outcome.FAILED, "mk: not found")
    assert isinstance(worked, ToolCall)
    assert (worked.cwd, worked.outcome, worked.output) == ("/home/dev/app", Outcome.OK, "")


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
    assert type(found.plugins["claude"]) is ClaudeCode


def test_not_loaded_for_nothing() -> None:
    """importlib.metadata is not paid for by importing the registry."""
    code = "import sys, headroomd.agents.registry; sys.exit('importlib.metadata' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
