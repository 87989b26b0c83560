"""What the config says about one project."""

from __future__ import annotations

from pathlib import Path

from headroomd.config import Config, Project
from headroomd.options import plan_options, project_settings

SEEN = ("claude", "codex")
HOME = Path("/home/sam")


def test_without_settings_the_agents_seen_get_blocks(tmp_path: Path) -> None:
    """Defaults: every agent that works in the project, its own files."""
    options = plan_options(Config(), tmp_path, SEEN, home=HOME)
    assert options is not None
    assert (options.agents, options.target, options.block_limit, options.share_across_agents) == (
        SEEN,
        None,
        4000,
        True,
    )
    assert options.context_names == {"claude": "CLAUDE.md"}


def test_the_configs_agents_only_narrow(tmp_path: Path) -> None:
    """An agent that was never used in a project gets no file there, and no project is left without any agent."""
    options = plan_options(Config(agents=("codex", "gemini")), tmp_path, SEEN, home=HOME)
    assert options is not None
    assert options.agents == ("codex",)
    assert plan_options(Config(agents=("gemini",)), tmp_path, SEEN, home=HOME) is None


def test_a_projects_table_wins_and_a_command_line_wins_over_it(tmp_path: Path) -> None:
    """The nearest word counts."""
    table = Project(path=tmp_path, agents=("gemini",), target="NOTES.md")
    config = Config(agents=("claude",), project=(table,))
    assert project_settings(config, tmp_path) == table
    options = plan_options(config, tmp_path, SEEN, home=HOME)
    assert options is not None
    assert (options.agents, options.target) == (("gemini",), Path("NOTES.md"))
    options = plan_options(config, tmp_path, SEEN, home=HOME, agents=("codex",), target=Path("X.md"))
    assert options is not None
    assert (options.agents, options.target) == (("codex",), Path("X.md"))


def test_a_project_is_known_behind_a_symlink(tmp_path: Path) -> None:
    """The config may name a project by a path that is not its real one."""
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    table = Project(path=tmp_path / "link")
    assert project_settings(Config(project=(table,)), real) == table
    assert project_settings(Config(project=(table,)), tmp_path) is None


def test_the_home_folder_gets_options_only_where_the_user_wants_it(tmp_path: Path) -> None:
    """Not even a table of its own is enough: what stands in a global file is loaded everywhere."""
    table = Project(path=tmp_path)
    assert plan_options(Config(project=(table,)), tmp_path, SEEN, home=tmp_path) is None
    options = plan_options(Config(home_sessions="global"), tmp_path, SEEN, home=tmp_path)
    assert options is not None
    assert options.agents == SEEN
