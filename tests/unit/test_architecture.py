"""The page that newcomers read first says what the import contracts check."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs/architecture.md"


def test_layers_stand_in_the_order_of_the_contracts() -> None:
    """Each row of the table is one layer of the first contract, from the top down."""
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [set(re.split(r" [|:] ", layer)) for layer in contracts[0]["layers"] if layer != "__main__"]
    table = PAGE.read_text().split("## Layers")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == layers


def test_what_is_named_exists() -> None:
    """Every module and document that the page points to is there."""
    text = PAGE.read_text()
    modules = re.findall(r"`([\w/]+\.py)`", text)
    documents = re.findall(r"\]\(([^)#]+)", text)
    assert len(modules) > 20
    assert [name for name in modules if not (REPOSITORY / "headroomd" / name).is_file()] == []
    assert [name for name in documents if not (PAGE.parent / name).is_file()] == []
