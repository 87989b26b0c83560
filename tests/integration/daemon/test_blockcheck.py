"""What keeps agents from seeing their blocks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headroomd.agents.base import Environment
from headroomd.agents.claude import plugin as claude
from headroomd.daemon.blockcheck import block_problems


@pytest.mark.parametrize("name", ["CLAUDE.md", "CLAUDE.local.md"])
@pytest.mark.parametrize("excluded", ["CLAUDE.md", "CLAUDE.local.md"])
def test_only_the_file_that_the_user_chose_matters(tmp_path: Path, name: str, excluded: str) -> None:
    """An excluded file in which no block is to stand shadows nothing."""
    project = tmp_path / "shop"
    (project / ".claude").mkdir(parents=True)
    (project / ".claude/settings.json").write_text(json.dumps({"claudeMdExcludes": [f"**/{excluded}"]}))
    found = list(block_problems(project, [claude], Environment(tmp_path, {}), [], {"claude": name}))
    assert [problem.code for problem in found] == ["shadow"] * (name == excluded)
