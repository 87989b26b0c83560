"""Sessions whose working directory is the home folder itself: counted, and written only where the user wants it."""

from __future__ import annotations

from pathlib import Path

import pytest

from headroomd import pipeline
from headroomd.agents.base import Environment, Shadow, Targets
from headroomd.agents.claude import plugin as claude
from headroomd.agents.codex import plugin as codex
from headroomd.agents.gemini import plugin as gemini
from headroomd.agents.registry import Plugins
from headroomd.config import Config
from headroomd.daemon.learner import Learner, Run
from headroomd.options import known_projects, plan_options
from headroomd.projects import Place
from tests.support.toy import Toy, World

BULLET = "- `notes/User.py` → actually at `docs/User.py`"
GLOBAL = Config(home_sessions="global")


class Loading(Toy):
    """An agent with a global file, which says so if it is asked about another folder than that file's."""

    def global_targets(self, env: Environment) -> Targets:
        file = env.home / ".toy/TOY.md"
        return Targets(file, file)

    def shadows(self, project: Path, env: Environment) -> list[Shadow]:
        return [Shadow(project / "TOY.md", "shadowed", "move it")]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path.resolve())
    world.plugins = Plugins({"toy": Loading(), "other": Toy("other")})
    (world.home / "docs").mkdir()
    (world.home / "docs/User.py").write_text("x\n")
    world.write("s1", cwd=world.home, wrong="notes", right="docs")
    return world


def learn(world: World, config: Config) -> list[pipeline.Applied]:
    """What `headroomd learn --all --apply` does."""
    world.scan()
    with world.ledger() as ledger:
        plans = [
            planned
            for project, seen in known_projects(ledger, config).items()
            if (options := plan_options(config, project, seen, home=world.home)) is not None
            for planned in pipeline.plan(ledger, [project], world.plugins, world.env, options)
        ]
        return pipeline.apply(ledger, plans)


def test_by_default_nothing_is_written(world: World) -> None:
    """The session is counted as one in the home folder, which is no project of its own."""
    assert learn(world, Config()) == []
    with world.ledger() as ledger:
        assert ledger.facts.totals().home == 1
        assert ledger.facts.totals().projects == 0
        assert not ledger.facts.projects()
        assert not ledger.overview.projects()
        assert [facts.path for facts in ledger.facts.projects(Place.HOME)] == [str(world.home)]
    assert not (world.home / ".toy/TOY.md").exists()
    assert not (world.home / "TOY.md").exists()


def test_switched_on_it_is_the_global_file(world: World) -> None:
    """Sessions read before count; the block says what its paths are relative to, and undo takes it out."""
    learn(world, Config())
    (applied,) = learn(world, GLOBAL)
    text = (world.home / ".toy/TOY.md").read_text()
    assert applied.draft.path == world.home / ".toy/TOY.md"
    assert BULLET in text
    assert "relative to it (`~/`)" in text
    assert not (world.home / "TOY.md").exists()
    assert learn(world, GLOBAL) == []
    world.undo()
    assert not (world.home / ".toy/TOY.md").exists()


def test_switched_off_again_it_stays_as_it_is(world: World) -> None:
    """Nothing is removed by itself, and what is learnt later is not added."""
    learn(world, GLOBAL)
    before = (world.home / ".toy/TOY.md").read_bytes()
    (world.home / "docs/Order.py").write_text("x\n")
    world.write("s2", cwd=world.home, name="Order", wrong="notes", right="docs")
    assert learn(world, Config()) == []
    assert (world.home / ".toy/TOY.md").read_bytes() == before
    learn(world, GLOBAL)
    assert "docs/Order.py" in (world.home / ".toy/TOY.md").read_text()


def test_an_agent_without_a_global_file_gets_none(world: World) -> None:
    """What such an agent learnt goes to the others, as in any project."""
    (world.home / ".toy/sessions/s1.log").unlink()
    world.write("s1", agent="other", cwd=world.home, wrong="notes", right="docs")
    assert learn(world, GLOBAL) == []
    world.write("s3", cwd=world.home, wrong="absent", right="docs")
    (applied,) = learn(world, GLOBAL)
    assert applied.draft.agents == ("toy",)
    assert BULLET in (world.home / ".toy/TOY.md").read_text()


def test_what_shadows_the_global_file_is_told(world: World) -> None:
    """The plugin is asked about the folder of its global file."""
    world.scan()
    with world.ledger() as ledger:
        options = plan_options(GLOBAL, world.home, ("toy",), home=world.home)
        assert options is not None
        (planned,) = pipeline.plan(ledger, [world.home], world.plugins, world.env, options)
    assert [shadow.path for shadow in planned.shadows] == [world.home / ".toy/TOY.md"]


@pytest.mark.parametrize(("config", "written"), [(Config(), False), (GLOBAL, True)])
def test_the_daemon_needs_no_other_opt_in(world: World, config: Config, written: bool) -> None:
    """The setting is the user's word, and without it a stale home folder writes nothing."""
    world.scan()
    with world.ledger() as ledger:
        with ledger.transaction():
            ledger.queue.mark_all_stale()
        Learner(ledger, world.plugins, world.env).refresh(config, Run(0.0))
    assert (world.home / ".toy/TOY.md").exists() is written


def test_a_session_elsewhere_in_the_home_folder_is_not_meant(world: World) -> None:
    """A folder of its own is a project, and its rules go to its own file."""
    (world.home / ".toy/sessions/s1.log").unlink()
    world.write("s1", cwd=world.project)
    (applied,) = learn(world, GLOBAL)
    assert applied.draft.path == world.project / "TOY.md"


def test_the_agents_global_files(tmp_path: Path) -> None:
    """Where Claude Code, Codex and Gemini CLI look, moved by their variables and by Gemini's context.fileName."""
    env = Environment(tmp_path, {})
    files = [plugin.global_targets(env) for plugin in (claude, codex, gemini)]
    names = [".claude/CLAUDE.md", ".codex/AGENTS.md", ".gemini/GEMINI.md"]
    assert files == [Targets(tmp_path / name, tmp_path / name) for name in names]
    moved = {"CLAUDE_CONFIG_DIR": "/c", "CODEX_HOME": "/x", "GEMINI_CLI_HOME": str(tmp_path / "g")}
    (tmp_path / "g/.gemini").mkdir(parents=True)
    (tmp_path / "g/.gemini/settings.json").write_text('{"context": {"fileName": ["../no.md", "AGENTS.md"]}}')
    env = Environment(tmp_path, moved)
    paths = [str(plugin.global_targets(env).context) for plugin in (claude, codex, gemini)]
    assert paths == ["/c/CLAUDE.md", "/x/AGENTS.md", str(tmp_path / "g/.gemini/AGENTS.md")]
