"""`headroomd status` and `doctor` without a daemon: that nobody is at work is said first, then what is known."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headroomd.paths import Places

Run = Callable[..., Any]

HEAVY = ("pydantic", "httpx", "rich", "apscheduler", "structlog", "watchdog", "tree_sitter", "asyncio", "tomlkit")


@pytest.fixture
def learnt(headroomd: Run, project: Path) -> Path:
    """The sample project, read."""
    assert headroomd("run-now").status == 0
    return project


def _status(headroomd: Run) -> dict[str, Any]:
    answer = headroomd("status", "--json")
    assert answer.status == 0, answer.err
    status: dict[str, Any] = json.loads(answer.out)
    return status


def test_json_has_exactly_these_keys(headroomd: Run, learnt: Path) -> None:
    """docs/status-json.md is a contract: a change here must be additive there, or raise the version."""
    headroomd("enable", learnt)
    headroomd("run-now")
    (learnt / "AGENTS.md").write_text("<!-- headroom:learn:start -->\n")
    status = _status(headroomd)
    assert set(status) == {
        *("version", "command", "at", "state", "daemon", "agents", "queue", "last_run", "next_runs", "projects"),
        *("written", "analysis", "problems"),
    }
    assert set(status["analysis"]) == {"waiting", "spending"}
    assert (status["version"], status["command"], status["state"], status["daemon"]) == (1, "status", "stopped", None)
    assert set(status["agents"][0]) == {"name", "title", "sessions", "last_activity", "folders"}
    assert set(status["agents"][0]["folders"][0]) == {"path", "watching", "reason"}
    assert set(status["queue"]) == {"open", "queued", "leased", "failed", "given_up", "done", "nothing"}
    assert set(status["last_run"]) == {"at", "seconds", "files", "calls", "evidence", "projects", "written"}
    assert set(status["projects"][0]) == {
        *("path", "enabled", "mode", "agents", "sessions", "last_activity", "active", "proposed", "retired"),
        *("helping", "not_helping", "waiting", "blocks"),
    }
    assert set(status["written"][0]) == {"at", "path", "project", "agents", "undone", "removed"}
    assert set(status["problems"][0]) == {"code", "cause", "remedy"}


def test_every_key_is_documented(headroomd: Run, learnt: Path) -> None:
    """Nobody has to guess what a key means."""
    documented = (Path(__file__).parents[3] / "docs/status-json.md").read_text()

    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*map(keys, value.values()))
        return set().union(*map(keys, value)) if isinstance(value, list) else set()

    assert [key for key in keys(_status(headroomd)) if f"`{key}`" not in documented] == []


def test_before_anything_was_read(headroomd: Run, home: Path) -> None:
    """A fresh installation is no error, makes no file, and says how to begin."""
    answer = headroomd("status")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.startswith("● headroomd is not running")
    assert "Last run  never" in answer.out
    assert "none yet" in answer.out
    assert list(home.iterdir()) == []


def test_what_waits_in_projects_that_were_not_enabled(headroomd: Run, learnt: Path) -> None:
    """The rules that are ready are counted, with the command that has them written; run-now wrote nothing."""
    (found,) = _status(headroomd)["projects"]
    assert (found["path"], found["enabled"], found["waiting"]) == (str(learnt), False, found["active"])
    assert found["active"] > 0
    assert (
        f"not enabled: {found['active']} rules waiting, `headroomd enable ~/code/lighthouse`" in headroomd("status").out
    )
    assert not (learnt / "AGENTS.md").exists()


def test_what_was_written_and_how_to_put_it_back(headroomd: Run, learnt: Path) -> None:
    """After enabling, the files are named; after undo they are said to be put back."""
    headroomd("enable", learnt)
    headroomd("run-now")
    text = headroomd("status").out
    assert "just now      ~/code/lighthouse/" in text
    assert "`headroomd undo FILE` puts one back" in text
    assert "enabled for claude, codex, gemini" in text
    headroomd("undo", learnt)
    assert all(one["undone"] for one in _status(headroomd)["written"])


def test_problems_of_an_enabled_project_are_named_with_their_remedy(headroomd: Run, learnt: Path) -> None:
    """Markers that were damaged, and a file that shadows the block."""
    headroomd("enable", learnt)
    headroomd("run-now")
    (learnt / "CLAUDE.md").write_text("<!-- headroom:learn:start -->\nno end\n")
    (learnt / "AGENTS.override.md").write_text("mine\n")
    problems = {problem["code"]: problem for problem in _status(headroomd)["problems"]}
    assert set(problems) == {"target", "shadow"}
    assert str(learnt / "CLAUDE.md") in problems["target"]["cause"]
    assert "AGENTS.override.md" in problems["shadow"]["cause"]
    assert all(problem["remedy"] for problem in problems.values())


def test_an_enabled_project_that_is_gone(headroomd: Run, home: Path) -> None:
    """With the command that takes it out of the config."""
    folder = home / "code/gone"
    folder.mkdir(parents=True)
    headroomd("enable", folder)
    folder.rmdir()
    (problem,) = _status(headroomd)["problems"]
    assert problem["remedy"] == f"`headroomd disable {folder}`"
    assert headroomd("disable", folder).status == 0
    assert _status(headroomd)["problems"] == []


def test_a_wrong_config_does_not_hide_the_rest(headroomd: Run, learnt: Path) -> None:
    """It is a problem among others."""
    config = Places.current().config
    config.parent.mkdir(parents=True)
    config.write_text("[[project\n")
    status = _status(headroomd)
    assert [problem["code"] for problem in status["problems"]] == ["config"]
    assert status["projects"][0]["path"] == str(learnt)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: path.write_bytes(b"no database" * 999), "is damaged"),
        (lambda path: sqlite3.connect(path).execute("PRAGMA user_version = 99"), "newer headroomd"),
    ],
)
def test_a_ledger_that_cannot_be_read(headroomd: Run, learnt: Path, harm: Callable[[Path], object], said: str) -> None:
    """Damaged, or of a later version: said with what to do, and nothing is touched."""
    places = Places.current()
    for file in places.state.glob("ledger.sqlite3-*"):
        file.unlink()
    harm(places.ledger)
    (problem,) = _status(headroomd)["problems"]
    assert problem["code"] == "ledger"
    assert said in problem["cause"]
    assert problem["remedy"]
    doctor = headroomd("doctor")
    assert doctor.status == 1
    assert "fail  ledger" in doctor.out


def test_sessions_that_could_not_be_read_or_understood(headroomd: Run, project: Path, home: Path) -> None:
    """They are counted and named, and cost nothing else."""
    session = next((home / ".claude/projects").rglob("*.jsonl"))
    session.write_bytes(session.read_bytes() + b"{half a line\n")
    headroomd("run-now")
    (problem,) = _status(headroomd)["problems"]
    assert problem["code"] == "lines"
    assert problem["cause"].startswith("1 line in sessions of Claude Code")


def test_it_imports_little(project: Path) -> None:
    """It must answer within 0.3 s, so what takes long to import may not be needed."""
    subprocess.run([sys.executable, "-m", "headroomd", "run-now"], check=True, capture_output=True, timeout=60)
    subprocess.run([sys.executable, "-m", "headroomd", "enable"], check=True, capture_output=True, timeout=60)
    code = (
        "import sys; from headroomd import cli; assert cli.run(['status']) == 0;"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


def test_watch_ends_with_ctrl_c(project: Path) -> None:
    """Status 0, no traceback: that is how one ends it."""
    watching = subprocess.Popen(
        [sys.executable, "-m", "headroomd", "status", "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with watching:
        assert watching.stdout is not None
        assert "headroomd is not running" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        _, complaints = watching.communicate(timeout=30)
    assert (watching.returncode, complaints) == (0, "")


def test_watching_json_makes_no_sense(headroomd: Run) -> None:
    """One line, status 2."""
    assert headroomd("status", "--json", "--watch").status == 2


def test_doctor_looks_at_everything(headroomd: Run, learnt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part with a verdict; what is only missing is a warning, and no failure."""
    monkeypatch.setenv("PATH", "")  # no service manager
    headroomd("enable", learnt)
    answer = headroomd("doctor", "--json")
    assert answer.status == 0, answer.out
    checked = json.loads(answer.out)
    assert set(checked) == {"version", "command", "well", "checks"}
    assert set(checked["checks"][0]) == {"name", "verdict", "found", "remedy"}
    verdicts = [(check["name"], check["verdict"]) for check in checked["checks"]]
    assert [one for one in verdicts if one[0] != "watching"] == [
        *[("config", "ok"), ("ledger", "ok"), ("agent", "ok"), ("agent", "ok"), ("agent", "ok"), ("project", "ok")],
        *[("daemon", "warn"), ("service", "warn")],
    ]
    assert all(check["remedy"] for check in checked["checks"] if check["verdict"] != "ok")
    assert max(map(len, headroomd("doctor").out.splitlines())) <= 80


def test_doctor_fails_where_something_does_not_work(headroomd: Run, learnt: Path) -> None:
    """A wrong config is status 1, with what is allowed."""
    config = Places.current().config
    config.parent.mkdir(parents=True)
    config.write_text("blok_limit = 3\n")
    answer = headroomd("doctor")
    assert answer.status == 1
    assert answer.out.startswith("fail  config    blok_limit in")
    assert "did you mean block_limit?" in answer.out
