"""No test can reach the real home folder."""

from __future__ import annotations

import os
from pathlib import Path

from headroomd.agents.base import Environment
from headroomd.agents.registry import load_plugins
from headroomd.paths import Places


def test_every_place_lies_in_the_tests_own_folder(tmp_path: Path) -> None:
    """Our places and the folders of every agent are moved, whatever this machine's variables say."""
    places = Places.current()
    env = Environment.current()
    roots = [root for plugin in load_plugins().plugins.values() for root in plugin.roots(env)]
    assert roots
    for path in (places.state, places.config, places.runtime, places.log, env.home, *roots):
        assert path.is_relative_to(tmp_path), path


def test_no_key_of_this_machine_is_seen() -> None:
    """A developer's API keys never reach the program under test."""
    assert not [name for name in os.environ if name.endswith("API_KEY")]
