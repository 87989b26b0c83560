"""The daemon's way to the LLM: which projects it asks about, and whom."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping

from headroomd.config import Config
from headroomd.daemon.analyst import Analyse
from headroomd.errors import ConfigError
from headroomd.options import plan_options
from headroomd.paths import Places

__all__ = ["analysis", "has_analyst"]


def has_analyst(config: Config, variables: Mapping[str, str]) -> bool:
    """Whether there is an LLM that can be asked."""
    from headroomd.analysis.backends import select

    try:
        return select(None, variables, shutil.which, config) is not None
    except ConfigError:  # `analysis` says so when it is due
        return False


def analysis(places: Places, variables: Mapping[str, str] | None = None) -> Analyse:
    """What `boot` is to call when analysis is due: asks about the projects that were enabled, and only those."""
    given = os.environ if variables is None else variables

    def analyse(config: Config, should_stop: Callable[[], bool]) -> list[str]:
        enabled = [project.path.resolve() for project in config.project if project.enabled]
        if not enabled:
            return []
        from headroomd import pipeline
        from headroomd.agents.base import Environment
        from headroomd.agents.registry import load_plugins
        from headroomd.analysis.backends import select
        from headroomd.ledger import Ledger

        backend = select(None, given, shutil.which, config)
        if backend is None:
            return []
        env, plugins = Environment.current(), load_plugins()
        changed: list[str] = []
        with Ledger.open(places.ledger) as ledger:
            seen = {facts.path: facts.agents for facts in ledger.facts.projects()}
            for project in enabled:
                options = plan_options(config, project, seen.get(str(project), ()), home=env.home)
                if options is None:
                    continue
                report = pipeline.analyse(
                    ledger, [project], plugins, env, options, backend, config.analysis, should_stop=should_stop
                )
                changed += report.changed
                if report.problem is not None and not changed:
                    raise report.problem
                if report.problem is not None or report.is_spent:
                    break  # the reason is kept with what waits
        return changed

    return analyse
