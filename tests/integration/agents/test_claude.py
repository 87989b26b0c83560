"""Claude Code's folders: which files are sessions, which of them are in use, and which files it loads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headroomd.agents.base import Environment, InUse
from headroomd.agents.claude import _folder_name, _matches, plugin
from headroomd.agents.tail import open_tail
from headroomd.model import ToolCall

FIXTURES = Path(__file__).parents[2] / "fixtures/claude"


@pytest.fixture
def env(home: Path) -> Environment:
    return Environment(home=home, variables={})


@pytest.fixture
def config(home: Path) -> Path:
    folder = home / ".claude"
    folder.mkdir()
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "work" / "app"
    folder.mkdir(parents=True)
    return folder


# -- sessions ------------------------------------------------------------------------------------------------


SESSIONS = [
    "projects/-home-dev-app/s1.jsonl",
    "projects/-home-dev-app/agent-1f2e.jsonl",
    "projects/-home-dev-app/s1/subagents/agent-a1.jsonl",
    "projects/-home-dev-app/s1/subagents/workflows/w1/agent-a2.jsonl",
]
OTHERS = [
    "projects/-home-dev-app/agent-acompact-9.jsonl",
    "projects/-home-dev-app/s1/subagents/agent-acompact-9.jsonl",
    "projects/-home-dev-app/s1/subagents/agent-a1.meta.json",
    "projects/-home-dev-app/s1/subagents/workflows/w1/journal.jsonl",
    "projects/-home-dev-app/s1/tool-results/x.jsonl",
    "projects/-home-dev-app/s1/tool-results/x.txt",
    "projects/-home-dev-app/memory/MEMORY.md",
    "projects/loose.jsonl",
    "history.jsonl",
]


@pytest.mark.parametrize("moved", [False, True])
def test_session_files(env: Environment, config: Path, tmp_path: Path, moved: bool) -> None:
    """Sessions and three generations of subagents are found, copies and side files are not; in a moved folder too."""
    if moved:
        config = tmp_path / "elsewhere"
        env = Environment(home=env.home, variables={"CLAUDE_CONFIG_DIR": str(config)})
    for name in SESSIONS + OTHERS:
        (config / name).parent.mkdir(parents=True, exist_ok=True)
        (config / name).write_text("")
    assert plugin.roots(env) == [config / "projects"]
    assert sorted(plugin.session_files(env)) == sorted(config / name for name in SESSIONS)
    for name in SESSIONS + OTHERS:
        assert plugin.is_session_file(config / name, env) == (name in SESSIONS), name
    assert [plugin.is_subagent_file(config / name) for name in SESSIONS] == [False, True, True, True]
    assert not plugin.is_session_file(tmp_path / "s1.jsonl", env)


def test_no_folder(env: Environment) -> None:
    """Where Claude Code was never used there is nothing, and nothing raises."""
    assert list(plugin.session_files(env)) == []
    assert plugin.in_use(plugin.roots(env)[0] / "x/s1.jsonl", env) is InUse.CANNOT_TELL
    assert plugin.shadows(Path("/nowhere"), env) == []


def test_recorded_home(env: Environment, config: Path) -> None:
    """Recorded sessions, a resumed one, its fork, a subagent: every call counts once."""
    shutil.copytree(FIXTURES, config / "projects")
    keys = []
    for path in plugin.session_files(env):
        with open_tail(path, None) as tail:
            events = plugin.reader(path, env).read(tail.lines())
            keys += [event.key for event in events if isinstance(event, ToolCall)]
    assert len(keys) == 29
    assert len(set(keys)) == 25


# -- in use --------------------------------------------------------------------------------------------------


def started(pid: int) -> str | None:
    """Field 22 of /proc/<pid>/stat, where there is one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_in_use(env: Environment, config: Path) -> None:
    """A session is in use while the process lives that names it; its subagents are with it."""
    (config / "sessions").mkdir()
    note = {"pid": os.getpid(), "sessionId": "s1", "procStart": started(os.getpid())}
    (config / "sessions" / f"{os.getpid()}.json").write_text(json.dumps(note))
    folder = config / "projects/x"
    assert plugin.in_use(folder / "s1.jsonl", env) is InUse.YES
    assert plugin.in_use(folder / "s1/subagents/agent-a.jsonl", env) is InUse.YES
    assert plugin.in_use(folder / "s1/subagents/workflows/w/agent-a.jsonl", env) is InUse.YES
    assert plugin.in_use(folder / "s2.jsonl", env) is InUse.ENDED
    assert plugin.in_use(folder / "agent-1f2e.jsonl", env) is InUse.CANNOT_TELL


def test_killed(env: Environment, config: Path) -> None:
    """A note that a killed process left behind does not keep its session open."""
    (config / "sessions").mkdir()
    pid = dead_pid()
    (config / "sessions" / f"{pid}.json").write_text(json.dumps({"pid": pid, "sessionId": "s1"}))
    assert plugin.in_use(config / "projects/x/s1.jsonl", env) is InUse.ENDED


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc that tells when a process began")
def test_another_process_with_the_same_pid(env: Environment, config: Path) -> None:
    """A pid that was given to another process since does not keep the session open."""
    (config / "sessions").mkdir()
    note = {"pid": os.getpid(), "sessionId": "s1", "procStart": "1"}
    (config / "sessions" / "1.json").write_text(json.dumps(note))
    assert plugin.in_use(config / "projects/x/s1.jsonl", env) is InUse.ENDED


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"sessionId": "s1"}', '{"sessionId": "s1", "pid": "x"}', '{"pid": -1}']
)
def test_odd_notes(env: Environment, config: Path, text: str) -> None:
    """A note that cannot be understood says nothing."""
    (config / "sessions").mkdir()
    (config / "sessions" / "7.json").write_text(text)
    (config / "sessions" / "8.json").write_text(json.dumps({"pid": 2**70, "sessionId": "s1"}))
    assert plugin.in_use(config / "projects/x/s1.jsonl", env) is InUse.ENDED


# -- what is loaded ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/dev/a-b.c_d", "-home-dev-a-b-c-d"),
        ("/home/dev/Ünïcode", "-home-dev--n-code"),
        ("/home/dev/😀", "-home-dev---"),
        (
            "/home/devcc/work/" + "very-long-" * 12 + "/" + "Ünïcode-dir-" * 6 + "/end.d",
            "-home-devcc-work-" + "very-long-" * 12 + "-" + ("-n-code-dir-" * 6)[:62] + "-gv19q0",
        ),
    ],
)
def test_folder_names(path: str, name: str) -> None:
    """Folders below `projects` are named as claude 2.1.197 names them; the long one was recorded from it."""
    assert _folder_name(path) == name


def test_targets(env: Environment, config: Path, project: Path) -> None:
    """The context is the project's CLAUDE.md, the memory is Claude's own for the folder's real path."""
    targets = plugin.targets(project, env)
    assert targets.context == project / "CLAUDE.md"
    assert targets.memory == config / "projects" / _folder_name(os.path.realpath(project)) / "memory/MEMORY.md"
    link = project.parent / "link"
    link.symlink_to(project)
    assert plugin.targets(link, env).memory == targets.memory
    (config / "projects" / _folder_name(str(link))).mkdir(parents=True)
    assert plugin.targets(link, env).memory.parts[-3] == _folder_name(str(link))


def test_memory_elsewhere(env: Environment, config: Path, project: Path) -> None:
    """autoMemoryDirectory in the user's settings moves the memory; in the project's it is ignored, as Claude does."""
    (project / ".claude").mkdir()
    (project / ".claude/settings.json").write_text('{"autoMemoryDirectory": "/evil"}')
    (config / "settings.json").write_text('{"autoMemoryDirectory": "~/notes"}')
    assert plugin.targets(project, env).memory == env.home / "notes/MEMORY.md"


@pytest.mark.parametrize("place", ["user", "project", "local"])
def test_excluded(env: Environment, config: Path, project: Path, place: str) -> None:
    """claudeMdExcludes that names the context file is reported with what to take out."""
    (project / ".claude").mkdir()
    settings = {
        "user": config / "settings.json",
        "project": project / ".claude/settings.json",
        "local": project / ".claude/settings.local.json",
    }[place]
    settings.write_text(json.dumps({"claudeMdExcludes": ["**/other/CLAUDE.md", 5, "**/app/CLAUDE.md"]}))
    (shadow,) = plugin.shadows(project, env)
    assert shadow.path == project / "CLAUDE.md"
    assert str(settings) in shadow.cause
    assert "'**/app/CLAUDE.md'" in shadow.remedy


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("/home/dev/app/CLAUDE.md", True),
        ("/home/*/app/CLAUDE.md", True),
        ("/home/*/CLAUDE.md", False),
        ("/home/**", True),
        ("**/CLAUDE.md", True),
        ("CLAUDE.md", False),
        ("**/{app,lib}/*.md", True),
        ("**/{src,lib}/*.md", False),
        ("/home/dev/ap[a-q]/CLAUDE.md", True),
        ("/home/dev/ap[!a-q]/CLAUDE.md", False),
        ("/home/dev/ap?/CLAUDE.md", True),
        ("/home/dev/app/CLAUDE.md[", False),
        ("", False),
    ],
)
def test_patterns(pattern: str, named: bool) -> None:
    """Patterns are globs on the whole path."""
    assert _matches(pattern, Path("/home/dev/app/CLAUDE.md")) == named


@pytest.mark.parametrize(
    ("before", "after", "shadowed"),
    [
        ("x\n" * 190, "", False),
        ("x\n" * 197, "", True),
        ("x\n" * 10, "x\n" * 300, False),
        ("x" * 25_000 + "\n", "", True),
    ],
)
def test_long_memory(env: Environment, project: Path, before: str, after: str, shadowed: bool) -> None:
    """A block that reaches past the lines and bytes of MEMORY.md that Claude loads is reported."""
    memory = plugin.targets(project, env).memory
    memory.parent.mkdir(parents=True)
    block = "<!-- headroom:learn:start -->\n## H\n- a\n- b\n- c\n<!-- headroom:learn:end -->\n"
    memory.write_text(before + block + after)
    assert [shadow.path for shadow in plugin.shadows(project, env)] == [memory] * shadowed


def test_memory_that_is_full_already(env: Environment, project: Path) -> None:
    """A block that is still to be written will come last: too late in a file of two hundred lines."""
    memory = plugin.targets(project, env).memory
    memory.parent.mkdir(parents=True)
    memory.write_text("x\n" * 200)
    assert [shadow.path for shadow in plugin.shadows(project, env)] == [memory]


def test_memory_switched_off(env: Environment, config: Path, project: Path) -> None:
    """Where the memory is switched off, nothing in it is seen."""
    (config / "settings.json").write_text('{"autoMemoryEnabled": false}')
    (shadow,) = plugin.shadows(project, env)
    assert (shadow.path, "autoMemoryEnabled" in shadow.remedy) == (plugin.targets(project, env).memory, True)
