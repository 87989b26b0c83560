"""`headroomd enable` and `disable`: opt-in, said plainly."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from headroomd.ledger import Ledger
from headroomd.paths import Places
from tests.integration.cli.conftest import Run

START = "<!-- headroom:learn:start -->"


def _projects() -> list[dict[str, Any]]:
    projects: list[dict[str, Any]] = tomllib.loads(Places.current().config.read_text())["project"]
    return projects


def test_it_says_what_is_read_written_and_sent(headroomd: Run, project: Path) -> None:
    """Folders, files with their agents, and that nothing leaves the machine; nothing is written yet."""
    answer = headroomd("enable")
    assert (answer.status, answer.err) == (0, "")
    for said in (
        "Enabled ~/code/lighthouse (~/.config/headroomd/config.toml)",
        "  reads   ~/.claude/projects\n",
        "  writes  Claude Code   CLAUDE.md\n",
        "          Codex CLI     AGENTS.md\n",
        "          Gemini CLI    GEMINI.md\n",
        "  sends   nothing",
        "No daemon is running: `headroomd service install`",
    ):
        assert said in answer.out
    assert START not in (project / "CLAUDE.md").read_text()
    assert _projects() == [{"path": str(project), "enabled": True}]


def test_it_says_whom_the_daemon_would_ask(headroomd: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an LLM is there: which, where it is, and how nothing is sent; never the key. A wrong name is told."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-api03-not-a-real-one")
    answer = headroomd("enable")
    assert "  sends   Anthropic" in answer.out
    assert "redacted evidence goes to https://api.anthropic.com" in answer.out
    assert 'With `model = "none"`' in answer.out
    assert "not-a-real-one" not in answer.out
    (sent,) = json.loads(headroomd("enable", "--json").out)["sends"]
    assert "https://api.anthropic.com" in sent
    monkeypatch.setenv("HEADROOMD_ANALYSIS__MODEL", "no-such-model")
    answer = headroomd("enable")
    assert answer.status == 0
    assert "names no model" in answer.err
    assert "  sends   nothing" in answer.out


def test_twice_is_once(headroomd: Run, project: Path) -> None:
    """The config is not touched again, and it says so."""
    headroomd("enable")
    before = Places.current().config.stat()
    assert "Already enabled: ~/code/lighthouse" in headroomd("enable").out
    assert Places.current().config.stat() == before


def test_options_are_kept_until_others_are_given(headroomd: Run, project: Path) -> None:
    """Enabling again without options leaves them."""
    headroomd("enable", "--agents", "codex,claude", "--target", "docs/AGENT.md", "--mode", "review")
    headroomd("disable")
    answer = headroomd("enable")
    wanted = {"agents": ["codex", "claude"], "target": "docs/AGENT.md", "mode": "review", "enabled": True}
    assert _projects() == [{"path": str(project), **wanted}]
    assert "writes  what you accept in `headroomd review`" in answer.out
    headroomd("enable", "--mode", "auto")
    assert _projects()[0]["mode"] == "auto"


def test_only_the_named_agents_files_are_written(headroomd: Run, project: Path) -> None:
    """--agents decides, for what is said and for what is done."""
    assert "GEMINI.md" not in headroomd("enable", "--agents", "claude,codex").out
    headroomd("run-now")
    assert START in (project / "CLAUDE.md").read_text()
    assert (project / "AGENTS.md").exists()
    assert not (project / "GEMINI.md").exists()


def test_a_folder_within_a_project_means_the_project(headroomd: Run, project: Path) -> None:
    """And it is said which."""
    answer = headroomd("enable", project / "web")
    assert answer.out.startswith("~/code/lighthouse/web belongs to ~/code/lighthouse.\n")
    assert _projects()[0]["path"] == str(project)


@pytest.mark.parametrize("folder", ["", "..", ".claude"])
def test_the_home_folder_is_refused(headroomd: Run, home: Path, project: Path, folder: str) -> None:
    """So is what lies above it, and an agent's own folder: a block there would be loaded everywhere."""
    answer = headroomd("enable", home / folder)
    assert answer.status == 1
    assert "belongs to no project" in answer.err
    assert not Places.current().config.exists()


@pytest.mark.parametrize(
    "arguments", [("nowhere",), ("--agents", "cursor"), ("--mode", "later"), ("--target",), ("a", "b")]
)
def test_wrong_usage_changes_nothing(headroomd: Run, project: Path, arguments: tuple[str, ...]) -> None:
    """One line, status 2."""
    answer = headroomd("enable", *arguments)
    assert (answer.status, len(answer.err.splitlines())) == (2, 1)
    assert not Places.current().config.exists()


def test_a_wrong_config_is_not_touched(headroomd: Run, project: Path) -> None:
    """It is named, with what is allowed."""
    config = Places.current().config
    config.parent.mkdir(parents=True)
    config.write_text("blok_limit = 3\n")
    answer = headroomd("enable")
    assert (answer.status, config.read_text()) == (1, "blok_limit = 3\n")
    assert "did you mean block_limit?" in answer.err


def test_undo_says_that_an_enabled_project_is_written_again(headroomd: Run, project: Path) -> None:
    """The rules still hold there; in a project that is not enabled there is nothing to say."""
    headroomd("learn", "--apply", "--model", "none")
    assert "again" not in headroomd("undo").out
    headroomd("enable")
    headroomd("run-now")
    assert (
        "up to date, and writes what holds there again: `headroomd disable ~/code/lighthouse`" in headroomd("undo").out
    )


def test_disable_stops_the_writing_and_leaves_the_blocks(headroomd: Run, project: Path) -> None:
    """The settings stay in the config; undo is named."""
    headroomd("enable")
    headroomd("run-now")
    block = (project / "CLAUDE.md").read_text()
    answer = headroomd("disable", project)
    assert "`headroomd undo ~/code/lighthouse`" in answer.out
    assert _projects() == [{"path": str(project), "enabled": False}]
    headroomd("run-now")
    assert (project / "CLAUDE.md").read_text() == block
    assert "is not enabled" in headroomd("disable", project).out


def test_enabling_again_allows_a_block_that_was_taken_out(headroomd: Run, project: Path) -> None:
    """Somebody who deletes the whole block does not want it in that file, until they ask again."""
    headroomd("enable")
    headroomd("run-now")
    (project / "AGENTS.md").unlink()
    headroomd("run-now")
    with Ledger.open(Places.current().ledger) as ledger:
        refused = ledger.blocks.refused(str(project))
    answer = headroomd("enable")
    assert refused == [str(project / "AGENTS.md")]
    assert "You had taken the block out of ~/code/lighthouse/AGENTS.md; it may stand there again." in answer.out
    with Ledger.open(Places.current().ledger) as ledger:
        assert ledger.blocks.refused(str(project)) == []


def test_json_has_exactly_these_keys(headroomd: Run, project: Path) -> None:
    """Scripts rely on the keys."""
    enabled = json.loads(headroomd("enable", "--json").out)
    assert set(enabled) == {"version", "command", "path", "changed", "mode", "reads", "writes", "sends"}
    assert (enabled["path"], enabled["changed"], enabled["sends"]) == (str(project), True, [])
    assert {"path": str(project / "AGENTS.md"), "agents": ["Codex CLI"]} in enabled["writes"]
    disabled = json.loads(headroomd("disable", "--json").out)
    assert disabled == {"version": 1, "command": "disable", "path": str(project), "changed": True}
