"""Which files an agent's block goes to, as the user's options have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from headroomd.agents.base import AgentPlugin, Environment, Targets
from headroomd.agents.claude import plugin as claude
from headroomd.agents.codex import plugin as codex
from headroomd.agents.gemini import plugin as gemini
from headroomd.blocks import PlanOptions, targets_of

ENV = Environment(Path("/home/sam"), {})
PROJECT = Path("/home/sam/shop")
MEMORY = Path("/home/sam/.claude/projects/-home-sam-shop/memory/MEMORY.md")


def targets(plugin: AgentPlugin, **options: Path | dict[str, str]) -> Targets:
    found = targets_of(plugin, PROJECT, ENV, PlanOptions(**options))  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("plugin", "context", "memory"),
    [
        (claude, "docs/NOTES.md", MEMORY),  # a folder of its own, which it always loads
        (codex, "docs/NOTES.md", PROJECT / "docs/instructions.md"),  # "beside this file" stays true
        (gemini, "docs/NOTES.md", PROJECT / "docs/NOTES.md"),  # one file for both
    ],
)
def test_another_target(plugin: AgentPlugin, context: str, memory: Path) -> None:
    """--target takes the place of the context file; the memory goes along where it hangs on that."""
    found = targets(plugin, target=Path(context))
    assert (found.context, found.memory) == (PROJECT / context, memory)
    assert found.pointer == plugin.targets(PROJECT, ENV).pointer


def test_another_name_for_the_context_file() -> None:
    """claude_context_file moves Claude Code's context block and nothing else."""
    names = {"claude": "CLAUDE.local.md"}
    assert targets(claude, context_names=names) == Targets(PROJECT / "CLAUDE.local.md", MEMORY)
    assert targets(codex, context_names=names).context == PROJECT / "AGENTS.md"
