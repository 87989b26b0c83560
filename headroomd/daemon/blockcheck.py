"""Whether the blocks of a project can do their work: they stand undamaged in files that the agents really load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from headroomd.agents.base import AgentPlugin, Environment
from headroomd.daemon.state import Problem
from headroomd.errors import TargetError
from headroomd.writing.block import find_block

__all__ = ["block_problems"]

_LARGEST: Final = 8 * 1024 * 1024  # bytes; larger files get no block


def block_problems(
    project: Path,
    plugins: Iterable[AgentPlugin],
    env: Environment,
    written: Iterable[str],
    context_names: Mapping[str, str],
) -> Iterator[Problem]:
    """What keeps agents from seeing (all of) the blocks of `project`; `written` are its files that hold one.

    `context_names` are other names that the user wants for agents' context files: {"claude": "CLAUDE.local.md"}.
    """
    holding = set(written)
    paths = {Path(path) for path in holding}
    for plugin in plugins:
        try:
            targets = plugin.targets(project, env)
            shadows = plugin.shadows(project, env)
        except Exception as error:  # somebody else's plugin must not take the status screen down
            cause = f"{plugin.title} cannot say which files it loads in {project} ({type(error).__name__}: {error})"
            yield Problem("plugin", cause, "update the package that brings it")
            continue
        context = targets.context.with_name(context_names.get(plugin.name, targets.context.name))
        paths.update((context, targets.memory))
        for shadow in shadows:
            if shadow.path not in paths:
                continue
            if shadow.path == targets.memory != context and str(shadow.path) not in holding:
                continue  # there is no block in it that could be missed
            cause = shadow.cause if str(shadow.path) in shadow.cause else f"{shadow.path}: {shadow.cause}"
            yield Problem("shadow", cause, shadow.remedy)
    for path in sorted(paths):
        problem = _damage(path)
        if problem is not None:
            yield problem


def _damage(path: Path) -> Problem | None:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        find_block(path.read_bytes())
    except TargetError as error:
        return Problem("target", f"{path}: {error.cause}", error.remedy)
    except OSError as error:
        return Problem("target", f"{path} cannot be read ({error.strerror})", "check its owner and mode")
    return None
