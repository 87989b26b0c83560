"""Keeping the daemon small."""

from __future__ import annotations

import subprocess
import sys

from headroomd.daemon.memory import give_back
from headroomd.redact import redact
from headroomd.shell import parse

_LEAN = """
import sys
from headroomd.daemon.memory import import_lean
import_lean()
assert {"structlog", "pydantic_settings"} <= set(sys.modules)
assert not {"rich", "ssl"} & set(sys.modules), "still imported"
import headroomd.daemon.run, headroomd.daemon.asking
assert not {"rich", "ssl"} & set(sys.modules), "imported by ours"
import rich, ssl, structlog, httpx
assert ssl.create_default_context()
"""


def test_what_is_not_used_is_not_imported() -> None:
    """The daemon comes without rich and ssl, and whoever needs them later finds them."""
    done = subprocess.run([sys.executable, "-c", _LEAN], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_what_was_kept_for_speed_is_forgotten_at_rest() -> None:
    """The same texts give the same results after it."""
    before = redact("token=abc"), parse("cd web && npm test")
    again = parse("cd web && npm test")
    assert again is before[1]
    give_back()
    assert parse("cd web && npm test") is not before[1]
    assert (redact("token=abc"), parse("cd web && npm test")) == before
