"""Which learnings go to which file: from active learnings to one draft for each file that an agent loads."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from headroomd.agents.base import AgentPlugin, Environment, Shadow, Targets
from headroomd.errors import PluginError, TargetError
from headroomd.intake import plugin_error
from headroomd.ledger import KnownBlock, Learning, LifecycleRules
from headroomd.ledger.decisions import similarity
from headroomd.ledger.policy import CLEARLY, covers
from headroomd.model import Section
from headroomd.projects import is_home
from headroomd.truth import Truth
from headroomd.writing import files
from headroomd.writing.block import DEFAULT_LIMIT, Bullet, find_block, render
from headroomd.writing.wording import sentence

__all__ = ["Draft", "PlanOptions", "arrange", "by_hand", "make_drafts", "shadows_of", "targets_of", "worth_telling"]

_AT_HOME: Final = "These hold for work in the home folder itself; paths are relative to it (`~/`)."
_LINES: Final = re.compile(r"\(~(\d+) lines\)")
_STILL_ABOUT: Final = 0.25  # by so much a file may grow or shrink before its bullet says so
_SAME_WORDS: Final = 0.8  # of two sentences together: they say the same


class PlanOptions(Struct, frozen=True):
    """What the user decides about blocks."""

    agents: tuple[str, ...] = ()  # whose files get one; empty: those of the agents with sessions in the project
    target: Path | None = None  # takes the place of the agents' context files; relative to the project
    context_names: Mapping[str, str] = {}  # another name for an agent's context file: {"claude": "CLAUDE.local.md"}
    block_limit: int = DEFAULT_LIMIT  # characters
    share_across_agents: bool = True  # whether what one agent learnt is written for the others
    review: bool = False  # whether only what the user accepted, and what stands there already, is written
    rules: LifecycleRules = LifecycleRules()


class Draft(Struct, frozen=True):
    """What the block of one file should hold."""

    project: Path
    path: Path
    agents: tuple[str, ...]  # those that load the file
    bullets: tuple[Bullet, ...]  # those that have room, in their order
    limit: int
    pointer: str = ""  # sends the agents to a memory file that they do not load by themselves
    most_bytes: int | None = None  # of the whole file, as far as an agent loads it

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders outside the project in which the file may lie (an agent's memory folder, a --target)."""
        return () if self.path.is_relative_to(self.project) else (self.path.parent,)


def worth_telling(learnings: Iterable[Learning], *, review: bool = False, told: Collection[str] = ()) -> list[Learning]:
    """Those of `learnings`, the active ones, that have a bullet of their own.

    What a more general one says is left out, as is what is said already in other words. With `review` only what the
    user accepted or wrote, and what is `told` already (ids).
    """
    allowed = [one for one in learnings if not review or one.accepted or one.pinned or one.id in told]
    chosen: list[Learning] = []
    for one in allowed:
        if one.pinned or not any(_says_it(other, one, earlier=other in chosen) for other in allowed):
            chosen.append(one)
    return chosen


def _says_it(other: Learning, one: Learning, *, earlier: bool) -> bool:
    """Whether who is told `other` need not be told `one`."""
    if other.lesson.section is not one.lesson.section or (other.agent_specific and not one.agent_specific):
        return False
    if covers(other.lesson, one.lesson):
        return True
    is_prose = not (one.lesson.remedy or other.lesson.remedy) and one.lesson.section is Section.PREFERENCES
    return earlier and is_prose and similarity(one.lesson.subject, other.lesson.subject) >= _SAME_WORDS


def make_drafts(
    project: Path,
    learnings: Sequence[Learning],
    plugins: Iterable[AgentPlugin],
    env: Environment,
    options: PlanOptions,
    truth: Truth,
    known: Iterable[KnownBlock] = (),
) -> tuple[list[Draft], list[PluginError]]:
    """A draft for each file of each agent, one a file: agents may share a file, by name or through a symlink.

    `learnings` are those worth telling, best first; `known` are the blocks that stand there already. A plugin that
    cannot name its files is returned as a problem.
    """
    blocks = {block.path: [id_ for id_, _ in block.bullets] for block in known}
    texts = {id_: text for block in known for id_, text in block.bullets}
    bullets = {learning.id: _bullet(learning, truth, texts.get(learning.id, "")) for learning in learnings}
    worth = {learning.id: learning.score for learning in learnings}
    sheets, problems = _sheets(project, learnings, bullets, plugins, env, options)
    drafts = []
    for sheet in sheets:
        ranked = [bullet for id_, bullet in bullets.items() if id_ in sheet.ids and bullet is not None]
        drafts.append(
            Draft(
                project=project,
                path=sheet.path,
                agents=tuple(sheet.agents),
                bullets=arrange(ranked, worth, blocks.get(str(sheet.path), ()), options.block_limit, sheet.pointer),
                limit=options.block_limit,
                pointer=sheet.pointer,
                most_bytes=sheet.most_bytes,
            )
        )
    return drafts, problems


def _sheets(
    project: Path,
    learnings: Sequence[Learning],
    bullets: Mapping[str, Bullet | None],
    plugins: Iterable[AgentPlugin],
    env: Environment,
    options: PlanOptions,
) -> tuple[list[_Sheet], list[PluginError]]:
    """The files of all agents, each with the learnings that concern its agents."""
    sheets: dict[str, _Sheet] = {}
    problems: list[PluginError] = []
    for plugin in plugins:
        mine = [learning for learning in learnings if _concerns(learning, plugin.name, options.share_across_agents)]
        memory = [learning for learning in mine if learning.lesson.section.is_memory]
        context = [learning for learning in mine if not learning.lesson.section.is_memory]
        try:
            targets = targets_of(plugin, project, env, options)
        except Exception as error:
            problems.append(plugin_error(plugin, "could not name its files", error))
            continue
        if targets is None:
            continue
        sheet = _sheet(sheets, targets.context)
        sheet.add(plugin.name, context)
        limits = [most for most in (targets.context_bytes, sheet.most_bytes) if most is not None]
        sheet.most_bytes = min(limits, default=None)
        if any(bullets[learning.id] for learning in mine) and is_home(project, env.home):
            sheet.pointer = _AT_HOME
        elif targets.memory != targets.context and any(bullets[learning.id] for learning in memory):
            sheet.pointer = sheet.pointer or targets.pointer
        _sheet(sheets, targets.memory).add(plugin.name, memory)
    return list(sheets.values()), problems


def arrange(
    ranked: Sequence[Bullet], worth: Mapping[str, float], told: Sequence[str], limit: int, pointer: str = ""
) -> tuple[Bullet, ...]:
    """Those of `ranked`, best first, that have room in a block of `limit` characters, in the order to write them.

    What is `told` already (ids, in their order) stays in its place, and gives way only to what is clearly better: a
    file changes because something was learnt, never because two rules are about equally good.
    """
    places = {id_: place for place, id_ in enumerate(told)}
    candidates = sorted(ranked, key=lambda bullet: -worth[bullet.id] * (CLEARLY if bullet.id in places else 1.0))
    shown = frozenset(render(candidates, limit, pointer).shown)
    chosen = [bullet for bullet in ranked if bullet.id in shown]
    return tuple(sorted(chosen, key=lambda bullet: places.get(bullet.id, len(places))))


def by_hand(project: Path, plugins: Iterable[AgentPlugin], env: Environment, options: PlanOptions) -> list[str]:
    """The lines that people wrote into the files that blocks stand in; a file that cannot be read has none."""
    lines: dict[str, None] = {}
    for plugin in plugins:
        try:
            targets = targets_of(plugin, project, env, options)
        except Exception:  # noqa: S112 - it is reported where its block is planned
            continue
        for path in {targets.context, targets.memory} if targets else ():
            try:
                data = files.read(path, project, path.parent).data
                span = find_block(data)
            except TargetError:
                continue
            outside = data[: span.start] + data[span.end :] if span else data
            lines |= dict.fromkeys(line.strip(" \t-*#>") for line in outside.decode("utf-8", "replace").splitlines())
    return [line for line in lines if line]


def shadows_of(plugin: AgentPlugin, project: Path, env: Environment) -> list[Shadow]:
    """What keeps an agent from seeing its blocks; none where its plugin cannot tell."""
    try:
        if not is_home(project, env.home):
            return plugin.shadows(project, env)
        targets = plugin.global_targets(env)
        found = plugin.shadows(targets.context.parent, env) if targets else []
        return [shadow for shadow in found if targets and shadow.path == targets.context]
    except Exception:
        return []  # advice only: nothing depends on it


class _Sheet:
    """One file while it is found out what goes there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.agents: dict[str, None] = {}  # a set that keeps its order
        self.ids: set[str] = set()
        self.pointer = ""
        self.most_bytes: int | None = None

    def add(self, agent: str, learnings: Iterable[Learning]) -> None:
        self.agents[agent] = None
        self.ids.update(learning.id for learning in learnings)


def _sheet(sheets: dict[str, _Sheet], path: Path) -> _Sheet:
    return sheets.setdefault(os.path.realpath(path), _Sheet(path))


def _concerns(learning: Learning, agent: str, share: bool) -> bool:
    return agent in learning.agents or (share and not learning.agent_specific)


def targets_of(plugin: AgentPlugin, project: Path, env: Environment, options: PlanOptions) -> Targets | None:
    """The files of one agent, as the user's options have them; None where it has none for the home folder.

    Raises what the plugin raises.
    """
    if is_home(project, env.home):
        return plugin.global_targets(env)
    targets = plugin.targets(project, env)
    name = options.context_names.get(plugin.name)
    if options.target is not None:
        return _retargeted(targets, project / options.target)
    if name:
        return Targets(targets.context.with_name(name), targets.memory, targets.pointer)
    return targets


def _retargeted(targets: Targets, context: Path) -> Targets:
    """`targets` with another context file. The memory goes along where it is the same file, or where the context
    says that it stands beside it."""
    if targets.memory == targets.context:
        return Targets(context, context)
    memory = context.with_name(targets.memory.name) if targets.pointer else targets.memory
    return Targets(context, memory, targets.pointer)


def _bullet(learning: Learning, truth: Truth, told: str) -> Bullet | None:
    """`told` is what the bullet says now, if there is one."""
    lines = None
    if learning.lesson.section is Section.LARGE_FILES:
        lines = _about(truth.line_count(learning.lesson.subject), told)
    text = learning.wording or sentence(learning.lesson, learning.note, lines)
    return Bullet(learning.id, learning.lesson.section, text) if text else None


def _about(lines: int | None, told: str) -> int | None:
    """How many lines to say that a file has: as told already while that is about right."""
    found = _LINES.search(told)
    if lines is None or found is None:
        return lines
    said = int(found[1])
    return said if abs(lines - said) <= _STILL_ABOUT * said else lines
