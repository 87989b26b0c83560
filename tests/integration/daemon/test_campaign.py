"""A short crash campaign; benchmarks/crash_campaign.py runs the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.crash_campaign import Campaign, torn

ORIGINAL = b"# pier\n"
BLOCK = b"\n<!-- headroom:learn:start -->\n## Learned\n- a rule\n<!-- headroom:learn:end -->\n"


def test_killed_again_and_again(tmp_path: Path) -> None:
    """What is known in the end is what an undisturbed daemon knows, and no version of any file was torn."""
    result = Campaign(tmp_path / "campaign", seed=20).run(kills=15, rounds=1)
    assert result.faults == []
    assert result.kills == 15
    assert result.calls > 100
    assert result.learnings > 10
    assert result.versions > 5


@pytest.mark.parametrize("data", [b"", ORIGINAL[:4], ORIGINAL + BLOCK[:40], ORIGINAL + BLOCK[:60], b"x" + BLOCK])
def test_checker_knows_what_is_torn(data: bytes) -> None:
    """A version that is cut short, or whose other bytes were changed, is a fault; the whole ones are none."""
    assert torn(data, ORIGINAL)
    assert not torn(ORIGINAL, ORIGINAL)
    assert not torn(ORIGINAL + BLOCK, ORIGINAL)
