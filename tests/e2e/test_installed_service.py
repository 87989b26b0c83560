"""What an installed headroomd needs for its service comes with it."""

from __future__ import annotations

import os
import plistlib
import shutil
import sys
from pathlib import Path

from tests.e2e.conftest import Program


def test_the_unit_is_rendered_from_what_was_installed(program: Program, tmp_path: Path) -> None:
    """The templates are in the wheel; --dry-run prints the unit and changes nothing."""
    if sys.platform != "darwin" and shutil.which("systemctl") is None:
        stand_in = tmp_path / "bin/systemctl"
        stand_in.parent.mkdir()
        stand_in.write_text("#!/bin/sh\nexit 1\n")
        stand_in.chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = program("service", "install", "--dry-run", cwd=tmp_path, variables={"PATH": path})
    assert done.returncode == 0, done.stderr
    if sys.platform == "darwin":
        assert plistlib.loads(done.stdout.encode())["ProgramArguments"][-1] == "run"
    else:
        assert '"-m" "headroomd" "run"' in done.stdout
        assert f'Environment="PATH={path}"' in done.stdout
    assert "@" not in done.stdout.replace("@...@", "")
    home = Path(os.environ["HOME"])
    assert not (home / ".config/systemd").exists()
    assert not (home / "Library/LaunchAgents").exists()
