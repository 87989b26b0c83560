"""Holds the lab's score to what is promised for each agent by itself (score.py's own gates take them together).

score_gate.py OUTPUT VERDICTS.json
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

MIN_PRECISION, MIN_RECALL = 0.95, 0.90
CALM = "calm"  # the scenario in which there is nothing to learn
ROW = re.compile(r"^(claude|codex|gemini|all) +\d.*\| +(?P<precision>[\d.]+) +(?P<recall>[\d.]+)$", re.MULTILINE)
DAMAGED = re.compile(r" damaged (\d+)$", re.MULTILINE)


def complaints(output: str, verdicts: list[dict[str, str]]) -> list[str]:
    """Everything that breaks a promise, one line each."""
    rows = {row[1]: (float(row["precision"]), float(row["recall"])) for row in ROW.finditer(output)}
    damaged = DAMAGED.search(output)
    if len(rows) != 4 or damaged is None:
        return ["score.py's output was not understood"]
    found = [
        f"{who}: precision {precision:.3f}, recall {recall:.3f}"
        for who, (precision, recall) in rows.items()
        if precision < MIN_PRECISION or recall < MIN_RECALL
    ]
    found += [
        f"{v['verdict']}: {v['project']}/{v['agent']}: {v['what']} {v['bullet'] or ''}"
        for v in verdicts
        if v["verdict"] in ("harmful", "misfiled") or (v["project"] == CALM and v["bullet"])
    ]
    if damaged[1] != "0":
        found.append(f"{damaged[1]} files changed outside their block")
    return found


def main() -> int:
    output, verdicts = (Path(argument).read_text(encoding="utf-8") for argument in sys.argv[1:])
    broken = complaints(output, json.loads(verdicts)["verdicts"])
    print("\n".join(broken) if broken else "every agent's score holds")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
