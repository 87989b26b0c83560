"""`headroomd learn`, `why` and `undo` on real sessions of three agents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headroomd import pipeline
from headroomd.errors import HeadroomError, LedgerError, LockHeldError
from tests.integration.cli.conftest import Run

START = "<!-- headroom:learn:start -->"
CONTEXT_FILES = ("CLAUDE.md", "AGENTS.md", "GEMINI.md")


def _learnt(answer: Any) -> dict[str, Any]:
    assert answer.status == 0, answer.err
    learnt: dict[str, Any] = json.loads(answer.out)
    return learnt


def _blocks(project: Path) -> list[str]:
    paths = [project / name for name in CONTEXT_FILES]
    return [path.name for path in paths if path.exists() and START in path.read_text()]


def test_a_dry_run_shows_a_diff_and_writes_nothing(headroomd: Run, project: Path) -> None:
    """The default changes no file; every rule is shown with its id and what it rests on."""
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    answer = headroomd("learn", "--model", "none")
    assert (answer.status, answer.err) == (0, "")
    assert "+++ ~/code/lighthouse/CLAUDE.md" in answer.out
    assert "+- `lighthouse/beacons.py` → actually at `lighthouse/io/beacons.py`" in answer.out
    assert "2 sessions, 2 failed calls (claude, gemini)" in answer.out
    assert "Nothing was written yet." in answer.out
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_apply_writes_and_a_second_run_finds_nothing_to_do(headroomd: Run, project: Path) -> None:
    """All three context files get their block, what stood there stays, and running twice changes nothing."""
    answer = headroomd("learn", "--apply", "--model", "none")
    assert (answer.status, answer.err) == (0, "")
    assert _blocks(project) == list(CONTEXT_FILES)
    assert (project / "CLAUDE.md").read_text().startswith("# lighthouse\n\nKeep functions short.")
    written = {name: (project / name).stat().st_mtime_ns for name in CONTEXT_FILES}
    again = headroomd("learn", "--apply", "--model", "none")
    assert "Nothing to write." in again.out
    assert "nothing new" in again.out
    assert {name: (project / name).stat().st_mtime_ns for name in CONTEXT_FILES} == written


def test_undo_puts_back_what_was_there(headroomd: Run, project: Path) -> None:
    """A file that was changed is as before, one that was made is gone; then there is nothing left to undo."""
    before = (project / "CLAUDE.md").read_bytes()
    headroomd("learn", "--apply", "--model", "none")
    answer = headroomd("undo")
    assert answer.status == 0
    assert "~/code/lighthouse/CLAUDE.md: put back" in answer.out
    assert (project / "CLAUDE.md").read_bytes() == before
    assert not (project / "AGENTS.md").exists()
    assert headroomd("undo").out == "There is nothing to undo.\n"


def test_undo_takes_a_file_or_a_folder_of_the_project(headroomd: Run, project: Path) -> None:
    """One file alone, then, named from a subfolder, the rest of the project."""
    headroomd("learn", "--apply", "--model", "none")
    undone = json.loads(headroomd("undo", "CLAUDE.md", "--json").out)["files"]
    assert [one["path"] for one in undone] == [str(project / "CLAUDE.md")]
    assert _blocks(project) == ["AGENTS.md", "GEMINI.md"]
    headroomd("undo", project / "web")
    assert _blocks(project) == []


def test_json_has_exactly_these_keys(headroomd: Run, project: Path) -> None:
    """Scripts rely on the keys: a change here must be additive, or raise the version."""
    learnt = _learnt(headroomd("learn", "--json"))
    assert set(learnt) == {"version", "command", "applied", "model", "analysis", "scan", "projects", "problems"}
    assert (learnt["version"], learnt["command"], learnt["applied"], learnt["problems"]) == (1, "learn", False, [])
    assert set(learnt["scan"]) == {
        *("files", "read", "bytes", "sessions", "calls", "failed"),
        *("odd_lines", "repaired_lines", "skipped_lines", "seconds"),
    }
    (found,) = learnt["projects"]
    assert set(found) == {"path", "learnings", "changes", "left_alone", "shadows", "waiting", "refused"}
    assert found["path"] == str(project)
    assert set(found["changes"][0]) == {"path", "agents", "diff"}
    assert set(found["learnings"][0]) == {
        *("id", "project", "section", "rule", "subject", "remedy", "status", "reason", "sessions", "calls", "agents"),
        *("first_seen", "last_seen", "wasted_characters", "origin", "pinned", "files"),
        *("accepted", "verdict", "rank"),
    }


def test_why_shows_the_calls_behind_a_rule(headroomd: Run, project: Path) -> None:
    """The failing call, the one that worked, session and date; the first characters of the id are enough."""
    (found,) = _learnt(headroomd("learn", "--json"))["projects"]
    rule = next(one for one in found["learnings"] if one["subject"] == "lighthouse/beacons.py")
    answer = headroomd("why", rule["id"][:6])
    assert answer.status == 0
    assert "failed  Read lighthouse/beacons.py" in answer.out
    assert "worked  Read lighthouse/io/beacons.py" in answer.out
    assert "claude session " in answer.out
    assert "2026-11-2" in answer.out
    explained = json.loads(headroomd("why", rule["id"], "--json").out)
    assert set(explained) == {"version", "command", "learning", "effect", "evidence"}
    assert explained["effect"] is None
    assert len(explained["evidence"]) == rule["sessions"] == 2
    assert set(explained["evidence"][0]) == {"id", "agent", "session", "at", "failed", "fixed", "note"}
    assert set(explained["evidence"][0]["failed"]) == {"at", "call", "answer"}


def test_why_of_an_unknown_id_is_one_line(headroomd: Run) -> None:
    """A wrong id fails with status 1 and says where ids come from."""
    answer = headroomd("why", "nosuch")
    assert (answer.status, answer.out) == (1, "")
    assert answer.err == "headroomd: no learning has the id 'nosuch': `headroomd learn` shows the ids of a project\n"


def test_a_project_without_sessions_is_said_to_have_none(headroomd: Run, home: Path, project: Path) -> None:
    """Nothing of another project is shown for it."""
    other = home / "code/other"
    (other / ".git").mkdir(parents=True)
    answer = headroomd("learn", "--project", other, "--model", "none")
    assert answer.status == 0
    assert "There are no sessions of ~/code/other yet" in answer.out
    assert "lighthouse" not in answer.out


def test_the_home_folder_is_no_project(headroomd: Run, home: Path) -> None:
    """Nobody's block is written to the home folder by accident."""
    answer = headroomd("learn", "--project", home, "--model", "none")
    assert answer.status == 1
    assert "belongs to no project" in answer.err


def test_all_takes_every_project(
    headroomd: Run, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not matter where it is run."""
    monkeypatch.chdir(tmp_path)
    assert headroomd("learn", "--all", "--apply", "--model", "none").status == 0
    assert _blocks(project) == list(CONTEXT_FILES)


def test_one_agent_writes_one_agents_file(headroomd: Run, project: Path) -> None:
    """--agent reads that agent's sessions only, and writes its files only."""
    learnt = _learnt(headroomd("learn", "--apply", "--agent", "gemini", "--json"))
    assert _blocks(project) == ["GEMINI.md"]
    assert {agent for one in learnt["projects"][0]["learnings"] for agent in one["agents"]} == {"gemini"}


def test_target_takes_the_place_of_the_context_files(headroomd: Run, project: Path) -> None:
    """The block of facts goes to the file that was named, relative to the project; its folder must exist."""
    missing = headroomd("learn", "--apply", "--agent", "claude", "--target", "docs/NOTES.md", "--model", "none")
    assert missing.status == 1
    assert "create its folder first" in missing.err
    (project / "docs").mkdir()
    assert headroomd("learn", "--apply", "--target", "docs/NOTES.md", "--model", "none").status == 0
    assert "lighthouse/io/beacons.py" in (project / "docs/NOTES.md").read_text()
    for name in CONTEXT_FILES:
        path = project / name
        assert not path.exists() or "lighthouse/io/beacons.py" not in path.read_text()


def test_a_file_that_cannot_be_written_fails_alone(headroomd: Run, project: Path) -> None:
    """One broken target is one line and status 1; the others get their block."""
    broken = f"{START}\nno end\n"
    (project / "AGENTS.md").write_text(broken)
    answer = headroomd("learn", "--apply", "--model", "none")
    assert answer.status == 1
    assert "AGENTS.md" in answer.err
    assert len(answer.err.splitlines()) == 1
    assert (project / "AGENTS.md").read_text() == broken
    assert {"CLAUDE.md", "GEMINI.md"} <= set(_blocks(project))


def test_settings_of_a_project_hold_for_learn_too(headroomd: Run, home: Path, project: Path) -> None:
    """[[project]] in the config chooses agents and target, where no option does."""
    config = home / ".config/headroomd/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[[project]]\npath = "{project}"\nagents = ["codex"]\n')
    headroomd("learn", "--apply", "--model", "none")
    assert _blocks(project) == ["AGENTS.md"]


def test_claude_context_may_stay_out_of_the_repository(
    headroomd: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """claude_context_file moves the block to CLAUDE.local.md."""
    monkeypatch.setenv("HEADROOMD_CLAUDE_CONTEXT_FILE", "CLAUDE.local.md")
    headroomd("learn", "--apply", "--agent", "claude", "--model", "none")
    assert START in (project / "CLAUDE.local.md").read_text()
    assert _blocks(project) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("learn", "--model", "gpt-4o"), "--model gpt-4o: gpt-4o needs a key"),
        (("learn", "--model", "nonsense"), "names no model that could be asked: one of"),
        (("learn", "--agent", "cursor"), "--agent cursor: there is no such agent; known: auto, claude, codex, gemini"),
        (("learn", "--all", "--project", "."), "--project and --all exclude each other"),
        (("learn", "--project", "nowhere"), "nowhere"),
        (("learn", "--nonsense"), "No such option"),
        (("nonsense",), "No such command"),
        (("why",), "Missing argument"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(headroomd: Run, arguments: tuple[str, ...], said: str) -> None:
    """The line says what was wrong and where help is."""
    answer = headroomd(*arguments)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("headroomd: ")
    assert said in answer.err
    assert answer.err.endswith("--help\n")
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize(("error", "status"), [(LockHeldError, 3), (LedgerError, 1)])
def test_failures_are_one_line_with_their_status(
    headroomd: Run, project: Path, monkeypatch: pytest.MonkeyPatch, error: type[HeadroomError], status: int
) -> None:
    """3 says that another instance is at work, 1 that something failed; never a traceback."""

    def scan(*_: object, **__: object) -> None:
        raise error("it is so", "do this")

    monkeypatch.setattr(pipeline, "scan", scan)
    answer = headroomd("learn", "--model", "none")
    assert answer == (status, "", "headroomd: it is so: do this\n")


def test_that_no_llm_is_used_is_said_once(headroomd: Run, project: Path) -> None:
    """Where there is none, correlation alone is no error; --model none does not even need to be told."""
    assert headroomd("learn").err == "No LLM backend found: correlation only.\n"
    assert headroomd("learn", "--model", "none").err == ""
