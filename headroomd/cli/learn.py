"""`headroomd learn`: read the sessions, show what would be written, and write it when asked to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from headroomd.cli.folders import chosen_project
from headroomd.cli.output import complain, note
from headroomd.errors import ConfigError
from headroomd.paths import Places, make_private

if TYPE_CHECKING:
    from headroomd.agents.base import Environment
    from headroomd.agents.registry import Plugins
    from headroomd.analysis.backends import Backend
    from headroomd.analysis.run import AnalysisReport
    from headroomd.config import Config
    from headroomd.ledger import Ledger
    from headroomd.pipeline import PlanOptions

__all__ = ["learn"]

_CHOICE: Final = "name one with --project, or take all with --all"


@click.command()
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Project directory (default: the current directory's project).",
)
@click.option("--all", "everything", is_flag=True, help="All projects that sessions were found for.")
@click.option("--apply", is_flag=True, help="Write the blocks (default: only show what would change).")
@click.option(
    "--agent",
    default="auto",
    show_default=True,
    metavar="[auto|claude|codex|gemini|NAME]",
    help="The agent whose sessions are read and whose files are written; NAME is a plugin's.",
)
@click.option("--model", metavar="TEXT", help="LLM for analysis; none is correlation only (default: auto, see above).")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "--target", type=click.Path(path_type=Path), help="Write the context block to this file of the project instead."
)
@click.option("--main-only", is_flag=True, help="Leave the transcripts of subagents out.")
@click.option("-j", "workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that read.")
def learn(
    project: Path | None,
    everything: bool,
    apply: bool,
    agent: str,
    model: str | None,
    as_json: bool,
    target: Path | None,
    main_only: bool,
    workers: int,
) -> int:
    """Learn from past sessions what went wrong and what then worked.

    Without --apply nothing is written: you see a diff of every file that would change, and for each rule how many
    sessions and calls it rests on.

    With an LLM, evidence is sent to it, redacted: calls that failed, those that worked, and what you said about them;
    never whole transcripts. This is done without --apply, too. "auto" takes the first of ANTHROPIC_API_KEY,
    OPENAI_API_KEY, GEMINI_API_KEY, HEADROOM_LEARN_CLI, and claude, gemini, codex on PATH; "--model none" sends nothing.
    """
    if project and everything:
        raise click.UsageError("--project and --all exclude each other")
    from headroomd import pipeline
    from headroomd.agents.base import Environment
    from headroomd.agents.registry import load_plugins
    from headroomd.cli import learned
    from headroomd.cli.progress import ScanProgress
    from headroomd.config import load_config
    from headroomd.ledger import Ledger, later

    places = Places.current()
    config = load_config(places)
    env = Environment.current()
    plugins = load_plugins()
    agents = _agents(agent, plugins)
    backend = _backend(model, config)
    root = (
        None if everything else chosen_project(project or Path.cwd(), _CHOICE, or_home=config.home_sessions == "global")
    )
    make_private(places.state)
    with Ledger.open(places.ledger) as ledger:
        with ScanProgress() as progress:
            report = pipeline.scan(
                ledger,
                plugins,
                env,
                agents=agents or config.agents or None,
                main_only=main_only,
                workers=workers,
                on_progress=progress,
            )
        choices = list(_choices(ledger, root, config, env, agents, target))
        asked = _ask(ledger, choices, plugins, env, backend, config)
        plans = [
            plan
            for options, projects in choices
            for plan in pipeline.plan(ledger, projects, plugins, env, options, later if backend else None)
        ]
        applied = pipeline.apply(ledger, plans) if apply else None
        analysed = learned.Analysed(
            model="/".join(filter(None, (backend.name, backend.model))) if backend else "none",
            report=asked,
            waiting=ledger.analyses.waiting(),
            refusals={str(plan.project): ledger.analyses.refusals(str(plan.project)) for plan in plans},
            was_named=model not in (None, "auto", "none"),
        )
    result = learned.Result(root, report, plans, applied, analysed)
    if as_json:
        learned.show_json(result)
    else:
        learned.show(result)
    for problem in result.problems:
        complain(str(problem))
    return 1 if result.has_failed else 0


def _backend(model: str | None, config: Config) -> Backend | None:
    """The LLM to ask, and a word about what goes where."""
    if model == "none":
        return None
    from headroomd.analysis.backends import select

    try:
        backend = select(model, os.environ, shutil.which, config)
    except ConfigError as error:
        if model is None:
            raise
        raise click.UsageError(f"--model {model}: {error}") from error
    if backend is not None:
        note(backend.describe())
    elif model is not None or config.analysis.model != "none":
        note("No LLM backend found: correlation only.")
    return backend


def _ask(
    ledger: Ledger,
    choices: list[tuple[PlanOptions, list[Path]]],
    plugins: Plugins,
    env: Environment,
    backend: Backend | None,
    config: Config,
) -> AnalysisReport:
    """Have the LLM, if there is one, look at what is new in the chosen projects; its first failure ends it."""
    from headroomd import pipeline
    from headroomd.analysis.run import AnalysisReport

    asked = AnalysisReport()
    for options, projects in choices:
        if backend is not None and asked.problem is None:
            asked.add(pipeline.analyse(ledger, projects, plugins, env, options, backend, config.analysis, eager=True))
    return asked


def _agents(name: str, plugins: Plugins) -> tuple[str, ...]:
    """The agents that --agent names; none for "auto", which leaves it to the config and to what is found."""
    if name == "auto":
        return ()
    if name not in plugins.plugins:
        raise click.UsageError(f"--agent {name}: there is no such agent; known: auto, {', '.join(plugins.plugins)}")
    return (name,)


def _choices(
    ledger: Ledger,
    root: Path | None,
    config: Config,
    env: Environment,
    agents: tuple[str, ...],
    target: Path | None,
) -> Iterator[tuple[PlanOptions, list[Path]]]:
    """The projects to plan, those that share their options together."""
    from headroomd.options import known_projects, plan_options

    known = known_projects(ledger, config)
    chosen = known if root is None else {root: known[root]} if root in known else {}
    groups: list[tuple[PlanOptions, list[Path]]] = []
    for project, seen in chosen.items():
        options = plan_options(config, project, seen, home=env.home, agents=agents, target=target)
        if options is None:
            continue
        if groups and groups[-1][0] == options:
            groups[-1][1].append(project)
        else:
            groups.append((options, [project]))
    yield from groups
