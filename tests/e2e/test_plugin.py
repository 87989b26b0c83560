"""Agents that other packages add: the README's example, installed with pip, and plugins that are broken."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.pip import install

Program = Callable[..., subprocess.CompletedProcess[str]]

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "tests/fixtures/plugin_example"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the example."""
    target = tmp_path_factory.mktemp("plugin")
    install(EXAMPLE, target)
    return target


@pytest.fixture
def project(home: Path, tmp_path: Path) -> Path:
    """A project in which Scribe looked for a file in the wrong place, in two sessions."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    (folder / "lib/core").mkdir(parents=True)
    (folder / "lib/core/tides.py").write_text("highest = 3\n")
    sessions = home / ".scribe/sessions"
    sessions.mkdir(parents=True)
    for name in ("s1", "s2"):
        missing = {"ok": False, "output": "lib/tides.py: No such file or directory"}
        lines = [
            {"session": name, "cwd": str(folder), "at": 1.7e9},
            {"call": "c1", "tool": "read", "input": "lib/tides.py", "at": 1.7e9, **missing},
            {"call": "c2", "tool": "read", "input": "lib/core/tides.py", "at": 1.7e9 + 1, "ok": True},
        ]
        (sessions / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_the_example_learns_like_a_built_in(program: Program, example: Path, project: Path) -> None:
    """Installed with pip, it is found; its sessions are read and its file is written."""
    done = program("learn", "--agent", "scribe", "--apply", "--model", "none", cwd=project, packages=example)
    assert (done.returncode, done.stderr) == (0, "")
    assert "`lib/tides.py` → actually at `lib/core/tides.py`" in (project / "SCRIBE.md").read_text()


def test_without_it_the_agent_is_not_known(program: Program, project: Path) -> None:
    """The same command without the package is wrong usage."""
    done = program("learn", "--agent", "scribe", cwd=project)
    assert done.returncode == 2
    assert "there is no such agent; known: auto, claude, codex, gemini" in done.stderr


def test_a_broken_plugin_is_named_and_takes_nobody_down(
    program: Program, example: Path, project: Path, tmp_path: Path
) -> None:
    """One that does not import is one line; the others learn as ever."""
    packages = tmp_path / "packages"
    info = packages / "broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[headroom.learn_plugin]\nbroken = broken:plugin\n")
    (packages / "broken.py").write_text("raise RuntimeError('out of order')\n")
    both = os.pathsep.join([str(packages), str(example)])
    done = program("learn", "--apply", "--model", "none", cwd=project, packages=both)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert "'broken' of broken was left out (RuntimeError: out of order)" in done.stderr
    assert (project / "SCRIBE.md").exists()


def test_the_readme_holds_the_example() -> None:
    """What users copy is what the tests run, to the letter."""
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    for name in ("pyproject.toml", "headroom_learn_scribe.py"):
        assert (EXAMPLE / name).read_text("utf-8") in readme
