"""What the CLIs print is read whatever it is, and their own sessions are recognised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroomd.analysis.backends import is_analyst_folder
from headroomd.analysis.backends.claude_cli import ClaudeCli
from headroomd.analysis.backends.cli import CliBackend, Outcome
from headroomd.analysis.backends.codex_cli import CodexCli
from headroomd.analysis.backends.gemini_cli import GeminiCli

KINDS: list[type[CliBackend]] = [ClaudeCli, CodexCli, GeminiCli]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "message", "models"]), inner),
    max_leaves=4,
)
events = st.fixed_dictionaries(
    {"type": st.sampled_from(["result", "message", "item.completed", "turn.completed", "turn.failed", "error"])},
    optional=dict.fromkeys(
        ("item", "result", "usage", "modelUsage", "stats", "status", "error", "role", "content", "is_error", "subtype"),
        anything,
    ),
)


@pytest.mark.parametrize("kind", KINDS)
@given(lines=st.lists(events.map(json.dumps).map(str.encode) | st.binary(max_size=20), max_size=5))
def test_any_output(kind: type[CliBackend], lines: list[bytes]) -> None:
    """No output whatever makes a reader raise."""
    outcome = kind("/bin/x", "", {}, Path("/s"), 10.0)._outcome(b"\n".join(lines))
    assert isinstance(outcome, Outcome)
    assert isinstance(outcome.text, str)
    assert isinstance(outcome.model, str)


@pytest.mark.parametrize(
    ("cwd", "expected"),
    [
        ("/home/u/.local/state/headroomd/headroomd-analyst-claude", True),
        ("/home/u/.local/state/headroomd/headroomd-analyst-gemini/sub", True),
        ("/home/u/work/headroomd", False),
        ("/home/u/work/analyst", False),
        ("", False),
    ],
)
def test_is_analyst_folder(cwd: str, expected: bool) -> None:
    """The analyst's own folders are recognised, and no other."""
    assert is_analyst_folder(cwd) is expected
