"""The real agents' CLIs, for tests marked `real_cli`.

They are looked for in the folder that REAL_CLI_BIN names (a `node_modules/.bin`; .ci/run installs one), else on PATH.
"""

from __future__ import annotations

import os
import shutil

import pytest

REAL_CLI_FOLDERS = os.pathsep.join(filter(None, [os.environ.get("REAL_CLI_BIN", ""), os.environ["PATH"]]))


def real_cli(name: str) -> str:
    """The path of an agent's CLI; skips the test where there is none."""
    path = shutil.which(name, path=REAL_CLI_FOLDERS)
    if path is None:
        pytest.skip(f"{name} is neither in the folder that REAL_CLI_BIN names nor on PATH")
    return path
