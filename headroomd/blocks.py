"""Which learnings go to which file: from active learnings to one draft for each file that an agent loads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from headroomd.agents.base import AgentPlugin, Environment, Shadow, Targets
from headroomd.errors import PluginError
from headroomd.intake import plugin_error
from headroomd.ledger import Learning
from headroomd.model import Section
from headroomd.truth import Truth
from headroomd.writing.block import DEFAULT_LIMIT, Bullet
from headroomd.writing.wording import sentence

__all__ = ["Draft", "PlanOptions", "make_drafts", "shadows_of", "targets_of"]


class PlanOptions(Struct, frozen=True):
    """What the user decides about blocks."""

    agents: tuple[str, ...] = ()  # whose files get one; empty: those of the agents with sessions in the project
    target: Path | None = None  # takes the place of the agents' context files; relative to the project
    context_names: Mapping[str, str] = {}  # another name for an agent's context file: {"claude": "CLAUDE.local.md"}
    block_limit: int = DEFAULT_LIMIT  # characters
    share_across_agents: bool = True  # whether what one agent learnt is written for the others


class Draft(Struct, frozen=True):
    """What the block of one file should hold."""

    project: Path
    path: Path
    agents: tuple[str, ...]  # those that load the file
    bullets: tuple[Bullet, ...]  # best first
    limit: int
    pointer: str = ""  # sends the agents to a memory file that they do not load by themselves

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders outside the project in which the file may lie (an agent's memory folder, a --target)."""
        return () if self.path.is_relative_to(self.project) else (self.path.parent,)


def make_drafts(
    project: Path,
    learnings: Sequence[Learning],
    plugins: Iterable[AgentPlugin],
    env: Environment,
    options: PlanOptions,
    truth: Truth,
) -> tuple[list[Draft], list[PluginError]]:
    """A draft for each file of each agent, one a file: agents may share a file, by name or through a symlink.

    `learnings` are the active ones, best first. A plugin that cannot name its files is returned as a problem.
    """
    problems: list[PluginError] = []
    bullets = {learning.id: _bullet(learning, truth) for learning in learnings}
    sheets: dict[str, _Sheet] = {}
    for plugin in plugins:
        mine = [learning for learning in learnings if _concerns(learning, plugin.name, options.share_across_agents)]
        memory = [learning for learning in mine if learning.lesson.section.is_memory]
        context = [learning for learning in mine if not learning.lesson.section.is_memory]
        try:
            targets = targets_of(plugin, project, env, options)
        except Exception as error:
            problems.append(plugin_error(plugin, "could not name its files", error))
            continue
        sheet = _sheet(sheets, targets.context)
        sheet.add(plugin.name, context)
        if memory and targets.memory != targets.context:
            sheet.pointer = sheet.pointer or targets.pointer
        _sheet(sheets, targets.memory).add(plugin.name, memory)
    drafts = [
        Draft(
            project=project,
            path=sheet.path,
            agents=tuple(sheet.agents),
            bullets=tuple(bullet for id_, bullet in bullets.items() if id_ in sheet.ids and bullet is not None),
            limit=options.block_limit,
            pointer=sheet.pointer,
        )
        for sheet in sheets.values()
    ]
    return drafts, problems


def shadows_of(plugin: AgentPlugin, project: Path, env: Environment) -> list[Shadow]:
    """What keeps an agent from seeing its blocks; none where its plugin cannot tell."""
    try:
        return plugin.shadows(project, env)
    except Exception:
        return []  # advice only: nothing depends on it


class _Sheet:
    """One file while it is found out what goes there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.agents: dict[str, None] = {}  # a set that keeps its order
        self.ids: set[str] = set()
        self.pointer = ""

    def add(self, agent: str, learnings: Iterable[Learning]) -> None:
        self.agents[agent] = None
        self.ids.update(learning.id for learning in learnings)


def _sheet(sheets: dict[str, _Sheet], path: Path) -> _Sheet:
    return sheets.setdefault(os.path.realpath(path), _Sheet(path))


def _concerns(learning: Learning, agent: str, share: bool) -> bool:
    return agent in learning.agents or (share and not learning.agent_specific)


def targets_of(plugin: AgentPlugin, project: Path, env: Environment, options: PlanOptions) -> Targets:
    """The files of one agent, as the user's options have them. Raises what the plugin raises."""
    targets = plugin.targets(project, env)
    name = options.context_names.get(plugin.name)
    if options.target is not None:
        return Targets(project / options.target, targets.memory, targets.pointer)
    if name:
        return Targets(targets.context.with_name(name), targets.memory, targets.pointer)
    return targets


def _bullet(learning: Learning, truth: Truth) -> Bullet | None:
    lines = truth.line_count(learning.lesson.subject) if learning.lesson.section is Section.LARGE_FILES else None
    text = learning.wording or sentence(learning.lesson, learning.note, lines)
    return Bullet(learning.id, learning.lesson.section, text) if text else None
