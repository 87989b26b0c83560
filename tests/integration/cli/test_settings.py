"""`headroomd config`: what is in force, where it comes from, and whether it is right."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from headroomd.config import Config
from tests.integration.cli.conftest import Run


@pytest.fixture
def file(home: Path) -> Path:
    path = home / ".config/headroomd/config.toml"
    path.parent.mkdir(parents=True)
    return path


def test_what_is_printed_is_a_config_file(headroomd: Run) -> None:
    """The output can be saved as the config and means the same."""
    answer = headroomd("config")
    assert Config(**tomllib.loads(answer.out)) == Config()
    assert "(not there: defaults)" in answer.err


def test_json_tells_path_and_values(headroomd: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File and variables are seen through; the keys are a contract."""
    file.write_text('quiet_period = "90s"\n')
    monkeypatch.setenv("HEADROOMD_ANALYSIS__MODEL", "none")
    shown = json.loads(headroomd("config", "--json").out)
    assert set(shown) == {"version", "command", "path", "exists", "config"}
    assert (shown["path"], shown["exists"]) == (str(file), True)
    assert (shown["config"]["quiet_period"], shown["config"]["analysis"]["model"]) == ("90s", "none")
    assert set(shown["config"]) == set(Config.model_fields)


def test_check_says_that_a_file_is_right(headroomd: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that lie on top of it are named."""
    assert headroomd("config", "check").out == "no config file: the defaults hold\n"
    file.write_text("block_limit = 3000\n")
    monkeypatch.setenv("HEADROOMD_QUIET_PERIOD", "1m")
    answer = headroomd("config", "check")
    assert answer.out == "~/.config/headroomd/config.toml is right; on top of it: HEADROOMD_QUIET_PERIOD\n"


def test_check_says_what_is_wrong(headroomd: Run, file: Path) -> None:
    """One line, status 1."""
    file.write_text("blok_limit = 3000\n")
    answer = headroomd("config", "check")
    assert (answer.status, answer.out) == (1, "")
    assert f"blok_limit in {file} is not a known key: did you mean block_limit?" in answer.err


def test_check_says_what_only_the_scheduler_knows(headroomd: Run, file: Path) -> None:
    """Cron fields that make no sense; `run` would end with them."""
    file.write_text('[schedule]\nanalysis_cron = "every noon"\n')
    answer = headroomd("config", "check")
    assert (answer.status, len(answer.err.splitlines())) == (1, 1)
    assert "must be five cron fields" in answer.err


def test_path_is_for_scripts(headroomd: Run, file: Path) -> None:
    """Nothing but the path."""
    assert headroomd("config", "path").out == f"{file}\n"
