"""Codex's folders, locks and loaded files, on a real file system."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from headroomd.agents.base import Environment, InUse
from headroomd.agents.codex import plugin

NAME = "rollout-2026-11-22T14-11-03-01a20398-9d10-7ec3-9f7a-275bee0311cb.jsonl"
THREAD = "01a20398-9d10-7ec3-9f7a-275bee0311cb"


@pytest.fixture
def env(home: Path) -> Environment:
    return Environment(home=home, variables={})


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_session_files(env: Environment) -> None:
    """Sessions are found by day, archived and compressed; of a plain and a compressed one the plain wins."""
    day, archive = env.home / ".codex/sessions/2026/11/22", env.home / ".codex/archived_sessions"
    found = {
        write(day / NAME),
        write(archive / NAME.replace("14-11", "15-11")),
        write(archive / (NAME.replace("14-11", "16-11") + ".zst")),
    }
    write(day / f"{NAME}.zst")
    write(day / "notes.jsonl")
    assert set(plugin.session_files(env)) == found


def test_no_folder_at_all(env: Environment) -> None:
    """Where Codex was never used there is nothing to find, nothing to tell, nothing in the way."""
    assert list(plugin.session_files(env)) == []
    assert plugin.in_use(env.home / NAME, env) is InUse.CANNOT_TELL
    assert plugin.shadows(env.home, env) == []


def test_in_use(env: Environment) -> None:
    """A session is in use while its writer holds the lock; a lock that nobody holds was left by a killed writer."""
    session = write(env.home / ".codex/sessions/2026/11/22" / NAME)
    lock = env.home / f".codex/thread-writer-locks/{THREAD}.lock"
    write(lock.parent / ".coordination.lock")
    assert plugin.in_use(session, env) is InUse.ENDED
    with write(lock).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert plugin.in_use(session, env) is InUse.YES
    assert plugin.in_use(session, env) is InUse.ENDED
    with lock.open("rb") as mine:
        fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)  # asking did not keep it


def test_override_shadows(env: Environment, tmp_path: Path) -> None:
    """An AGENTS.override.md beside AGENTS.md keeps Codex from reading it; the one in CODEX_HOME does not."""
    write(env.home / ".codex/AGENTS.override.md", "mine")
    write(tmp_path / "p/AGENTS.md", "ours")
    assert plugin.shadows(tmp_path / "p", env) == []
    write(tmp_path / "p/AGENTS.override.md", "other")
    (shadow,) = plugin.shadows(tmp_path / "p", env)
    assert "AGENTS.override.md" in shadow.cause
    assert shadow.remedy


def test_overflow_shadows(env: Environment, tmp_path: Path) -> None:
    """What lies beyond project_doc_max_bytes is not read; the limit is 32 KiB unless config.toml says otherwise."""
    context = write(tmp_path / "p/AGENTS.md", "x" * (32 * 1024))
    assert plugin.shadows(tmp_path / "p", env) == []
    context.write_text("x" * (32 * 1024 + 1))
    (shadow,) = plugin.shadows(tmp_path / "p", env)
    assert "32768" in shadow.cause
    config = write(env.home / ".codex/config.toml", "project_doc_max_bytes = 65536\n")
    assert plugin.shadows(tmp_path / "p", env) == []
    config.write_text("not toml [")
    assert len(plugin.shadows(tmp_path / "p", env)) == 1


def test_documents_below_the_root_take_their_part_of_what_codex_loads(tmp_path: Path) -> None:
    """One document a folder counts, an override in its place, along the way down that holds most."""
    project = tmp_path / "project"
    (project / "apps/web").mkdir(parents=True)
    (project / "node_modules/x").mkdir(parents=True)
    (project / "AGENTS.md").write_text("r" * 500)
    (project / "apps/AGENTS.md").write_text("a" * 100)
    (project / "apps/AGENTS.override.md").write_text("a" * 200)
    (project / "apps/web/AGENTS.md").write_text("w" * 300)
    (project / "node_modules/x/AGENTS.md").write_text("n" * 9000)
    env = Environment(tmp_path, {})
    assert plugin.targets(project, env).context_bytes == 32 * 1024 - 500
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex/config.toml").write_text("project_doc_max_bytes = 400\n")
    assert plugin.targets(project, env).context_bytes == 0
