"""The gate on the lab's score: every promise that is broken is named."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

GATE = Path(__file__).parents[2] / ".ci/score_gate.py"
GOOD = """\
           found misfiled missed | right noise harmful | precision recall
claude        11        0      0 |    12     0       0 |     1.000  1.000
codex         11        0      0 |    12     0       0 |     1.000  1.000
gemini        10        0      1 |    12     0       0 |     0.960  0.909
all           32        0      1 |    36     0       0 |     0.990  0.970

precision 0.990 recall 0.970 harmful 0 damaged 0
"""


@pytest.fixture
def complaints():  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location("score_gate", GATE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.complaints


def _verdict(verdict: str, project: str = "axion", bullet: str | None = "b") -> dict[str, str | None]:
    return {"verdict": verdict, "project": project, "agent": "codex", "what": "w", "bullet": bullet}


def test_a_good_score_passes(complaints) -> None:  # type: ignore[no-untyped-def]
    """Nothing is said about one missed label within bounds."""
    assert complaints(GOOD, [_verdict("found"), _verdict("missed", bullet=None)]) == []


@pytest.mark.parametrize(
    ("output", "verdicts", "said"),
    [
        (GOOD.replace("0.909", "0.899"), [], "gemini: precision 0.960, recall 0.899"),
        (GOOD.replace("0.960", "0.949"), [], "gemini: precision 0.949, recall 0.909"),
        (GOOD.replace("damaged 0", "damaged 1"), [], "1 files changed outside their block"),
        (GOOD, [_verdict("harmful")], "harmful: axion/codex: w b"),
        (GOOD, [_verdict("misfiled")], "misfiled: axion/codex: w b"),
        (GOOD, [_verdict("noise", "calm")], "noise: calm/codex: w b"),
        ("nothing", [], "score.py's output was not understood"),
    ],
)
def test_a_broken_promise_is_named(complaints, output, verdicts, said) -> None:  # type: ignore[no-untyped-def]
    """One agent below its bounds, one harmful or misfiled bullet, one in the calm project, one damaged file."""
    assert complaints(output, verdicts) == [said]
