"""The project that a folder on the command line means."""

from __future__ import annotations

from pathlib import Path

from headroomd.cli.output import short_path
from headroomd.errors import ConfigError

__all__ = ["chosen_project"]


def chosen_project(folder: Path, remedy: str = "name a project's folder", *, or_home: bool = False) -> Path:
    """The root of the project that holds `folder`; with `or_home` also the home folder.

    Raises ConfigError for the home folder, what lies above it, and an agent's own folder: a block there would be
    loaded everywhere.
    """
    from headroomd.agents.base import Environment
    from headroomd.agents.registry import load_plugins
    from headroomd.intake import own_folders
    from headroomd.projects import Place, ProjectFinder

    env = Environment.current()
    private = [own for plugin in load_plugins().plugins.values() for own in own_folders(plugin, env)]
    root = ProjectFinder(env.home, private).find(str(folder.expanduser().absolute()))
    if root.place is not Place.FOUND and not (or_home and root.path):
        what = "it is your home folder, holds it, or belongs to an agent"
        raise ConfigError(f"{short_path(folder.absolute())} belongs to no project ({what})", remedy)
    return Path(root.path)
