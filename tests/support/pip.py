"""Installing what lies in a folder, with what this environment already has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def install(source: Path, target: Path) -> None:
    """Install the package in `source` into the folder `target`; nothing is downloaded."""
    command = [*_PIP, "--no-deps", "--no-build-isolation", "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.fail(f"{source.name} does not install:\n{done.stderr}")
