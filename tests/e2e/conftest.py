"""The installed program: what users get, not what lies in the repository."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.pip import install

REPOSITORY = Path(__file__).parents[2]


Program = Callable[..., subprocess.CompletedProcess[str]]


class Installed(NamedTuple):
    """Where a headroomd is installed that is not the repository's."""

    script: Path
    packages: str  # folder that has to come first on PYTHONPATH; "" where none has to


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """That of the running environment, or, where its installation is an editable one, of a wheel built once a run."""
    if not _is_editable():
        return Installed(Path(sys.executable).with_name("headroomd"), "")
    target = _built_once(tmp_path_factory.getbasetemp())
    # This path comes before the editable installation; the console script is the wheel's.
    return Installed(target / "bin/headroomd", str(target))


@pytest.fixture(scope="session")
def program(installed: Installed) -> Program:
    """Runs the console script of an installed headroomd to its end, as a child without a terminal."""
    script, own = installed

    def run(
        *arguments: str, cwd: Path, variables: Mapping[str, str] | None = None, packages: Path | str = ""
    ) -> subprocess.CompletedProcess[str]:
        """`packages` are folders with other packages, as if they were installed beside headroomd."""
        path = os.pathsep.join(filter(None, [own, str(packages) if packages else ""]))
        return subprocess.run(
            [str(script), *arguments],
            cwd=cwd,
            env={**os.environ, **(variables or {}), "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def _built_once(shared: Path) -> Path:
    """Where the wheel is installed; workers of one run share it."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    target = shared / "installed"
    with (shared / "installed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "complete").exists():
            install(REPOSITORY, target)
            (target / "complete").touch()
    return target


def _is_editable() -> bool:
    origin = json.loads(distribution("headroomd").read_text("direct_url.json") or "{}")
    return bool(origin.get("dir_info", {}).get("editable"))
