"""What the config says about one project, as the pipeline wants to know it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from headroomd.blocks import PlanOptions
from headroomd.config import Config, Project
from headroomd.ledger import Ledger, LifecycleRules
from headroomd.projects import Place, is_home

__all__ = ["known_projects", "plan_options", "project_settings"]


def known_projects(ledger: Ledger, config: Config) -> dict[Path, tuple[str, ...]]:
    """The projects with sessions, and their agents; the home folder is one where the config wants it.

    Raises LedgerError.
    """
    known = ledger.facts.projects()
    if config.home_sessions == "global":
        known += ledger.facts.projects(Place.HOME)
    return {Path(facts.path): facts.agents for facts in known}


def project_settings(config: Config, project: Path) -> Project | None:
    """The [[project]] table that names `project` (the real path of a root), if there is one."""
    return next((one for one in config.project if one.path.resolve() == project), None)


def plan_options(
    config: Config,
    project: Path,
    seen: Collection[str],
    *,
    home: Path,
    agents: tuple[str, ...] = (),
    target: Path | None = None,
) -> PlanOptions | None:
    """The options for planning `project`, in which sessions of the agents `seen` were found.

    `agents` and `target` come from a command line and win where they are set. None: the config leaves out every agent
    that works in this project, or what is done in the home folder itself.
    """
    if is_home(project, home) and config.home_sessions != "global":
        return None
    settings = project_settings(config, project)
    if settings is not None:
        agents = agents or settings.agents
        target = target or (Path(settings.target) if settings.target else None)
    agents = agents or tuple(agent for agent in seen if not config.agents or agent in config.agents)
    if not agents:
        return None
    return PlanOptions(
        agents=agents,
        target=target,
        context_names={"claude": config.claude_context_file},
        block_limit=config.block_limit,
        share_across_agents=config.share_across_agents,
        review=settings is not None and settings.mode == "review",
        rules=LifecycleRules(config.lifecycle.half_life, config.lifecycle.ineffective_after),
    )
